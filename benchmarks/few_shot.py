"""Tables and curves of few-shot rows: `study references` makes them, the page shows them."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.table import WITH, digits

Record = Mapping[str, Any]
Row = Mapping[str, Any]
QUARTERS = ("least motion", "second", "third", "most motion")
DASH = "–"  # noqa: RUF001
BUDGET = ("pairs seen", "device")
MARKS = "s^vD<>p*"  # single points may lie on each other


def markdown(record: Record) -> str:
    """Write a record of `study references` as two Markdown tables.

    Args:
        record: as the study writes it.

    Returns:
        The metrics, and L1 by quartile of motion. Bold is the best of the rows of equal N, where
        there are several: rows that saw more of a clip are not compared with those that saw less.
    """
    rows, better = record["rows"], {**record["higher_is_better"], WITH: False}
    names = list(rows[0]["metrics"])
    values = [_values(row) for row in rows]
    names += [WITH] if any(WITH in one for one in values) else []
    aside = record["protocol"]["references"]
    clips = record["clips"]
    lines = [
        f"### {record['data']}, {'few shots' if aside else 'one shot'} ({record['name']}): "
        f"{clips['count']} clips, {clips['frames']} frames, `{record['protocol']['name']}`",
        "",
        *([_about(aside), ""] if aside else []),
        _line("", ["N", *(f"{name} {'↑' if better[name] else '↓'}" for name in names)], BUDGET),
        "|---|" + "---:|" * (len(names) + 2) + "---|",
    ]
    for i, row in enumerate(rows):
        cells = [_cell(rows, values, i, name, higher=better[name]) for name in names]
        pairs = ((row["checkpoint"] or {}).get("trained") or {}).get("pairs_seen")
        budget = f"{pairs:,}" if isinstance(pairs, int) else ""
        device = record["device"] if row["checkpoint"] else ""
        lines.append(_line(row["row"], [str(row["references"]), *cells], [budget, device]))
    return "\n".join([*lines, "", *_by_motion(record)])


def _about(aside: int) -> str:
    return (
        f"N is the number of references that a row was given, out of the same {aside} frames of "
        f"each clip, which count in `{WITH}` only. Bold compares rows of equal N only. `best of` "
        "runs a one-shot animator from every view and keeps each clip's best by L1."
    )


def _by_motion(record: Record) -> list[str]:
    rows, motion = record["rows"], record["motion"]
    bounds = ", ".join(digits(bound) for bound in motion["bounds"])
    heads = [f"{name} ({count})" for name, count in zip(QUARTERS, motion["frames"], strict=True)]
    values = [dict(zip(QUARTERS, row["l1_by_motion"], strict=True)) for row in rows]
    lines = [
        "L1 by quartile of motion, the frames of all clips pooled (how many, in brackets). A "
        f"frame's motion is its own copy-source L1; the quartiles meet at {bounds}.",
        "",
        _line("", ["N", *heads], ()),
        "|---|" + "---:|" * (len(heads) + 1),
    ]
    for i, row in enumerate(rows):
        cells = [_cell(rows, values, i, name, higher=False) for name in QUARTERS]
        lines.append(_line(row["row"], [str(row["references"]), *cells], ()))
    return lines


def _line(first: str, cells: Sequence[str], last: Sequence[str]) -> str:
    return "| " + " | ".join([first, *cells, *last]) + " |"


def _values(row: Row) -> dict[str, float | None]:
    beside = row["metrics_with_references"]
    return {**row["metrics"], **({WITH: beside["l1"]} if beside else {})}


def _cell(
    rows: Sequence[Row],
    values: Sequence[Mapping[str, float | None]],
    i: int,
    name: str,
    *,
    higher: bool,
) -> str:
    value = values[i].get(name)
    if value is None:
        return DASH
    equals = [j for j, row in enumerate(rows) if row["references"] == rows[i]["references"]]
    rivals = [x for j in equals if (x := values[j].get(name)) is not None]
    best = max(rivals) if higher else min(rivals)
    text = digits(value)
    return f"**{text}**" if len(rivals) > 1 and text == digits(best) else text


def has_curve(record: Record) -> bool:
    """Tell whether some animator was run with several numbers of references."""
    return any(len(points) > 1 for points in _lines(record).values())


def _lines(record: Record) -> dict[str, list[Row]]:
    """Rows of one animator and way by rising N; copy-source has a line of its own."""
    found: dict[str, list[Row]] = defaultdict(list)
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
