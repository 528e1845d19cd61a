"""`REPORTED.md`: the printed values of `reported.csv` as tables, with what is doubted of them."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.reported import (
    HIGHER_IS_BETTER,
    SUBJECTS,
    Reported,
    part_of,
    protocol_of,
    split_label,
)

PAGE = Path(__file__).resolve().parent / "REPORTED.md"

HEAD = """# What the papers print

Written by `python -m benchmarks table` out of `reported.csv`, which also has each number's line in
the paper's text. Every number of the five papers' tables stands here as printed, a section for each
table and set.

- A title ends with the protocol where the paper states all of it, else with the paper's own split
  of the set. Only under such a protocol has a measurement a printed number beside it.
- In brackets behind a metric is the network that the paper names for it. `akd`, `mkr`, `aed`
  and `csim` by different networks cannot be compared, nor with ours (`akd_mesh` and the like).
- `?` marks what is doubted, for the reason below its table. Nothing is mended.
- `fid` is measured against the driving frames, `fid_source` against the source pictures.
- `fomm (best)` and `mraa (best)` are DiME's bracketed scores: the best of what these one-shot
  animators make of the same reference pictures that DiME is given."""

Group = tuple[str, str, str, str]


def printed(rows: Sequence[Reported]) -> str:
    """Write the printed values as Markdown, a table for each table and set of a paper.

    A `?` marks what `reported.csv` calls suspect; why is said below the table.

    Raises:
        ValueError: two different values would stand in one cell.
    """
    groups: dict[Group, list[Reported]] = {}
    for row in rows:
        groups.setdefault((row.paper, row.table, row.split, part_of(row)), []).append(row)
    return "\n\n".join(_section(cells) for cells in groups.values())


def page(rows: Sequence[Reported]) -> str:
    """Write the whole page."""
    return f"{HEAD}\n\n{printed(rows)}\n"


def _section(cells: Sequence[Reported]) -> str:
    """Write one table; the cells are of one table, set and part."""
    first = cells[0]
    heads = list(dict.fromkeys(_head(cell) for cell in cells))
    lines: dict[str, dict[str, str]] = {}
    for cell in cells:
        shown = cell.printed + ("?" if cell.suspect else "")
        if lines.setdefault(cell.row, {}).setdefault(_head(cell), shown) != shown:
            raise ValueError(f"{cell.row} has two values of {_head(cell)} in one table: {cell}")
    protocol = protocol_of(first)
    said = split_label(first.paper, first.split) if protocol is None else protocol.name
    part = part_of(first)
    where = f"{first.split}, {part}" if part else first.split
    text = [
        f"### Printed in {first.paper}, table {first.table}: {where}, `{said}`",
        "",
        SUBJECTS[first.paper, first.table],
        "",
        f"| | {' | '.join(heads)} |",
        "|---|" + "---:|" * len(heads),
    ]
    for name, values in lines.items():
        text.append(f"| {name} | {' | '.join(values.get(head, '') for head in heads)} |")
    doubts = _doubts(cells)
    return "\n".join(text + (["", *doubts] if doubts else []))


def _head(cell: Reported) -> str:
    arrow = {True: " ↑", False: " ↓", None: ""}[HIGHER_IS_BETTER.get(cell.metric)]
    return f"{cell.metric} ({cell.detector}){arrow}" if cell.detector else cell.metric + arrow


def _doubts(cells: Sequence[Reported]) -> list[str]:
    """List why cells are doubted, an item for each reason."""
    whole: dict[str, int] = {}
    reasons: dict[str, dict[str, list[str]]] = {}
    for cell in cells:
        whole[cell.row] = whole.get(cell.row, 0) + 1
        if cell.suspect:
            reasons.setdefault(cell.suspect, {}).setdefault(cell.row, []).append(cell.metric)
    items = []
    for why, rows in reasons.items():
        named = (
            f"{row} (all)" if len(metrics) == whole[row] else f"{row} ({', '.join(metrics)})"
            for row, metrics in rows.items()
        )
        items.append(f"- `?` {', '.join(named)}: {why}")
    return items
