"""The lists by which video sets are published: one clip a row, cut out of a video by a box."""

import csv
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from datamodules.prepare.jobs import Box
from datamodules.splits import Split

COLUMNS = ("video_id", "start", "end", "bbox", "fps", "width", "height", "partition")
"""What every list has; `person_id` may follow."""

_NUMBER = r"(-?\d+(?:\.\d+)?)"
_BOX = re.compile("-".join([_NUMBER] * 4), re.ASCII)
_FRAME = re.compile(r"(\d{1,9})(?:\.0*)?", re.ASCII)
_RANGE = re.compile(r"(.+)#(\d{1,9})#(\d{1,9})", re.ASCII)
_LONGEST = 100  # characters of an id; a clip's name, made of two, must remain a file name


@dataclass(frozen=True)
class Row:
    """One row of a list.

    Attributes:
        number: its line in the file; the header is line 1.
        text: the line.
        video_id: the video's id; a range that stood in it is taken off.
        start: number of the first frame.
        end: number after the last frame.
        fps: rate of these numbers; None means that of the video's file.
        box: what to cut out, in the picture of `width` x `height`; None in a faulty row.
        partition: the list's split.
        person_id: empty where the list has none.
        cut_id: `youtube#first#last` where the range stood in the id, else empty.
        fault: why the row cannot be used, then nothing but number and text counts; empty in
            a good one.
    """

    number: int
    text: str
    video_id: str = ""
    start: int = 0
    end: int = 0
    fps: float | None = None
    box: Box | None = None
    partition: Split = "train"
    person_id: str = ""
    cut_id: str = ""
    fault: str = ""


def read_metadata(path: Path, *, range_fps: float | None = None) -> list[Row]:
    """Read a list: every row, the faulty ones with their fault.

    `ted-metadata.csv` has start = end = 0 everywhere and the range inside the id, as
    `youtube#first#last`. Of which rate these numbers are is said nowhere. They are taken for
    the original's own frames: the largest, 49,289, is 27 to 34 minutes at 24 to 30 frames a
    second, but 82 minutes at the column's 10.0, and talks last 18.

    Args:
        path: the CSV file; its lines are read one by one, so that a stray quote spoils one.
        range_fps: rate of ranges that stand in ids; None means the original file's own.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no CSV in UTF-8, lacks a column, or holds no row.
    """
    if path.is_dir() or not path.exists():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(
            f"the metadata file {path} {what}: give the CSV of the set's owners"
        )
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a CSV file in UTF-8: {error}") from error
    fields = [name.strip() for name in _split(lines[0]) or []]
    missing = [column for column in COLUMNS if column not in fields]
    if missing:
        if "\0" in lines[0] or not any(fields):
            raise ValueError(f"{path} is empty or not a CSV file: its first line names no columns")
        raise ValueError(
            f"{path} has no column {', '.join(missing)}; its first line is {shown(lines[0])}"
        )
    rows = [
        _row(number, line, fields, range_fps)
        for number, line in enumerate(lines[1:], start=2)
        if line.strip()
    ]
    if not rows:
        raise ValueError(f"{path} has a header and no row: fetch it again from the set's owners")
    return rows


def shown(text: str) -> str:
    """Return a line fit to be printed: one line, no control characters, at most 120 long."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= 120 else clean[:117] + "..."


def _split(line: str) -> list[str] | None:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return None


def _row(number: int, line: str, fields: list[str], range_fps: float | None) -> Row:
    try:
        return _checked(number, line, fields, range_fps)
    except ValueError as fault:
        return Row(number, line, fault=str(fault))


def _checked(number: int, line: str, fields: list[str], range_fps: float | None) -> Row:
    values = _split(line)
    if values is None:
        raise ValueError("the line is not CSV")
    if len(values) != len(fields):
        raise ValueError(f"{len(values)} values for {len(fields)} columns")
    row = {field: value.strip() for field, value in zip(fields, values, strict=True)}
    width, height = (_positive(row, side, 100_000) for side in ("width", "height"))
    fps: float | None = _positive(row, "fps", 1000)
    start, end = (_frame(row[column], column) for column in ("start", "end"))
    video, cut = row["video_id"], ""
    if (match := _RANGE.fullmatch(video)) and start == end == 0:
        video, cut, fps = match[1], video, range_fps
        start, end = int(match[2]), int(match[3])
    if end <= start:
        raise ValueError(f"end {end} is not after start {start}")
    if row["partition"] not in ("train", "test"):
        raise ValueError(f"partition {shown(row['partition'])!r} is neither train nor test")
    _check_id(video, "video_id")
    if row.get("person_id"):
        _check_id(row["person_id"], "person_id")
    return Row(
        number=number,
        text=line,
        video_id=video,
        start=start,
        end=end,
        fps=fps,
        box=_box(row["bbox"], width, height),
        partition=cast(Split, row["partition"]),
        person_id=row.get("person_id", ""),
        cut_id=cut,
    )


def _positive(row: dict[str, str], column: str, limit: float) -> float:
    try:
        value = float(row[column])
    except ValueError:
        raise ValueError(f"{column} {shown(row[column])!r} is not a number") from None
    if not 0 < value <= limit:  # NaN is refused too
        raise ValueError(f"{column} {row[column]} is not between 0 and {limit:g}")
    return value


def _frame(value: str, column: str) -> int:
    match = _FRAME.fullmatch(value)
    if match is None:
        raise ValueError(f"{column} {shown(value)!r} is not a frame number")
    return int(match[1])


def _box(text: str, width: float, height: float) -> Box:
    match = _BOX.fullmatch(text)
    if match is None:
        raise ValueError(f"bbox {shown(text)!r} is not left-top-right-bottom")
    left, top, right, bottom = (float(edge) for edge in match.groups())
    if not all(map(math.isfinite, (left, top, right, bottom))):
        raise ValueError(f"bbox {shown(text)!r} is not made of numbers")
    if right <= left or bottom <= top:
        raise ValueError(f"the box {text} is empty or inverted")
    if left >= width or top >= height or right <= 0 or bottom <= 0:
        raise ValueError(f"the box {text} lies outside the picture of {width:g}x{height:g}")
    return Box(left, top, right, bottom, width, height)


def _check_id(name: str, column: str) -> None:
    """Refuse what cannot be part of a file's name."""
    if not name:
        raise ValueError(f"{column} is empty")
    if name.startswith(".") or any(c in "/\\" or not c.isprintable() for c in name):
        raise ValueError(f"{column} {shown(name)!r} cannot be part of a file name")
    if len(name.encode()) > _LONGEST:
        raise ValueError(f"{column} {shown(name)!r} is longer than {_LONGEST} bytes")
