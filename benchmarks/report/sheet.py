"""A table as text in cells, for Markdown and LaTeX alike."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.report.rows import Row
from benchmarks.report.statistics import FEWEST, LEVEL, Standing
from benchmarks.report.tables import Table, digits

DASH = "–"  # noqa: RUF001
DAGGER = "†"


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: the number, or a word.
        standing: BEST is written bold, NEAR behind a sign.
        after: what stands behind the number.
    """

    text: str
    standing: Standing = Standing.NONE
    after: str = ""


@dataclass(frozen=True)
class Sheet:
    """Texts of a table; names of metrics and protocols stand in backquotes.

    Attributes:
        title: what stands above.
        heads: of the columns.
        numbers: for each column whether it holds numbers.
        rows: cells, as many as heads.
        notes: lines to stand below.
    """

    title: str
    heads: list[str]
    numbers: list[bool]
    rows: list[list[Cell]]
    notes: list[str] = field(default_factory=list)


def sheet(table: Table, *, intervals: bool = False) -> Sheet:
    """Write a table's numbers: `measured ± spread (reported, difference)`.

    Args:
        table: judged.
        intervals: whether each number's interval stands behind it.
    """
    given = any(row.given is not None for row in table.rows)
    seeds = any(row.seeds > 1 for row in table.rows)
    arrows = {True: "↑", False: "↓"}
    metrics = [
        f"{name} {arrows[table.higher_is_better[name]]}" if table.budgets else name
        for name in table.metrics
    ]
    heads = ["", *(["N"] * given), *(["seeds"] * seeds), *metrics]
    heads += ["pairs seen", "device"] * table.budgets
    rows = []
    for row in table.rows:
        cells = [Cell(row.name + DAGGER * (row.clips is None))]
        cells += [Cell("" if row.given is None else str(row.given))] * given
        cells += [Cell(str(row.seeds) if row.budget or row.seeds > 1 else "")] * seeds
        cells += [_cell(row, name, intervals=intervals) for name in table.metrics]
        cells += [Cell(row.budget), Cell(row.device)] * table.budgets
        rows.append(cells)
    numbers = [False] + [True] * (len(heads) - 1)
    numbers[-1] = not table.budgets
    return Sheet(table.title, heads, numbers, rows, [*table.notes, *_notes(table)])


def _cell(row: Row, name: str, *, intervals: bool) -> Cell:
    value = row.values.get(name)
    if value is None:
        return Cell(DASH)
    after = f" ± {digits(row.spread[name])}" if name in row.spread else ""
    if intervals and name in row.intervals:
        low, high = row.intervals[name]
        after += f" [{digits(low)}, {digits(high)}]"
    if name in row.reported:
        after += f" ({row.reported[name]:g}, {value - row.reported[name]:+.3f})"
    return Cell(digits(value), row.standings.get(name, Standing.NONE), after)


def _notes(table: Table) -> list[str]:
    paired = [row for row in table.rows if row.clips is not None]
    known = {standing for row in table.rows for standing in row.standings.values()}
    notes = []
    if known - {Standing.NONE}:
        notes.append(
            "Bold: ahead of every other row; ≈: not separable from the best (paired bootstrap over "
            f"clips, {100 * LEVEL:.0f} %)."
        )
    if paired and table.clips is not None and table.clips < FEWEST:
        notes.append(f"{table.clips} clips are too few to tell rows apart ({FEWEST} are wanted).")
    if any(row.spread for row in table.rows):
        notes.append("±: standard deviation over seeds of training.")
    if len(paired) < len(table.rows):
        notes.append(f"{DAGGER} no values of single clips: takes no part in the comparison.")
    if paired and (whole := [n for n in table.metrics if not table.compared(n)]):
        said = ", ".join(_whole(table, whole))
        notes.append(f"Without values of single clips that add up, so not compared: {said}.")
    if said := ", ".join(_fewer(table)):
        notes.append(
            f"Means over fewer clips, those in which something was found to be measured: {said}."
        )
    return notes


def _fewer(table: Table) -> list[str]:
    """Say which columns rest on fewer clips than there are, such as "`jitter` (2 to 4 of 6)"."""
    said = []
    for name in table.metrics:
        columns = [column for row in table.rows if (column := row.column(name)) is not None]
        counts = {int(np.isfinite(values).sum()) for values, _ in columns}
        if counts and min(counts) < len(columns[0][0]):
            many = " to ".join(str(count) for count in sorted({min(counts), max(counts)}))
            said.append(f"`{name}` ({many} of {len(columns[0][0])})")
    return said


def _whole(table: Table, metrics: Sequence[str]) -> list[str]:
    said = []
    for name in metrics:
        counts = sorted({row.samples[name] for row in table.rows if name in row.samples})
        many = " or ".join(f"{count:,}" for count in counts)
        said.append(f"`{name}` (n = {many})" if counts else f"`{name}`")
    return said
