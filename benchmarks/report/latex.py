"""Tables as LaTeX, for `booktabs`."""

import re

from benchmarks.report.sheet import Cell, Sheet
from benchmarks.report.statistics import Standing

PREAMBLE = "% \\usepackage{booktabs}"
ESCAPES = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"},
    **{"↑": r"$\uparrow$", "↓": r"$\downarrow$", "≈": r"$\approx$", "±": r"$\pm$"},
    # at the start of a line they would be an argument of the line end before it
    **{"[": "{[}", "*": "{*}"},
    **{"†": r"$^\dagger$", "–": "--"},  # noqa: RUF001
}


def escape(text: str) -> str:
    """Write text so that LaTeX prints it, what stands in backquotes in a typewriter's letters."""
    parts = re.split(r"`([^`]*)`", text)
    plain = ["".join(ESCAPES.get(sign, sign) for sign in part) for part in parts]
    # long names of protocols may be broken behind a dash
    code = [f"\\texttt{{{part.replace('-', '-' + chr(92) + 'allowbreak ')}}}" for part in plain]
    return "".join(code[i] if i % 2 else plain[i] for i in range(len(parts)))


def latex(sheet: Sheet) -> str:
    """Write a sheet as a table: the title is its caption, the notes stand below."""
    columns = "".join("r" if number else "l" for number in sheet.numbers)
    lines = [
        r"\begin{table}",
        rf"\caption{{{escape(sheet.title)}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _line([escape(head) for head in sheet.heads]),
        r"\midrule",
        *(_line([_cell(cell) for cell in row]) for row in sheet.rows),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\footnotesize {escape(note)}" for note in sheet.notes),
        r"\end{table}",
    ]
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    if cell.standing is Standing.BEST:
        text = rf"\textbf{{{text}}}"
    return (r"$\approx$ " if cell.standing is Standing.NEAR else "") + text + escape(cell.after)
