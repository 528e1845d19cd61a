"""`python -m benchmarks table`: records as Markdown and CSV, copy-source first, best in bold."""

import argparse
import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import options

BEGIN, END = "<!-- tables -->", "<!-- end of tables -->"
PAGE = Path(__file__).resolve().parent / "README.md"
COPY_SOURCE = "copy-source"
WITH = "l1 with references"

Record = dict[str, Any]


@dataclass
class Row:
    """One line of a table.

    Attributes:
        name: animator, or copy-source.
        values: metric -> number; None where nothing was to be measured.
        reported: metric -> number that the paper prints under the same protocol.
        budget: pairs that were trained on, as text.
        device: where it was measured.
    """

    name: str
    values: dict[str, float | None]
    reported: dict[str, float] = field(default_factory=dict)
    budget: str = ""
    device: str = ""


@dataclass
class Table:
    """Rows of one set under one protocol."""

    title: str
    metrics: list[str]
    higher_is_better: dict[str, bool]
    rows: list[Row]

    def best(self, metric: str) -> float | None:
        """Give the best value of a column, copy-source among them."""
        values = [value for row in self.rows if (value := row.values.get(metric)) is not None]
        if not values:
            return None
        return max(values) if self.higher_is_better[metric] else min(values)


def build_table(records: Sequence[Record]) -> Table:
    """Put records of one protocol on one set under each other.

    Args:
        records: at least one.

    Raises:
        ValueError: protocols, sets or clips differ, so that no column could hold both numbers.
    """
    from benchmarks.reported import read_reported

    for what, values in (
        ("protocols", {record["protocol"]["name"] for record in records}),
        ("sets", {record["data"] for record in records}),
        ("clips", {record["clips"].get("sha256") for record in records}),
    ):
        if len(values) > 1:
            raise ValueError(
                f"one table cannot hold different {what}: {', '.join(sorted(map(str, values)))}; "
                "give records of one, or none to have a table for each"
            )
    records = [with_references(record) for record in records]
    first = records[0]
    names = list(dict.fromkeys(name for record in records for name in record["metrics"]))
    better = {name: bool(r["higher_is_better"][name]) for r in records for name in r["metrics"]}
    reported = read_reported()
    rows = [Row(COPY_SOURCE, _copied(records))]
    rows += [_row(record, reported) for record in sorted(records, key=lambda r: str(r["model"]))]
    clips = first["clips"]
    title = (
        f"{first['data']}: {clips.get('count')} clips, {clips.get('frames')} frames, "
        f"`{first['protocol']['name']}`"
    )
    return Table(title, names, better, rows)


def with_references(record: Record) -> Record:
    """Add L1 with the reference frames counted to a record's metrics, where it has references."""
    if not record["protocol"].get("references"):
        return record
    parts = {
        part: {**record[part], WITH: record[f"{part}_with_references"]["l1"]}
        for part in ("metrics", "copy_source")
    }
    return {**record, **parts, "higher_is_better": {**record["higher_is_better"], WITH: False}}


def _copied(records: Sequence[Record]) -> dict[str, float | None]:
    values: dict[str, float | None] = {}
    for record in records:
        for name, value in record["copy_source"].items():
            known = values.setdefault(name, value)
            if value is not None and known is not None and abs(value - known) > 1e-4 * abs(known):
                raise ValueError(
                    f"copy-source has {name} {known} and {value} on the same clips: one of the "
                    f"records is not what it says (the last read: {record['model']})"
                )
    return values


def _row(record: Record, reported: list[Any]) -> Row:
    from animators.metrics import Protocol
    from benchmarks.reported import beside

    printed = {}
    for name in record["metrics"]:
        cell = beside(
            reported,
            model=record["model"],
            metric=name,
            protocol=Protocol.from_name(record["protocol"]["name"]),
        )
        if cell is not None and cell.value is not None:
            printed[name] = cell.value
    trained = record["checkpoint"].get("trained") or {}
    pairs = trained.get("pairs_seen")
    budget = f"{pairs:,}" if isinstance(pairs, int) else ""
    return Row(record["model"], dict(record["metrics"]), printed, budget, record["device"])


