"""Markdown, LaTeX and CSV of the same tables."""

import csv
import io
import re

import numpy as np
import pytest

from benchmarks.report.cost import cost_sheet, costs
from benchmarks.report.csvs import as_csv
from benchmarks.report.latex import escape, latex
from benchmarks.report.markdown import markdown
from benchmarks.report.sheet import Cell, Sheet, sheet
from benchmarks.report.tables import build_table

CLIPS = np.random.default_rng(0).uniform(0.05, 0.1, 8)


@pytest.fixture
def table(record):
    """Two models on 8 clips, one of three seeds, and an old record."""
    seeds = [
        record("a_b", l1=list(CLIPS + shift), psnr=[20.0 + i for i in range(8)], seed_trained=seed)
        for seed, shift in enumerate((0.0, 0.001, 0.002))
    ]
    other = record("c", l1=list(CLIPS + 0.05), psnr=[20.0 + i + (-1) ** i for i in range(8)])
    table = build_table([*seeds, other, record("old", metrics={"l1": 0.3, "akd": None})])
    table.rows[2].reported["l1"] = 0.12
    return table


def cells(text):
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line[:2] == "| "]


def test_markdown(table):
    text = markdown(sheet(table))
    rows = [[cell.strip() for cell in row] for row in cells(text)]
    assert rows[0] == ["", "seeds", "l1 ↓", "psnr ↑", "pairs seen", "device"]
    value, other = CLIPS.mean() + 0.001, CLIPS.mean() + 0.05
    assert rows[1][:4] == ["copy-source", "", "0.2000", "–"]  # noqa: RUF001
    assert rows[2] == ["a_b", "3", f"**{value:.4f}** ± 0.0010", "≈ 23.50 ± 0.0000", *rows[2][4:]]
    assert rows[3][2:4] == [f"{other:.4f} (0.12, {other - 0.12:+.3f})", "≈ 23.50"]
    assert rows[4][0] == "old†"
    assert rows[4][2] == "0.3000"
    assert text.startswith(f"### {table.title}\n")
    for note in ("Not measured: `akd`.", "Bold: ahead", "†", "±: standard deviation"):
        assert f"\n\n{note}" in text


def test_intervals_are_an_option(table):
    low, high = table.rows[2].intervals["l1"]
    assert f" [{low:.4f}, {high:.4f}]" in markdown(sheet(table, intervals=True))
    assert "[" not in markdown(sheet(table))


def test_notes_stand_only_where_they_are_wanted(record):
    text = markdown(sheet(build_table([record("a", l1=list(CLIPS))])))
    assert "Bold:" in text
    assert not re.search("†|±|seeds|too few|Without|fewer clips", text)
    few = markdown(sheet(build_table([record("a", l1=[0.1, 0.2, 0.3])])))
    assert "3 clips are too few to tell rows apart (5 are wanted)." in few
    assert "Bold" not in few
    whole = record("a", l1=list(CLIPS), higher_is_better={"l1": False, "fid": False})
    whole |= {"metrics": whole["metrics"] | {"fid": 12.3456}, "samples": {"fid": 2000}}
    text = markdown(sheet(build_table([whole])))
    assert "| 12.35 |" in text
    assert "Without values of single clips that add up, so not compared: `fid` (n = 2,000)." in text


def test_columns_of_fewer_clips_say_of_how_many(record):
    """A detector that finds nothing in the real frames leaves whole clips out."""
    rows = [
        record("a", l1=list(CLIPS), akd=[None, None, *range(1, 7)]),
        record("b", l1=list(CLIPS), akd=[None, *range(1, 8)]),
        record("c", l1=list(CLIPS), akd=[*range(1, 9)]),
    ]
    text = markdown(sheet(build_table(rows)))
    assert "something was found to be measured: `akd` (6 to 8 of 8)." in text


def test_a_bar_in_a_name_is_no_column(record):
    rows = cells(markdown(sheet(build_table([record("a|b")]))))
    assert {len(row) for row in rows} == {5}
    assert rows[2][0].strip() == "a\\|b†"


def balanced(text):
    """Braces and environments, as LaTeX counts them."""
    depth = 0
    for sign in re.sub(r"\\[{}\\]", "", text):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0
    stack = []
    for what, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if what == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack


def check_latex(text):
    """What would not compile: unbalanced, unescaped, or rows of other widths than the columns."""
    balanced(text)
    columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)[1]
    body = re.search(r"\\toprule\n(.*)\\bottomrule", text, re.DOTALL)[1]
    rows = [line for line in body.splitlines() if line != r"\midrule"]
    for row in rows:
        assert row.endswith(r" \\")
        assert not row.lstrip().startswith(("[", "*"))
        assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1
    assert not re.search(r"(?<!\\)[%#_]", text)
    assert text.isascii()
    assert (text.count(r"\toprule"), text.count(r"\midrule")) == (1, 1)
    return rows


def test_latex(table, record):
    rows = check_latex(latex(sheet(table, intervals=True)))
    assert r"l1 $\downarrow$" in rows[0]
    assert r"psnr $\uparrow$" in rows[0]
    assert rows[2].startswith(
        rf"a\_b & 3 & \textbf{{{CLIPS.mean() + 0.001:.4f}}} $\pm$ 0.0010 {{[}}"
    )
    assert r"$\approx$ 23.50" in rows[2]
    assert r"old$^\dagger$ &" in rows[4]
    check_latex(latex(cost_sheet(costs([record(cost={"parameters": 3})]))))


def test_latex_prints_every_sign():
    odd = r"[*] 50 % of $x_1$ & #2 {a} ~ ^ \ < > |"
    text = latex(Sheet(odd, ["", "a"], [False, True], [[Cell(odd), Cell("1")]], [odd]))
    check_latex(text)
    assert escape("a_b\\c") == r"a\_b\textbackslash{}c"
    assert escape("`a-b_c` d-e") == r"\texttt{a-\allowbreak b\_c} d-e"


def test_csv_has_a_line_for_every_number_in_full(table, record):
    text = as_csv([table], costs([record(cost={"gflops_per_frame": 0.5, "training_seconds": 9.0})]))
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["row"] for line in lines[:8:2]] == ["copy-source", "a_b", "c", "old"]
    found = {(line["row"], line["metric"]): line for line in lines}
    row, line = table.rows[1], found["a_b", "l1"]
    assert float(line["value"]) == row.values["l1"]
    assert (float(line["low"]), float(line["high"])) == row.intervals["l1"]
    assert float(line["spread"]) == row.spread["l1"]
    assert (line["seeds"], line["standing"], line["pairs_seen"]) == ("3", "best", "1200")
    assert (line["table"], line["protocol"]) == ("toy, recon-lia", table.protocol)
    assert found["c", "l1"]["standing"] == "behind"
    assert found["c", "psnr"]["standing"] == "not separable"
    assert found["c", "l1"]["reported"] == "0.12"
    assert (found["old", "psnr"]["value"], found["old", "l1"]["standing"]) == ("", "")
    assert found["lia", "gflops_per_frame"]["value"] == "0.5"
    trained = found["lia", "training_seconds"]
    assert (trained["table"], trained["value"]) == ("cost: training on toy, 64 pixels", "9.0")
    assert trained["pairs_seen"] == "1200"
    assert found["lia", "gflops_per_frame"]["table"] == "cost: 64 pixels"
