"""`python -m datamodules prepare`: from videos as they are to a training root."""

import argparse
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from datamodules.options import run
from datamodules.prepare.options import parser, settings_of

if TYPE_CHECKING:
    from datamodules.prepare.engine import Outcome
    from datamodules.prepare.jobs import Job, Settings
    from datamodules.prepare.journal import Journal
    from datamodules.prepare.published.plan import Plan

PRINTED = 40
"""Lines of a report that are printed; its file has all."""


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
        return plan_folder(
            arguments.source,
            found.clips,
            share=arguments.split,
            by_identity=arguments.split_by == "identity",
            identities=arguments.identities,
            settled=[] if journal is None else list(journal.made.values()),
        )

    plan(None)  # complains before anything is written
    if found.others:
        counts = ", ".join(f"{ending} {n}" for ending, n in sorted(found.others.items()))
        print(f"passed over, being no clips: {counts}")
    films = sum((arguments.source / clip).is_dir() for clip in found.clips)
    if films:
        print(
            f"folders whose pictures were taken for the frames of one clip: {films} "
            "(--pictures stills takes each picture for itself)"
        )
    _make(arguments, settings, options, plan)
    size = "" if settings.size == 256 else f" ARGS=--data.init_args.image_size={settings.size}"
    print(f"train on it: make train DATA=folder DATA_ROOT={quote(str(arguments.root))}{size}")


def _apart(source: Path, root: Path) -> None:
    if root.resolve() == source.resolve() or source.resolve() in root.resolve().parents:
        raise ValueError(f"{root} lies in {source}: what is made would be found as a source")
    if root.resolve() in source.resolve().parents:
        raise ValueError(f"{source} lies in {root}: a training root holds nothing but clips")


def prepare_published(arguments: argparse.Namespace) -> None:
    """Prepare a set from its published metadata and its originals."""
    from datamodules.files import write_whole
    from datamodules.prepare.published.plan import plan, refuse_moved
    from datamodules.prepare.published.report import report
    from datamodules.prepare.published.sets import PUBLISHED
    from datamodules.prepare.published.split import list_digest

    published = PUBLISHED[arguments.kind]
    boxes = arguments.crop == "box"
    if arguments.keep_aspect and not boxes:
        raise ValueError("--keep-aspect is about the published boxes: leave it or --crop away")
    crop = "square" if boxes else arguments.crop
    settings = settings_of(
        arguments, crop=crop, fps=published.fps, keep_aspect=arguments.keep_aspect
    )
    _apart(arguments.originals, arguments.root)
    planned = plan(
        arguments.kind, arguments.metadata, arguments.originals, test=arguments.test, boxes=boxes
    )
    options = {
        "set": arguments.kind,
        **settings.as_dict(),
        "boxes": boxes,
        "test": list_digest(arguments.test),
    }
    _list_missing(planned, arguments)

    def jobs(journal: "Journal") -> "Sequence[Job]":
        refuse_moved(planned.jobs, journal.made.values(), arguments.metadata)
        return planned.jobs

    def tell(outcome: "Outcome") -> None:
        text = report(planned, outcome.made, published, keep_aspect=settings.keep_aspect)
        write_whole(arguments.root / "report.txt", text)
        lines = text.splitlines()
        more = [f"... {arguments.root / 'report.txt'} has {len(lines) - PRINTED} lines more"]
        print("\n".join(lines if len(lines) <= PRINTED else lines[:PRINTED] + more))

    _make(arguments, settings, options, jobs, tell)
    folder = arguments.root.resolve()
    more = [] if settings.size == published.size else [f"image_size={settings.size}"]
    if folder.name != arguments.kind:
        more += [f"{split}={folder.name}/{split}" for split in ("train", "test")]
    given = " ".join(f"--data.init_args.{one}" for one in more)
    print(f"train on it: make train DATA={arguments.kind} DATA_ROOT={quote(str(folder.parent))}"
          + (f' ARGS="{given}"' if given else ""))  # fmt: skip


def _list_missing(planned: "Plan", arguments: argparse.Namespace) -> None:
    """Leave the addresses of missing originals beside those that are there.

    Raises:
        ValueError: none is there, or no row can be used.
    """
    from datamodules.prepare.published.report import write_ids
    from datamodules.prepare.published.sets import fetch_command

    ids: Path = arguments.originals / "ids.txt"
    videos = len({one.video_id for one in planned.missing})
    try:
        if videos or ids.is_file():  # perhaps of an earlier run, by now fetched
            write_ids(planned.missing, ids)
    except OSError as error:  # originals may be read only
        print(f"missing originals: {videos}, but their list cannot be written: {error}")
    else:
        if videos:
            print(f"missing originals: {videos}, listed in {ids}; fetch them for example by")
            print(f"  {fetch_command(arguments.originals, ids)}")
    if planned.jobs:
        return
    if videos:
        raise ValueError(
            f"none of the {videos} videos of {arguments.metadata} lies in {arguments.originals}: "
            f"fetch them; {ids} lists their addresses"
        )
    first = planned.refused[0]
    raise ValueError(
        f"no row of {arguments.metadata} can be used for {arguments.kind}; line {first.row}: "
        f"{first.reason}"
    )


def _make(
    arguments: argparse.Namespace,
    settings: "Settings",
    options: Mapping[str, Any],
    plan: "Callable[[Journal], Sequence[Job]]",
    tell: "Callable[[Outcome], None]" = lambda outcome: None,
) -> None:
    from datamodules.prepare.engine import carry_out, write_manifest
    from datamodules.prepare.journal import SHEET, Journal
    from datamodules.prepare.pack import Packer
    from datamodules.prepare.sheet import draw_sheet

    if settings.crop == "head":
        from datamodules.prepare.head import detector

        detector()  # complains now, instead of once for each clip
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
            draw_sheet(root, outcome.made, root / SHEET)
        tell(outcome)
    print(summary(root, outcome))
    if outcome.fresh:
        rate = outcome.frames / outcome.seconds
        print(f"speed: {rate:.1f} frames a second by {arguments.workers} processes")
    if not outcome.made:
        raise ValueError(f"no clip could be made: {root / 'skipped.csv'} says why for each source")


def summary(root: Path, outcome: "Outcome") -> str:
    """Say in a few lines what is in the root now."""
    from fractions import Fraction

    from datamodules.prepare.journal import SHEET

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
    if outcome.made:
        sheet, table = root / SHEET, root / "manifest.csv"
        lines.append(f"look at {sheet}; {table} lists the clips")
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
