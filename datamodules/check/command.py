"""`python -m datamodules check`: what a training root holds, what is broken, what leaks."""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from datamodules.options import Parser, run

if TYPE_CHECKING:
    from datamodules.check.files import ClipFile
    from datamodules.check.look import Look
    from datamodules.check.manifest import Manifest
    from datamodules.check.report import Found, Report
    from datamodules.splits import Split

PATIENCE = 60.0
"""Seconds that any clip may take; more for each megabyte or each picture of a folder."""
PER_MEGABYTE = 3.0
PER_PICTURE = 0.1

Item = TypeVar("Item")


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = Parser(prog="python -m datamodules check", description=__doc__, allow_abbrev=False)
    described.add_argument("root", type=_local, metavar="ROOT", help="training root, on a disk")
    described.add_argument("--train", default="train", help="folder to train on (default: train)")
    described.add_argument("--test", default="test", help="folder to test on (default: test)")
    described.add_argument(
        "--split-file",
        metavar="FILE",
        help="below ROOT, where all clips then lie: CSV with name and split, or test names",
    )
    described.add_argument(
        "--identities",
        metavar="RULE",
        help="clip, prefix(#) or csv(path,column); default: manifest.csv's, then names with #",
    )
    described.add_argument(
        "--frame-width", type=_positive, metavar="N", help="of strips (default: their height)"
    )
    described.add_argument(
        "--workers", type=_positive, metavar="N", help="processes (default: one a core)"
    )
    described.add_argument(
        "--quick",
        action="store_true",
        help="decode three frames of each clip: finds less, neither damage nor cut copies",
    )
    described.add_argument(
        "--output", type=Path, metavar="FILE.csv", help="table to write, one line a clip"
    )
    return described


def main(argv: Sequence[str]) -> int:
    """Check a training root.

    Args:
        argv: options, without the command's name.

    Returns:
        0 when nothing is wrong, 1 when something is broken or leaks, 2 when the user has to
        change the call, 130 after an interruption.
    """
    return run(parser(), _check, argv, "interrupted: nothing was written")


def _check(options: argparse.Namespace) -> int:
    if options.output is not None:
        _refuse_output(options.output)
    from datamodules.check.files import clips_of
    from datamodules.check.manifest import Manifest
    from datamodules.check.report import Report
    from datamodules.files import write_whole

    root: Path = options.root
    folders: dict[Split, str] = {"train": options.train, "test": options.test}
    files = clips_of(root, folders, options.split_file)
    manifest = Manifest.of(root)
    rule, why = _rule_for(files, manifest, options.identities)
    clips = _identified(root, files, rule)
    looks = _look(files, clips, manifest, options)

    report = Report(clips, known=rule != "clip")
    report.notes.append(f"identities by {rule} ({why})")
    if rule == "clip":
        report.notes.append("whether one person is in both splits cannot be told by this rule")
    if options.quick:
        report.notes.append("a quick look at three frames: damage and cut copies are not found")
    if manifest.problem:
        report.broken.append(manifest.problem)
    found = {_below(root, file.path) for file in files}
    report.broken += map(_printable, manifest.missing(root, found))
    _compare(report, looks)

    sys.stdout.write(report.text() + "\n")
    if options.output is not None:
        write_whole(options.output, report.as_csv())
    return 1 if report.broken_lines() or report.leak_lines() else 0


def _rule_for(
    files: "Sequence[ClipFile]", manifest: "Manifest", asked: str | None
) -> tuple[str, str]:
    """Choose the rule of identities that was asked for or that a root calls for; say why."""
    packed = any(file.packed for file in files)
    if packed and (asked is None or asked.startswith("csv(")):
        # packing wrote the manifest's into the index, and training reads them there
        return asked or "csv(manifest.csv,identity)", "the shards' index has them"
    if asked is not None:
        return asked, "as asked"
    if any("identity" in row for row in manifest.rows.values()):
        return "csv(manifest.csv,identity)", "the root has a manifest"
    marked = sum("#" in file.path.name for file in files)
    if 2 * marked > len(files):
        return "prefix(#)", f"{marked} of {len(files)} names hold a #"
    return "clip", "there is no manifest of identities, and names hold no #"