def group(records: Sequence[Record]) -> list[list[Record]]:
    """Split records into those that can stand in one table."""
    groups: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record in records:
        clips = str(record["clips"].get("sha256"))
        groups[record["data"], record["protocol"]["name"], clips].append(record)
    return [groups[key] for key in sorted(groups)]


def markdown(table: Table) -> str:
    """Write a table as Markdown: `measured (reported, difference)` where a paper has the number."""
    heads = [f"{name} {'↑' if table.higher_is_better[name] else '↓'}" for name in table.metrics]
    lines = [
        f"### {table.title}",
        "",
        "| | " + " | ".join([*heads, "pairs seen", "device"]) + " |",
        "|---|" + "---:|" * len(heads) + "---:|---|",
    ]
    for row in table.rows:
        cells = [_cell(table, row, name) for name in table.metrics]
        lines.append("| " + " | ".join([row.name, *cells, row.budget, row.device]) + " |")
    return "\n".join(lines)


def _cell(table: Table, row: Row, name: str) -> str:
    value = row.values.get(name)
    if value is None:
        return "–"  # noqa: RUF001
    text = digits(value)
    if text == digits(table.best(name) or 0.0):
        text = f"**{text}**"
    if name in row.reported:
        text += f" ({row.reported[name]:g}, {value - row.reported[name]:+.3f})"
    return text


def digits(value: float) -> str:
    """Write a number with four decimals, or two from 10 on."""
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"


def as_csv(tables: Sequence[Table]) -> str:
    """Write tables as one CSV with a line for each number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["table", "row", "metric", "measured", "reported", "pairs_seen", "device"])
    for table in tables:
        for row in table.rows:
            for name in table.metrics:
                value = row.values.get(name)
                measured = "" if value is None else repr(value)
                printed = row.reported.get(name, "")
                pairs = row.budget.replace(",", "")
                writer.writerow([table.title, row.name, name, measured, printed, pairs, row.device])
    return text.getvalue()


def insert(page: str, tables: str) -> str:
    """Put the tables between the marks of a page.

    Raises:
        ValueError: the page has no marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no lines {BEGIN} and {END} to write the tables between")
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks table", description=__doc__, allow_abbrev=False
    )
    described.add_argument(
        "records", nargs="*", type=Path, help="records for one table, which is only printed; "
        "without any, all of --results go into the page, a table for each set and protocol, and "
        "the papers' own numbers into REPORTED.md beside it",
    )  # fmt: skip
    described.add_argument("--results", type=Path, help="folder (default: benchmarks/results)")
    described.add_argument(
        "--page", type=Path, default=PAGE, help="page to write (default: benchmarks/README.md)"
    )
    described.add_argument("--csv", type=Path, help="write the numbers here as well")
    return described


def main(argv: Sequence[str]) -> int:
    """Write the tables; returns 0, or 2 after one line on stderr."""

    def work(arguments: argparse.Namespace) -> None:
        from benchmarks import few_shot, records
        from benchmarks.reported import read_reported
        from benchmarks.reported_page import PAGE as REPORTED
        from benchmarks.reported_page import page as reported_page
        from datamodules.files import write_whole

        if arguments.records:
            tables = [build_table([records.read_record(path) for path in arguments.records])]
        else:
            found = records.read_records(arguments.results or records.RESULTS)
            tables = [build_table(rows) for rows in group(found)]
        texts = [markdown(table) for table in tables]
        if not arguments.records:
            more = records.read_few_shot_records(arguments.results or records.RESULTS)
            texts += [few_shot.markdown(record) for record in more]
        text = "\n\n".join(texts)
        if arguments.csv:
            write_whole(arguments.csv, as_csv(tables))
        print(text)
        if not arguments.records:
            write_whole(arguments.page.with_name(REPORTED.name), reported_page(read_reported()))
            page = arguments.page.read_text(encoding="utf-8")
            write_whole(arguments.page, insert(page, text))
            print(f"\nwritten into {arguments.page}")

    return options.run(parser(), work, argv)
