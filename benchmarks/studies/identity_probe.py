"""`python -m benchmarks study identity_probe`: what linear probes read off an animator's codes.

A probe learns who is shown from some recordings and is tested on other recordings of the same
persons, beside the best constant guess and beside the same probe of small pictures. A second probe
reads the motion off the same code, as a code that holds nothing hides identity without any merit:
keypoints of the toy on the same recordings, labels of a clip's motion on persons left out.
Name the animator with the adversary first, the one without second: they are compared.
"""

import argparse
import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import options

if TYPE_CHECKING:
    from torch import Tensor

    from animators.module import AnimatorModule
    from benchmarks.studies.probe_data import Probed
    from benchmarks.studies.probing import Sides

DEFAULT = "F_m"
PIXELS = "pixels"


class Row(NamedTuple):
    """One row to measure: the user's name for it, its checkpoint, the feature to probe."""

    name: str
    path: Path
    feature: str


def read_rows(texts: Sequence[str]) -> list[Row]:
    """Read `NAME=CHECKPOINT` or `NAME=CHECKPOINT@FEATURE`.

    Raises:
        ValueError: it is not of that form, or two rows have one name.
        FileNotFoundError: there is no such checkpoint.
    """
    from benchmarks.studies.probe_data import FEATURES

    pattern = re.compile(rf"([^=]+)=(.+?)(?:@({'|'.join(FEATURES)}))?")
    rows: list[Row] = []
    for text in texts:
        match = pattern.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not NAME=CHECKPOINT or NAME=CHECKPOINT@FEATURE")
        row = Row(match[1], Path(match[2]), match[3] or DEFAULT)
        if row.name == PIXELS or row.name in {other.name for other in rows}:
            raise ValueError(f"there is a row {row.name!r} already: call {row.path} something else")
        if not row.path.is_file():
            raise FileNotFoundError(
                f"{text!r}: there is no checkpoint {row.path} (features: {', '.join(FEATURES)})"
            )
        rows.append(row)
    return rows


def load(rows: Sequence[Row], device: str) -> dict[Path, "AnimatorModule"]:
    """Open every checkpoint once.

    Raises:
        ValueError: a damaged file, or animators of several sizes.
    """
    from animators.weights import load_animator

    animators = {path: load_animator(path, device) for path in {row.path: None for row in rows}}
    sizes = {animator.image_size for animator in animators.values()}
    if len(sizes) > 1:
        raise ValueError(f"the checkpoints work at {sorted(sizes)} pixels: a study for each size")
    return animators


class Plan(NamedTuple):
    """For each seed: recordings of every side, and persons left out in turn (for labels)."""

    splits: "list[Sides]"
    folds: "list[list[Sides]]"


def plan(probed: "Probed", seeds: int) -> Plan:
    """Draw the splits.

    Raises:
        ValueError: too few recordings or persons.
    """
    from benchmarks.studies.probing import deal, leave_out

    labelled = any(not target.values.is_floating_point() for target in probed.motion)
    return Plan(
        [deal(probed.persons, seed) for seed in range(seeds)],
        [leave_out(probed.persons, seed) for seed in range(seeds)] if labelled else [],
    )


def probe(features: "Tensor", probed: "Probed", planned: Plan) -> dict[str, Any]:
    """Probe one code, split by split.

    Args:
        features: (n, D), of the frames.
        probed: the frames.
        planned: who lies where.

    Returns:
        `dimensions`; `identity`, accuracies; `motion`, name -> figures, R^2 of coordinates on the
        recordings on which identity is tested, or accuracy of labels on persons left out;
        `motion_figure`, their mean for each split, None without any.
    """
    from benchmarks.studies.probing import classify, classify_left_out, mask, regress

    where = probed.recordings
    everyone = where >= 0
    motion = {}
    for target in probed.motion:
        if target.values.is_floating_point():
            masks = [mask(where, sides, target.among) for sides in planned.splits]
            motion[target.name] = [regress(features, target.values, own) for own in masks]
        else:
            folds = [[mask(where, sides, target.among) for sides in f] for f in planned.folds]
            found = [classify_left_out(features, target.values, own) for own in folds]
            motion[target.name] = found
    means = [statistics.fmean(values) for values in zip(*motion.values(), strict=True)]
    frames = [mask(where, sides, everyone) for sides in planned.splits]
    return {
        "dimensions": features.shape[1],
        "identity": [classify(features, probed.labels, masks) for masks in frames],
        "motion": motion,
        "motion_figure": means or None,
    }


