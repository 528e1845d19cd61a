"""`python -m benchmarks study leakage`: does the driving person show (LIA, figure 10)?

Pictures of one person are animated by clips of another in absolute mode. Whose face results show
is measured by an identity network, as distances to the persons of both clips; beside it stand plain
pixels, as distances to both pictures. The paper shows that without its motion dictionary LIA
carries the driving person's appearance over. Name the animator with it first: the others are
held against the first.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import options

if TYPE_CHECKING:
    from animators.module import AnimatorModule
    from benchmarks.studies.sparsity import Row
    from datamodules import FramePairs
    from datamodules.media import Frames

PICTURES = Path("runs") / "leakage"
PAIRS = 32
ESTIMATOR = "dlib ResNet 128-d (face-recognition-models 0.3.0)"


def report(record: Mapping[str, Any]) -> str:
    """Write a record as Markdown."""
    clips = record["clips"]
    lines = [
        f"### {record['name']}, {record['data']}: what of the driving person shows in the result",
        "",
        f"{clips['pairs']} pairs of different persons out of {clips['count']} test clips, "
        f"{clips['frames']} frames in all, {record['mode']} mode. Identity: "
        f"{record['estimator'] or 'not measured'}, L2 distances to the mean face of either clip; "
        "lean: 0 is the source, 1 the driving person. Pixels: L1 to the driving frame, in units of "
        "that between source and driving frame.",
        "",
        "| row | identity: to source | to driving | lean | nearer to driving | pixels: to driving "
        "| lean | faces found | pairs seen |",
        "|---|" + "---:|" * 8,
    ]
    for row in record["rows"]:
        figures = row["figures"]
        names = ("to_source", "to_driving", "identity_lean")
        cells = [_number(figures[name]) for name in names] + [_share(figures["nearer_driving"])]
        cells += [_number(figures[name]) for name in ("pixels_to_driving", "pixel_lean")]
        seen = ((row["checkpoint"] or {}).get("trained") or {}).get("pairs_seen")
        cells += [_share(figures["faces"]), "" if seen is None else f"{seen:,}"]
        lines.append(f"| {' | '.join([row['row'], *cells])} |")
    for held in record["comparisons"]:
        lines += ["", f"{held['row']} against {held['against']}: {_said(held['figures'])}."]
    return "\n".join(lines)


def _said(figures: Mapping[str, Mapping[str, Any]]) -> str:
    parts = []
    for name in ("identity_lean", "nearer_driving", "pixel_lean"):
        if (one := figures.get(name)) is None:
            continue
        if one["low"] is None:
            verdict = "one clip alone"
        else:
            apart = "separable" if one["separable"] else "not separable"
            verdict = f"95 % {one['low']:+.3f} to {one['high']:+.3f}, {one['clips']} clips: {apart}"
        parts.append(f"{name.replace('_', ' ')} {one['difference']:+.3f} ({verdict})")
    return "; ".join(parts)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def parser() -> argparse.ArgumentParser:
    """Describe the study's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks study leakage", description=__doc__, allow_abbrev=False
    )
    described.add_argument(
        "--checkpoints", required=True, nargs="+", metavar="NAME=CHECKPOINT",
        help="such as with=C without=D",
    )  # fmt: skip
    options.add_data(described, frames=16)
    described.add_argument(
        "--pairs", type=int, metavar="N", help="drawn pairs of test clips of different identities "
        f"(default: all there are, {PAIRS} at most)",
    )  # fmt: skip
    described.add_argument("--mode", default="absolute", help="how motion is handed over")
    described.add_argument(
        "--no-identity", action="store_true", help="pixels only: for clips without faces"
    )
    described.add_argument(
        "--picture", type=Path, help="some pairs, .png (default: runs/leakage/NAME-DATA.png)"
    )
    described.add_argument("--name", default="leakage", help="what the study is called")
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
    from benchmarks import records
    from datamodules import media

    # or two names could share a file
    if not arguments.name or arguments.name != records.slug(arguments.name):
        raise ValueError(
            f"--name {arguments.name!r} must be of small letters, digits and dashes, as dictionary"
        )
    if arguments.picture is not None and arguments.picture.suffix != ".png":
        raise ValueError(f"picture {arguments.picture} must end in .png")
    record, sheet = measure(arguments)
    name, data = record["name"], record["data"]
    picture = arguments.picture or PICTURES / f"{name}-{data}.png"
    with media.ClipWriter(picture, media.PICTURE_RATE) as writer:
        writer.write(sheet[0])
    path = records.write_record(record, arguments.output or records.RESULTS, "leakage", name, data)
    print(f"{report(record)}\n\npicture: {picture}\nrecord: {path}")


