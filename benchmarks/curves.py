"""`python -m benchmarks curves`: L1 and LPIPS of runs over training, beside copy-source."""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import options

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curves = Mapping[str, tuple[list[float], list[float]]]


def read_run(run: Path) -> Curves:
    """Read the validation curves of a run.

    Raises:
        FileNotFoundError: the folder has no metrics.csv.
        ValueError: the file is no metrics.csv of a run, or holds no validation yet.
    """
    from animators.callbacks.curves import read_curves

    file = run / "metrics.csv"
    if not file.is_file():
        raise FileNotFoundError(f"there is no {file}: give the folder of a run")
    curves = read_curves(file)
    if not any(name.startswith("val/") for name in curves):
        raise ValueError(f"{file} holds no validation yet")
    return curves


def draw(runs: Mapping[str, Curves], metrics: Sequence[str], output: Path) -> None:
    """Draw a panel for each metric, with a line for each run and its copy-source dashed.

    Args:
        runs: name -> metric -> (pairs seen, values).
        metrics: such as `l1`.
        output: the picture; its kind follows from the name.

    Raises:
        ValueError: no run has such a metric.
    """
    # the object interface: no global backend, no window, no state between calls
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    known = sorted({name for curves in runs.values() for name in curves if "copy_source" in name})
    for metric in metrics:
        if not any(f"val/{metric}" in curves for curves in runs.values()):
            there = ", ".join(name.removeprefix("val/copy_source_") for name in known)
            raise ValueError(f"no run has validated {metric!r}; there are: {there}")
    figure = Figure(figsize=(4.5 * len(metrics), 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        levels: dict[float, str] = {}  # one copy-source for the same clips, but for rounding
        for run, curves in runs.items():
            if f"val/{metric}" not in curves:
                continue
            (line,) = axes.plot(*curves[f"val/{metric}"], label=run)
            copied = curves.get(f"val/copy_source_{metric}")
            if copied is not None:
                levels.setdefault(float(f"{copied[1][-1]:.4g}"), line.get_color())
        for level, color in levels.items():
            color = "black" if len(levels) == 1 else color
            axes.axhline(level, linestyle="--", color=color, label="copy-source")
        axes.set_xlabel("pairs seen")
        axes.set_title(metric)
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=7)
    save(figure, output)


def save(figure: "Figure", output: Path) -> None:
    """Write a figure, whole or not at all; the picture's kind follows from the name."""
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_name(f".{output.stem}.{os.getpid()}.part{output.suffix}")
    try:
        figure.savefig(part, dpi=120)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks curves", description=__doc__, allow_abbrev=False
    )
    described.add_argument(
        "runs", nargs="+", type=Path, help="folders of runs, such as runs/lia-toy"
    )
    described.add_argument("--metrics", nargs="+", default=["l1", "lpips"])
    described.add_argument("--output", required=True, type=Path, help="the picture, .png or .svg")
    return described


def main(argv: Sequence[str]) -> int:
    """Draw; returns 0, or 2 after one line on stderr."""

    def work(arguments: argparse.Namespace) -> None:
        if arguments.output.suffix not in (".png", ".svg"):
            raise ValueError(f"output {arguments.output} must end in .png or .svg")
        draw(
            {run.name: read_run(run) for run in arguments.runs}, arguments.metrics, arguments.output
        )
        print(f"curves: {arguments.output}")

    return options.run(parser(), work, argv)
