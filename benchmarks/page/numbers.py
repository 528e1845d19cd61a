"""What the page shows of `benchmarks.report`: its sheets as grids, its intervals as bars."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.report.rows import COPY_SOURCE
from benchmarks.report.statistics import Interval, Standing

if TYPE_CHECKING:
    from benchmarks.report.sheet import Sheet
    from benchmarks.report.tables import Table

Record = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: as it is read.
        value: what it is sorted by; None sorts last.
        standing: where the number stands in its column.
        after: what stands behind the number.
    """

    text: str
    value: float | None = None
    standing: Standing = Standing.NONE
    after: str = ""


@dataclass(frozen=True)
class Grid:
    """A table of the page.

    Attributes:
        title: what it shows.
        heads: of its columns.
        numeric: whether each holds numbers.
        rows: cells, as many as heads.
        notes: lines below.
    """

    title: str
    heads: list[str]
    numeric: list[bool]
    rows: list[list[Cell]]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Bar:
    """One bar: a row's number, and its interval over clips where it has one."""

    name: str
    value: float
    interval: Interval | None
    standing: Standing


@dataclass(frozen=True)
class Chart:
    """A metric's bars.

    Attributes:
        metric: its name.
        higher_is_better: whether more is better.
        bars: of all rows but copy-source.
        copied: copy-source's number, where it was measured.
    """

    metric: str
    higher_is_better: bool
    bars: list[Bar]
    copied: float | None


@dataclass(frozen=True)
class Section:
    """One protocol on one set.

    Attributes:
        grid: its table.
        charts: a chart for each metric that some row has.
        motion: L1 by quartile of motion, where the records have the values of frames.
    """

    grid: Grid
    charts: list[Chart]
    motion: Grid | None = None


def number_in(text: str) -> float | None:
    """Read the number that a cell shows, such as `19,968`; None where it shows none."""
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def as_grid(sheet: "Sheet") -> Grid:
    """Take a sheet of `benchmarks.report` over."""
    rows = [
        [Cell(cell.text, number_in(cell.text), cell.standing, cell.after) for cell in row]
        for row in sheet.rows
    ]
    return Grid(sheet.title, list(sheet.heads), list(sheet.numbers), rows, list(sheet.notes))


def charts(table: "Table") -> list[Chart]:
    """Make the charts of a table, in the order of its columns."""
    found = []
    for metric in table.metrics:
        bars = [
            Bar(row.name, value, row.intervals.get(metric), row.standings[metric])
            for row in table.rows
            if row.name != COPY_SOURCE and (value := row.values.get(metric)) is not None
        ]
        copied = (row.values.get(metric) for row in table.rows if row.name == COPY_SOURCE)
        if bars:
            found.append(Chart(metric, table.higher_is_better[metric], bars, next(copied, None)))
    return found


def sections(records: Sequence[Record], studies: Sequence[Record] = ()) -> list[Section]:
    """Make a section for each set and protocol.

    Args:
        records: of quality measurements.
        studies: of `study references`.

    Raises:
        ValueError: records do not fit each other.
    """
    from benchmarks import few_shot
    from benchmarks.report.motion import motion_table
    from benchmarks.report.sheet import sheet
    from benchmarks.report.tables import build_table, group

    found = []
    for rows in group(records):
        table, quartiles = build_table(rows), motion_table(rows)
        motion = None if quartiles is None else as_grid(sheet(quartiles))
        found.append(Section(as_grid(sheet(table)), charts(table), motion))
    tables = [table for study in studies for table in few_shot.tables(study)]
    return found + [Section(as_grid(sheet(table)), charts(table)) for table in tables]


def cost_grid(records: Sequence[Record], studies: Sequence[Record] = ()) -> Grid | None:
    """Make the table of costs; None where nothing is known of any."""
    from benchmarks.report.cost import cost_sheet, costs

    known = costs(records, studies)
    return as_grid(cost_sheet(known)) if known else None


def provenance_grid(records: Sequence[Record]) -> Grid:
    """Say of each record with what it was made."""
    from benchmarks.report.rows import row_name
    from benchmarks.report.tables import label, pairs

    rows = []
    for record in records:
        checkpoint = record["checkpoint"]
        seen = pairs((checkpoint.get("trained") or {}).get("pairs_seen"))
        texts = (
            row_name(record),
            f"{record['data']} {label(record)}",
            (record.get("git") or "")[:12],
            record["device"],
            str(checkpoint.get("sha256") or "")[:12],
            seen,
            record["date"],
        )
        rows.append(
            [Cell(text, number_in(seen) if k == 5 else None) for k, text in enumerate(texts)]
        )
    heads = ["", "protocol", "commit", "device", "checkpoint", "pairs seen", "date"]
    numeric = [head == "pairs seen" for head in heads]
    notes = ["Checkpoint: the first digits of the file's sha256."]
    return Grid("How they were measured", heads, numeric, rows, notes)


def commands(records: Sequence[Record]) -> list[str]:
    """Give the commands that the records say they were made by."""
    return list(dict.fromkeys(str(r["command"]) for r in records if r.get("command")))