def draw_pairs(data: "FramePairs", count: int | None) -> list[tuple[int, int]]:
    """Draw (source, driving) numbers of test clips of different identities, by the data's seed.

    Raises:
        ValueError: there are not that many, or none.
    """
    from datamodules.cross import drawn_pairs

    clips = data.test_clips
    who = [clips.identity(i) for i in range(len(clips))]
    there = sum(a != b for a in who for b in who)
    if there == 0:
        raise ValueError("the test clips show one identity only: there is nobody else to drive it")
    wanted = min(PAIRS, there) if count is None else count
    if not 1 <= wanted <= there:
        raise ValueError(f"--pairs must be 1 to {there} with these test clips, got {wanted}")
    return drawn_pairs(clips, wanted, data.seed)


def measure(arguments: argparse.Namespace) -> tuple[dict[str, Any], "Frames"]:
    """Animate every pair with every checkpoint, and judge what comes out.

    Returns:
        The record, and the picture (1, H, W, 3).

    Raises:
        OSError: a file is missing.
        ValueError: things do not fit each other, or no clip shows a face.
    """
    from animators.inference import check_mode
    from benchmarks import records
    from benchmarks.data import build_data, data_file, public_options, read_options
    from benchmarks.run import describe_checkpoint
    from benchmarks.studies.directions_figures import Eye
    from benchmarks.studies.leakage_figures import COPIES, Stage, average, compare
    from benchmarks.studies.sparsity import read_rows

    file = data_file(arguments.data)
    settings = read_options(file, arguments.overrides)
    rows = read_rows(arguments.checkpoints)
    if taken := [row for row in rows if row.name in COPIES]:
        raise ValueError(f"{taken[0].name} is a row already: call {taken[0].path} something else")
    animators = load(rows, arguments.device)
    for animator in animators:
        check_mode(animator, arguments.mode)
    settings |= {"image_size": animators[0].image_size, "frames": arguments.frames}
    settings |= {} if arguments.root is None else {"root": arguments.root}
    data = build_data(settings)
    pairs = draw_pairs(data, arguments.pairs)
    stage = Stage(
        data.test_clips, pairs, arguments.frames, None if arguments.no_identity else Eye()
    )
    named = {row.name: animator for row, animator in zip(rows, animators, strict=True)}
    found, picture = stage.play(named, arguments.mode)
    about = {
        row.name: describe_checkpoint(row.path, animator)
        for row, animator in zip(rows, animators, strict=True)
    }
    first = rows[0].name
    record = {
        "format": records.FORMAT,
        "kind": "leakage",
        "name": arguments.name,
        "data": file.stem,
        "mode": arguments.mode,
        "estimator": None if arguments.no_identity else ESTIMATOR,
        "rows": [
            {"row": name, "checkpoint": about.get(name), "figures": average(own), "pairs": own}
            for name, own in found.items()
        ],
        "comparisons": [
            {
                "row": row.name,
                "against": first,
                "figures": compare(found[first], found[row.name], settings["seed"]),
            }
            for row in rows[1:]
        ],
        "clips": stage.clips,
        "settings": {
            "rows": [[name, one["sha256"]] for name, one in about.items()],
            "pairs": len(pairs),
            "frames": arguments.frames,
            "mode": arguments.mode,
        },
        "config": public_options(settings),
        **records.provenance(animators[0].device),
    }
    return record, picture


def load(rows: Sequence["Row"], device: str) -> list["AnimatorModule"]:
    """Open the animators.

    Raises:
        ValueError: a damaged file, or animators of several sizes.
    """
    from animators.weights import load_animator

    animators = [load_animator(row.path, device) for row in rows]
    sizes = {animator.image_size for animator in animators}
    if len(sizes) > 1:
        raise ValueError(f"the checkpoints work at {sorted(sizes)} pixels: a study for each size")
    return animators
