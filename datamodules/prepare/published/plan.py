"""From a published list and a folder of originals to jobs.

How ranges and boxes are meant follows `load_videos.py` of
github.com/AliaksandrSiarohin/video-preprocessing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from datamodules.prepare.jobs import Box, Job, Made, Span
from datamodules.prepare.published.originals import Originals
from datamodules.prepare.published.rows import Row, read_metadata, shown
from datamodules.prepare.published.sets import PUBLISHED, Published
from datamodules.prepare.published.split import deal_by_identity, deal_by_list
from datamodules.splits import Split


@dataclass(frozen=True)
class Missing:
    """A video that is not among the originals: its id, and how many clips of a split want it."""

    video_id: str
    clips: int
    split: Split


@dataclass(frozen=True)
class Refused:
    """A row that gives no clip: its line in the file (the header is line 1), itself, and why."""

    row: int
    text: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What a list and a folder of originals come to.

    Attributes:
        jobs: the clips that can be made, in the list's order.
        missing: videos that are not there, by id.
        refused: rows that cannot be used.
        rows: how many the list has.
        not_square: boxes that are not square, among those of all usable rows; 0 where boxes
            are left out.
        beyond: boxes that reach outside their picture, likewise; they are cut at its edge.
        notes: what else the user should know, one sentence each.
    """

    jobs: list[Job]
    missing: list[Missing]
    refused: list[Refused]
    rows: int
    not_square: int = 0
    beyond: int = 0
    notes: list[str] = field(default_factory=list)


def plan(
    set_name: str,
    metadata: Path,
    originals: Path,
    *,
    test: Path | None = None,
    range_fps: float | None = None,
    boxes: bool = True,
) -> Plan:
    """Turn a list and a folder of originals into jobs.

    A row's frames are start to end - 1: the published loader takes those shown at or after
    start and before end. The split is the list's. Where it marks no clip for testing (TED),
    one is made by `deal_by_identity`; `test` overrules both.

    Args:
        set_name: one of `PUBLISHED`.
        metadata: the owners' CSV.
        originals: folder of the downloaded videos, see `Originals`.
        test: text file of the clips, identities or videos to test on, one a line.
        range_fps: rate of TED's ranges, see `read_metadata`.
        boxes: False leaves the list's boxes out, so that the settings' crop is made instead.

    Raises:
        FileNotFoundError: one of the files, or the folder, is missing.
        ValueError: an unknown set, a CSV that is none, or a list of test clips that does not fit.
    """
    if set_name not in PUBLISHED:
        raise ValueError(f"no set is called {set_name!r}: there are {', '.join(PUBLISHED)}")
    published = PUBLISHED[set_name]
    there = Originals(originals)
    rows = read_metadata(metadata, range_fps=range_fps)
    clips, refused = _usable(rows, published)
    notes: list[str] = []
    splits = _splits(clips, published, test, notes)
    jobs, lacking = [], Counter[tuple[str, Split]]()
    for name, row in clips.items():
        video = row.video_id.partition("#")[0]
        job = _job(name, row, splits[name], published, there)
        if job is None:
            lacking[video, splits[name]] += 1
        else:
            jobs.append(job if boxes else replace(job, box=None))
    missing = [Missing(video, count, split) for (video, split), count in sorted(lacking.items())]
    found = [row.box for row in clips.values() if row.box is not None and boxes]
    _note_ranges(clips.values(), range_fps, boxes, notes)
    if not published.by_person and any(row.person_id for row in clips.values()):
        notes.append(f"the list names persons, whom {set_name} does not have: is it another set's?")
    if clips and "test" not in splits.values():
        notes.append("the list has no clip to test on, which training wants too: see --test")
    return Plan(
        jobs=jobs,
        missing=missing,
        refused=refused,
        rows=len(rows),
        not_square=sum(box.right - box.left != box.bottom - box.top for box in found),
        beyond=sum(map(_reaches_out, found)),
        notes=notes + there.notes,
    )


def refuse_moved(jobs: Iterable[Job], made: Iterable[Made], metadata: Path) -> None:
    """Refuse a root in which clips lie on the other side of the split.

    Args:
        jobs: of the plan.
        made: the clips that the root holds.
        metadata: the list, for the message.

    Raises:
        ValueError: names one; it would be trained and tested on.
    """
    split = {job.name: job.split for job in jobs}
    moved = [one.path for one in made if split.get(one.name, one.split) != one.split]
    if moved:
        raise ValueError(
            f"{metadata} deals {len(moved)} clips otherwise than when they were made, such as "
            f"{moved[0]}: give the list of before, or prepare into another folder"
        )


