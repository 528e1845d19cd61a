"""L1 by size of motion: the frames of all clips pooled and split at the quartiles of their motion.

A frame's motion is its own copy-source L1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.report.rows import (
    COPY_SOURCE,
    Clips,
    Record,
    Row,
    by_training,
    over_trainings,
    per_clip,
    row_name,
)
from benchmarks.report.statistics import Array
from benchmarks.report.tables import Table, digits, title

QUARTERS = ("least motion", "second", "third", "most motion")
ABOUT = (
    "L1 by quartile of motion, the frames of all clips pooled (how many, in brackets). A frame's "
    "motion is its own copy-source L1; the quartiles meet at "
)


@dataclass(frozen=True)
class Quarters:
    """Where the frames of all clips lie.

    Attributes:
        bounds: the quartiles of their motion, (3,).
        clips: for each clip the quarter of each of its frames, 0 to 3, (T,).
    """

    bounds: list[float]
    clips: list[npt.NDArray[np.intp]]

    @property
    def frames(self) -> list[int]:
        """How many frames lie in each quarter."""
        counts = np.bincount(np.concatenate(self.clips), minlength=4)
        return [int(count) for count in counts]

    def pooled(self, values: Sequence[Array]) -> list[float]:
        """Give the mean of the frames in each quarter, NaN in an empty one.

        Args:
            values: for each clip those of its frames, (T,).
        """
        all_, where = np.concatenate(values), np.concatenate(self.clips)
        return [float(all_[where == q].mean()) if (where == q).any() else np.nan for q in range(4)]

    def columns(self, names: tuple[str, ...], values: Sequence[Array]) -> Clips:
        """Give each clip's mean in each quarter, with its frames there as its weight."""
        found = {}
        for q, name in enumerate(QUARTERS):
            parts = [one[of == q] for one, of in zip(values, self.clips, strict=True)]
            means = np.array([part.mean() if len(part) else np.nan for part in parts])
            found[name] = (means, np.array([float(len(part)) for part in parts]))
        return Clips(names, found)


def quarters(motion: Sequence[Array]) -> Quarters:
    """Pool frames and split them at the quartiles of their motion.

    Args:
        motion: for each clip the copy-source L1 of its frames, (T,). A frame on a quartile belongs
            below it.
    """
    bounds = np.quantile(np.concatenate(motion), [0.25, 0.5, 0.75])
    return Quarters(
        bounds=[float(bound) for bound in bounds],
        clips=[np.searchsorted(bounds, one, side="left") for one in motion],
    )


def motion_table(records: Sequence[Record]) -> Table | None:
    """Make the table of L1 by quartile of motion.

    Args:
        records: of one table.

    Returns:
        The rows whose records have the values of frames; None where no record has.

    Raises:
        ValueError: values are bad, or two records tell different motions of the same frames.
    """
    found = [(record, frames) for record in records if (frames := _read_frames(record)) is not None]
    if not found:
        return None
    first, (names, motion, _) = found[0]
    for record, (others, moved, _) in found:
        if others != names or any(
            len(a) != len(b) or not np.allclose(a, b, rtol=1e-3, atol=1e-5)
            for a, b in zip(motion, moved, strict=True)
        ):
            raise ValueError(
                f"the records of {first['model']} and {record['model']} on {record['data']} tell "
                "different motions of the same frames: make them again on the same clips"
            )
    split = quarters(motion)
    rows = [_row(COPY_SOURCE, split, names, motion)]
    l1 = {id(record): values for record, (_, _, values) in found}
    rows += [
        over_trainings([_row(row_name(one), split, names, l1[id(one)]) for one in seeds])
        for seeds in by_training([record for record, _ in found])
    ]
    without = [record["model"] for record in records if id(record) not in l1]
    notes = [f"Without values of frames: {', '.join(without)}."] if without else []
    return table_of(
        rows, bounds=split.bounds, frames=split.frames, record=first, notes=notes, clips=len(names)
    )


def table_of(
    rows: list[Row],
    *,
    bounds: Sequence[float],
    frames: Sequence[int],
    record: Record,
    notes: list[str],
    clips: int | None,
    more: Sequence[str] = (),
) -> Table:
    """Put rows with `QUARTERS` as metrics under each other.

    Args:
        rows: copy-source first.
        bounds: the three quartiles.
        frames: how many lie in each quarter.
        record: one of the rows' own.
        notes: to stand below.
        clips: how many there are.
        more: to stand in the title behind the set.
    """
    heads = {q: f"{q} ({n})" for q, n in zip(QUARTERS, frames, strict=True)}
    for row in rows:
        row.values = {heads[q]: value for q, value in row.values.items()}
        row.spread = {heads[q]: value for q, value in row.spread.items()}
        if row.clips is not None:
            columns = {heads[q]: column for q, column in row.clips.columns.items()}
            row.clips = Clips(row.clips.names, columns)
    return Table(
        title=title(record, *more, "L1 by motion"),
        protocol=record["protocol"]["name"],
        metrics=list(heads.values()),
        higher_is_better=dict.fromkeys(heads.values(), False),
        rows=rows,
        clips=clips,
        notes=[f"{ABOUT}{', '.join(digits(bound) for bound in bounds)}.", *notes],
        budgets=False,
    )


def _row(name: str, split: Quarters, names: tuple[str, ...], l1: Sequence[Array]) -> Row:
    pooled = dict(zip(QUARTERS, split.pooled(l1), strict=True))
    values = {name: None if np.isnan(value) else value for name, value in pooled.items()}
    return Row(name, values, split.columns(names, l1))


def _read_frames(record: Record) -> tuple[tuple[str, ...], list[Array], list[Array]] | None:
    """Read the names, motions and L1 of clips; None where some clip has no values of frames."""
    entries = per_clip(record)
    if not entries or not all(one.get("l1") and one.get("motion_frames") for one in entries):
        return None
    names = tuple(str(one["name"]) for one in entries)
    motion, l1 = (
        [_array(record, one, part) for one in entries] for part in ("motion_frames", "l1")
    )
    for name, a, b in zip(names, motion, l1, strict=True):
        if len(a) != len(b):
            raise ValueError(
                f"the record of {record['model']} on {record['data']} has {len(b)} frames' L1 and "
                f"{len(a)} motions of {name}: make it again"
            )
    return names, motion, l1


def _array(record: Record, entry: Mapping[str, Any], part: str) -> Array:
    try:
        values = np.array(entry[part], dtype=np.float64)
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(
            f"the record of {record['model']} on {record['data']} has a bad {part} of "
            f"{entry['name']}: make it again"
        )
    return values
