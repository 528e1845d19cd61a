"""`python -m benchmarks study page`: write the tables of all studies' records into a page.

Few-shot tables stand in `benchmarks/README.md`, written by `python -m benchmarks table`.
"""

import argparse
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import options

PAGE = Path(__file__).resolve().parents[1] / "STUDIES.md"
KINDS = {
    "solver": "benchmarks.studies.solver",
    "field": "benchmarks.studies.field",
    "flow_cost": "benchmarks.studies.flow_cost",
    "identity_probe": "benchmarks.studies.probe_table",
    "sparsity": "benchmarks.studies.sparsity",
    "directions": "benchmarks.studies.directions",
    "leakage": "benchmarks.studies.leakage",
}
"""Kind of a record, and the module whose `report` writes its table."""


def newest(folder: Path) -> list[tuple[str, Path, dict[str, Any]]]:
    """Read the studies' records of a folder: kind, file and record.

    Of records that differ in nothing but the day and the checkpoint, only the newest is given.

    Raises:
        FileNotFoundError: there is none.
        ValueError: one is damaged, or of another kind than its name says.
    """
    from benchmarks.records import read_study_record, slug

    found: dict[str, tuple[str, Path, dict[str, Any]]] = {}
    for kind in KINDS:
        for path in sorted(folder.glob(f"{slug(kind)}_*.json")):
            record = read_study_record(path, kind)
            # the name but for the day, and what was asked for
            study = f"{path.stem.rpartition('_')[0]} {record.get('settings')}"
            if study not in found or found[study][2]["date"] <= record["date"]:
                found[study] = (kind, path, record)
    if not found:
        raise FileNotFoundError(
            f"there is no record of a study in {folder}: make one with `python -m benchmarks study "
            f"{next(iter(KINDS))}`"
        )
    return list(found.values())


def tables(folder: Path) -> str:
    """Write the table of every study's newest record, each with its date and commit.

    Raises:
        FileNotFoundError: there is no record.
        ValueError: one is damaged.
    """
    texts = []
    for kind, path, record in newest(folder):
        try:
            text = import_module(KINDS[kind]).report(record)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged ({error!r}): make it again") from error
        commit = record["git"] or "no commit"
        texts.append(f"{text}\n\nMeasured {record['date'][:10]}, {commit[:12]}.")
    return "\n\n".join(texts)


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks study page", description=__doc__, allow_abbrev=False
    )
    described.add_argument("--results", type=Path, help="folder (default: benchmarks/results)")
    described.add_argument(
        "--page", type=Path, default=PAGE, help="page to write (default: benchmarks/STUDIES.md)"
    )
    return described


def main(argv: Sequence[str]) -> int:
    """Write the page; returns 0, or 2 after one line on stderr."""
    return options.run(parser(), work, argv)


def work(arguments: argparse.Namespace) -> None:
    """Write the page as the options say.

    Raises:
        OSError: a file is missing.
        ValueError: a record is damaged, or the page has no marks.
    """
    from benchmarks import records
    from benchmarks.table import insert
    from datamodules.files import write_whole

    text = tables(arguments.results or records.RESULTS)
    page = arguments.page.read_text(encoding="utf-8")
    write_whole(arguments.page, insert(page, text))
    print(f"{text}\n\nwritten into {arguments.page}")
