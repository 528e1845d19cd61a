"""What papers print about themselves, as data: `reported.csv`."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from animators.metrics import Protocol

REPORTED = Path(__file__).resolve().parent / "reported.csv"
HEADER = (
    *("paper", "table", "row", "line", "split"),
    *("metric", "detector", "printed", "value", "suspect"),
)

# How tables of reconstruction were measured: (paper, table) -> protocol. Only numbers of one
# protocol may stand side by side.
PROTOCOLS = {("lia", table): Protocol.lia(256).name for table in ("1", "4", "5", "6")}


@dataclass(frozen=True)
class Reported:
    """One printed cell.

    Attributes:
        paper: whose paper.
        table: number of the table there.
        row: method, as we call it.
        line: line of the paper's text.
        split: data set; each paper has its own split of it.
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
    for row in rows:
        lines = tables.setdefault((row.paper, row.table, row.split), {})
        head = f"{row.metric} ({row.detector})" if row.detector else row.metric
        lines.setdefault(row.row, {})[head] = row.printed + ("?" if row.suspect else "")
    parts = []
    for (paper, number, split), lines in tables.items():
        heads = list(dict.fromkeys(head for cells in lines.values() for head in cells))
        text = [f"| | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
        for name, cells in lines.items():
            text.append(f"| {name} | {' | '.join(cells.get(head, '') for head in heads)} |")
        protocol = PROTOCOLS.get((paper, number))
        title = f"### Printed in {paper}, table {number}: {split}"
        title += f", `{protocol}`" if protocol else ""
        parts.append("\n".join([title, "", *text]))
    return "\n\n".join(parts)


def beside(
    rows: list[Reported], *, model: str, split: str, metric: str, protocol: str
) -> Reported | None:
    """Find what was printed for a measurement: same method, set, metric and protocol.

    Returns:
        The first such cell (papers give the main table first), or None.
    """
    for row in rows:
        same = (row.row, row.split, row.metric) == (model, split, metric)
        if same and row.value is not None and PROTOCOLS.get((row.paper, row.table)) == protocol:
            return row
    return None
