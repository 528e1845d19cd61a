"""Bars with intervals as inline SVG.

Lengths are shares of the width and letters have one size, so that a chart is legible at any width.
"""

import math
from xml.etree.ElementTree import Element

from benchmarks.page.html import node
from benchmarks.page.numbers import Bar, Chart
from benchmarks.report.rows import COPY_SOURCE
from benchmarks.report.statistics import Standing
from benchmarks.report.tables import digits

STEP, THICK, FOOT = 40, 14, 40  # pixels: from bar to bar, of a bar, below the last
ROOM = 1.08  # of the longest value, so that nothing ends at the very edge
TICKS = 4
CAP = 4  # pixels, half the height of an interval's ends


def ticks(low: float, high: float) -> list[float]:
    """Give round numbers from `low` to `high`, about `TICKS` of them.

    Args:
        low: lower end.
        high: upper end, above it.
    """
    rough = (high - low) / TICKS
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * k for k in (1, 2, 5, 10) if unit * k >= rough)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def extent(chart: Chart) -> tuple[float, float]:
    """Give the ends of the axis: 0, where bars begin, and all values and intervals are inside."""
    values = [bar.value for bar in chart.bars] + [0.0]
    values += [end for bar in chart.bars for end in bar.interval or ()]
    values += [] if chart.copied is None else [chart.copied]
    low, high = min(values), max(values)
    return low * ROOM, high * ROOM if high > low else low + 1.0


class _Scale:
    """Values to shares of the width."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def share(self, value: float) -> float:
        return 100 * (value - self.low) / (self.high - self.low)

    def at(self, value: float) -> str:
        return f"{self.share(value):.3f}%"


def draw(chart: Chart) -> Element:
    """Draw a chart: a bar for each row, its interval across its end, copy-source dashed."""
    scale = _Scale(*extent(chart))
    bottom = STEP * len(chart.bars) + 6
    said = ", ".join(f"{bar.name} {digits(bar.value)}" for bar in chart.bars)
    if chart.copied is not None:
        said += f"; {COPY_SOURCE} {digits(chart.copied)}"
    drawn = node(
        "svg",
        width="100%",
        height=bottom + FOOT,
        role="img",
        aria_label=f"{chart.metric}: {said}",
    )
    drawn.extend(_axis(scale, bottom))
    if chart.copied is not None:
        drawn.extend(_copied(scale, chart.copied, bottom))
    for number, bar in enumerate(chart.bars):
        drawn.append(_bar(scale, bar, STEP * number))
    return drawn


def _axis(scale: _Scale, bottom: int) -> list[Element]:
    found = []
    for value in ticks(scale.low, scale.high):
        x = scale.at(value)
        found.append(node("line", x1=x, x2=x, y1=0, y2=bottom, class_="grid"))
        found.append(_text(scale, value, bottom + 14, f"{value:g}", "tick"))
    return found


def _copied(scale: _Scale, value: float, bottom: int) -> list[Element]:
    x = scale.at(value)
    line = node("line", x1=x, x2=x, y1=0, y2=bottom + 18, class_="copied")
    words = f"{COPY_SOURCE} {digits(value)}"
    return [line, _text(scale, value, bottom + 32, words, "copied-name")]


def _text(scale: _Scale, value: float, y: int, words: str, kind: str) -> Element:
    """Write words at a value; near either edge they end or begin there."""
    share = scale.share(value)
    anchor = "start" if share < 20 else "end" if share > 80 else "middle"
    return node("text", words, x=scale.at(value), y=y, text_anchor=anchor, class_=kind)


def _bar(scale: _Scale, bar: Bar, top: int) -> Element:
    left, right = sorted((scale.share(0.0), scale.share(bar.value)))
    words = digits(bar.value)
    if bar.interval is not None:
        words += f" [{digits(bar.interval[0])}, {digits(bar.interval[1])}]"
    mark = "≈ " if bar.standing is Standing.NEAR else ""
    kind = {Standing.BEST: "bar best", Standing.NEAR: "bar near"}.get(bar.standing, "bar")
    y = top + 20
    drawn = node(
        "g",
        node("text", bar.name, x="0", y=top + 14, class_="name"),
        node("text", mark + words, x="100%", y=top + 14, text_anchor="end", class_="value"),
        node("rect", x=f"{left:.3f}%", y=y, width=f"{right - left:.3f}%", height=THICK),
        class_=kind,
    )
    if bar.interval is not None:
        low, high = (scale.at(end) for end in bar.interval)
        middle = y + THICK // 2
        drawn.append(node("line", x1=low, x2=high, y1=middle, y2=middle, class_="whisker"))
        for x in (low, high):
            ends = {"y1": middle - CAP, "y2": middle + CAP}
            drawn.append(node("line", x1=x, x2=x, class_="whisker", **ends))
    return drawn
