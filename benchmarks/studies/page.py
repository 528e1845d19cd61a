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
}
"""Kind of a record, and the module whose `report` writes its table."""


def read(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Read the studies' records of a folder, those of a kind by the names of their files.

    Raises:
        FileNotFoundError: there is none.
        ValueError: one is damaged, or of another kind than its name says.
    """
    from benchmarks.records import read_study_record, slug

    found = {
        kind: [
            read_study_record(path, kind) for path in sorted(folder.glob(f"{slug(kind)}_*.json"))
        ]
        for kind in KINDS
    }
    if not any(found.values()):
        raise FileNotFoundError(
            f"there is no record of a study in {folder}: make one with `python -m benchmarks study "
            f"{next(iter(KINDS))}`"
        )
    return found


def tables(folder: Path) -> str:
    """Write every record's table, kind by kind, each with its date and commit.

    Raises:
        FileNotFoundError: there is no record.
        ValueError: one is damaged.
    """
    texts = []
    for kind, records in read(folder).items():
        report = import_module(KINDS[kind]).report
        for record in records:
            try:
                text = report(record)
            except (KeyError, TypeError, ValueError) as error:
                name = f"{kind} of {record['date']}"
                raise ValueError(f"record {name} is damaged ({error!r}): make it again") from error
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
