"""The streaming animation behind `animate` and `edit`."""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from tqdm import tqdm

from animators.animator import Mode, check_references
from animators.commands import pictures
from animators.commands.options import Crop
from animators.inference import check_mode
from animators.module import AnimatorModule
from animators.weights import load_animator
from datamodules import media

Frames = Callable[[str], Iterator[Tensor]]


def animate(options: argparse.Namespace) -> None:
    """Stream the driving clip through the animator into the output.

    Raises:
        ValueError: inputs that do not fit; nothing is written then.
        OSError: a file that is missing or cannot be written.
    """
    media.check_output(options.output)
    given = (options.source, *options.references, options.driving, options.checkpoint)
    pictures.refuse_inputs(options.output, *given)
    if options.chunk is not None and options.chunk < 1:
        raise ValueError(f"--chunk must be at least 1, got {options.chunk}")
    if options.mode in (Mode.ABSOLUTE, Mode.AVD) and options.reference_frame != "first":
        raise ValueError(
            f"--reference-frame has no meaning in {options.mode} mode, which takes each frame's "
            "own pose: leave it out, or use --mode relative"
        )
    model = load_animator(options.checkpoint, options.device)
    check_mode(model, options.mode)
    check_references(model, len(options.references), "leave --references out")
    source = pictures.open_views(options.source, options.references, options.crop, model)
    with media.open_clip(options.driving) as clip:
        written = write_animation(model, source, clip, options)
    print(f"{written}: {clip.num_frames} frames of {model.image_size} pixels")


def write_animation(
    model: AnimatorModule,
    source: Tensor,
    clip: media.Clip,
    options: argparse.Namespace,
    encoded: object | None = None,
) -> Path:
    """Animate `source`, or its edited encoding, by an open clip.

    Args:
        model: the animator.
        source: (1, 3, S, S), or with its references (1, V, 3, S, S).
        clip: the driving clip.
        options: the command's.
        encoded: what to animate instead of the source's own encoding.

    Returns:
        What was written: the output, or the folder that its frames went to.
    """
    size = options.chunk or model.default_chunk()
    crop = _driving_crop(options)

    def frames(what: str) -> Iterator[Tensor]:
        bar = tqdm(total=clip.num_frames, desc=what, unit="frame")
        with bar:
            for chunk in pictures.driving_chunks(clip, crop, model, size):
                yield chunk
                bar.update(chunk.shape[1])

    mode = check_mode(model, options.mode)
    reference = None
    if mode is Mode.RELATIVE:
        if clip.num_frames == 1:
            print(
                f"note: {clip.path} is a single frame, which moves nothing in relative mode: "
                "--mode absolute takes its pose",
                file=sys.stderr,
            )
        reference = _reference(model, source, clip, options, frames)
    with media.ClipWriter(options.output, clip.fps, audio_from=clip.path) as writer:
        shown: list[Tensor] = []
        views = pictures.show_views(source)

        def driven() -> Iterator[Tensor]:
            for chunk in frames("animate"):
                shown[:] = [chunk]
                yield chunk

        for piece in model.stream(
            source, driven(), mode=mode, reference=reference, encoded=encoded
        ):
            result = piece[0]
            if options.side_by_side:
                still = views.expand(len(result), -1, -1, -1)
                result = torch.cat([still, shown[0][0], result], dim=3)
            for frame in pictures.pixels(result):
                writer.write(frame)
    return writer.written


def _driving_crop(options: argparse.Namespace) -> Crop:
    """Return the driving clip's own crop; else the source's, unless that is a place in it."""
    if options.driving_crop is not None:
        return cast(Crop, options.driving_crop)
    return "square" if isinstance(options.crop, tuple) else cast(Crop, options.crop)


def _reference(
    model: AnimatorModule,
    source: Tensor,
    clip: media.Clip,
    options: argparse.Namespace,
    frames: Frames,
) -> Tensor | None:
    """Read the reference frame (1, 3, S, S); None is the first, which needs no reading."""
    wanted = options.reference_frame
    if wanted == "first":
        return None
    if wanted == "best":
        number = int(model.best_frame(source, frames("best frame")))
        print(f"best reference frame: {number}")
    elif wanted.isdigit() and int(wanted) < clip.num_frames:
        number = int(wanted)
    else:
        raise ValueError(
            f"--reference-frame is first, best or 0 to {clip.num_frames - 1}, got {wanted!r}"
        )
    return pictures.driving_frames(clip, clip.read([number]), _driving_crop(options), model)
