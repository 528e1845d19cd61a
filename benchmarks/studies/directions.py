"""`python -m benchmarks study directions`: motion directions on faces (LIA-X, figures 4 and 5).

Along every direction of a motion dictionary: how far the head turns (yaw, pitch, roll), how far the
identity moves, and how much the pixels change. For pictures (figure 4), and for clips whose first
frame is edited and then makes the clip's own motion (figure 5: the head of a clip is rotated).
"""

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import options

if TYPE_CHECKING:
    from torch import Tensor

    from animators.animator import Direction
    from animators.module import AnimatorModule

CURVES = Path("runs") / "directions"
STEPS = 6
"""Amounts a direction, over its own range; even, so that none of them is 0 where it is centred."""
FRAMES = 8
ESTIMATORS = {
    "points": "face mesh 468 (MediaPipe 0.10.21)",
    "identity": "dlib ResNet 128-d (face-recognition-models 0.3.0)",
}
Sources = list[tuple[str, "Tensor"]]


def report(record: Mapping[str, Any]) -> str:
    """Write a record as Markdown."""
    from benchmarks.studies import directions_table

    return directions_table.report(record)


def plan(
    known: Mapping[str, "Direction"],
    wanted: Sequence[str],
    amounts: Sequence[float] | None,
    steps: int,
) -> dict[str, list[float]]:
    """Say which amounts are drawn of which directions, without 0, which is the unedited drawing.

    Args:
        known: an animator's directions.
        wanted: names or indices, or `all`.
        amounts: for all of them; None takes each one's own range.
        steps: amounts over that range, both ends among them.

    Raises:
        ValueError: no such direction, or amounts that are none.
    """
    from animators.animator import find_direction, spaced

    if steps < 2:
        raise ValueError(f"--steps must be at least 2, got {steps}")
    if amounts is not None and (bad := [a for a in amounts if not a or not math.isfinite(a)]):
        raise ValueError(
            f"--amounts must be numbers other than 0, the unedited drawing, got {bad[0]:g}"
        )
    names = list(known) if list(wanted) == ["all"] else [find_direction(known, w) for w in wanted]
    found = {}
    for name in names:
        own = spaced(known[name].low, known[name].high, steps) if amounts is None else amounts
        found[name] = sorted({float(amount) for amount in own if abs(amount) > 1e-9})
    return found


def read_sources(paths: Sequence[Path], model: "AnimatorModule", frames: int | None) -> Sources:
    """Read pictures and clips as (T, 3, S, S) in [0, 1], their centre squares.

    Raises:
        OSError, ValueError: a file is missing or cannot be read.
    """
    import numpy as np

    from animators.commands import pictures
    from datamodules import media

    found: Sources = []
    for path in paths:
        with media.open_clip(path) as clip:
            count = clip.num_frames if frames is None else min(frames, clip.num_frames)
            numbers = np.linspace(0, clip.num_frames - 1, count).round().astype(int)
            square = pictures.fit(clip.read(list(numbers)), "square", model.image_size, path)
        found.append((path.name, pictures.floats(square, model).cpu()))
    return found


