"""Rows of tables out of records: clips in one order, seeds of one model averaged clip by clip."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.report.statistics import Array, Interval, Standing, mean, over_seeds

Record = Mapping[str, Any]
Column = tuple[Array, Array]  # values of the clips and their weights, both (C,)

COPY_SOURCE = "copy-source"
WITH = "l1 with references"
SAME = 1e-4  # relative; what two records may differ by in what should be one number


@dataclass(frozen=True)
class Clips:
    """What a row has of each clip.

    Attributes:
        names: of the clips, sorted.
        columns: metric -> values (NaN where there is none) and weights, in the order of the names.
    """

    names: tuple[str, ...]
    columns: dict[str, Column]


@dataclass
class Row:
    """One line of a table.

    Attributes:
        name: animator, or copy-source.
        values: metric -> number, the mean over seeds; None where nothing was to be measured.
        clips: what it has of each clip, the mean over seeds; None where the record has nothing.
        spread: metric -> standard deviation over seeds; empty with a single one.
        seeds: how many trainings it is the mean of.
        given: references that it was given, where rows of several numbers share the table.
        reported: metric -> number that the paper prints under the same protocol.
        samples: metric of the whole set -> how many pictures or clips it was made of.
        budget: pairs that were trained on, as text.
        device: where it was measured.
        intervals: metric -> interval of the mean over clips; `judge` fills it.
        standings: metric -> standing in the column; `judge` fills it.
    """

    name: str
    values: dict[str, float | None]
    clips: Clips | None = None
    spread: dict[str, float] = field(default_factory=dict)
    seeds: int = 1
    given: int | None = None
    reported: dict[str, float] = field(default_factory=dict)
    samples: dict[str, int] = field(default_factory=dict)
    budget: str = ""
    device: str = ""
    intervals: dict[str, Interval] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)

    def column(self, metric: str) -> Column | None:
        """Give what the row has of each clip in one metric."""
        return None if self.clips is None else self.clips.columns.get(metric)


def row_name(record: Record) -> str:
    """Name a row; one that was trained on another set than it is tested on says so."""
    trained = record.get("trained_on")
    away = isinstance(trained, str) and trained != record["data"]
    return f"{record['model']} (trained on {trained})" if away else str(record["model"])


def weigh(record: Record, frames: Sequence[Any]) -> Array | None:
    """Say how much each clip counts under the record's protocol.

    Args:
        record: with the protocol's name.
        frames: for each clip the list of its scored frames' L1, or None.

    Returns:
        (C,), ones for means of clips' means, else the frames; None where these are not known.
    """
    from animators.metrics import Averaging, Protocol

    if Protocol.from_name(record["protocol"]["name"]).averaging is Averaging.VIDEO:
        return np.ones(len(frames))
    if not all(frames):
        return None
    return np.array([len(one) for one in frames], dtype=np.float64)


def read_clips(record: Record, part: str, values: Mapping[str, float | None]) -> Clips | None:
    """Read what a record has of each clip.

    Args:
        record: of a quality measurement.
        part: `metrics`, or `copy_source`.
        values: the row's numbers. A metric whose clips do not add up to its number, such as one
            with weights of its own in a mean over frames, has nothing of each clip here.

    Returns:
        None where the record has none.

    Raises:
        ValueError: an entry of `per_clip` is bad, or two have one name.
    """
    entries = per_clip(record)
    if not entries:
        return None
    weights = weigh(record, [one.get("l1") for one in entries])
    names = tuple(one["name"] for one in entries)
    if weights is None:
        return Clips(names, {})
    found = {name: _numbers(record, entries, part, name) for name in values}
    columns = {name: (column, weights) for name, column in found.items() if column is not None}
    return Clips(names, fitting(columns, values))


def fitting(columns: Mapping[str, Column], values: Mapping[str, float | None]) -> dict[str, Column]:
    """Keep the metrics whose mean over clips is the row's number."""
    kept = {}
    for name, column in columns.items():
        value, own = values.get(name), mean(*column)
        if value is not None and own is not None and np.isclose(own, value, rtol=SAME, atol=0):
            kept[name] = column
    return kept