def _identified(root: Path, files: "Sequence[ClipFile]", rule: str) -> "list[Found]":
    """Begin the findings: each clip and who it shows."""
    from datamodules.check.report import Found
    from datamodules.splits import identity_rule

    indexed = rule.startswith("csv(") and any(file.packed for file in files)
    identity = None if indexed else identity_rule(rule, root)
    clips = []
    for file in files:
        clip = Found(_printable(_below(root, file.path)), file.split)
        try:
            clip.identity = identity(file.path) if identity else _indexed_identity(file)
        except ValueError as error:
            clip.broken.append(_reason(str(error), file.path, root))
        clips.append(clip)
    return clips


def _indexed_identity(file: "ClipFile") -> str:
    if file.packed is None or not file.packed.identity:
        raise ValueError("has no identity in index.csv: pack the shards again")
    return file.packed.identity


def _look(
    files: "Sequence[ClipFile]",
    clips: "Sequence[Found]",
    manifest: "Manifest",
    options: argparse.Namespace,
) -> "list[Look | None]":
    """Decode every clip, and note what is wrong with it."""
    from datamodules.check.look import look_at
    from datamodules.check.pool import run_each
    from datamodules.processes import cores

    hashed = bool(manifest.rows) and not options.quick
    work = partial(look_at, quick=options.quick, hashed=hashed, frame_width=options.frame_width)
    calls = [((file.path, file.packed), _patience(file)) for file in files]
    done = run_each(work, calls, min(options.workers or cores(), len(files)))
    for number, result in _bar(done, len(files), "looking"):
        if isinstance(result, str):
            clips[number].broken.insert(0, _reason(result, files[number].path, options.root))
        else:
            clips[number].look = result
    for file, clip in zip(files, clips, strict=True):
        if clip.look is not None and clip.look.frames == 1:
            clip.broken.append("has 1 frame: training and scoring need 2")
        if clip.look and file.packed and clip.look.frames != file.packed.frames:
            said = f"index.csv says {file.packed.frames}"
            clip.broken.append(f"has {clip.look.frames} frames, {said}: pack the shards again")
        place = _below(options.root, file.path)
        differs = manifest.problem_of(place, clip.look, quick=options.quick)
        clip.broken += [differs] if differs else []
    return [clip.look for clip in clips]


def _compare(report: "Report", looks: "Sequence[Look | None]") -> None:
    """Find clips that show the same."""
    from datamodules.check.leaks import find_pairs

    tracks = [look.track if look else None for look in looks]
    report.pairs = find_pairs(tracks, lambda pairs: _bar(pairs, len(pairs), "comparing"))
    for pair in report.pairs:
        kind = "mirror image of" if pair.mirrored else "same clip as"
        for here, there in ((pair.a, pair.b), (pair.b, pair.a)):
            report.clips[here].shared.append(f"{kind} {report.clips[there].path}")


def _patience(file: "ClipFile") -> float:
    """Give the seconds after which a clip counts as one that never ends."""
    pictures, size = file.weight()
    return PATIENCE + PER_PICTURE * pictures + PER_MEGABYTE * size / 1e6


def _bar(items: Iterable[Item], total: int, what: str) -> Iterable[Item]:
    from tqdm import tqdm

    # without a terminal there is nobody to watch it
    return tqdm(items, total=total, desc=what, unit="clip", leave=False, disable=None)


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _reason(message: str, path: Path, root: Path) -> str:
    """Put a message on one line, without the place that the report names already."""
    shorter = message.replace(str(path), path.name).replace(f"{root}{os.sep}", "")
    return _printable(" ".join(shorter.split()).removeprefix(f"{path.name} "))


def _printable(text: str) -> str:
    """Spell out what a terminal could not show: names of files may hold any bytes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _refuse_output(path: Path) -> None:
    """Raise ValueError before hours of work where no table could be written."""
    if path.suffix.lower() != ".csv":
        raise ValueError(f"--output {path} must end in .csv")
    above = next((p for p in path.absolute().parents if p.exists()), None)
    if path.is_dir() or above is None or not above.is_dir():
        raise ValueError(f"--output {path} cannot be written there: give a file in a folder")


def _local(text: str) -> Path:
    from datamodules.shard_index import is_url

    if is_url(text):
        raise argparse.ArgumentTypeError(
            f"{text} is an address: copy the set to a disk to check it"
        )
    return Path(text)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return number
