import json
import re

import numpy as np
import pytest

from animators.metrics import Protocol
from benchmarks.bars import choose, draw, main
from datamodules import media


def record(model, data="toy", clips=6, **changes):
    values = list(np.linspace(0.05, 0.1, clips))
    made = {
        "format": 1, "kind": "quality", "model": model, "data": data, "device": "CPU",
        "protocol": {"name": Protocol(64).name}, "date": "2026-01-01", "checkpoint": {},
        "metrics": {"l1": float(np.mean(values))}, "copy_source": {"l1": 0.2},
        "higher_is_better": {"l1": False}, "clips": {"count": clips},
        "per_clip": [{"name": str(i), "metrics": {"l1": v}} for i, v in enumerate(values)],
    }  # fmt: skip
    return made | changes


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    made = [record("lia"), record("fomm", per_clip=[]), record("lia", "faces")]
    made += [record("fomm", protocol={"name": Protocol(64, scored="all").name})]
    for i, one in enumerate(made):
        (folder / f"{i}.json").write_text(json.dumps(one))
    return folder


def drawn(svg, color):
    """Filled shapes of a colour, which are bars; black lines are intervals or copy-source."""
    return len(re.findall(rf'style="fill: {color}"', svg))


def test_a_panel_for_each_set_a_bar_for_each_row_an_interval_where_there_are_clips(
    results, tmp_path
):
    output = tmp_path / "out" / "bars.svg"
    words = ["--results", str(results), "--output", str(output)]
    assert main([*words, "--data", "faces", "toy"]) == 0
    svg = output.read_text()
    # fomm comes before lia in the colours, and is in one of the sets
    assert (drawn(svg, "#1f77b4"), drawn(svg, "#ff7f0e")) == (1, 2)
    assert len(re.findall(r'id="LineCollection_\d+"', svg)) == 2  # lia's, in both
    for text in ("faces, 6 clips: l1 ↓", "toy, 6 clips: l1 ↓", "copy-source"):
        assert f"<!-- {text} -->" in svg
    assert list(output.parent.iterdir()) == [output]


def test_a_bar_is_as_high_as_its_number(results, tmp_path):
    """Twice the number, twice the coloured pixels of a picture with the same axes."""
    areas = []
    for value in (0.05, 0.1):
        table = choose(results, ["faces"], "l1", "recon-lia")
        table["faces"].rows[1].values["l1"] = value
        table["faces"].rows[1].intervals.clear()
        draw(table, "l1", tmp_path / "bars.png")
        picture = media.read_image(tmp_path / "bars.png")
        orange = np.abs(np.asarray(picture, dtype=float) - [31, 119, 180]).max(-1) < 9
        areas.append(orange.sum())
    assert areas[1] / areas[0] == pytest.approx(2, rel=0.02)


def test_protocols_are_chosen_by_their_short_or_whole_name(results):
    whole = Protocol(64, scored="all").name
    for name in ("recon-liax", whole):
        assert choose(results, ["toy"], "l1", name)["toy"].protocol == whole


def test_of_several_tables_the_one_of_all_frames_is_taken(results):
    every = Protocol(64, frames=None).name
    (results / "every.json").write_text(json.dumps(record("lia", protocol={"name": every})))
    assert choose(results, ["toy"], "l1", "recon-lia")["toy"].protocol == every
    assert choose(results, ["toy"], "l1", Protocol(64).name)["toy"].protocol == Protocol(64).name


def test_bad_inputs(results, tmp_path, fails):
    words = ["--results", results, "--output", tmp_path / "out" / "bars.png"]
    assert "no record of 'cats'" in fails(main, *words, "--data", "cats")
    assert "there are: faces, toy" in fails(main, *words, "--data", "cats")
    assert "has 'fid'; there are: l1" in fails(main, *words, "--data", "toy", "--metric", "fid")
    error = fails(main, *words, "--data", "faces", "--protocol", "recon-fomm")
    assert (
        f"0 tables of 'faces' are of 'recon-fomm'; give --protocol one of: {Protocol(64).name}"
        in (error)
    )
    other = record("lia", "toy", clips=7, clips_={}) | {"clips": {"count": 7, "sha256": "x"}}
    (results / "other.json").write_text(json.dumps(other | {"model": "tpsmm"}))
    assert "2 tables of 'toy'" in fails(main, *words, "--data", "toy")
    assert "must end in .png" in fails(main, "--data", "toy", "--output", "bars.doc")
    assert not (tmp_path / "out").exists()
