"""`python -m benchmarks study references`: few-shot rows on the same clips and scored frames.

The most references that any row asks for are set aside in every clip once, and a row with fewer
gets an equally spaced part of them: all rows are scored on the same frames.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import options

if TYPE_CHECKING:
    from animators.module import AnimatorModule
    from benchmarks.data import TestClips
    from benchmarks.views import Reconstruct, Score, Suites, Views

CURVES = Path(__file__).resolve().parent.parent / "curves"
COPY_SOURCE = "copy-source"
_ROW = re.compile(r"(?P<name>[^=]+)=(?P<path>.+)@(?P<views>best\d+|\d+-\d+|\d+)")


@dataclass(frozen=True)
class Row:
    """One row to measure.

    Attributes:
        name: as the user calls it.
        path: its checkpoint.
        views: what it is given.
    """

    name: str
    path: Path
    views: "Views"


def read_row(text: str) -> list[Row]:
    """Read `NAME=CHECKPOINT@VIEWS`.

    Args:
        text: VIEWS is a number of references, `0-6` for seven rows, or `best3` for a one-shot
            animator run from the source and three references.

    Returns:
        A row for each number.

    Raises:
        ValueError: it is not of that form.
        FileNotFoundError: there is no such checkpoint.
    """
    from benchmarks.views import Views

    match = _ROW.fullmatch(text)
    if match is None:
        raise ValueError(
            f"row {text!r} is not NAME=CHECKPOINT@VIEWS with VIEWS such as 3, 0-6 or best3"
        )
    path, said = Path(match["path"]), match["views"]
    best = said.startswith("best")
    first, _, last = said.removeprefix("best").partition("-")
    low, high = int(first), int(last or first)
    if low > high or (best and low == 0):
        raise ValueError(f"row {text!r}: @{said} asks for no row; such as @3, @0-6 or @best3")
    if not path.is_file():
        raise FileNotFoundError(f"row {text!r}: there is no checkpoint {path}")
    return [Row(match["name"], path, Views(count, best)) for count in range(low, high + 1)]


def read_rows(texts: Sequence[str]) -> list[Row]:
    """Read all rows; see `read_row`.

    Raises:
        ValueError: two rows have the same name and views.
    """
    rows = [row for text in texts for row in read_row(text)]
    for i, row in enumerate(rows):
        if any((row.name, row.views) == (other.name, other.views) for other in rows[:i]):
            raise ValueError(f"two rows are called {row.name!r} with the same references: rename")
        if row.name == COPY_SOURCE:
            raise ValueError(f"{COPY_SOURCE} is a row already: call {row.path} something else")
    return rows


def load(rows: Sequence[Row], device: str) -> dict[Path, "AnimatorModule"]:
    """Open every checkpoint once, and refuse views that it cannot take.

    Raises:
        ValueError: a damaged file, views that do not fit, or animators of several sizes.
    """
    from animators.weights import load_animator

    animators: dict[Path, AnimatorModule] = {}
    for row in rows:
        if row.path not in animators:
            animators[row.path] = load_animator(row.path, device)
        best = f"@best{row.views.references}"
        row.views.check(animators[row.path], row.name, best, "references (@best3)", "@0")
    sizes = {animator.image_size for animator in animators.values()}
    if len(sizes) > 1:
        raise ValueError(f"the checkpoints work at {sorted(sizes)} pixels: a study for each size")
    return animators


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Score every row, copy-source first.

    Returns:
        The record.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged, things do not fit each other, or the name is no word for
            file names.
    """
    from animators.metrics import Protocol, copy_source
    from benchmarks import records
    from benchmarks.data import TestClips, build_data, data_file, public_options, read_options
    from benchmarks.run import describe_checkpoint
    from benchmarks.views import Suites, Views

    # or two names could share a file
    if not arguments.name or arguments.name != records.slug(arguments.name):
        raise ValueError(
            f"--name {arguments.name!r} must be of small letters, digits and dashes, as few-shot"
        )
    file = data_file(arguments.data)
    settings = read_options(file, arguments.overrides)
    rows = read_rows(arguments.rows)
    aside = max(row.views.references for row in rows)
    animators = load(rows, arguments.device)
    animator = animators[rows[0].path]
    settings |= {"image_size": animator.image_size, "frames": arguments.frames, "references": aside}
    settings |= {} if arguments.root is None else {"root": arguments.root}
    data = build_data(settings)
    protocol = Protocol(
        image_size=animator.image_size,
        frames=arguments.frames,
        references=aside,
        split=data.split_name,
        clips=data.test_names,
    )
    suites = Suites(protocol, lpips=not arguments.no_lpips)
    clips = TestClips(data, animator.device, COPY_SOURCE)
    best = {row.views.references for row in rows if row.views.best}
    ways = [Views(), *(Views(count, best=True) for count in sorted(best))]
    measured = [_measure(copy_source, clips, suites, COPY_SOURCE, views, None) for views in ways]
    about = {path: describe_checkpoint(path, animator) for path, animator in animators.items()}
    for row in rows:
        rebuild = animators[row.path].reconstruct
        measured.append(_measure(rebuild, clips, suites, row.name, row.views, about[row.path]))
    pooled = by_motion([score for _, score in measured])
    numbers = pooled.pop("l1")
    return {
        "format": records.FORMAT,
        "kind": "references",
        "name": arguments.name,
        "data": file.stem,
        "protocol": protocol.as_dict(),
        "higher_is_better": suites.higher_is_better,
        "rows": [
            {**row, "l1_by_motion": one} for (row, _), one in zip(measured, numbers, strict=True)
        ],
        "motion": pooled,
        "clips": {
            "count": clips.count,
            "frames": clips.frames - clips.count,
            "sha256": clips.digest,
        },
        "settings": {
            "rows": [[row.name, row.views.words, about[row.path]["sha256"]] for row in rows]
        },
        "config": public_options(settings),
        "seed": settings["seed"],
        **records.provenance(animator.device),
    }


