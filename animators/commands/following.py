"""The streaming animation behind `animate`, and behind `edit` for clips."""

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
from animators.commands.directions import check_editable, edited
from animators.commands.options import Crop
from animators.inference import check_mode
from animators.module import AnimatorModule
from animators.weights import load_animator
from datamodules import media


def animate(options: argparse.Namespace, opened: AnimatorModule | None = None) -> None:
    """Stream the driving clip through the animator into the output.

    Args:
        options: those of the command.
        opened: the checkpoint's animator, where it is open already.

    Raises:
        ValueError: inputs that do not fit; nothing is written then.
        OSError: a file that is missing or cannot be written.
    """
    media.check_output(options.output)
    given = (options.source, *options.references, options.driving, options.checkpoint)
    pictures.refuse_inputs(options.output, *given)
    check_chunk(options.chunk)
    if options.edit and options.mode in (Mode.ABSOLUTE, Mode.AVD):
        raise ValueError(
            f"an edited picture follows a clip in relative mode only: {options.mode} motion "
            "replaces the edited pose; leave --mode out"
        )
    if options.mode in (Mode.ABSOLUTE, Mode.AVD) and options.reference_frame != "first":
        raise ValueError(
            f"--reference-frame has no meaning in {options.mode} mode, which takes each frame's "
            "own pose: leave it out, or use --mode relative"
        )
    model = opened or load_animator(options.checkpoint, options.device)
    check_mode(model, options.mode)
    check_references(model, len(options.references), "leave --references out")
    source = pictures.open_views(options.source, options.references, options.crop, model)
    encoded = None
    if options.edit:
        check_editable(model, options.checkpoint)
        encoded = edited(model, source, options.edit)
    with media.open_clip(options.driving) as clip:
        written = _follow(model, source, clip, options, encoded)
    print(f"{written}: {clip.num_frames} frames of {model.image_size} pixels")


def check_chunk(chunk: int | None) -> None:
    """Raise ValueError unless a chunk, where one is asked for, holds a frame."""
    if chunk is not None and chunk < 1:
        raise ValueError(f"--chunk must be at least 1, got {chunk}")


def _follow(
    model: AnimatorModule,
    source: Tensor,
    clip: media.Clip,
    options: argparse.Namespace,
    encoded: object | None,
) -> Path:
    """Animate (1, 3, S, S), with its references (1, V, 3, S, S), or its edited encoding."""
    crop = _driving_crop(options)
    mode = check_mode(model, options.mode)
    reference = None
    if mode is Mode.RELATIVE:
        if clip.num_frames == 1 and encoded is None:
            print(
                f"note: {clip.path} is a single frame, which moves nothing in relative mode: "
                "--mode absolute takes its pose",
                file=sys.stderr,
            )

        def frames() -> Iterator[Tensor]:
            return _frames(model, clip, options, crop, "best frame")

        reference = _reference(model, source, clip, options, frames, encoded)
    return write_stream(
        *(model, source, clip, options),
        mode=mode, crop=crop, reference=reference, encoded=encoded,
        beside=pictures.show_views(source), title="animate",
    )  # fmt: skip


def write_stream(
    model: AnimatorModule,
    source: Tensor,
    clip: media.Clip,
    options: argparse.Namespace,
    *,
    mode: Mode,
    crop: Crop,
    beside: Tensor | None,
    title: str,
    reference: Tensor | None = None,
    encoded: object | None = None,
) -> Path:
    """Write what an open clip makes of a source, at the clip's rate and with its sound.

    Args:
        model: the animator.
        source: (1, 3, S, S), or with its references (1, V, 3, S, S).
        clip: the driving clip.
        options: `output`, `chunk`, `side_by_side`.
        mode: one of the animator's.
        crop: of the clip.
        beside: (1, 3, S, W), what stands before the clip's frames where they are shown too.
        title: what the progress bar says.
        reference: the reference frame (1, 3, S, S); None is the clip's first.
        encoded: what to animate instead of the source's own encoding.

    Returns:
        What was written: the output, or the folder that its frames went to.
    """
    with media.ClipWriter(options.output, clip.fps, audio_from=clip.path) as writer:
        shown: list[Tensor] = []

        def driven() -> Iterator[Tensor]:
            for chunk in _frames(model, clip, options, crop, title):
                shown[:] = [chunk]
                yield chunk

        for piece in model.stream(
            source, driven(), mode=mode, reference=reference, encoded=encoded
        ):
            result = piece[0]
            if options.side_by_side:
                still = [] if beside is None else [beside.expand(len(result), -1, -1, -1)]
                result = torch.cat([*still, shown[0][0], result], dim=3)
            for frame in pictures.pixels(result):
                writer.write(frame)
    return writer.written


def _frames(
    model: AnimatorModule, clip: media.Clip, options: argparse.Namespace, crop: Crop, title: str
) -> Iterator[Tensor]:
    """Stream a clip as chunks (1, t, 3, S, S), with a progress bar."""
    size = options.chunk or model.default_chunk()
    with tqdm(total=clip.num_frames, desc=title, unit="frame") as bar:
        for chunk in pictures.driving_chunks(clip, crop, model, size):
            yield chunk
            bar.update(chunk.shape[1])


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
    frames: Callable[[], Iterator[Tensor]],
    encoded: object | None,
) -> Tensor | None:
    """Read the reference frame (1, 3, S, S); None is the first, which needs no reading."""
    wanted = options.reference_frame
    if wanted == "first":
        return None
    if wanted == "best":
        number = int(model.best_frame(source, frames(), encoded=encoded))
        print(f"best reference frame: {number}")
    elif wanted.isdigit() and int(wanted) < clip.num_frames:
        number = int(wanted)
    else:
        raise ValueError(
            f"--reference-frame is first, best or 0 to {clip.num_frames - 1}, got {wanted!r}"
        )
    return pictures.driving_frames(clip, clip.read([number]), _driving_crop(options), model)
