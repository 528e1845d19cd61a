"""`python -m benchmarks gallery`: test clips side by side, one film and one strip for each.

Panels from left to right: source, driving frame, then for each checkpoint its reconstruction and
the absolute difference from the driving frame.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import options

if TYPE_CHECKING:
    from torch import Tensor

    from animators.module import AnimatorModule


def panels(video: "Tensor", predictions: Sequence["Tensor"]) -> "Tensor":
    """Lay a clip and its reconstructions side by side.

    Args:
        video: (T, 3, H, W) in [0, 1], the source first.
        predictions: each (T, 3, H, W) in [0, 1].

    Returns:
        (T, 3, H, W (2 + 2 * predictions)) in [0, 1].
    """
    import torch

    columns = [video[:1].expand_as(video), video]
    for prediction in predictions:
        columns += [prediction, (prediction - video).abs()]
    return torch.cat(columns, dim=3)


def strip(frames: "Tensor", count: int) -> "Tensor":
    """Stack equally spaced frames.

    Args:
        frames: (T, 3, H, W).
        count: how many, at most T.

    Returns:
        (3, H * count, W), the earliest on top.
    """
    import torch

    chosen = torch.linspace(0, len(frames) - 1, min(count, len(frames))).round().long()
    return torch.cat(list(frames[chosen]), dim=1)


def rate(fps: float, indices: Sequence[int]) -> Fraction:
    """Give the rate at which chosen frames of a clip play as long as the clip did.

    Args:
        fps: the clip's rate.
        indices: numbers of the chosen frames, the first and last of which span the time.
    """
    span = indices[-1] - indices[0]
    slower = Fraction(len(indices) - 1, span) if span else Fraction(1)
    return max(Fraction(fps).limit_denominator(1001) * slower, Fraction(1)).limit_denominator(1001)


def write_clip(
    clip: Mapping[str, Any], animators: Sequence["AnimatorModule"], folder: Path, count: int
) -> list[Path]:
    """Write one clip's film and strip.

    Args:
        clip: as `benchmarks.data.TestClips` gives it.
        animators: all of the clip's size.
        folder: where `<clip>.mp4` and `<clip>.png` go.
        count: frames of the strip.

    Returns:
        The two files.
    """
    from datamodules import media

    video, references = clip["video"], clip["references"]
    made = [animator.reconstruct(video, references)[0].to(video.device) for animator in animators]
    frames = media.to_uint8(panels(video[0], made))
    name = re.sub(r"[^\w.#-]+", "-", clip["name"][0])
    film = folder / (name if name.endswith(".mp4") else f"{name}.mp4")
    picture = film.with_suffix(".png")
    speed = rate(clip["fps"][0], clip["frame_index"][0].tolist())
    for path, stack in ((film, frames), (picture, strip(frames, count)[None])):
        with media.ClipWriter(path, speed) as writer:
            for frame in media.to_frames(stack):
                writer.write(frame)
    return [film, picture]


def make(arguments: argparse.Namespace) -> list[Path]:
    """Write the gallery.

    Returns:
        Its files.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged, or the checkpoints differ in size.
    """
    from animators.weights import load_animator
    from benchmarks.data import TestClips, build_data, data_file, read_options

    file = data_file(arguments.data)
    settings = read_options(file, arguments.overrides)
    animators = [load_animator(path, arguments.device) for path in arguments.checkpoint]
    sizes = {animator.image_size for animator in animators}
    if len(sizes) > 1:
        raise ValueError(f"checkpoints of different sizes {sorted(sizes)}: make a gallery for each")
    settings |= {"image_size": animators[0].image_size, "frames": arguments.frames}
    settings |= {} if arguments.root is None else {"root": arguments.root}
    folder = arguments.output or Path("runs") / "gallery" / file.stem
    clips = TestClips(build_data(settings), animators[0].device, "gallery", arguments.clips)
    files = []
    for clip in clips:
        files += write_clip(clip, animators, folder, arguments.strip)
    return files


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks gallery",
        description="Write test clips side by side: source, driving, then each checkpoint's "
        "reconstruction and its difference.",
        allow_abbrev=False,
    )
    described.add_argument("--checkpoint", required=True, type=Path, nargs="+")
    options.add_data(described)
    described.add_argument("--clips", type=int, default=8, help="how many, in order of name")
    described.add_argument("--strip", type=int, default=6, help="frames of the strip")
    described.add_argument("--output", type=Path, help="folder (default: runs/gallery/DATA)")
    options.add_device(described)
    return described


def main(argv: Sequence[str]) -> int:
    """Write the gallery; returns 0, or 2 after one line on stderr."""

    def work(arguments: argparse.Namespace) -> None:
        for name in ("clips", "strip"):
            if getattr(arguments, name) < 1:
                raise ValueError(f"--{name} must be at least 1, got {getattr(arguments, name)}")
        for path in make(arguments):
            print(path)

    return options.run(parser(), work, argv)
