"""The parts of the page: tables, charts, films, pictures."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from xml.etree.ElementTree import Element

from benchmarks.page.charts import draw
from benchmarks.page.html import add, embedded, node, prose
from benchmarks.page.index import Film, Index, Pictures
from benchmarks.page.numbers import Cell, Chart, Grid
from benchmarks.report.rows import COPY_SOURCE
from benchmarks.report.statistics import Standing

SPEEDS = ("0.25", "0.5", "1", "2")
NO_FIELD = "no field"


def table(grid: Grid) -> Element:
    """Make a table whose heads sort it."""
    heads = []
    for head, numeric in zip(grid.heads, grid.numeric, strict=True):
        # what is better comes first at the first click
        first = "ascending" if not numeric or "↓" in head else "descending"
        button = node("button", head or "name", type="button", class_="sort", data_first=first)
        heads.append(node("th", button, scope="col", class_="number" if numeric else None))
    body = node("tbody", *(_row(row, grid.numeric) for row in grid.rows))
    made = node("table", node("thead", node("tr", *heads)), body)
    scrolled = node(
        "div", made, class_="scroll", tabindex=0, role="region", aria_label=_plain(grid.title)
    )
    return node("div", scrolled, *(node("p", *prose(n), class_="note") for n in grid.notes))


def _plain(text: str) -> str:
    return text.replace("`", "")


def _row(row: Sequence[Cell], numeric: Sequence[bool]) -> Element:
    name, *cells = row
    copied = name.text.rstrip("†") == COPY_SOURCE
    made = node("tr", node("th", name.text, scope="row"), class_="copied" if copied else None)
    for cell, number in zip(cells, numeric[1:], strict=True):
        made.append(_cell(cell, number))
    return made


def _cell(cell: Cell, number: bool) -> Element:
    text = node("strong", cell.text) if cell.standing is Standing.BEST else cell.text
    near = node("span", "≈ ", title="not separable from the best")
    return node(
        "td",
        near if cell.standing is Standing.NEAR else None,
        text,
        node("small", cell.after) if cell.after else None,
        class_="number" if number else None,
        data_value=None if cell.value is None else repr(cell.value),
    )


def bars(charts: Sequence[Chart], name: str) -> Element:
    """Make the charts of one section, of which one is shown at a time.

    Args:
        charts: at least one.
        name: an id that no other part of the page has.
    """
    choices = [
        node("option", f"{chart.metric} {'↑' if chart.higher_is_better else '↓'}", value=str(k))
        for k, chart in enumerate(charts)
    ]
    label = node("label", "Metric ", for_=f"{name}-metric")
    chosen = node("select", *choices, id=f"{name}-metric", class_="metric", autocomplete="off")
    shown = [
        node("div", draw(chart), class_="chart", hidden=k > 0) for k, chart in enumerate(charts)
    ]
    about = "Bars: the mean; whiskers: its 95 % interval, clips drawn again; dashed: copy-source."
    return node(
        "figure", node("p", label, chosen), *shown, node("figcaption", about), class_="bars"
    )


def controls() -> Element:
    """Make what all films listen to; controls of their own would cover the differences."""
    speeds = [node("option", f"{s} x", value=s, selected=s == "1") for s in SPEEDS]
    return node(
        "p",
        node("button", "Play all", type="button", id="play", aria_pressed="false"),
        " ",
        node("button", "From the start", type="button", id="restart"),
        " ",
        node("label", "Speed ", for_="speed"),
        node("select", *speeds, id="speed", autocomplete="off"),
        node("label", "Position ", for_="position"),
        node("input", type="range", min=0, max=1000, value=0, id="position", autocomplete="off"),
        class_="controls",
    )


def film(index: Index, shown: Film, folder: Path) -> Element:
    """Make one film with the names of its columns, and its pictures."""
    labels = node("div", *(node("span", name) for name in shown.columns), class_="labels")
    video = node(
        "video",
        src=embedded(folder / shown.file),
        muted=True,
        loop=True,
        playsinline=True,
        preload="auto",
        aria_label=f"{shown.name}: {', '.join(shown.columns)}",
    )
    mosaic = node("div", labels, video, class_="mosaic", style=f"--columns: {len(shown.columns)}")
    below = f"Below: {index.gain} x the difference from the driving frame. "
    said = f"{shown.frames} frames, {float(Fraction(shown.fps)):.3g} a second. "
    return node(
        "article",
        node("h3", shown.name),
        node("div", mosaic, class_="scroll", tabindex=0, role="region", aria_label=shown.name),
        node("p", said, below if index.mode is None else None, class_="note"),
        _pictures(index, shown, folder),
        class_="film",
    )


def _pictures(index: Index, shown: Film, folder: Path) -> Element:
    cards = [
        node("figure", node("figcaption", "source"), _picture(folder / shown.source, "source")),
        node(
            "figure",
            node("figcaption", f"driving, frame {shown.frame}"),
            _picture(folder / shown.driving, f"driving, frame {shown.frame}"),
        ),
    ]
    cards += [_card(one, index, folder) for one in shown.pictures]
    return node("div", *cards, class_="pictures")


def _card(one: Pictures, index: Index, folder: Path) -> Element:
    card = node("figure", node("figcaption", one.model))
    if one.field is None:
        add(card, node("p", NO_FIELD, class_="absent"))
    else:
        add(card, _picture(folder / one.field, f"motion field of {one.model}"))
        add(card, node("p", f"{one.about}, rim {one.longest:.1f} px", class_="note"))
    if one.difference is not None:
        add(card, _picture(folder / one.difference, f"difference of {one.model}"))
        add(card, node("p", f"difference x {index.gain}", class_="note"))
    return card


def _picture(path: Path, words: str) -> Element:
    return node("img", src=embedded(path), alt=words)


def legend(index: Index, folder: Path) -> Element:
    """Explain the colours of the motion fields."""
    words = (
        "Motion fields show, for each position, where it reads the source: the colour is the "
        "direction, its strength the length; white reads its own place. The rim of the wheel is "
        "each field's own longest displacement."
    )
    return node("div", _picture(folder / index.wheel, "wheel of directions"), node("p", words),
                class_="legend")  # fmt: skip
