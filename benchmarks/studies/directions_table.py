"""The record of `study directions` as Markdown and as curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

POSE = ("yaw", "pitch", "roll")
MARKED = 3
"""Directions that are named in a panel: those that span the most there."""


def ends(points: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Give the entries of the lowest and the highest amount; one where there is only one."""
    order = sorted(points, key=lambda point: float(point["amount"]))
    return order[:1] if len(order) == 1 else [order[0], order[-1]] if order else []


def span(points: Sequence[Mapping[str, Any]], figure: str) -> float:
    """Give how far a figure is apart at the two ends, or from 0 at one; 0 where it is unknown."""
    values = [point[figure] for point in ends(points)]
    if not values or None in values:
        return 0.0
    return abs(values[-1] - (values[0] if len(values) > 1 else 0.0))


def report(record: Mapping[str, Any]) -> str:
    """Write a record as Markdown."""
    clips = record["clips"]
    lines = [
        f"### {record['name']}, {record['data']}: head pose and identity along motion directions",
        "",
        f"{clips['count']} sources, {clips['frames']} frames. Degrees by which the head turns, "
        f"and identity as L2 distance ({record['estimators']['identity']}; one person's below "
        "0.6), of edited against unedited drawings; mean over the sources' first frames "
        "(pictures), and over all frames of clips whose first frame was edited. Points: "
        f"{record['estimators']['points']}. "
        "Turn: angle of the whole rotation. Where no face is found, pose and identity are left "
        "out: `faces` counts the pairs that have them.",
        "",
        "Mean over all directions and both ends of their ranges, and the unedited drawing against "
        "the source picture:",
        "",
        "| row | directions | drawn | turn | identity | pixels | faces |",
        "|---|---:|---|---:|---:|---:|---:|",
    ]
    for row in record["rows"]:
        parts = {"unedited": [row["unedited"]]}
        for kind in ("picture", "clip"):
            parts[kind] = [p for each in row["directions"] for p in ends(each[kind])]
        for kind, points in parts.items():
            if points:
                cells = [row["row"], str(len(row["directions"])), kind, *_means(points)]
                lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "The direction that turns the head most about each axis, lowest to highest amount:",
        "",
        "| row | most | direction | amounts | drawn | yaw | pitch | roll | identity | pixels "
        "| faces |",
        "|---|---|---|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in record["rows"]:
        for figure in POSE:
            lines += _strongest(row, figure)
    return "\n".join(lines)


def _means(points: Sequence[Mapping[str, Any]]) -> list[str]:
    """Average entries of several pairs each, by their pairs."""
    cells = []
    for figure, decimals in (("angle", 1), ("identity", 3), ("pixels", 4)):
        weights = [point["pairs" if figure == "pixels" else "found"] for point in points]
        total = sum(w * (point[figure] or 0.0) for w, point in zip(weights, points, strict=True))
        cells.append(f"{total / sum(weights):.{decimals}f}" if sum(weights) else "")
    return [*cells, _faces(points)]


def _faces(points: Sequence[Mapping[str, Any]]) -> str:
    return f"{sum(p['found'] for p in points)} of {sum(p['pairs'] for p in points)}"


def _strongest(row: Mapping[str, Any], figure: str) -> list[str]:
    best = max(row["directions"], key=lambda each: span(each["picture"], figure))
    label = (
        best["name"]
        if best["name"] == f"d{best['index']}"
        else f"{best['name']} (d{best['index']})"
    )
    lines = []
    for kind in ("picture", "clip"):
        points = ends(best[kind])
        if not points:
            continue
        cells = [_range(points, "amount", "g"), kind]
        cells += [_range(points, name, ".1f") for name in POSE]
        cells += [_range(points, "identity", ".3f"), _range(points, "pixels", ".4f")]
        cells.append(_faces(points))
        lines.append(f"| {row['row']} | {figure} | {label} | {' | '.join(cells)} |")
    return lines


def _range(points: Sequence[Mapping[str, Any]], figure: str, form: str) -> str:
    values = [point[figure] for point in points]
    return " to ".join("none" if value is None else format(value, form) for value in values)


def draw(record: Mapping[str, Any], output: Path) -> None:
    """Draw pose and identity over the amounts, a line a direction, those of most span named.

    Args:
        record: a record of `study directions`.
        output: the picture; its kind follows from the name.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from benchmarks.curves import save

    rows, columns = record["rows"], (*POSE, "identity")
    figure = Figure(figsize=(3.6 * len(columns), 3.0 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(rows), len(columns), squeeze=False)
    for row, line in zip(rows, panels, strict=True):
        for name, axes in zip(columns, line, strict=True):
            _panel(axes, row["directions"], name)
            unit = "L2 distance" if name == "identity" else "degrees"
            axes.set_title(f"{row['row']}: {name} ({unit})", fontsize=9)
            axes.set_xlabel("amount", fontsize=8)
            axes.tick_params(labelsize=7)
    save(figure, output)


def _panel(axes: Any, directions: Sequence[Mapping[str, Any]], figure: str) -> None:
    def most(each: Mapping[str, Any]) -> float:
        if figure in POSE:  # as the table has it
            return span(each["picture"], figure)
        values = [abs(p[figure]) for p in each["picture"] if p[figure] is not None]
        return max(values, default=0.0)

    marked = [each["name"] for each in sorted(directions, key=most, reverse=True)[:MARKED]]
    for each in directions:
        # unedited is 0 by definition; an amount at which no face is left is a gap
        points = {0.0: 0.0} | {p["amount"]: p[figure] for p in each["picture"]}
        order = sorted(points)
        values = [float("nan") if points[a] is None else points[a] for a in order]
        if each["name"] in marked:
            axes.plot(order, values, label=each["name"], marker=".", zorder=3)
        else:
            axes.plot(order, values, color="0.8", linewidth=0.8)
    axes.legend(fontsize=7)
