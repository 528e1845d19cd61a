"""What an animator costs: size, operations, speed, memory, training time."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.report.rows import Record, protocol_of
from benchmarks.report.sheet import DASH, Cell, Sheet
from benchmarks.report.tables import digits, pairs

# figure of a record -> head of its column, and how it is written
FIGURES: dict[str, tuple[str, Callable[[float], str]]] = {
    "parameters": ("parameters", lambda count: f"{count:,.0f}"),
    "gflops_per_frame": ("GFLOPs a frame", digits),
    "frames_per_second": ("frames a second", lambda rate: f"{rate:.1f}"),
    "peak_memory_bytes": ("peak memory, MB", lambda size: f"{size / 1e6:,.0f}"),
}
TIMED = ("frames_per_second", "peak_memory_bytes")  # say nothing without their device
TRAINING, HOURS = "training_seconds", "training, hours"


@dataclass
class Cost:
    """One line of the table: a network, whatever it was given and measured on.

    Attributes:
        name: of the animator.
        pixels: side of the frames.
        device: where speed and memory were measured; empty where they were not.
        figures: of `FIGURES`, those that are known; means, where records differ.
        training: (set, pairs seen) -> mean seconds of the trainings on it.
    """

    name: str
    pixels: int
    device: str
    figures: dict[str, float]
    training: dict[tuple[str, str], float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Known:
    """What one record knows."""

    name: str
    pixels: int
    figures: dict[str, float]
    device: str
    trained: tuple[str, str]
    checkpoint: str
    seconds: float | None

    @property
    def network(self) -> tuple[str, int, float | None]:
        return self.name, self.pixels, self.figures.get("parameters")


def costs(records: Sequence[Record], studies: Sequence[Record] = ()) -> list[Cost]:
    """Gather the costs of all networks.

    Args:
        records: of quality measurements.
        studies: of `study references`, whose rows have checkpoints and perhaps costs.

    Returns:
        By size of the frames and name; a line for each device.

    Raises:
        ValueError: a figure is no number.
    """
    networks: dict[tuple[str, int, float | None], list[_Known]] = defaultdict(list)
    for one in (*map(_known, records), *_of_studies(studies)):
        if one.figures or one.seconds is not None:
            networks[one.network].append(one)
    found: list[Cost] = []
    for of in networks.values():
        devices = sorted({one.device for one in of if one.device}) or [""]
        # what runs anywhere is known of every device; hours stand once
        lines = [_line([one for one in of if one.device in (at, "")], at) for at in devices]
        lines[0].training = _training(of)
        found += lines
    return sorted(found, key=lambda one: (one.pixels, one.name, one.device))


def _line(of: Sequence[_Known], device: str) -> Cost:
    distinct = {name: {one.figures[name] for one in of if name in one.figures} for name in FIGURES}
    figures = {name: sum(values) / len(values) for name, values in distinct.items() if values}
    return Cost(of[0].name, of[0].pixels, device, figures)


def _training(of: Sequence[_Known]) -> dict[tuple[str, str], float]:
    """Average the trainings on each set; one that several records are of counts once."""
    times: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for one in of:
        if one.seconds is not None:
            times[one.trained][one.checkpoint] = one.seconds
    return {key: sum(known.values()) / len(known) for key, known in sorted(times.items())}


def _of_studies(studies: Sequence[Record]) -> Iterator[_Known]:
    for study in studies:
        for row in study["rows"]:
            if row["checkpoint"]:
                more = {"model": row["name"], "cost": row.get("cost")}
                yield _known({**study, "checkpoint": row["checkpoint"], **more})


def _known(record: Record) -> _Known:
    checkpoint = record["checkpoint"]
    about = {"parameters": checkpoint.get("parameters"), **(record.get("cost") or {})}
    figures = {}
    for name in (*FIGURES, TRAINING):
        value = about.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ValueError(
                f"the record of {record['model']} has cost.{name} {value!r}, which is no number "
                "from 0 on: make it again"
            )
        figures[name] = float(value)
    seconds = figures.pop(TRAINING, None)
    seen = pairs((checkpoint.get("trained") or {}).get("pairs_seen"))
    return _Known(
        name=str(record["model"]).removesuffix(f" ({record.get('views')})"),
        pixels=protocol_of(record).image_size,
        figures=figures,
        device=record["device"] if figures.keys() & set(TIMED) else "",
        trained=(str(record.get("trained_on") or record["data"]), seen),
        checkpoint=str(checkpoint.get("sha256")),
        seconds=seconds,
    )


def cost_sheet(rows: Sequence[Cost]) -> Sheet:
    """Write costs; a figure that no row has gives way to a line."""
    there = [name for name in FIGURES if any(name in row.figures for row in rows)]
    trained, timed = any(row.training for row in rows), any(row.device for row in rows)
    heads = ["", "pixels", *(FIGURES[name][0] for name in there)]
    lines = []
    for row in rows:
        cells = [row.name, str(row.pixels)]
        cells += [
            FIGURES[name][1](row.figures[name]) if name in row.figures else DASH for name in there
        ]
        cells += [_hours(row.training) or DASH] * trained + [row.device] * timed
        lines.append([Cell(text) for text in cells])
    numbers = [False, *[True] * (len(heads) - 1), *[False] * (trained + timed)]
    missing = [FIGURES[name][0] for name in FIGURES if name not in there]
    notes = ["Speed and memory: one driving frame after the other, one view, encoded."] * timed
    notes += ["Hours of one training on each set, of several seeds the mean."] * trained
    notes += [f"Not measured: {'; '.join(missing + [HOURS] * (not trained))}."] * bool(
        missing or not trained
    )
    heads += [HOURS] * trained + ["device"] * timed
    return Sheet("Cost", heads, numbers, lines, notes)


def _hours(training: Mapping[tuple[str, str], float]) -> str:
    """Write the hours of each set; pairs only where a set was trained on for several budgets."""
    sets = [data for data, _ in training]
    said = [
        f"{data} {seconds / 3600:.2f}" + (f" ({seen} pairs)" if sets.count(data) > 1 else "")
        for (data, seen), seconds in training.items()
    ]
    return ", ".join(said)