def guesses(probed: "Probed", planned: Plan) -> dict[str, Any]:
    """Accuracies of the best constant guess: of identity, split by split; of the motion's labels.

    Labels are tested on all frames, so that one number holds for every seed.
    """
    from benchmarks.studies.probing import constant_guess, mask

    everyone = probed.recordings >= 0
    tested = [mask(probed.recordings, sides, everyone).test for sides in planned.splits]
    labelled = [target for target in probed.motion if not target.values.is_floating_point()]
    return {
        "identity": [constant_guess(probed.labels[test]) for test in tested],
        "motion": {target.name: constant_guess(target.values) for target in labelled},
    }


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Probe every row, small pictures last.

    Returns:
        The record.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged, or things do not fit each other.
    """
    from tqdm import tqdm

    from benchmarks import records
    from benchmarks.data import build_data, data_file, public_options, read_options
    from benchmarks.run import describe_checkpoint
    from benchmarks.studies import probe_data
    from benchmarks.studies.probe_table import compare

    file = data_file(arguments.data)
    settings = read_options(file, arguments.overrides)
    rows = read_rows(arguments.checkpoints)
    animators = load(rows, arguments.device)
    animator = animators[rows[0].path]
    settings |= {"image_size": animator.image_size}
    settings |= {} if arguments.root is None else {"root": arguments.root}
    everything = arguments.clips == "all"
    probed = probe_data.read(
        build_data(settings), arguments.frames, arguments.motion, everything=everything
    )
    planned = plan(probed, arguments.seeds)
    codes = {
        row: probe_data.encode(animators[row.path], probed.images, row.feature) for row in rows
    }
    about = {path: describe_checkpoint(path, one) for path, one in animators.items()}
    found = [
        {"row": row.name, "feature": row.feature, "checkpoint": about[row.path]}
        | probe(code, probed, planned)
        for row, code in tqdm(codes.items(), desc="probes", unit="row")
    ]
    plain = probe(probe_data.pixels(probed.images), probed, planned)
    found.append({"row": PIXELS, "feature": PIXELS, "checkpoint": None} | plain)
    return {
        "format": records.FORMAT,
        "kind": "identity_probe",
        "name": arguments.name or rows[0].name,
        "data": file.stem,
        "rows": found,
        "chance": guesses(probed, planned),
        "comparison": compare(*found[:2]) if len(rows) > 1 else None,
        "clips": {
            "count": probed.clips,
            "recordings": len(probed.persons),
            "persons": len(set(probed.persons)),
            "persons_left_out": probed.left_out,
            "frames": len(probed.images),
            "tested_recordings": [len(sides.test) for sides in planned.splits],
            "sha256": probed.digest,
        },
        "settings": {
            "rows": [[row.name, row.feature, about[row.path]["sha256"]] for row in rows],
            "seeds": arguments.seeds,
            "frames": arguments.frames,
            "clips": arguments.clips,
            "motion": arguments.motion,
        },
        "config": public_options(settings),
        **records.provenance(animator.device),
    }


def parser() -> argparse.ArgumentParser:
    """Describe the study's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks study identity_probe", description=__doc__, allow_abbrev=False
    )
    described.add_argument(
        "--checkpoints", required=True, nargs="+", metavar="NAME=CHECKPOINT[@FEATURE]",
        help="FEATURE: F_m (default) or F_id of swin_tps, points, keypoints, regions, magnitudes",
    )  # fmt: skip
    options.add_data(described, frames=16)
    described.add_argument(
        "--clips", choices=("train", "all"), default="train", help="train: those of the training "
        "set (default); all: those to test on too, for sets whose splits share persons",
    )  # fmt: skip
    described.add_argument(
        "--motion", default="action", metavar="COLUMN|none", help="how a clip moves, in the table "
        "of identities (default: action); toy has its keypoints instead; none: no second probe",
    )  # fmt: skip
    described.add_argument("--seeds", type=int, default=3, help="splits of the recordings")
    described.add_argument("--name", help="what the study is called (default: its first row)")
    options.add_record(described)
    options.add_device(described)
    return described


def main(argv: Sequence[str]) -> int:
    """Probe, write and print the record; returns 0, or 2 after one line on stderr."""
    return options.run(parser(), work, argv)


def work(arguments: argparse.Namespace) -> None:
    """Probe as the options say.

    Raises:
        OSError: a file is missing.
        ValueError: things do not fit each other.
    """
    if arguments.seeds < 1:
        raise ValueError(f"--seeds must be at least 1, got {arguments.seeds}")
    from benchmarks import records
    from benchmarks.studies.probe_table import report

    record = measure(arguments)
    folder = arguments.output or records.RESULTS
    names = ("identity_probe", record["name"], record["data"])
    path = records.write_record(record, folder, *names)
    print(f"{report(record)}\n\nrecord: {path}")
