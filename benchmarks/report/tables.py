"""Records of one set under one protocol as a table: copy-source first, every column judged."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.report.rows import (
    COPY_SOURCE,
    SAME,
    WITH,
    Record,
    Row,
    by_training,
    check_clips,
    over_trainings,
    read_clips,
    row_name,
)
from benchmarks.report.statistics import interval, standings


@dataclass
class Table:
    """Rows of one set under one protocol.

    Attributes:
        title: set, protocol, clips, frames.
        protocol: the protocol's name.
        metrics: columns, those that no row has left out.
        higher_is_better: metric -> whether more is better.
        rows: copy-source first.
        clips: how many clips there are.
        notes: lines to stand below it.
        budgets: whether pairs seen and devices are columns.
    """

    title: str
    protocol: str
    metrics: list[str]
    higher_is_better: dict[str, bool]
    rows: list[Row]
    clips: int | None = None
    notes: list[str] = field(default_factory=list)
    budgets: bool = True

    def __post_init__(self) -> None:
        """Leave empty columns out, and judge the others.

        Raises:
            ValueError: rows have different clips.
        """
        check_clips(self.rows)
        there = {n for row in self.rows for n, value in row.values.items() if value is not None}
        if empty := [name for name in self.metrics if name not in there]:
            self.notes = [f"Not measured: {', '.join(f'`{name}`' for name in empty)}.", *self.notes]
        self.metrics = [name for name in self.metrics if name in there]
        for name in self.metrics:
            self._judge(name)

    def compared(self, name: str) -> bool:
        """Tell whether each row that has values of clips has this metric's: or nobody is judged."""
        known = (row for row in self.rows if row.clips and row.values.get(name) is not None)
        return all(row.column(name) is not None for row in known)

    def _judge(self, name: str) -> None:
        compared = self.compared(name)
        rivals: dict[int | None, list[Row]] = defaultdict(list)
        for row in self.rows:  # one that saw more of a clip is not compared with one that saw less
            rivals[row.given].append(row)
            column = row.column(name)
            if column is not None and (ends := interval(*column)) is not None:
                row.intervals[name] = ends
        for rows in rivals.values():
            judged = standings(
                [row.column(name) if compared else None for row in rows],
                [row.values.get(name) for row in rows],
                higher=self.higher_is_better[name],
            )
            for row, standing in zip(rows, judged, strict=True):
                row.standings[name] = standing


FEW = (
    "N: references given; rows of equal N are compared. `best of` runs a one-shot animator from "
    "every view and keeps each clip's best by L1, which looks at the answer."
)


def label(record: Record) -> str:
    """Give a protocol's short name, such as `recon-lia`; empty where it has none."""
    from animators.metrics import Protocol

    if "label" in record["protocol"]:
        return str(record["protocol"]["label"])
    # records older than the short names
    found = Protocol.from_name(record["protocol"]["name"]).label
    return "" if found == "reconstruction" else found


def title(record: Record, *more: str) -> str:
    """Say what a table is about: set, short name, clips, frames and the protocol's whole name."""
    clips = record["clips"]
    named = ", ".join(text for text in (record["data"], *more, label(record)) if text)
    what = "pairs" if label(record).startswith("cross-") else "clips"
    return (
        f"{named}: {clips.get('count')} {what}, {clips.get('frames')} frames, "
        f"`{record['protocol']['name']}`"
    )


