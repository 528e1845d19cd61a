import csv
import io
import json
from dataclasses import replace

import pytest

from animators.metrics import Protocol
from benchmarks.table import BEGIN, END, as_csv, build_table, group, insert, main, markdown

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


def test_copy_source_first_and_best_in_bold():
    better = record("zeta", metrics={"l1": 0.05, "psnr": 14.0})
    text = markdown(build_table([better, record()]))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows[0] == "| | l1 ↓ | psnr ↑ | pairs seen | device |"
    assert rows[1] == "| copy-source | 0.2000 | **15.00** |  |  |"
    assert rows[2] == "| lia | 0.1000 | 12.00 | 1,200 | Some CPU |"
    assert rows[3] == "| zeta | **0.0500** | 14.00 | 1,200 | Some CPU |"
    assert NAME in text
    assert "3 clips, 93 frames" in text


def test_nothing_measured_is_a_dash():
    text = markdown(build_table([record(metrics={"l1": None, "psnr": 12.0})]))
    assert "| lia | – | 12.00 |" in text  # noqa: RUF001
    assert "| copy-source | **0.2000** |" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": {"name": Protocol(64, frames=None).name}}, "different protocols"),
        ({"protocol": {"name": Protocol(64, references=3).name}}, "different protocols"),
        ({"data": "faces"}, "different sets"),
        ({"clips": {"sha256": "other"}}, "different clips"),
        ({"copy_source": {"l1": 0.21}}, "copy-source has l1"),
    ],
)
def test_what_cannot_be_compared_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        build_table([record(), record("other", **changes)])


def test_groups_hold_what_can_be_compared():
    full = {"name": Protocol(64, frames=None).name}
    all_records = [record(), record("b"), record(protocol=full), record(data="faces")]
    groups = group(all_records)
    assert sorted(len(one) for one in groups) == [1, 1, 2]
    for one in groups:
        build_table(one)


def test_csv_holds_every_number_in_full():
    exact = record(metrics={"l1": 0.123456789, "psnr": None})
    rows = list(csv.DictReader(io.StringIO(as_csv([build_table([exact])]))))
    assert [row["row"] for row in rows] == ["copy-source"] * 2 + ["lia"] * 2
    assert float(rows[2]["measured"]) == 0.123456789
    assert rows[3]["measured"] == ""
    assert rows[2]["pairs_seen"] == "1200"


def test_measured_stands_next_to_reported_of_the_same_protocol_only():
    lia = Protocol.lia(256, "lia-vox-17928-495")
    numbers = {"metrics": {"l1": 0.045}, "copy_source": {"l1": 0.1}}

    def shown(**changes):
        protocol = {"name": replace(lia, clips="495-0123abcd", **changes).name}
        return markdown(build_table([record(data="vox", protocol=protocol, **numbers)]))

    assert "**0.0450** (0.041, +0.004)" in shown()
    for changes in ({"frames": 32}, {"split": "own"}, {"split": "vox1-metadata-19550-525"}):
        assert "(0.041" not in shown(**changes), changes
    fewer = {"name": replace(lia, clips="480-0123abcd").name}
    assert "(0.041" not in markdown(build_table([record(data="vox", protocol=fewer, **numbers)]))


def test_leftovers_of_a_set_do_not_share_a_table():
    """Two people with the same split's name and different clips of it."""
    one, other = (
        record(name, protocol={"name": Protocol(64, split="vox", clips=f"3-{digest}").name})
        for name, digest in (("a", "01234567"), ("b", "89abcdef"))
    )
    assert len(group([one, other])) == 2
    with pytest.raises(ValueError, match="different protocols"):
        build_table([one, other])


def test_page(tmp_path, capsys):
    results, page = tmp_path / "results", tmp_path / "page.md"
    results.mkdir()
    (results / "a.json").write_text(json.dumps(record()))
    for kind in ("speed", "loader"):  # have no row in any table
        (results / f"{kind}_lia_cpu.json").write_text(json.dumps({"format": 1, "kind": kind}))
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    words = ["--results", results, "--page", page, "--csv", tmp_path / "all.csv"]
    for _ in range(2):  # the second time changes nothing
        assert main([str(word) for word in words]) == 0
        text = page.read_text()
        assert text.startswith("before\n")
        assert text.endswith("after\n")
        assert "old" not in text
        assert text.count("| lia | **0.1000**") == 1
    assert (tmp_path / "all.csv").read_text().startswith("table,row,metric")
    assert "| lia |" in capsys.readouterr().out


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
    error = fails(main, tmp_path / "a.json", tmp_path / "b.json")
    assert "different protocols" in error
    assert NAME in error
