"""`python -m benchmarks table`: records as Markdown, CSV and LaTeX, copy-source first.

Bold is ahead of every other row; what cannot be told from the best is marked instead.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import options

if TYPE_CHECKING:
    from benchmarks.report.cost import Cost
    from benchmarks.report.tables import Table

BEGIN, END = "<!-- tables -->", "<!-- end of tables -->"
PAGE = Path(__file__).resolve().parent / "README.md"


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
    described.add_argument(
        "--by-motion", action="store_true", help="L1 by quartile of the frames' motion as well"
    )
    described.add_argument(
        "--intervals", action="store_true", help="the 95 %% interval over clips behind each number"
    )
    described.add_argument("--csv", type=Path, help="write the numbers here as well")
    described.add_argument("--latex", type=Path, help="write the tables here as well, for booktabs")
    return described


def gather(arguments: argparse.Namespace) -> tuple[list["Table"], list["Cost"]]:
    """Read the records and make their tables.

    Raises:
        FileNotFoundError: there is no record.
        ValueError: a record is damaged, or does not fit the others.
    """
    from benchmarks import few_shot, records
    from benchmarks.costs import with_costs
    from benchmarks.report.cost import costs
    from benchmarks.report.motion import motion_table
    from benchmarks.report.tables import build_table, group

    studies: list[dict[str, Any]] = []
    if arguments.records:
        found = [records.read_record(path) for path in arguments.records]
    else:
        folder = arguments.results or records.RESULTS
        found = records.read_records(folder)
        studies = records.read_few_shot_records(folder)
    speeds = records.read_speed_records(arguments.results or records.RESULTS)
    found = with_costs(found, speeds)
    groups: list[list[Any]] = [found] if arguments.records else group(found)
    quartiles = [motion_table(rows) for rows in groups] if arguments.by_motion else []
    if arguments.by_motion and not any(quartiles):
        raise ValueError(
            "--by-motion: no record has values of frames: measure again with `python -m benchmarks "
            "run`"
        )
    tables = []
    for i, rows in enumerate(groups):
        tables.append(build_table(rows))
        tables += [table for table in quartiles[i : i + 1] if table is not None]
    tables += [table for study in studies for table in few_shot.tables(study)]
    return tables, costs(found, studies)


def main(argv: Sequence[str]) -> int:
    """Write the tables; returns 0, or 2 after one line on stderr."""

    def work(arguments: argparse.Namespace) -> None:
        from benchmarks.report.cost import cost_sheet
        from benchmarks.report.csvs import as_csv
        from benchmarks.report.latex import PREAMBLE, latex
        from benchmarks.report.markdown import markdown
        from benchmarks.report.sheet import sheet
        from benchmarks.reported import read_reported
        from benchmarks.reported_page import PAGE as REPORTED
        from benchmarks.reported_page import page as reported_page
        from datamodules.files import write_whole

        tables, costs = gather(arguments)
        sheets = [sheet(table, intervals=arguments.intervals) for table in tables]
        sheets += [cost_sheet(costs)] if costs else []
        text = "\n\n".join(markdown(one) for one in sheets)
        if arguments.csv:
            write_whole(arguments.csv, as_csv(tables, costs))
        if arguments.latex:
            write_whole(arguments.latex, "\n\n".join([PREAMBLE, *map(latex, sheets)]) + "\n")
        print(text)
        if not arguments.records:
            write_whole(arguments.page.with_name(REPORTED.name), reported_page(read_reported()))
            page = arguments.page.read_text(encoding="utf-8")
            write_whole(arguments.page, insert(page, text))
            print(f"\nwritten into {arguments.page}")

    return options.run(parser(), work, argv)
