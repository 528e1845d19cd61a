import csv
import json
from dataclasses import replace

import pytest

from animators.metrics import Protocol
from benchmarks.report.markdown import markdown
from benchmarks.report.sheet import sheet
from benchmarks.report.tables import build_table
from benchmarks.table import BEGIN, END, insert, main

NAME = Protocol(64).name


def record(model="lia", **changes):
    content = {
        "format": 1,
        "kind": "quality",
        "model": model,
        "data": "toy",
        "protocol": {"name": NAME},
        "metrics": {"l1": 0.1, "psnr": 12.0},
        "copy_source": {"l1": 0.2, "psnr": 15.0},
        "higher_is_better": {"l1": False, "psnr": True},
        "checkpoint": {"trained": {"pairs_seen": 1200}},
        "clips": {"count": 3, "frames": 93, "sha256": "cd"},
        "device": "Some CPU",
        "date": "2026-01-02T03:04:05+00:00",
    }
    return content | changes


def shown(records):
    return markdown(sheet(build_table(records)))


def test_copy_source_first_and_nothing_bold_without_clips():
    better = record("zeta", metrics={"l1": 0.05, "psnr": 14.0})
    text = shown([better, record()])
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows[0] == "|  | l1 ↓ | psnr ↑ | pairs seen | device |"
    assert rows[1] == "| copy-source† | 0.2000 | 15.00 |  |  |"
    assert rows[2] == "| lia† | 0.1000 | 12.00 | 1,200 | Some CPU |"
    assert rows[3] == "| zeta† | 0.0500 | 14.00 | 1,200 | Some CPU |"
    assert NAME in text
    assert "3 clips, 93 frames" in text


def test_nothing_measured_is_a_dash():
    text = shown([record(metrics={"l1": None, "psnr": 12.0})])
    assert "| lia† | – | 12.00 |" in text  # noqa: RUF001
    assert "| copy-source† | 0.2000 |" in text


def test_measured_stands_next_to_reported_of_the_same_protocol_only():
    lia = Protocol.lia(256, "lia-vox-17928-495")
    numbers = {"metrics": {"l1": 0.045}, "copy_source": {"l1": 0.1}}

    def under(**changes):
        protocol = {"name": replace(lia, **{"clips": "495-0123abcd"} | changes).name}
        return shown([record(data="vox", protocol=protocol, **numbers)])

    assert "| 0.0450 (0.041, +0.004) |" in under()
    for changes in ({"frames": 32}, {"split": "own"}, {"split": "vox1-metadata-19550-525"}):
        assert "(0.041" not in under(**changes), changes
    assert "(0.041" not in under(clips="480-0123abcd")


def test_page(tmp_path, capsys):
    results, page = tmp_path / "results", tmp_path / "page.md"
    results.mkdir()
    (results / "a.json").write_text(json.dumps(record()))
    # has no row in any table
    (results / "loader_lia_cpu.json").write_text(json.dumps({"format": 1, "kind": "loader"}))
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    words = ["--results", results, "--page", page, "--csv", tmp_path / "all.csv"]
    words += ["--latex", tmp_path / "all.tex"]
    for _ in range(2):  # the second time changes nothing
        assert main([str(word) for word in words]) == 0
        text = page.read_text()
        assert text.startswith("before\n")
        assert text.endswith("after\n")
        assert "old" not in text
        assert text.count("| lia† | 0.1000 |") == 1
    with (tmp_path / "all.csv").open(newline="") as file:
        assert [line["row"] for line in csv.DictReader(file)] == ["copy-source"] * 2 + ["lia"] * 2
    assert (tmp_path / "all.tex").read_text().count(r"\begin{tabular}") == 1
    assert "| lia† |" in capsys.readouterr().out


def framed(model, gain):
    motion = [0.1, 0.2, 0.3, 0.4]
    clips = [
        {"name": str(i), "motion_frames": motion, "l1": [gain * x for x in motion],
         "metrics": {"l1": gain * 0.25}, "copy_source": {"l1": 0.25}}
        for i in range(5)
    ]  # fmt: skip
    numbers = {"metrics": {"l1": gain * 0.25}, "copy_source": {"l1": 0.25}}
    return record(model, per_clip=clips, **numbers, cost={"gflops_per_frame": 2.0})


def test_motion_intervals_and_cost(tmp_path, capsys):
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, gain in zip(paths, (0.5, 0.75), strict=True):
        path.write_text(json.dumps(framed(path.stem, gain)))
    assert main([str(path) for path in paths]) == 0
    plain = capsys.readouterr().out
    assert "| a | **0.1250** |" in plain
    assert "| a | 64 | 2.0000 |" in plain
    assert "least motion" not in plain
    assert main([*(str(path) for path in paths), "--by-motion", "--intervals"]) == 0
    text = capsys.readouterr().out
    assert "| a | **0.1250** [0.1250, 0.1250] |" in text
    assert "| copy-source | 0.1000 [" in text
    assert "| b | 0.0750 [0.0750, 0.0750] | 0.1500 [" in text


def test_the_projects_own_page_has_its_marks(root):
    page = (root / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert "new" in insert(page, "new")
    with pytest.raises(ValueError, match="no lines"):
        insert("a page", "new")


def test_bad_inputs(tmp_path, fails):
    assert "no record in" in fails(main, "--results", tmp_path)
    assert "absent.json" in fails(main, tmp_path / "absent.json")
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    assert "bad.json is no JSON" in fails(main, bad)
    for name, protocol in (("a", NAME), ("b", Protocol(128).name)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(record(protocol={"name": protocol})))
    assert "no record has values of frames" in fails(main, tmp_path / "a.json", "--by-motion")
    error = fails(main, tmp_path / "a.json", tmp_path / "b.json")
    assert "different protocols" in error
    assert NAME in error
