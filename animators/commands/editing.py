"""Motion directions applied to pictures, behind `edit` and `manipulate`."""

import argparse
import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from animators.animator import Direction, Editable, Mode
from animators.commands import pictures
from animators.commands.following import write_animation
from animators.module import AnimatorModule
from animators.weights import load_animator
from datamodules import media

SWEEP_RATE = Fraction(10)
"""Frames per second of a sweep, as in the authors' linear manipulation."""


def edit(options: argparse.Namespace) -> None:
    """Edit a picture, and let it follow a clip if there is one.

    Raises:
        ValueError: no such direction, absolute mode, or inputs that do not fit.
        OSError: a file that is missing or cannot be written.
    """
    media.check_output(options.output)
    given = [p for p in (options.source, options.checkpoint, options.driving) if p is not None]
    pictures.refuse_inputs(options.output, *given)
    if options.driving is not None and options.mode in (Mode.ABSOLUTE, Mode.AVD):
        raise ValueError(
            f"an edited picture follows a clip in relative mode only: {options.mode} motion "
            "replaces the edited pose; leave --mode out"
        )
    model = _editable(options)
    source = pictures.open_source(options.source, options.crop, model)
    amounts: Mapping[str | int, float] = dict(options.set)
    with torch.no_grad():
        state: Any = model.edit(model.encode_source(source), amounts)
    if options.driving is not None:
        with media.open_clip(options.driving) as clip:
            written = write_animation(model, source, clip, options, encoded=state)
            print(f"{written}: {clip.num_frames} frames of {model.image_size} pixels")
        return
    result = _draw(model, source, state)
    shown = torch.cat([source, result], dim=3) if options.side_by_side else result
    with media.ClipWriter(options.output, media.PICTURE_RATE) as writer:
        writer.write(pictures.pixels(shown)[0])
    print(f"{options.output}: one picture of {model.image_size} pixels")


def manipulate(options: argparse.Namespace) -> None:
    """Sweep one direction or all of them over their range.

    Raises:
        ValueError: no such direction, fewer than two steps, or inputs that do not fit.
        OSError: a file that is missing or cannot be written.
    """
    media.check_output(options.output)
    pictures.refuse_inputs(options.output, options.source, options.checkpoint)
    if options.steps < 2:
        raise ValueError(f"--steps must be at least 2, got {options.steps}")
    model = _editable(options)
    source = pictures.open_source(options.source, options.crop, model)
    if options.reference:
        rendered, warped = model.reference_picture(source)
        _write_picture(options.output, torch.cat([source, rendered, warped], dim=3))
        return
    chosen = _chosen(model.directions, options.direction)
    rows = sweep(model, source, chosen, options.range, options.steps)
    if options.output.suffix.lower() == ".png":
        _write_picture(options.output, pictures.grid(rows.flatten(0, 1), options.steps))
        return
    columns = math.ceil(math.sqrt(len(chosen)))
    with media.ClipWriter(options.output, SWEEP_RATE) as writer:
        for step in range(options.steps):
            writer.write(pictures.pixels(pictures.grid(rows[:, step], columns))[0])
    print(f"{options.output}: {', '.join(chosen)}, {options.steps} amounts")


def sweep(
    model: Any,
    source: Tensor,
    directions: Mapping[str, Direction],
    limits: tuple[float, float] | None,
    steps: int,
) -> Tensor:
    """Draw a picture moved by equally spaced amounts along each direction.

    Args:
        model: an editable animator.
        source: (1, 3, S, S) in [0, 1].
        directions: those to sweep.
        limits: lowest and highest amount; None takes each direction's own.
        steps: number of amounts.

    Returns:
        (directions, steps, 3, S, S), not clamped.
    """
    state = model.encode_source(source)
    rows = []
    for name, direction in tqdm(directions.items(), desc="directions", unit="direction"):
        low, high = limits or (direction.low, direction.high)
        values = torch.linspace(low, high, steps).tolist()
        row = [_draw(model, source, model.edit(state, {name: value})) for value in values]
        rows.append(torch.cat(row))
    return torch.stack(rows)


@torch.no_grad()
def _draw(model: Any, source: Tensor, state: Any) -> Tensor:
    """Draw an edited source in its own pose: relative motion that stands still."""
    still = model.encode_motion(source)
    return model.render(state, model.transfer(state, still, still, Mode.RELATIVE))


def _editable(options: argparse.Namespace) -> Any:
    """Open the checkpoint of an animator that has motion directions."""
    model: AnimatorModule = load_animator(options.checkpoint, options.device)
    if not isinstance(model, Editable) or not model.directions:
        raise ValueError(
            f"{options.checkpoint} holds an animator without motion directions "
            f"({type(model).__name__}): use one of lia"
        )
    return model


def _chosen(known: Mapping[str, Direction], wanted: str) -> dict[str, Direction]:
    if wanted == "all":
        return dict(known)
    name = f"d{wanted}" if wanted.isdigit() else wanted
    if name not in known:
        raise ValueError(f"no motion direction {wanted!r}; there are: {', '.join(known)}")
    return {name: known[name]}


def _write_picture(path: Path, picture: Tensor) -> None:
    with media.ClipWriter(path, media.PICTURE_RATE) as writer:
        writer.write(pictures.pixels(picture)[0])
    print(f"{path}: one picture of {picture.shape[3]}x{picture.shape[2]} pixels")
