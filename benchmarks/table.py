"""`python -m benchmarks table`: records joined into tables, the papers' numbers in others."""

import argparse
import csv
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import options as shared

HERE = Path(__file__).resolve().parent
NEEDED = ("name", "data", "protocol", "metrics", "higher_is_better", "date", "device")
REPORTED = ("paper", "table", "row", "line", "split", "metric", "detector", "printed", "value",
            "suspect")  # fmt: skip
BASELINE = "copy-source"

Record = Mapping[str, Any]


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks table",
        description="Print records as tables, one for each data set and protocol; the papers' "
        "numbers, whose protocols are not ours, follow in tables of their own.",
        allow_abbrev=False,
    )
    options.add_argument(
        "records", nargs="*", type=Path, help="JSON records or folders of them (default: results/)"
    )
    options.add_argument("--reported", type=Path, default=HERE / "reported.csv")
    options.add_argument("--output", type=Path, help="Markdown file to write (default: only print)")
    return options


def main(argv: Sequence[str]) -> int:
    """Join; returns 0, or 2 after one line on stderr."""
    return shared.run(parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    records = read_records(arguments.records or [HERE / "results"])
    text = measured(records) + "\n" + reported(read_reported(arguments.reported))
    print(text)
    if arguments.output is not None:
        shared.write_whole(arguments.output, text)
        print(f"written: {arguments.output}")


def read_records(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Read records, and every record of a folder.

    Raises:
        FileNotFoundError: a path is missing.
        ValueError: no record at all, or a file that is none.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(
                f"{path} does not exist: measure with `python -m benchmarks run`"
            )
        files += sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"no record in {paths[0]}: measure with `python -m benchmarks run`")
    return [_read(file) for file in files]


def _read(file: Path) -> dict[str, Any]:
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is no JSON record ({error}): measure it again") from error
    missing = [k for k in NEEDED if not isinstance(record, dict) or k not in record]
    if missing:
        raise ValueError(f"{file} is no record of `benchmarks run`: it lacks {', '.join(missing)}")
    if any(not isinstance(v, int | float) or math.isnan(v) for v in record["metrics"].values()):
        raise ValueError(f"{file} holds a metric that is no number: measure it again")
    return {**record, "file": file.name}


def newest(records: Sequence[Record]) -> list[Record]:
    """Keep the newest record of each row of one table."""
    kept: dict[str, Record] = {}
    for record in sorted(records, key=lambda r: str(r["date"])):
        kept[str(record["name"])] = record
    return sorted(kept.values(), key=lambda r: (r["name"] != BASELINE, str(r["name"])))


def measured(records: Sequence[Record]) -> str:
    """Write one Markdown table for each data set and protocol, copy-source first, the best bold.

    Raises:
        ValueError: records of one table that scored different clips or lack copy-source.
    """
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        groups[str(record["data"]), str(record["protocol"]["name"])].append(record)
    parts = []
    for (data, protocol), members in sorted(groups.items()):
        rows = newest(members)
        if rows[0]["name"] != BASELINE:
            raise ValueError(f"{data}, {protocol}: there is no {BASELINE} to compare with")
        counts = {r.get("clips") for r in rows}
        if len(counts) > 1:
            raise ValueError(f"{data}, {protocol}: rows scored {counts} clips: measure them again")
        parts.append(f"### {data}, {rows[0].get('clips')} clips, `{protocol}`\n\n{_table(rows)}")
    return "\n".join(parts)


def _table(rows: Sequence[Record]) -> str:
    better: Mapping[str, bool] = rows[0]["higher_is_better"]
    metrics = [m for m in better if any(m in r["metrics"] for r in rows)]
    best = {
        m: (max if better[m] else min)(r["metrics"][m] for r in rows if m in r["metrics"])
        for m in metrics
    }
    arrows = [f"{m} {'↑' if better[m] else '↓'}" for m in metrics]
    lines = [
        f"| | {' | '.join(arrows)} | pairs seen | device |",
        "|---|" + "---:|" * (len(metrics) + 1) + "---|",
    ]
    for row in rows:
        cells = []
        for m in metrics:
            value = row["metrics"].get(m)
            text = "" if value is None else f"{value:.4f}"
            cells.append(f"**{text}**" if value == best[m] else text)
        pairs = row.get("training", {}).get("pairs_seen", "")
        seen = f"{pairs:,}" if isinstance(pairs, int) else ""
        lines.append(f"| {row['name']} | {' | '.join(cells)} | {seen} | {row['device']} |")
    return "\n".join(lines) + "\n"


def read_reported(file: Path) -> list[dict[str, str]]:
    """Read the papers' numbers.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: other columns, or a value that is no number.
    """
    if not file.is_file():
        raise FileNotFoundError(f"{file} does not exist: it holds the papers' numbers")
    with file.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        rows = list(reader)
    if tuple(reader.fieldnames or ()) != REPORTED:
        raise ValueError(f"{file} must have the columns {','.join(REPORTED)}")
    for number, row in enumerate(rows, start=2):
        try:
            float(row["value"])
        except (TypeError, ValueError):
            raise ValueError(f"{file}, line {number}: {row['value']!r} is no number") from None
    return rows


def reported(rows: Sequence[Mapping[str, str]]) -> str:
    """Write the papers' numbers as printed, by paper, table and split; `?` marks suspect ones."""
    groups: dict[tuple[str, str, str], dict[str, dict[str, str]]] = {}
    for row in rows:
        table = groups.setdefault((row["paper"], row["table"], row["split"]), {})
        mark = "?" if row["suspect"] else ""
        detector = f" ({row['detector']})" if row["detector"] else ""
        table.setdefault(row["row"], {})[f"{row['metric']}{detector}"] = row["printed"] + mark
    parts = []
    for (paper, number, split), table in groups.items():
        metrics = list(dict.fromkeys(m for cells in table.values() for m in cells))
        lines = [f"| | {' | '.join(metrics)} |", "|---|" + "---:|" * len(metrics)]
        for name, cells in table.items():
            lines.append(f"| {name} | {' | '.join(cells.get(m, '') for m in metrics)} |")
        parts.append(
            f"### As printed in {paper}, table {number}, {split}: another protocol and split, "
            f"not comparable with the tables above\n\n" + "\n".join(lines) + "\n"
        )
    return "\n".join(parts)
