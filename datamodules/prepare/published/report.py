"""What came of a published set: the report, the hash of its split, the list of what to fetch."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from datamodules.files import write_whole
from datamodules.prepare.jobs import Job, Made
from datamodules.prepare.published.plan import Plan
from datamodules.prepare.published.sets import Published
from datamodules.prepare.published.split import without_ending
from datamodules.splits import fingerprint

_HEAD = 10  # how many of a list are printed
_SHORT = Fraction(19, 20)  # of a row's frames, below which a clip counts as cut short


class HasVideo(Protocol):
    """A row of a list, or a missing video."""

    @property
    def video_id(self) -> str:
        """Id of the video, perhaps with more behind a #."""
        ...


def write_ids(rows: Iterable[HasVideo], path: Path) -> int:
    """Write the addresses of videos for `yt-dlp -a`: each once, sorted, one a line.

    Whole addresses, because an id may begin with - or with a mark of comments.

    Args:
        rows: such as `Plan.missing`.
        path: file to write or replace.

    Returns:
        How many were written.
    """
    ids = sorted({row.video_id.partition("#")[0] for row in rows if row.video_id})
    text = "".join(f"https://www.youtube.com/watch?v={name}\n" for name in ids)
    write_whole(path, text)
    return len(ids)


def split_digest(made: Iterable[Made]) -> str:
    """Hash the split that was really made: SHA-256 of the sorted lines `split/name`.

    Names are those of the clips without folder and ending, so that mp4 and frames of the same
    clips agree. Each line ends in a line feed.

    Returns:
        64 hexadecimal digits.
    """
    return hashlib.sha256(
        "".join(f"{line}\n" for line in sorted(map(_key, made))).encode()
    ).hexdigest()


def report(
    plan: Plan, made: Sequence[Made], published: Published, *, keep_aspect: bool = False
) -> str:
    """Say what was made of a published set, what was not and why, and beside which sizes.

    Args:
        plan: what was to be made.
        made: what was, also in earlier runs into the same folder; clips of no job of the plan
            are counted apart.
        published: the set.
        keep_aspect: boxes that are not square were widened.

    Returns:
        Plain text, some lines long per split.
    """
    wanted = {f"{job.split}/{job.name}": job for job in plan.jobs}
    ours = {_key(one): one for one in made}
    lines = [
        f"{published.name}: {published.about}",
        f"published at: {published.where}",
        "",
        f"rows in the list: {plan.rows}, of which refused: {len(plan.refused)}",
    ]
    for number, split in enumerate(("train", "test")):
        lines += ["", *_of_split(split, number, plan, ours, published)]
    lines += [
        "",
        f"split really made (sha256 of sorted split/name lines): {split_digest(made)}",
        "test clips really made, as protocols name them: "
        + fingerprint(one.name for one in made if one.split == "test"),
    ]
    if strangers := sorted(set(ours) - set(wanted)):
        lines.append(f"clips that are not in the list: {len(strangers)}: {_first(strangers)}")
    lines += _boxes(plan, keep_aspect) + _short(wanted, ours)
    lines += [f"note: {note}" for note in plan.notes]
    lines += ["", *_refused(plan)]
    return "\n".join(lines).rstrip() + "\n"


def _key(made: Made) -> str:
    return f"{made.split}/{without_ending(Path(made.path).name)}"


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:_HEAD]) + (" ..." if len(names) > _HEAD else "")


def _of_split(
    split: str, number: int, plan: Plan, ours: dict[str, Made], published: Published
) -> list[str]:
    names = {f"{job.split}/{job.name}" for job in plan.jobs if job.split == split}
    missing = [video for video in plan.missing if video.split == split]
    absent = sum(video.clips for video in missing)
    listed = len(names) + absent
    got = len(names & set(ours))
    people = {ours[name].identity for name in names & set(ours)}
    coverage = f"{100 * got / listed:.1f} %" if listed else "nothing listed"
    sizes = [f"{paper} {counts[number]:,}" for paper, *counts in published.papers]
    official = published.listed[number]
    return [
        f"{split}: made {got} of {listed} clips ({coverage}), {len(people)} identities",
        f"  published: {official:,} in the owners' list; used by {', '.join(sizes)}",
        f"  original missing: {absent} clips of {len(missing)} videos"
        + (f": {_first([video.video_id for video in missing])}" if missing else ""),
        f"  original there, clip not made: {len(names) - got}"
        + (f": {_first(sorted(names - set(ours)))}" if len(names) > got else ""),
    ]


def _boxes(plan: Plan, keep_aspect: bool) -> list[str]:
    lines = []
    if plan.not_square:
        done = (
            "widened to squares (--keep-aspect), unlike the published clips"
            if keep_aspect
            else "resized to a square, so distorted, as published (--keep-aspect widens them)"
        )
        lines.append(f"boxes that are not square: {plan.not_square}; {done}")
    if plan.beyond:
        lines.append(f"boxes that reach outside their picture: {plan.beyond}; cut at its edge")
    return lines


def _short(wanted: dict[str, Job], ours: dict[str, Made]) -> list[str]:
    """Name the clips with fewer frames than their rows say."""
    short = []
    for name in sorted(set(wanted) & set(ours)):
        span, one = wanted[name].span, ours[name]
        if span is None or span.fps is None:  # the rate may have been lowered since
            continue
        ratio = Fraction(one.fps) / Fraction(str(span.fps))
        if one.frames < (span.stop - span.first) * ratio * _SHORT - 1:
            short.append(f"{name} ({one.frames} frames)")
    return [f"shorter than their rows say: {len(short)}: {_first(short)}"] if short else []


def _refused(plan: Plan) -> list[str]:
    if not plan.refused:
        return []
    kinds = Counter(one.reason for one in plan.refused)
    lines = [f"refused rows: {len(plan.refused)}, for {len(kinds)} reasons"]
    lines += [f"  line {one.row}: {one.reason} | {one.text}" for one in plan.refused]
    return lines
