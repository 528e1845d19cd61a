"""`python -m datamodules prepare`: from videos as they are to a training root."""

import argparse
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datamodules.options import Parser, run

if TYPE_CHECKING:
    from datamodules.prepare.engine import Outcome
    from datamodules.prepare.jobs import Job, Settings
    from datamodules.prepare.journal import Journal
    from datamodules.splits import Split

LIMIT = 1800.0
ROOT = "training root to make or to go on with"


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = Parser(prog="python -m datamodules prepare", description=__doc__)
    kinds = described.add_subparsers(dest="kind", required=True, metavar="folder|SET")
    folder = kinds.add_parser(
        "folder", help="any folder of videos, gifs and pictures", allow_abbrev=False
    )
    folder.add_argument("source", type=Path, metavar="SRC", help="folder; those below it count")
    folder.add_argument(
        "root", type=Path, metavar="DST", help="training root to make or go on with"
    )
    _add_cut(folder)
    _add_split(folder)
    _add_making(folder, form="mp4")
    from datamodules.prepare.published import PUBLISHED

    for name, published in PUBLISHED.items():
        one = kinds.add_parser(name, help=published.about, allow_abbrev=False)
        one.add_argument(
            "root", type=Path, metavar="DST", help="training root to make or go on with"
        )
        one.add_argument("--metadata", required=True, type=Path, metavar="CSV", help="as published")
        one.add_argument(
            "--originals", required=True, type=Path, metavar="DIR", help="videos by their id"
        )
        one.add_argument("--size", type=int, default=published.settings.size, help="side in pixels")
        one.add_argument(
            "--keep-aspect",
            action="store_true",
            help="widen a box that is not square instead of distorting what it holds",
        )
        one.add_argument("--test", type=Path, metavar="FILE", help="names or ids of the test split")
        _add_making(one, form=published.settings.form)
    return described


def _add_cut(options: argparse.ArgumentParser) -> None:
    options.add_argument("--size", type=int, default=256, help="side of the frames (default: 256)")
    options.add_argument(
        "--crop",
        choices=("none", "square", "head"),
        default="square",
        help="none: the whole picture, its shorter side resized; square: the middle (default); "
        "head: around the head, one square for the whole clip",
    )
    options.add_argument("--fps", type=float, metavar="F", help="come down to this rate")
    options.add_argument(
        "--min-frames", type=int, default=2, metavar="N", help="skip shorter clips (default: 2)"
    )
    options.add_argument("--max-frames", type=int, metavar="N", help="end longer clips there")
    options.add_argument(
        "--pictures",
        choices=("auto", "frames", "stills"),
        default="auto",
        help="a folder's pictures are the frames of one clip, or each a clip of one frame "
        "(default: frames where their names differ in a number alone)",
    )


def _add_split(options: argparse.ArgumentParser) -> None:
    options.add_argument(
        "--split",
        type=float,
        metavar="SHARE",
        help="share that trains (default: folders train and test of SRC, else 0.9)",
    )
    options.add_argument(
        "--split-by",
        choices=("clip", "identity"),
        default="clip",
        help="what is dealt to train and test; identity keeps everybody in one of them",
    )
    options.add_argument(
        "--identities",
        default="folder",
        metavar="RULE",
        help="folder (the first below SRC, or the name before a #; default), clip, prefix(MARK), "
        "csv(PATH,COLUMN) of a table in SRC",
    )


def _add_making(options: argparse.ArgumentParser, form: str) -> None:
    options.add_argument(
        "--format",
        dest="form",
        choices=("mp4", "frames", "shards"),
        default=form,
        help=f"mp4 with close key frames, folders of png, tar files of mp4 (default: {form})",
    )
    options.add_argument("--crf", type=int, default=18, help="quality of mp4 (default: 18)")
    options.add_argument(
        "--key-interval", type=int, default=12, metavar="N", help="frames between key frames"
    )
    options.add_argument(
        "--shard-size", type=int, default=512, metavar="MB", help="of a shard (default: 512)"
    )
    options.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)"
    )
    options.add_argument(
        "--limit",
        type=float,
        default=LIMIT,
        metavar="S",
        help=f"seconds after which a clip is given up (default: {LIMIT:g})",
    )


def settings_of(arguments: argparse.Namespace, **more: Any) -> "Settings":
    """Turn options into settings; ValueError names one out of its range."""
    from datamodules.prepare.jobs import Settings

    names = ("size", "crop", "fps", "min_frames", "max_frames", "form", "key_interval", "crf")
    given = {name: getattr(arguments, name) for name in names if hasattr(arguments, name)}
    for name in ("workers", "limit", "shard_size"):
        if not getattr(arguments, name) > 0:
            raise ValueError(f"--{name.replace('_', '-')} must be above 0")
    return Settings(**{**given, **more})


def prepare_folder(arguments: argparse.Namespace) -> None:
    """Prepare any folder."""
    from datamodules.prepare.sources import find_sources, plan_folder

    settings = settings_of(arguments)
    _apart(arguments.source, arguments.root)
    found = find_sources(arguments.source, arguments.pictures)
    dealt = {"split": arguments.split, "split_by": arguments.split_by}
    options = {
        "source": str(arguments.source.resolve()),
        **settings.as_dict(),
        **dealt,
        "identities": arguments.identities,
        "pictures": arguments.pictures,
    }

    def plan(journal: "Journal | None") -> "list[Job]":
        made = [] if journal is None else list(journal.made.values())
        settled: dict[str, Split] = {item.source: item.split for item in made}
        return plan_folder(
            arguments.source,
            found.clips,
            share=arguments.split,
            by_identity=arguments.split_by == "identity",
            identities=arguments.identities,
            settled=settled,
        )

    plan(None)  # complains before anything is written
    if found.others:
        counts = ", ".join(f"{ending} {n}" for ending, n in sorted(found.others.items()))
        print(f"passed over, being no clips: {counts}")
    _make(arguments, settings, options, plan)
    print(f"train on it: make train DATA=folder DATA_ROOT={arguments.root}")