def _usable(rows: Sequence[Row], published: Published) -> tuple[dict[str, Row], list[Refused]]:
    """Sort the rows into clips by name, and those that give none."""
    clips: dict[str, Row] = {}
    refused = []
    for row in rows:
        reason = row.fault or _misfit(row, published)
        name = "" if reason else published.clip_name(row)
        if name in clips:
            same = clips[name]
            reason = f"the same clip as in line {same.number}"
            if same.box != row.box or same.partition != row.partition:
                reason += ", with another box or partition"
        if reason:
            refused.append(Refused(row.number, shown(row.text), reason))
        else:
            clips[name] = row
    return clips, refused


def _misfit(row: Row, published: Published) -> str:
    """Say why a row that is well formed does not fit the set; empty where it does."""
    identity = published.identity(row)
    if not identity:
        return "no person_id: the set's identities are persons"
    if "#" in identity or row.video_id.count("#") > (published.by_person and not row.person_id):
        return "a # in an id: it parts the names of clips"
    return ""


def _splits(
    clips: Mapping[str, Row], published: Published, test: Path | None, notes: list[str]
) -> dict[str, Split]:
    shown_in = {name: published.identity(row) for name, row in clips.items()}
    if test is not None:
        aliases = {
            name: (row.video_id.partition("#")[0], row.cut_id) for name, row in clips.items()
        }
        splits, unknown = deal_by_list(shown_in, test, aliases)
        notes.append(f"the split follows {test.name}")
        if unknown:
            notes.append(
                f"{len(unknown)} lines of {test.name} name no clip: "
                + ", ".join(map(shown, unknown[:5]))
            )
    elif published.own_split and all(row.partition == "train" for row in clips.values()):
        splits = deal_by_identity(shown_in)
        notes.append(
            "the list marks no clip for testing: the split is made here, by identity, in the order "
            "of the identities' SHA-256; no paper's test clips are known"
        )
    else:
        splits = {name: row.partition for name, row in clips.items()}
    sides = {
        split: {shown_in[n] for n, s in splits.items() if s == split} for split in ("train", "test")
    }
    if both := sorted(sides["train"] & sides["test"]):
        notes.append(f"{len(both)} identities are in train and in test: {', '.join(both[:5])}")
    return splits


def _job(name: str, row: Row, split: Split, published: Published, there: Originals) -> Job | None:
    """Make the job of a row; None where its original is not there."""
    span: Span | None = Span(row.start, row.end, row.fps)
    source = there.find(row.cut_id) if row.cut_id else None
    if source is not None:  # the very clip that the row's box was measured in
        span = None
    else:
        source = there.find(row.video_id.partition("#")[0], row.person_id)
    if source is None:
        return None
    return Job(
        source=source,
        label=row.video_id.partition("#")[0],  # stays when files are moved or fetched again
        name=name,
        split=split,
        identity=published.identity(row),
        span=span,
        box=row.box,
    )


def _reaches_out(box: Box) -> bool:
    return box.left < 0 or box.top < 0 or box.right > box.width or box.bottom > box.height


def _note_ranges(
    rows: Iterable[Row], range_fps: float | None, boxes: bool, notes: list[str]
) -> None:
    """Say what was chosen for ranges inside ids, and what their boxes mean."""
    ranged = [row for row in rows if row.cut_id]
    if not ranged:
        return
    rate = "the originals' own frames" if range_fps is None else f"frames at {range_fps:g} fps"
    notes.append(
        f"{len(ranged)} rows have start = end = 0 and their range in the id: taken as {rate}, "
        "since the owners do not say"
    )
    square = sum(row.box is not None and row.box.width == row.box.height for row in ranged)
    if square and boxes:
        notes.append(
            f"{square} boxes were measured in square pictures, which were cut out of the originals "
            "at places that the list does not give: they fit files called youtube#first#last, or "
            "originals that are square, and no others. The owners' ted384-metadata.csv, or our "
            "own crop in place of the boxes (--crop head, --crop square), gets the other clips"
        )
