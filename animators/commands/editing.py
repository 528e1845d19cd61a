"""Motion directions applied to pictures and clips, behind `edit` and `manipulate`."""

import argparse
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from animators.animator import Direction, Mode, find_direction, spaced
from animators.commands import pictures
from animators.commands.directions import (
    check_editable,
    drawn,
    edited,
    mosaic,
    name_with_index,
    open_editable,
    table,
)
from animators.commands.following import check_chunk, write_stream
from animators.module import AnimatorModule
from animators.weights import load_animator
from datamodules import media

SWEEP_RATE = Fraction(10)
"""Frames per second of a sweep, as in the linear manipulation of LIA's authors."""


def edit(options: argparse.Namespace, opened: AnimatorModule | None = None) -> None:
    """Edit a picture, or a clip's first frame, which then makes the clip's own motion.

    Args:
        options: those of the command.
        opened: the checkpoint's animator, where it is open already.

    Raises:
        ValueError: no such direction, or inputs that do not fit.
        OSError: a file that is missing or cannot be written.
    """
    media.check_output(options.output)
    pictures.refuse_inputs(options.output, options.source, options.checkpoint)
    check_chunk(options.chunk)
    model: Any = opened or load_animator(options.checkpoint, options.device)
    check_editable(model, options.checkpoint)
    size = model.image_size
    with media.open_clip(options.source) as clip:
        first = pictures.fit(clip.read([0]), options.crop, size, options.source)
        source = pictures.floats(first, model)
        state = edited(model, source, options.set)
        if clip.num_frames > 1:
            written = write_stream(
                *(model, source, clip, options),
                mode=Mode.RELATIVE, crop=options.crop, encoded=state, beside=None, title="edit",
            )  # fmt: skip
            print(f"{written}: {clip.num_frames} frames of {size} pixels")
            return
    result = drawn(model, state)
    _write_picture(
        options, np.concatenate([first[0], result], 1) if options.side_by_side else result
    )


def manipulate(options: argparse.Namespace) -> None:
    """Sweep one direction, some or all over a range.

    Raises:
        ValueError: no such direction, fewer than two steps, or inputs that do not fit.
        OSError: a file that is missing or cannot be written.
    """
    media.check_output(options.output)
    pictures.refuse_inputs(options.output, options.source, options.checkpoint)
    if options.steps is not None and options.steps < 2:
        raise ValueError(f"--steps must be at least 2, got {options.steps}")
    model = open_editable(options.checkpoint, options.device)
    source = pictures.open_source(options.source, options.crop, model)
    if options.reference:
        rendered, warped = model.reference_picture(source)
        _write_picture(options, pictures.pixels(torch.cat([source, rendered, warped], dim=3))[0])
        return
    chosen = _chosen(model.directions, options.direction)
    amounts = _amounts(model.sweep, options.range, options.steps)
    rows = sweep(model, source, list(chosen), amounts)
    names = [name_with_index(*pair) for pair in chosen.items()]
    if options.output.suffix.lower() == ".png":
        _write_picture(options, table(rows, names, [f"{amount:g}" for amount in amounts]))
        return
    columns = math.ceil(math.sqrt(len(chosen)))
    with media.ClipWriter(options.output, SWEEP_RATE) as writer:
        for step, amount in enumerate(amounts):
            labels = [f"{name}  {amount:g}" for name in names]
            writer.write(mosaic(rows[:, step], labels, columns))
    print(f"{options.output}: {', '.join(chosen)}, {len(amounts)} amounts")


def _amounts(
    own: Sequence[float], limits: tuple[float, float] | None, steps: int | None
) -> Sequence[float]:
    """The animator's own amounts where nothing else is said."""
    if limits is None and steps is None:
        return own
    low, high = limits or (own[0], own[-1])
    return spaced(low, high, steps or len(own))


@torch.no_grad()
def sweep(
    model: Any, source: Tensor, directions: Sequence[str], amounts: Sequence[float]
) -> media.Frames:
    """Draw a picture moved by amounts along directions; the picture itself is drawn once.

    Args:
        model: an editable animator.
        source: (1, 3, S, S) in [0, 1].
        directions: names of those to sweep.
        amounts: how far.

    Returns:
        (directions, amounts, S, S, 3) uint8.
    """
    state = model.encode_source(source)
    still = drawn(model, state) if 0 in amounts else None
    rows = []
    for name in tqdm(directions, desc="directions", unit="direction"):
        row = [
            drawn(model, model.edit(state, {name: amount})) if amount or still is None else still
            for amount in amounts
        ]
        rows.append(np.stack(row))
    return np.stack(rows)


def _chosen(known: Mapping[str, Direction], wanted: Sequence[str]) -> dict[str, Direction]:
    if list(wanted) == ["all"]:
        return dict(known)
    names = [find_direction(known, name) for name in wanted]
    return {name: known[name] for name in names}


def _write_picture(options: argparse.Namespace, picture: media.Frames) -> None:
    with media.ClipWriter(options.output, media.PICTURE_RATE) as writer:
        writer.write(picture)
    height, width = picture.shape[:2]
    print(f"{options.output}: one picture of {width}x{height} pixels")
