"""`python -m benchmarks gallery`: several checkpoints side by side on the test clips."""

import argparse
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks import options as shared


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks gallery",
        description="For each test clip: source, driving clip, every checkpoint's reconstruction "
        "and its difference from the clip, as OUTPUT/CLIP.mp4 and a strip OUTPUT/CLIP.png.",
        allow_abbrev=False,
    )
    options.add_argument("--checkpoints", required=True, nargs="+", type=Path)
    shared.add_data(options)
    options.add_argument("--clips", type=int, default=8, help="clips shown (default: 8)")
    options.add_argument(
        "--output", type=Path, default=Path("runs/gallery"),
        help="folder; real clips stay out of version control (default: runs/gallery)",
    )  # fmt: skip
    options.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    return options


def main(argv: Sequence[str]) -> int:
    """Draw; returns 0, or 2 after one line on stderr."""
    return shared.run(parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    import torch
    from tqdm import tqdm

    from animators.weights import load_animator
    from datamodules import media

    models = [load_animator(path, arguments.device) for path in arguments.checkpoints]
    sizes = {model.image_size for model in models}
    if len(sizes) > 1:
        raise ValueError(f"the checkpoints work at different sizes: {sorted(sizes)}")
    _, options = shared.data_options(arguments, sizes.pop())
    data = shared.open_data(options, arguments.data)
    count = min(arguments.clips, len(data.test_clips))
    loader = iter(data.test_dataloader())
    for _ in tqdm(range(count), desc="clips", unit="clip"):
        batch = next(loader)
        video = media.to_float(batch["video"])
        columns = [video[0, :1].expand_as(video[0]), video[0]]
        for model in models:
            result = model.reconstruct(video)[0].cpu()
            columns += [result, (result - video[0]).abs().clamp(0, 1)]
        name = Path(batch["name"][0]).name
        frames = media.to_frames(media.to_uint8(torch.cat(columns, dim=3)))
        _write(arguments.output / name, frames, batch["fps"][0])
    print(f"{count} clips in {arguments.output}: source, driving, then each checkpoint and its "
          "difference")  # fmt: skip


def _write(stem: Path, frames: Any, fps: float) -> None:
    """Write a clip, and a strip of six of its frames below each other."""
    import numpy as np

    from datamodules.media import ClipWriter

    rate = Fraction(fps).limit_denominator(1001)
    with ClipWriter(stem.with_name(f"{stem.name}.mp4"), rate) as writer:
        for frame in frames:
            writer.write(frame)
    shown = np.linspace(0, len(frames) - 1, min(6, len(frames))).round().astype(int)
    with ClipWriter(stem.with_name(f"{stem.name}.png"), rate) as writer:
        writer.write(np.concatenate(list(frames[shown])))
