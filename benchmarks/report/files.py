"""The tables of some records as files: Markdown, CSV and LaTeX in one folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.report.cost import cost_sheet, costs
from benchmarks.report.csvs import as_csv
from benchmarks.report.latex import PREAMBLE, latex
from benchmarks.report.markdown import markdown
from benchmarks.report.motion import motion_table
from benchmarks.report.sheet import sheet
from benchmarks.report.tables import Table, build_table, group
from datamodules.files import write_whole

NAMES = ("tables.md", "tables.csv", "tables.tex")


def tables_of(records: Sequence[Any]) -> list[Table]:
    """Make a table for each set and protocol, and one by motion behind those that have frames."""
    found = []
    for rows in group(records):
        found.append(build_table(rows))
        if (quartiles := motion_table(rows)) is not None:
            found.append(quartiles)
    return found


def write_tables(records: Sequence[Any], folder: Path) -> list[Path]:
    """Write `NAMES`, each whole or not at all; with intervals over clips and costs.

    Args:
        records: of quality, with `cost` where it is known.
        folder: made if it is not there.

    Raises:
        ValueError: records do not fit each other.
    """
    tables, known = tables_of(records), costs(records)
    sheets = [sheet(table, intervals=True) for table in tables]
    sheets += [cost_sheet(known)] if known else []
    texts = (
        "\n\n".join(markdown(one) for one in sheets) + "\n",
        as_csv(tables, known),
        "\n\n".join([PREAMBLE, *map(latex, sheets)]) + "\n",
    )
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / name for name in NAMES]
    for file, text in zip(files, texts, strict=True):
        write_whole(file, text)
    return files
