"""Tables and curves of few-shot rows: `study references` makes them, the page shows them."""

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report.markdown import markdown as written
from benchmarks.report.motion import QUARTERS, quarters, table_of
from benchmarks.report.rows import WITH, Clips, Row, read_clips
from benchmarks.report.sheet import sheet
from benchmarks.report.tables import Table, pairs, title

Record = Mapping[str, Any]
MARKS = "s^vD<>p*"  # single points may lie on each other


def markdown(record: Record) -> str:
    """Write a record of `study references` as two Markdown tables.

    Args:
        record: as the study writes it.

    Returns:
        The metrics, and L1 by quartile of motion.

    Raises:
        ValueError: the clips of a row are bad, or not those of the others.
    """
    return "\n\n".join(written(sheet(table)) for table in tables(record))


def tables(record: Record) -> list[Table]:
    """Make the tables of a record of `study references`.

    Args:
        record: as the study writes it.

    Returns:
        The metrics, and L1 by quartile of motion. Only rows of equal N are compared: those that saw
        more of a clip are not held against those that saw less.

    Raises:
        ValueError: the clips of a row are bad, or not those of the others.
    """
    aside = record["protocol"]["references"]
    more = f"{'few shots' if aside else 'one shot'} ({record['name']})"
    better = {name: bool(up) for name, up in record["higher_is_better"].items()}
    rows = [_row(record, row) for row in record["rows"]]
    clips, bounds = record["clips"]["count"], record["motion"]["bounds"]
    metrics = Table(
        title=title(record, more),
        protocol=record["protocol"]["name"],
        metrics=list(dict.fromkeys(name for row in rows for name in row.values)),
        higher_is_better={**better, WITH: False},
        rows=rows,
        clips=clips,
        notes=[_about(aside)] if aside else [],
    )
    single = _quarters_of_clips(record)
    quartiles = [
        Row(
            name=row["row"],
            values=dict(zip(QUARTERS, row["l1_by_motion"], strict=True)),
            clips=clips_of_row,
            given=row["references"],
        )
        for row, clips_of_row in zip(record["rows"], single, strict=True)
    ]
    frames = record["motion"]["frames"]
    by_motion = table_of(
        quartiles, bounds=bounds, frames=frames, record=record, notes=[], clips=clips, more=[more]
    )
    return [metrics, by_motion]


def _quarters_of_clips(record: Record) -> list[Clips | None]:
    """Give each row's L1 of each clip in each quarter; None where the record is older than that."""
    found = [row.get("l1_frames") for row in record["rows"]]
    if not all(found):
        return [None] * len(found)
    names = tuple(sorted(found[0]))
    l1 = [[np.array(one[name], dtype=np.float64) for name in names] for one in found]
    split = quarters(l1[0])  # copy-source comes first, and its L1 is the motion
    return [split.columns(names, one) for one in l1]


def _about(aside: int) -> str:
    return (
        f"N is the number of references that a row was given, out of the same {aside} frames of "
        f"each clip, which count in `{WITH}` only. Only rows of equal N are compared. `best of` "
        "runs a one-shot animator from every view and keeps each clip's best by L1."
    )


def _row(record: Record, row: Mapping[str, Any]) -> Row:
    beside = row["metrics_with_references"]
    values = {**row["metrics"], **({WITH: beside["l1"]} if beside else {})}
    entries = [{"name": name, "metrics": metrics} for name, metrics in row["clips"].items()]
    about = {**record, "model": row["row"], "per_clip": entries}
    trained = (row["checkpoint"] or {}).get("trained") or {}
    return Row(
        name=row["row"],
        values=values,
        clips=read_clips(about, "metrics", values),
        given=row["references"],
        budget=pairs(trained.get("pairs_seen")),
        device=record["device"] if row["checkpoint"] else "",
    )


def has_curve(record: Record) -> bool:
    """Tell whether some animator was run with several numbers of references."""
    return any(len(points) > 1 for points in _lines(record).values())


def _lines(record: Record) -> dict[str, list[Record]]:
    """Rows of one animator and way by rising N; copy-source has a line of its own."""
    found: dict[str, list[Record]] = defaultdict(list)
    for row in record["rows"]:
        if row["checkpoint"]:
            found[row["name"] + (" (best view)" if row["best"] else "")].append(row)
    return {name: sorted(rows, key=lambda row: row["references"]) for name, rows in found.items()}


def draw(record: Record, output: Path) -> None:
    """Draw L1 and LPIPS (where it was measured) against N, with copy-source dashed.

    Args:
        record: as the study writes it.
        output: the picture; its kind follows from the name.
    """
    # the object interface: no global backend, no window, no state between calls
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    copied = next(row for row in record["rows"] if not row["checkpoint"])
    metrics = [name for name in ("l1", "lpips") if name in copied["metrics"]]
    figure = Figure(figsize=(4.5 * len(metrics) + 2.5, 4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    animators = list(dict.fromkeys(row["name"] for row in record["rows"] if row["checkpoint"]))
    for axes, metric in zip(panels, metrics, strict=True):
        for name, rows in _lines(record).items():
            points = [row["references"] for row in rows]
            number = animators.index(rows[0]["name"])
            style = "o-" if len(rows) > 1 else MARKS[number % len(MARKS)]
            values = [row["metrics"][metric] for row in rows]
            fill = "full" if rows[0]["best"] else "none"
            color = f"C{number % 10}"
            axes.plot(points, values, style, label=name, ms=6, fillstyle=fill, color=color)
        level = copied["metrics"][metric]
        axes.axhline(level, linestyle="--", color="black", label="copy-source")
        axes.set_xlabel("references given (N)")
        axes.set_title(metric)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(*panels[0].get_legend_handles_labels(), fontsize=7, loc="outside right upper")
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_name(f".{output.stem}.{os.getpid()}.part{output.suffix}")
    try:
        figure.savefig(part, dpi=120)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