def _apart(source: Path, root: Path) -> None:
    if root.resolve() == source.resolve() or source.resolve() in root.resolve().parents:
        raise ValueError(f"{root} lies in {source}: what is made would be found as a source")


def prepare_published(arguments: argparse.Namespace) -> None:
    """Prepare a set from its published metadata and its originals."""
    from dataclasses import asdict, replace

    from datamodules.prepare.journal import write_whole
    from datamodules.prepare.published import PUBLISHED, plan, report, write_ids

    published = PUBLISHED[arguments.kind]
    base = asdict(published.settings)
    given = asdict(settings_of(arguments, keep_aspect=arguments.keep_aspect))
    named = ("size", "form", "key_interval", "crf", "keep_aspect")
    settings = replace(published.settings, **{**base, **{name: given[name] for name in named}})
    _apart(arguments.originals, arguments.root)
    planned = plan(arguments.kind, arguments.metadata, arguments.originals, test=arguments.test)
    options = {"set": arguments.kind, **settings.as_dict(), "test": str(arguments.test or "")}
    root = arguments.root
    if not planned.jobs:
        raise ValueError(
            f"none of the {len(planned.missing)} videos that {arguments.metadata} names lies in "
            f"{arguments.originals}: fetch them first, for example by {published.fetch}"
        )
    outcome = _make(arguments, settings, options, lambda journal: planned.jobs)
    text = report(planned, outcome.made, published)
    write_whole(root / "report.txt", text if text.endswith("\n") else text + "\n")
    print(text)
    if planned.missing:
        write_ids(planned.missing, root / "missing_ids.txt")
        print(f"the missing originals are listed in {root / 'missing_ids.txt'}: {published.fetch}")


def _make(
    arguments: argparse.Namespace,
    settings: "Settings",
    options: Mapping[str, Any],
    plan: "Callable[[Journal], Sequence[Job]]",
) -> "Outcome":
    from datamodules.prepare.engine import carry_out, write_manifest
    from datamodules.prepare.journal import Journal
    from datamodules.prepare.pack import Packer
    from datamodules.prepare.sheet import draw_sheet

    root: Path = arguments.root
    journal = Journal(root, options)
    with journal.lock():
        packer = Packer(journal, arguments.shard_size) if settings.form == "shards" else None
        outcome = carry_out(
            plan(journal),
            settings,
            journal,
            workers=arguments.workers,
            limit=arguments.limit,
            after=packer.add if packer else lambda made: None,
        )
        if packer is not None:
            outcome.made = packer.finish()
        write_manifest(root, outcome)
        if outcome.made:
            draw_sheet(root, outcome.made, root / "contact_sheet.png")
    print(summary(root, outcome))
    if not outcome.made:
        raise ValueError(f"no clip could be made: {root / 'skipped.csv'} says why for each source")
    return outcome


def summary(root: Path, outcome: "Outcome") -> str:
    """Say in a few lines what is in the root now."""
    from fractions import Fraction

    lines = []
    for split in ("train", "test"):
        made = [item for item in outcome.made if item.split == split]
        seconds = sum(item.frames / Fraction(item.fps) for item in made)
        people = len({item.identity for item in made})
        frames = sum(item.frames for item in made)
        lines.append(
            f"{split:5}  {len(made)} clips, {frames} frames, {float(seconds) / 3600:.2f} h, "
            f"{people} identities"
        )
    old = len(outcome.made) - outcome.fresh
    lines.append(f"made now: {outcome.fresh}" + (f", there before: {old}" if old else ""))
    enlarged = sum(1 for item in outcome.made if _side(item.box) < min(item.width, item.height))
    if enlarged:
        lines.append(f"enlarged, since their source is smaller: {enlarged}")
    held = [item for item in outcome.made if item.without_head]
    if held:
        frames = sum(item.without_head for item in held)
        lines.append(f"frames without a head, where the last box was kept: {frames} of {len(held)} "
                     "clips (column without_head)")  # fmt: skip
    if outcome.skipped:
        lines.append(f"skipped: {len(outcome.skipped)}, listed in {root / 'skipped.csv'}")
        reasons = Counter(item.reason for item in outcome.skipped)
        lines += [f"  {count} x {reason[:150]}" for reason, count in reasons.most_common(5)]
    lines.append(f"look at {root / 'contact_sheet.png'}; {root / 'manifest.csv'} lists the clips")
    return "\n".join(lines)


def _side(box: str) -> int:
    left, top, right, bottom = (int(part) for part in box.split(","))
    return min(right - left, bottom - top)


def main(argv: Sequence[str]) -> int:
    """Prepare a root; returns 0, 2 after one line on stderr, or 130 when interrupted."""

    def work(arguments: argparse.Namespace) -> None:
        if arguments.kind == "folder":
            prepare_folder(arguments)
        else:
            prepare_published(arguments)

    return run(parser(), work, argv, "interrupted: the same command goes on where it stopped")
