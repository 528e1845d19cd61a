"""What papers print about themselves, as data: `reported.csv`."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from animators.metrics import Protocol

REPORTED = Path(__file__).resolve().parent / "reported.csv"
HEADER = (
    *("paper", "table", "row", "line", "split"),
    *("metric", "detector", "printed", "value", "suspect"),
)

# Every paper has its own split of a set: (paper, set) -> clips to train on, clips to test on.
# None where the paper does not print it.
SIZES: dict[tuple[str, str], tuple[int | None, int]] = {
    ("lia", "vox"): (17928, 495),
    ("lia", "taichi"): (1096, 115),
    ("lia", "ted"): (1124, 130),
    ("dime", "vox"): (18314, 507),
    ("dime", "taichi"): (682, 87),
    ("dime", "ted"): (1200, 120),
    ("dime", "dfdc"): (15039, 1807),
    ("dime", "nemo"): (1110, 124),
    ("dime", "aist"): (12187, 493),
    ("dime", "fashion"): (500, 100),
    ("dime", "bair"): (42880, 128),
    ("dime", "mgif"): (900, 100),
    ("swin_tps", "vox"): (19522, 525),
    ("swin_tps", "taichi"): (2867, 253),
    ("swin_tps", "fashion"): (500, 100),
    ("swin_tps", "mgif"): (900, 100),
    ("lia_x", "voxhq"): (None, 483),
    ("lia_x", "talkinghead1kh"): (None, 25),
}

# How tables of reconstruction were measured: (paper, table) -> protocol, but for the split. Only
# numbers of one protocol may stand side by side.
WAYS = {("lia", table): Protocol.lia(256) for table in ("1", "4", "5", "6")}


def split_label(paper: str, split: str) -> str:
    """Name a paper's split of a set: `lia-vox-17928-495`, or `lia-germanpublictv` without sizes."""
    sizes = SIZES.get((paper, split), ())
    parts = [paper, split, *(str(size) for size in sizes if size is not None)]
    return "-".join(parts).replace("_", "-")


def protocol_of(row: "Reported") -> Protocol | None:
    """Give the protocol of a printed number, or None where it is of none of ours."""
    way = WAYS.get((row.paper, row.table))
    return None if way is None else replace(way, split=split_label(row.paper, row.split))


@dataclass(frozen=True)
class Reported:
    """One printed cell.

    Attributes:
        paper: whose paper.
        table: number of the table there.
        row: method, as we call it.
        line: line of the paper's text.
        split: data set; `split_label` names the paper's own split of it.
        metric: as we call it.
        detector: network behind the metric.
        printed: the cell, letter for letter.
        value: the number, or None where it cannot be read.
        suspect: why it is doubted; empty where it is not.
    """

    paper: str
    table: str
    row: str
    line: int
    split: str
    metric: str
    detector: str
    printed: str
    value: float | None
    suspect: str


def read_reported(path: Path = REPORTED) -> list[Reported]:
    """Read the file of printed values.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another header, or a cell that is no number.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of reported values {path}")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != HEADER:
            raise ValueError(f"{path} must begin with the line {','.join(HEADER)}")
        return [_row(path, number, row) for number, row in enumerate(reader, start=2)]


def _row(path: Path, number: int, row: dict[str, str]) -> Reported:
    try:
        line, value = int(row["line"]), float(row["value"]) if row["value"] else None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}, line {number}: {error}") from error
    texts = {name: row[name] for name in HEADER if name not in ("line", "value")}
    return Reported(line=line, value=value, **texts)


def printed(rows: Sequence[Reported]) -> str:
    """Write the printed values as Markdown, a table for each table and set of a paper.

    A `?` marks what `reported.csv` calls suspect.
    """
    tables: dict[tuple[str, str, str], dict[str, dict[str, str]]] = {}
    titles = {}
    for row in rows:
        lines = tables.setdefault((row.paper, row.table, row.split), {})
        head = f"{row.metric} ({row.detector})" if row.detector else row.metric
        lines.setdefault(row.row, {})[head] = row.printed + ("?" if row.suspect else "")
        protocol = protocol_of(row)
        said = split_label(row.paper, row.split) if protocol is None else protocol.name
        titles[row.paper, row.table, row.split] = said
    parts = []
    for (paper, number, split), lines in tables.items():
        heads = list(dict.fromkeys(head for cells in lines.values() for head in cells))
        text = [f"| | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
        for name, cells in lines.items():
            text.append(f"| {name} | {' | '.join(cells.get(head, '') for head in heads)} |")
        said = titles[paper, number, split]
        title = f"### Printed in {paper}, table {number}: {split}, `{said}`"
        parts.append("\n".join([title, "", *text]))
    return "\n\n".join(parts)


def beside(rows: list[Reported], *, model: str, metric: str, protocol: Protocol) -> Reported | None:
    """Find what was printed for a measurement: same method, metric, split and way of measuring.

    Returns:
        The first such cell (papers give the main table first), or None.
    """
    for row in rows:
        if (row.row, row.metric) != (model, metric) or row.value is None:
            continue
        paper = protocol_of(row)
        if paper is not None and protocol.is_that_of(paper):
            return row
    return None