def build_table(records: Sequence[Record]) -> Table:
    """Put records of one protocol on one set under each other.

    Args:
        records: at least one.

    Raises:
        ValueError: protocols, sets, clips or detectors differ, so that no column could hold both
            numbers.
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
    _check_detectors(records)
    records = [with_references(record) for record in records]
    reported = read_reported()
    rows = [copied(records)]
    for seeds in by_training(records):
        measured = [_row(record, reported) for record in seeds]
        check_clips(measured)
        rows.append(over_trainings(measured))
    return Table(
        notes=[FEW] if rows[0].given is not None else [],
        title=title(records[0]),
        protocol=records[0]["protocol"]["name"],
        metrics=list(dict.fromkeys(name for record in records for name in record["metrics"])),
        higher_is_better={
            name: bool(r["higher_is_better"][name]) for r in records for name in r["metrics"]
        },
        rows=rows,
        clips=records[0]["clips"].get("count"),
    )


def _check_detectors(records: Sequence[Record]) -> None:
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        for metric, version in (record.get("detectors") or {}).items():
            found[metric][str(version)].append(record["model"])
    for metric, versions in found.items():
        if len(versions) > 1:
            said = ", ".join(f"{version} ({', '.join(who)})" for version, who in versions.items())
            raise ValueError(
                f"the column {metric!r} would mix detectors: {said}; measure again with one"
            )


def with_references(record: Record) -> Record:
    """Add L1 with the reference frames counted to a record's metrics, where it has references."""
    if not record["protocol"].get("references"):
        return record
    parts = {
        part: {**record[part], WITH: record[f"{part}_with_references"]["l1"]}
        for part in ("metrics", "copy_source")
    }
    return {**record, **parts, "higher_is_better": {**record["higher_is_better"], WITH: False}}


def copied(records: Sequence[Record]) -> Row:
    """Make the row of copy-source, which is the same in all records.

    Raises:
        ValueError: two records differ.
    """
    values: dict[str, float | None] = {}
    for record in records:
        for name, value in record["copy_source"].items():
            known = values.get(name)
            values[name] = value if known is None else known
            if value is not None and known is not None and abs(value - known) > SAME * abs(known):
                raise ValueError(
                    f"copy-source has {name} {known} and {value} on the same clips: one of the "
                    f"records is not what it says (the last read: {record['model']})"
                )
    # whoever measured the most of it
    found = [read_clips(record, "copy_source", values) for record in records]
    clips = max((one for one in found if one), key=lambda one: len(one.columns), default=None)
    given = None if _given(records[0]) is None else 0
    return Row(COPY_SOURCE, values, clips, samples=_samples(records), given=given)


def _samples(records: Sequence[Record]) -> dict[str, int]:
    return {name: n for r in records for name, n in (r.get("samples") or {}).items()}


def _row(record: Record, reported: list[Any]) -> Row:
    values = dict(record["metrics"])
    trained = record["checkpoint"].get("trained") or {}
    return Row(
        name=row_name(record),
        values=values,
        clips=read_clips(record, "metrics", values),
        reported=_printed(record, reported),
        samples=_samples([record]),
        budget=pairs(trained.get("pairs_seen")),
        device=record["device"],
        given=_given(record),
    )


def _given(record: Record) -> int | None:
    """Say how many references a row was given; None under a protocol that has none."""
    if not (aside := int(record["protocol"].get("references") or 0)):
        return None
    return 0 if (record.get("asked") or {}).get("plain") else aside


def pairs(seen: object) -> str:
    """Write pairs seen in training, such as `19,968`; empty where they are not known."""
    return f"{seen:,}" if isinstance(seen, int) else ""


def _printed(record: Record, reported: list[Any]) -> dict[str, float]:
    from animators.metrics import Protocol
    from benchmarks.reported import beside

    if row_name(record) != record["model"] or label(record).startswith("cross-"):
        return {}  # papers print what was trained on the set itself; their pairs nobody knows
    protocol = Protocol.from_name(record["protocol"]["name"])
    cells = {
        name: beside(reported, model=record["model"], metric=name, protocol=protocol)
        for name in record["metrics"]
    }
    return {name: cell.value for name, cell in cells.items() if cell and cell.value is not None}


def group(records: Sequence[Record]) -> list[list[Record]]:
    """Split records into those that can stand in one table."""
    groups: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record in records:
        clips = str(record["clips"].get("sha256"))
        groups[record["data"], record["protocol"]["name"], clips].append(record)
    return [groups[key] for key in sorted(groups)]


def digits(value: float) -> str:
    """Write a number with four decimals, or two from 10 on."""
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"
