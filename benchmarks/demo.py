"""`make demo`: what a toy run is judged by, and the toy files that it animates.

`python -m benchmarks.demo files RUN` writes a picture and a clip that the run has never seen;
`python -m benchmarks.demo judge RUN` compares the run with copy-source on such clips.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml
from torch import Tensor

from animators.metrics import Protocol, ReconstructionSuite, copy_source, evaluate_clips
from benchmarks.data import build_data
from datamodules import FramePairs, media
from datamodules.files import write_whole

BOUND = 0.7
"""Largest share of copy-source's L1 over moving pixels that passes."""
WRITTEN = {
    "clip (picture, driving clip, result)": "animation.mp4",
    "table": "table.md",
    "curves": "curves.png",
    "strips": "samples",
}
SHOWN = ("l1", "l1_moving_pixels", "psnr", "ssim")


def toy_data(run: Path) -> FramePairs:
    """Build the data that a run was trained on, from the configuration that it saved.

    Raises:
        FileNotFoundError: there is no such run.
        ValueError: it was trained on something other than toy clips.
    """
    config = run / "config.yaml"
    if not config.is_file():
        raise FileNotFoundError(f"there is no {config}: train first, with `make demo`")
    options = yaml.safe_load(config.read_text(encoding="utf-8"))["data"]["init_args"]
    if options.get("root") is not None:
        raise ValueError(f"{run} was trained on {options['root']}, not on toy clips")
    return build_data(options)


def write_files(run: Path) -> list[Path]:
    """Write `picture.png` and `driving.mp4`: one test figure, and another one's motion.

    Returns:
        The two paths.
    """
    clips = toy_data(run).test_clips

    def kind(i: int) -> str:
        return clips.name(i).split("#")[0].rstrip("0123456789")

    others = [
        i
        for i in range(1, len(clips))
        if kind(i) == kind(0) and clips.identity(i) != clips.identity(0)
    ]
    if not others:
        raise ValueError("the toy data has a single test figure of a kind: raise test_identities")
    driving = others[0]
    wanted = {
        run / "picture.png": (0, [0]),
        run / "driving.mp4": (driving, range(clips.num_frames(driving))),
    }
    for path, (clip, frames) in wanted.items():
        rate = Fraction(clips.fps(clip)).limit_denominator(1001)
        with media.ClipWriter(path, rate) as writer:
            for frame in media.to_frames(clips.read(clip, list(frames))):
                writer.write(frame)
    return list(wanted)


def score(run: Path) -> dict[str, dict[str, float]]:
    """Score the run's best checkpoint and copy-source on its test clips.

    Returns:
        Row -> metric -> mean. No figure and no motion of these clips was trained on.
    """
    from animators.animator import model_name
    from animators.weights import load_animator

    data = toy_data(run)
    animator = load_animator(run / "checkpoints" / "best.ckpt")
    suite = ReconstructionSuite(Protocol(data.image_size, frames=data.frames), lpips=False)
    suite.to(animator.device)

    def clips() -> Iterator[Mapping[str, Any]]:
        for batch in data.test_dataloader():
            video: Tensor = media.to_float(batch["video"].to(animator.device))
            yield {"video": video, "references": video[:, :0]}

    name = model_name(type(animator))
    return {
        "copy-source": evaluate_clips(copy_source, clips(), suite),
        name: evaluate_clips(lambda video, _: animator.reconstruct(video), clips(), suite),
    }


def judge(run: Path) -> bool:
    """Print and write the table; tell whether the run passes."""
    rows = score(run)
    copied, ours = (row["l1_moving_pixels"] for row in rows.values())
    share = ours / copied
    table = ["| | " + " | ".join(SHOWN) + " |", "|---|" + "---|" * len(SHOWN)]
    for name, row in rows.items():
        table.append(f"| {name} | " + " | ".join(f"{row[metric]:.4f}" for metric in SHOWN) + " |")
    passed = share <= BOUND
    table += [
        "",
        f"L1 over moving pixels is {share:.2f} of copy-source's; at most {BOUND} was wanted: "
        + ("reached." if passed else "missed. Train longer."),
    ]
    write_whole(run / "table.md", "\n".join(table) + "\n")
    print("\nToy figures and motions that were never trained on:\n")
    print("\n".join(table))
    print()
    for what, name in WRITTEN.items():
        if (run / name).exists():
            print(f"{what}: {run / name}")
    return passed


def main(argv: Sequence[str] | None = None) -> int:
    """Write the files or judge the run.

    Args:
        argv: the options; the process's own when None.

    Returns:
        0; 1 when the run misses its bound; 2 after one line on stderr.
    """
    options = argparse.ArgumentParser(prog="python -m benchmarks.demo", description=__doc__)
    options.add_argument("what", choices=("files", "judge"))
    options.add_argument("run", type=Path, help="the run's folder, such as runs/demo")
    arguments = options.parse_args(argv)
    try:
        if arguments.what == "judge":
            return 0 if judge(arguments.run) else 1
        print(*write_files(arguments.run), sep="\n")
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
