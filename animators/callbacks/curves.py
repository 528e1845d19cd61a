"""Curves of a run, drawn from its metrics.csv."""

import csv
from collections import defaultdict
from pathlib import Path


def read_curves(file: Path) -> dict[str, tuple[list[float], list[float]]]:
    """Read `metrics.csv` into {metric: (pairs seen, values)}.

    Raises:
        ValueError: the file is no metrics.csv of a run.
    """
    with file.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    if not rows or "pairs_seen" not in rows[0]:
        raise ValueError(f"{file} is no metrics.csv of a run: it has no column 'pairs_seen'")
    curves: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for row in rows:
        for name, value in row.items():
            if value and name not in ("step", "pairs_seen"):
                curves[name][0].append(float(row["pairs_seen"]))
                curves[name][1].append(float(value))
    return dict(curves)


def draw_curves(file: Path, output: Path, title: str | None = None) -> None:
    """Draw the losses, and each validation metric beside copy-source, as a PNG.

    Args:
        file: a run's metrics.csv.
        output: the picture to write.
        title: heading; None takes none.

    Raises:
        ValueError: no metrics.csv of a run.
    """
    # the object interface: no global backend, no window, no state between calls
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curves = read_curves(file)
    metrics = [n for n in sorted(curves) if n.startswith("val/") and "copy_source" not in n]
    losses = [n for n in sorted(curves) if n.startswith("train/") and "rate" not in n]
    panels = [losses, *[[m] for m in metrics]]
    figure = Figure(figsize=(4 * len(panels), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, names in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for name in names:
            axes.plot(*curves[name], label=name, linewidth=1)
            baseline = curves.get(name.replace("val/", "val/copy_source_"))
            if name.startswith("val/") and baseline is not None:
                axes.axhline(baseline[1][-1], color="black", linestyle="--", label="copy-source")
        axes.set_xlabel("pairs seen")
        if names is losses:
            axes.set_yscale("symlog", linthresh=1e-3)
        if names:
            axes.legend(fontsize=6)
    if title is not None:
        figure.suptitle(title)
    part = output.with_name(f".{output.name}.part.png")
    figure.savefig(part, dpi=120)
    part.replace(output)
