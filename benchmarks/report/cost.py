"""What an animator costs: size, operations, speed, memory, training time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.report.rows import Record, by_training, row_name
from benchmarks.report.sheet import DASH, Cell, Sheet
from benchmarks.report.tables import digits, group

# figure of a record -> head of its column, and how it is written
FIGURES: dict[str, tuple[str, Callable[[float], str]]] = {
    "parameters": ("parameters", lambda count: f"{count:,.0f}"),
    "gflops_per_frame": ("GFLOPs a frame", digits),
    "frames_per_second": ("frames a second", lambda rate: f"{rate:.1f}"),
    "peak_memory_bytes": ("peak memory, MB", lambda size: f"{size / 1e6:,.0f}"),
    "training_seconds": ("training, hours", lambda time: f"{time / 3600:.2f}"),
}
TIMED = ("frames_per_second", "peak_memory_bytes", "training_seconds")  # say nothing of a device


@dataclass
class Cost:
    """One line of the table.

    Attributes:
        name: of the row in the other tables.
        sets: whose tables have it.
        pixels: side of the frames.
        given: references that it was given; None where nothing but its size is known.
        figures: of `FIGURES`, those that are known; means over seeds.
        device: where speed and memory were measured; empty where they were not.
        seeds: how many trainings it is the mean of.
    """

    name: str
    sets: list[str]
    pixels: int
    given: int | None
    figures: dict[str, float]
    device: str
    seeds: int = 1


def costs(records: Sequence[Record], studies: Sequence[Record] = ()) -> list[Cost]:
    """Gather the costs of all rows.

    Args:
        records: of quality measurements.
        studies: of `study references`, whose rows have checkpoints and perhaps costs.

    Returns:
        By name and size. Rows that differ in nothing but the set are one.

    Raises:
        ValueError: two records are of one network and seed, on one device.
    """
    found = []
    for rows in group(records):
        for seeds in by_training(rows):
            known = [_figures(record) for record in seeds]
            found.append(_cost(seeds[0], row_name(seeds[0]), seeds[0]["model"], known))
    for study in studies:
        for row in study["rows"]:
            if row["checkpoint"]:
                about = {**study, "given": row["references"]}
                found.append(_cost(about, row["row"], row["name"], [_figures(row)]))
    merged: dict[str, Cost] = {}
    for cost in found:
        key = f"{cost.name}\n{cost.pixels}\n{cost.given}\n{cost.figures}\n{cost.device}"
        if cost.figures:
            merged.setdefault(key, cost).sets.extend(cost.sets if key in merged else [])
    for cost in merged.values():
        cost.sets = sorted(set(cost.sets))
    return sorted(merged.values(), key=lambda one: (one.pixels, one.name, one.given or 0))


def _figures(row: Mapping[str, Any]) -> dict[str, float]:
    """Read the figures of a row; the first records know the number of weights alone."""
    cost = {"parameters": row["checkpoint"].get("parameters"), **(row.get("cost") or {})}
    found = {}
    for name in FIGURES:
        value = cost.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ValueError(
                f"the record of {row.get('model') or row['row']} has cost.{name} {value!r}, which "
                "is no number from 0 on: make it again"
            )
        found[name] = float(value)
    return found


def _cost(record: Record, name: str, network: str, known: Sequence[dict[str, float]]) -> Cost:
    from animators.metrics import Protocol

    protocol = Protocol.from_name(record["protocol"]["name"])
    figures = {
        figure: sum(one[figure] for one in known) / len(known)
        for figure in FIGURES
        if all(figure in one for one in known)
    }
    measured = bool(figures.keys() - {"parameters"})  # or it is the same whatever it is given
    return Cost(
        name=name if measured else network,
        sets=[record["data"]],
        pixels=protocol.image_size,
        given=record.get("given", protocol.references) if measured else None,
        figures=figures,
        device=record["device"] if figures.keys() & set(TIMED) else "",
        seeds=len(known),
    )


def cost_sheet(rows: Sequence[Cost]) -> Sheet:
    """Write costs; a figure that no row has gives way to a line."""
    there = [name for name in FIGURES if any(name in row.figures for row in rows)]
    given = any(row.given is not None for row in rows)
    timed = any(row.device for row in rows)
    heads = ["", "sets", "pixels", *["N"] * given, *(FIGURES[name][0] for name in there)]
    lines = []
    for row in rows:
        cells = [row.name, ", ".join(row.sets), str(row.pixels)]
        cells += ["" if row.given is None else str(row.given)] * given
        cells += [
            FIGURES[name][1](row.figures[name]) if name in row.figures else DASH for name in there
        ]
        lines.append([Cell(text) for text in (*cells, *[row.device] * timed)])
    numbers = [False, False, *[True] * (len(heads) - 2), *[False] * timed]
    missing = [FIGURES[name][0] for name in FIGURES if name not in there]
    notes = ["N: references given."] * given
    notes += [f"Not measured: {'; '.join(missing)}."] if missing else []
    return Sheet("Cost", [*heads, *["device"] * timed], numbers, lines, notes)
