"""Motion directions as commands use them: who has them, sources moved along them, labels."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from animators.animator import Direction, Editable, find_direction
from animators.commands import pictures
from animators.weights import load_animator
from datamodules import media


def open_editable(path: Path, device: str) -> Any:
    """Open the checkpoint of an animator that has motion directions.

    Raises:
        OSError: the file is missing.
        ValueError: it is damaged, or the animator has none.
    """
    model = load_animator(path, device)
    check_editable(model, path)
    return model


def check_editable(model: object, path: Path) -> None:
    """Raise ValueError unless an animator has motion directions."""
    if not isinstance(model, Editable) or not model.directions:
        raise ValueError(
            f"{path} holds an animator without motion directions ({type(model).__name__}): use "
            "one of lia or lia_x"
        )


@torch.no_grad()
def edited(model: Any, source: Tensor, settings: Sequence[tuple[str, float]]) -> Any:
    """Encode a source (1, 3, S, S) in [0, 1], and move it as `moved` does."""
    return moved(model, model.encode_source(source), settings)


@torch.no_grad()
def moved(model: Any, state: Any, settings: Sequence[tuple[str, float]]) -> Any:
    """Move an encoded source (eq. 11 of LIA-X); amounts of one direction add up.

    Amounts beyond what the paper shows are noted on stderr.

    Args:
        model: an editable animator.
        state: what it keeps of a source.
        settings: directions, as a user says them, and amounts.

    Raises:
        ValueError: no such direction.
    """
    known: Mapping[str, Direction] = model.directions
    amounts: dict[str, float] = {}
    for wanted, amount in settings:
        name = find_direction(known, wanted)
        amounts[name] = amounts.get(name, 0.0) + amount
    for name, amount in amounts.items():
        low, high = known[name].low, known[name].high
        if not low <= amount <= high:
            print(
                f"note: {name}={amount:g} is beyond what is shown of it, {low:g} to {high:g}",
                file=sys.stderr,
            )
    return model.edit(state, amounts)


@torch.no_grad()
def drawn(model: Any, state: Any) -> media.Frames:
    """Draw one source, edited or not, in its own pose: (S, S, 3).

    Raises:
        ValueError: the picture is NaN.
    """
    return pictures.pixels(model.render(state, model.pose(state)))[0]


def name_with_index(name: str, direction: Direction) -> str:
    """Give `yaw1 (37)`, or `d5` where there is no name."""
    return name if name == f"d{direction.index}" else f"{name} ({direction.index})"


def table(tiles: media.Frames, rows: Sequence[str], columns: Sequence[str]) -> media.Frames:
    """Lay tiles (rows, columns, S, S, 3) out with a label for each row and column: (H, W, 3)."""
    side = tiles.shape[2]
    height, font = _type(side)
    margin = int(max(font.getlength(text) for text in rows)) + 8
    widths = [margin] + [side] * len(columns)
    header = [
        _label(text, font, height, width)
        for text, width in zip(["", *columns], widths, strict=True)
    ]
    body = [
        np.concatenate([_label(text, font, side, margin), *row], axis=1)
        for text, row in zip(rows, tiles, strict=True)
    ]
    return np.concatenate([np.concatenate(header, axis=1), *body])


def mosaic(tiles: media.Frames, labels: Sequence[str], columns: int) -> media.Frames:
    """Lay tiles (n, S, S, 3) out in rows of `columns`, a label above each; white where none is."""
    side = tiles.shape[1]
    height, font = _type(side)
    signed = [
        np.concatenate([_label(text, font, height, side), tile])
        for text, tile in zip(labels, tiles, strict=True)
    ]
    signed += [np.full_like(signed[0], 255)] * (-len(signed) % columns)
    lines = [np.concatenate(signed[i : i + columns], 1) for i in range(0, len(signed), columns)]
    return np.concatenate(lines)


def _type(side: int) -> tuple[int, Any]:
    """Height of a line, even as an mp4 wants it, and the font, for tiles of this side."""
    size = max(10, side // 16)
    return 2 * (size * 3 // 4), ImageFont.load_default(size)


def _label(text: str, font: Any, height: int, width: int) -> media.Frames:
    """Write a text on white, cut at the width: (height, width, 3)."""
    picture = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(picture).text((4, height / 2), text, fill="black", font=font, anchor="lm")
    return np.asarray(picture)