def per_clip(record: Record) -> list[Mapping[str, Any]]:
    """Give a record's entries for its clips by name; none where it has none.

    Raises:
        ValueError: an entry is bad, or two have one name.
    """
    entries = record.get("per_clip") or []
    whose = f"the record of {record['model']} on {record['data']}"
    for one in entries:
        parts = ("metrics", "copy_source")
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise ValueError(f"{whose} has a clip without a name in per_clip: make it again")
        if not all(isinstance(one.get(part, {}), dict) for part in parts):
            raise ValueError(f"{whose} has no metrics of {one['name']} in per_clip: make it again")
    names = [one["name"] for one in entries]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{whose} has the clips {', '.join(twice)} twice: make it again")
    return sorted(entries, key=lambda one: str(one["name"]))


def _numbers(
    record: Record, entries: Sequence[Mapping[str, Any]], part: str, name: str
) -> Array | None:
    cells = [one.get(part, {}).get(name) for one in entries]
    if all(cell is None for cell in cells):
        return None
    try:
        return np.array([np.nan if cell is None else float(cell) for cell in cells])
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the record of {record['model']} on {record['data']}: {part}.{name} of a clip is no "
            f"number: make it again"
        ) from error


def by_training(records: Sequence[Record]) -> list[list[Record]]:
    """Put the seeds of one model together: each list is a row.

    Args:
        records: of one table. Those without `seed_trained` are rows of their own.

    Returns:
        Lists by name. Seeds of one network, trained on one set, share a row; where a seed was
        measured on two devices, those of one device do.

    Raises:
        ValueError: two records are of one network and seed, on one device.
    """
    models: dict[str, list[Record]] = defaultdict(list)
    for i, record in enumerate(records):
        made = {k: record["checkpoint"].get(k) for k in ("class_path", "init_args")}
        alone = i if record.get("seed_trained") is None else ""
        models[f"{row_name(record)}\n{made}\n{alone}"].append(record)
    found: list[list[Record]] = []
    for rows in models.values():
        if len({record.get("seed_trained") for record in rows}) == len(rows):
            found.append(rows)
            continue
        devices: dict[str, list[Record]] = defaultdict(list)
        for record in rows:
            devices[record["device"]].append(record)
        for same in devices.values():
            seeds = [record["seed_trained"] for record in same]
            if len(set(seeds)) < len(seeds):
                raise ValueError(
                    f"two records are of {row_name(same[0])}, trained with one seed of "
                    f"{sorted(seeds)}, on {same[0]['device']}: give one of them"
                )
            found.append(same)
    return sorted(found, key=lambda rows: row_name(rows[0]))


def over_trainings(rows: Sequence[Row]) -> Row:
    """Average the seeds of one model: every clip first, and the numbers.

    Args:
        rows: one for each seed, of the same clips.

    Returns:
        The mean, with the standard deviation over seeds beside it. A clip or number that one seed
        lacks, the mean lacks as well; of pairs seen and devices it has all.
    """
    if len(rows) == 1:
        return rows[0]
    values: dict[str, float | None] = {}
    spread = {}
    for name in dict.fromkeys(name for row in rows for name in row.values):
        numbers = [x for row in rows if (x := row.values.get(name)) is not None]
        values[name] = None
        if len(numbers) == len(rows):
            values[name], spread[name] = over_seeds(numbers)
    clips = [row.clips for row in rows if row.clips is not None]
    return replace(
        rows[0],
        values=values,
        spread=spread,
        seeds=len(rows),
        clips=_mean_clips(clips) if len(clips) == len(rows) else None,
        budget=_joined([row.budget for row in rows]),
        device=_joined([row.device for row in rows]),
    )


def _mean_clips(clips: Sequence[Clips]) -> Clips:
    first = clips[0]
    shared = [name for name in first.columns if all(name in one.columns for one in clips)]
    columns = {
        name: (np.mean([one.columns[name][0] for one in clips], axis=0), first.columns[name][1])
        for name in shared
    }
    return Clips(first.names, columns)


def _joined(texts: Sequence[str]) -> str:
    return " / ".join(dict.fromkeys(text for text in texts if text))


def check_clips(rows: Sequence[Row]) -> None:
    """Refuse rows that have different clips.

    Raises:
        ValueError: names differ, so that nothing could be paired.
    """
    there = [(row.name, set(row.clips.names)) for row in rows if row.clips is not None]
    for name, names in there:
        if apart := names ^ there[0][1]:
            raise ValueError(
                f"{name} and {there[0][0]} have different clips ({', '.join(sorted(apart))}): "
                "measure both on the same ones"
            )
