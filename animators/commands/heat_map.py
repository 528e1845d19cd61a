"""Magnitudes of motion directions over a clip as a picture (LIA-X, figure 3)."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

MOST_NAMES = 64
"""Directions up to which each has its name beside it."""


class Map(NamedTuple):
    """One map: magnitudes (T, D), names of the D directions by index, and a title."""

    magnitudes: Tensor
    names: Sequence[str]
    title: str


def draw(maps: Sequence[Map], output: Path) -> None:
    """Draw maps below one another, directions down and frames across, each with its own scale.

    The colour scale is symmetrical: white is 0, and the ends are the map's largest magnitude.

    Args:
        maps: at least one.
        output: a png, written whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    # the object interface: no global backend, no window
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = [0.9 + 0.13 * min(one.magnitudes.shape[1], MOST_NAMES) for one in maps]
    figure = Figure(figsize=(8, sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(maps), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, one in zip(panels, maps, strict=True):
        shown = one.magnitudes.detach().float().cpu().T.numpy()
        most = float(abs(shown).max()) or 1.0
        image = axes.imshow(
            shown, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", interpolation="nearest"
        )
        if len(one.names) <= MOST_NAMES:
            axes.set_yticks(range(len(one.names)), one.names, fontsize=6)
        axes.set_title(one.title, fontsize=8)
        axes.set_xlabel("frame", fontsize=7)
        axes.tick_params(axis="x", labelsize=6)
        bar = figure.colorbar(image, ax=axes)
        bar.set_label("magnitude", fontsize=7)
        bar.ax.tick_params(labelsize=6)
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_name(f".{output.stem}.{os.getpid()}.part.png")
    try:
        figure.savefig(part, dpi=120)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
