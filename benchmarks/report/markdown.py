"""Tables as Markdown."""

from benchmarks.report.sheet import Cell, Sheet
from benchmarks.report.statistics import Standing


def markdown(sheet: Sheet) -> str:
    """Write a sheet; bold is the best of a column, `≈` what cannot be told from it."""
    marks = ["---:" if number else "---" for number in sheet.numbers]
    lines = [
        f"### {sheet.title}",
        "",
        _line(sheet.heads),
        f"|{'|'.join(marks)}|",
        *(_line([_cell(cell) for cell in row]) for row in sheet.rows),
        *(line for note in sheet.notes for line in ("", note)),
    ]
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _cell(cell: Cell) -> str:
    text = f"**{cell.text}**" if cell.standing is Standing.BEST else cell.text
    return ("≈ " if cell.standing is Standing.NEAR else "") + text + cell.after
