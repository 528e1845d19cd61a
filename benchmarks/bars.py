"""`python -m benchmarks bars`: all models of some sets as bars, with their intervals over clips."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import options

if TYPE_CHECKING:
    from benchmarks.report.tables import Table


def choose(folder: Path, data: Sequence[str], metric: str, protocol: str) -> dict[str, "Table"]:
    """Make the table of each set.

    Args:
        folder: of the records.
        data: names of sets.
        metric: that has to be in the tables.
        protocol: short or whole name; of several tables of a short one that of all frames is taken.

    Returns:
        Set -> table, in the order asked for.

    Raises:
        FileNotFoundError: there is no record.
        ValueError: there is no such table, or more than one, or it lacks the metric.
    """
    from benchmarks.records import read_records
    from benchmarks.report.tables import build_table, group, label

    groups = group(read_records(folder))
    tables = {}
    for name in data:
        there = [rows for rows in groups if rows[0]["data"] == name]
        if not there:
            known = ", ".join(sorted({rows[0]["data"] for rows in groups}))
            raise ValueError(f"no record of {name!r} in {folder}; there are: {known}")
        fitting = [
            rows for rows in there if protocol in (label(rows[0]), rows[0]["protocol"]["name"])
        ]
        if len(fitting) > 1:  # the papers read all frames
            fitting = [
                rows for rows in fitting if "-full-" in rows[0]["protocol"]["name"]
            ] or fitting
        if len(fitting) != 1:
            known = ", ".join(sorted({rows[0]["protocol"]["name"] for rows in fitting or there}))
            raise ValueError(
                f"{len(fitting)} tables of {name!r} are of {protocol!r}; give --protocol one of: "
                f"{known}, or --results a folder with the records of one set of clips"
            )
        tables[name] = build_table(fitting[0])
        if metric not in tables[name].metrics:
            raise ValueError(
                f"no record of {name!r} has {metric!r}; there are: "
                f"{', '.join(tables[name].metrics)}"
            )
    return tables


def draw(tables: Mapping[str, "Table"], metric: str, output: Path) -> None:
    """Draw a panel for each set, with a bar for each row and copy-source dashed.

    Args:
        tables: set -> table that has the metric.
        metric: whose numbers to draw, with their intervals where the rows have clips.
        output: the picture; its kind follows from the name.
    """
    # the object interface: no global backend, no window, no state between calls
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from benchmarks.curves import save

    figure = Figure(figsize=(4 * len(tables), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(tables), squeeze=False)[0]
    names = sorted({row.name for table in tables.values() for row in table.rows[1:]})
    for axes, (data, table) in zip(panels, tables.items(), strict=True):
        copied, *rows = table.rows
        for row in rows:
            value, place = row.values.get(metric), names.index(row.name)
            if value is None:
                continue
            axes.bar(place, value, color=f"C{place % 10}")
            if metric in row.intervals:
                low, high = row.intervals[metric]
                axes.vlines(place, low, high, color="black")
        level = copied.values.get(metric)
        if level is not None:
            axes.axhline(level, linestyle="--", color="black", label=copied.name)
        axes.set_xlim(-0.6, len(names) - 0.4)  # a row that a set lacks leaves its place empty
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
        arrow = "↑" if table.higher_is_better[metric] else "↓"
        axes.set_title(f"{data}, {table.clips} clips: {metric} {arrow}", fontsize=10)
    figure.legend(*panels[0].get_legend_handles_labels(), fontsize=8, loc="outside upper right")
    save(figure, output)


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks bars", description=__doc__, allow_abbrev=False
    )
    described.add_argument("--data", nargs="+", required=True, help="sets, a panel for each")
    described.add_argument("--metric", default="l1", help="default: l1")
    described.add_argument(
        "--protocol", default="recon-lia", help="short or whole name (default: recon-lia)"
    )
    described.add_argument("--results", type=Path, help="folder (default: benchmarks/results)")
    described.add_argument("--output", required=True, type=Path, help="the picture, .png or .svg")
    return described


def main(argv: Sequence[str]) -> int:
    """Draw; returns 0, or 2 after one line on stderr."""

    def work(arguments: argparse.Namespace) -> None:
        from benchmarks.records import RESULTS

        if arguments.output.suffix not in (".png", ".svg"):
            raise ValueError(f"output {arguments.output} must end in .png or .svg")
        folder = arguments.results or RESULTS
        tables = choose(folder, arguments.data, arguments.metric, arguments.protocol)
        draw(tables, arguments.metric, arguments.output)
        print(f"bars: {arguments.output}")

    return options.run(parser(), work, argv)