def parser() -> argparse.ArgumentParser:
    """Describe the study's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks study directions", description=__doc__, allow_abbrev=False
    )
    rows = described.add_mutually_exclusive_group(required=True)
    rows.add_argument("--checkpoint", type=Path, help="an animator with motion directions")
    rows.add_argument(
        "--rows", nargs="+", metavar="NAME=CHECKPOINT", help="several, such as with=C without=D"
    )
    described.add_argument(
        "--source", nargs="+", type=Path, default=[], metavar="FILE",
        help="pictures, or clips, instead of --data",
    )  # fmt: skip
    options.add_data(described, FRAMES, required=False)
    described.add_argument("--limit", type=int, metavar="N", help="the first N test clips only")
    described.add_argument(
        "--direction", nargs="+", default=["all"], metavar="NAME",
        help="names or indices, or all (default)",
    )  # fmt: skip
    described.add_argument(
        "--amounts", nargs="+", type=float, metavar="A",
        help="amounts, the same for every direction (default: each one's own range)",
    )  # fmt: skip
    described.add_argument(
        "--steps", type=int, default=STEPS, help=f"amounts over a range (default: {STEPS})"
    )
    described.add_argument(
        "--curve", type=Path, help="the curves, .png or .svg (default: runs/directions/NAME-DATA)"
    )
    described.add_argument("--name", help="what the study is called (default: the animator)")
    options.add_record(described)
    options.add_device(described)
    return described


def main(argv: Sequence[str]) -> int:
    """Measure, draw, write and print; returns 0, or 2 after one line on stderr."""
    return options.run(parser(), work, argv)


def work(arguments: argparse.Namespace) -> None:
    """Measure and draw as the options say.

    Raises:
        OSError: a file is missing.
        ValueError: things do not fit each other.
    """
    if arguments.curve is not None and arguments.curve.suffix not in (".png", ".svg"):
        raise ValueError(f"curve {arguments.curve} must end in .png or .svg")
    if (arguments.data is None) == (not arguments.source):
        raise ValueError("name either --data or --source: what is edited")
    if arguments.limit is not None and arguments.limit < 1:
        raise ValueError(f"--limit must be at least 1, got {arguments.limit}")
    from benchmarks import records
    from benchmarks.studies import directions_table

    record = measure(arguments)
    names = (record["name"], record["data"])
    curve = arguments.curve or CURVES / f"{'-'.join(names)}.png"
    directions_table.draw(record, curve)
    folder = arguments.output or records.RESULTS
    path = records.write_record(record, folder, "directions", *names)
    print(f"{report(record)}\n\ncurves: {curve}\nrecord: {path}")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure every row.

    Returns:
        The record.

    Raises:
        OSError: a file is missing.
        ValueError: things do not fit each other, or no source shows a face.
    """
    from tqdm import tqdm

    from animators.animator import model_name
    from benchmarks import records
    from benchmarks.run import describe_checkpoint
    from benchmarks.studies import sparsity
    from benchmarks.studies.directions_figures import Eye, Study, average

    rows = sparsity.read_rows(arguments.rows or [f"row={arguments.checkpoint}"])
    animators: list[Any] = sparsity.load(rows, arguments.device)
    plans = [
        plan(animator.directions, arguments.direction, arguments.amounts, arguments.steps)
        for animator in animators
    ]
    own = model_name(type(animators[0]))
    name = arguments.name or (own if arguments.checkpoint else "directions")
    # or two names could share a file
    if name != records.slug(name):
        raise ValueError(f"--name {name!r} must be of small letters, digits and dashes, as penalty")
    eye = Eye()
    sources, about = _sources(arguments, animators[0])
    measured, digests = [], []
    for row, animator, amounts in zip(rows, animators, plans, strict=True):
        label = row.name if arguments.rows else own
        study = Study(animator, eye, amounts)
        # first, as all the edits may take hours
        for _, video in sources:
            study.look(video)
        unedited = average(study.unedited)
        if not unedited["found"]:
            raise ValueError(
                f"{label}: no face was found in any of the {len(sources)} source pictures and "
                "their unedited drawings: take pictures of faces, or a checkpoint that draws them"
            )
        with tqdm(total=len(sources) * len(amounts), desc=label, unit="direction") as bar:
            for source, video in sources:
                for direction in study.add(video):
                    bar.set_postfix_str(f"{source} {direction}")
                    bar.update()
        checkpoint = describe_checkpoint(row.path, animator)
        digests.append([label, checkpoint["sha256"]])
        measured.append(
            {
                "row": label,
                "checkpoint": checkpoint,
                "unedited": unedited,
                "directions": study.results(),
            }
        )
    return {
        "format": records.FORMAT,
        "kind": "directions",
        "name": name,
        **about,
        "rows": measured,
        "estimators": ESTIMATORS,
        "settings": {
            "rows": digests,
            "directions": arguments.direction,
            "amounts": arguments.amounts or arguments.steps,
            "frames": arguments.frames,
            "limit": arguments.limit,
        },
        **records.provenance(animators[0].device),
    }


def _sources(
    arguments: argparse.Namespace, model: "AnimatorModule"
) -> tuple[Sources, dict[str, Any]]:
    """Read what is edited, and what the record says of it: `data`, `clips`, `config`."""
    import hashlib

    from benchmarks.data import TestClips, build_data, data_file, public_options, read_options

    if arguments.data is None:
        sources = read_sources(arguments.source, model, arguments.frames)
        digest = hashlib.sha256()
        for name, video in sources:
            digest.update(repr((name, list(video.shape))).encode() + video.numpy().tobytes())
        frames = sum(len(video) for _, video in sources)
        told = {"count": len(sources), "frames": frames, "sha256": digest.hexdigest()}
        return sources, {"data": "files", "clips": told, "config": None}
    file = data_file(arguments.data)
    settings = read_options(file, arguments.overrides)
    settings |= {"image_size": model.image_size, "frames": arguments.frames}
    settings |= {} if arguments.root is None else {"root": arguments.root}
    clips = TestClips(build_data(settings), model.device, "clips", arguments.limit)
    sources = [(str(clip["name"][0]), clip["video"][0].cpu()) for clip in clips]
    told = {"count": clips.count, "frames": clips.frames, "sha256": clips.digest}
    return sources, {"data": file.stem, "clips": told, "config": public_options(settings)}
