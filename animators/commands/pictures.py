"""Pictures and clips on their way into an animator and out of it."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from animators.commands.options import Crop
from animators.module import AnimatorModule
from datamodules import media


def fit(
    frames: media.Frames, crop: Crop, size: int, name: object, option: str = "--crop"
) -> media.Frames:
    """Crop and resize (n, H, W, 3) uint8 to squares of `size`; errors name file and option.

    Raises:
        ValueError: `none` on frames that are not square, or a square outside the picture.
    """
    height, width = frames.shape[1:3]
    if crop == "none" and height != width:
        raise ValueError(
            f"{name} is {width}x{height}, not square: crop it ({option} square, or {option} "
            f"X,Y,S), or distort it ({option} stretch)"
        )
    try:
        if crop == "square":
            frames = media.crop_square(frames)
        elif isinstance(crop, tuple):
            frames = media.crop_box(frames, crop)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return media.resize(frames, size)


def floats(frames: media.Frames, model: AnimatorModule) -> Tensor:
    """Turn (n, S, S, 3) uint8 into (n, 3, S, S) in [0, 1] on the model's device."""
    return media.to_float(media.to_tensor(frames).to(model.device))


def open_source(path: Path, crop: Crop, model: AnimatorModule) -> Tensor:
    """Read a picture as (1, 3, S, S) in [0, 1], S the model's size."""
    return floats(fit(media.read_image(path)[None], crop, model.image_size, path), model)


def open_views(path: Path, references: Sequence[Path], crop: Crop, model: AnimatorModule) -> Tensor:
    """Read a picture and its references as (1, V, 3, S, S); without any as (1, 3, S, S)."""
    views = [open_source(each, crop, model) for each in (path, *references)]
    return torch.stack(views, dim=1) if references else views[0]


def show_views(source: Tensor) -> Tensor:
    """Lay a source out to be shown: (1, 3, S, S), or with references (1, 3, S, 2 S).

    All references together fill a second square, so that a row stays readable with any number.
    """
    if source.ndim == 4:
        return source
    size, references = source.shape[-1], source[0, 1:]
    columns = math.isqrt(len(references) - 1) + 1
    small = F.interpolate(references, size=size // columns, mode="bilinear", antialias=True)
    table = grid(small.clamp(0, 1), columns)
    missing = (0, size - table.shape[3], 0, size - table.shape[2])
    return torch.cat([source[:, 0], F.pad(table, missing)], dim=3)


def grid(tiles: Tensor, columns: int) -> Tensor:
    """Lay (n, 3, S, S) out in rows of `columns`, black where there is no tile; (1, 3, ...)."""
    missing = -len(tiles) % columns
    tiles = torch.cat([tiles, tiles.new_zeros(missing, *tiles.shape[1:])])
    rows = [torch.cat(list(row), dim=2) for row in torch.split(tiles, columns)]
    return torch.cat(rows, dim=1)[None]


def driving_frames(
    clip: media.Clip,
    frames: media.Frames,
    crop: Crop,
    model: AnimatorModule,
    option: str = "--driving-crop",
) -> Tensor:
    """Turn frames (n, H, W, 3) of a driving clip into (n, 3, S, S) in [0, 1]."""
    return floats(fit(frames, crop, model.image_size, clip.path, option), model)


def driving_chunks(
    clip: media.Clip,
    crop: Crop,
    model: AnimatorModule,
    size: int,
    option: str = "--driving-crop",
) -> Iterator[Tensor]:
    """Stream a clip as chunks (1, t, 3, S, S) in [0, 1], holding one at a time."""
    held: list[Tensor] = []
    for frame in clip:
        held.append(driving_frames(clip, frame[None], crop, model, option))
        if len(held) == size:
            yield torch.cat(held)[None]
            held = []
    if held:
        yield torch.cat(held)[None]


def pixels(pictures: Tensor) -> media.Frames:
    """Turn (n, 3, H, W) into uint8 (n, H, W, 3), clamped.

    Raises:
        ValueError: NaN, which a model gives in too low a precision, with damaged weights, or of
            an absurd edit.
    """
    if not bool(pictures.isfinite().all()):
        raise ValueError(
            "the animator gave NaN: the checkpoint is damaged, its training had diverged, or an "
            "edit is far too large; try another checkpoint, or smaller amounts"
        )
    return media.to_frames(media.to_uint8(pictures))


def refuse_inputs(output: Path, *inputs: Path) -> None:
    """Raise ValueError when the output is one of the inputs."""
    for path in inputs:
        if output.exists() and path.exists() and output.samefile(path):
            raise ValueError(f"output {output} is an input: give another name")