def _measure(
    reconstruct: "Reconstruct",
    clips: "TestClips",
    suites: "Suites",
    name: str,
    views: "Views",
    checkpoint: Mapping[str, Any] | None,
) -> tuple[dict[str, Any], "Score"]:
    """Measure one row; its part of the record, and what the quartiles are made of."""
    clips.title = f"{views.label(name)}, N = {views.references}"
    score = suites.evaluate(reconstruct, clips, views)
    row = {
        "row": views.label(name),
        "name": name,
        "references": views.references,
        "best": views.best,
        "metrics": score.metrics,
        "metrics_with_references": score.with_references,
        "clips": {
            clip.name: {**clip.metrics, **({"view": clip.view} if views.best else {})}
            for clip in score.clips
        },
        "l1_frames": {clip.name: clip.l1.tolist() for clip in score.clips},
        "checkpoint": checkpoint,
    }
    return row, score


def by_motion(scores: Sequence["Score"]) -> dict[str, Any]:
    """Pool the scored frames of all clips and split them at the quartiles of their motion.

    Args:
        scores: rows on the same frames.

    Returns:
        `bounds`: the three quartiles of the frames' copy-source L1; `frames`: how many lie in each
        quarter; `l1`: for each row its mean L1 there, NaN in an empty quarter.
    """
    from benchmarks.report.motion import quarters

    split = quarters([clip.motion.numpy() for clip in scores[0].clips])
    return {
        "bounds": split.bounds,
        "frames": split.frames,
        "l1": [split.pooled([clip.l1.numpy() for clip in score.clips]) for score in scores],
    }


def parser() -> argparse.ArgumentParser:
    """Describe the study's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks study references", description=__doc__, allow_abbrev=False
    )
    described.add_argument(
        "--rows", required=True, nargs="+", metavar="NAME=CHECKPOINT@VIEWS", help="VIEWS: a number "
        "of references; 0-6 for seven rows; best3 to run a one-shot animator from the source and "
        "three references and keep each clip's best by L1",
    )  # fmt: skip
    options.add_data(described)
    described.add_argument("--no-lpips", action="store_true", help="leave LPIPS out")
    described.add_argument(
        "--name", required=True, help="what the study is called, such as few-shot; the table shows "
        "the newest of each name, set, protocol and device",
    )  # fmt: skip
    described.add_argument(
        "--output", type=Path, help="folder of record and curve (default: results and curves of "
        "benchmarks)",
    )  # fmt: skip
    options.add_device(described)
    return described


def main(argv: Sequence[str]) -> int:
    """Measure, write record and curve, print tables; returns 0, or 2 after one line on stderr."""

    def work(arguments: argparse.Namespace) -> None:
        from benchmarks import few_shot, records

        record = measure(arguments)
        name, data = record["name"], record["data"]
        folder = arguments.output or records.RESULTS
        path = records.write_record(record, folder, "references", name, data)
        print(few_shot.markdown(records.read_few_shot_record(path)))
        print(f"\nrecord: {path}")
        if few_shot.has_curve(record):
            curve = (arguments.output or CURVES) / f"references-{name}-{data}.png"
            few_shot.draw(record, curve)
            print(f"curve: {curve}")
        else:
            print("no curve: no animator has rows of several numbers of references")

    return options.run(parser(), work, argv)
