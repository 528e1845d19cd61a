import json

import pytest
import torch

from animators.metrics.sparsity import sparsity
from animators.weights import load_animator, save_animator
from benchmarks import records, study
from benchmarks.data import TestClips, build_data, data_file, read_options
from benchmarks.records import read_study_record
from benchmarks.studies import sparsity as studied
from tests.animators.tiny import tiny_animator
from tests.benchmarks.conftest import TOY

THRESHOLDS = (0.05, 0.1, 0.2)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A LIA-X, one whose motion head knows two directions alone, a LIA, a FOMM, another size."""
    folder = tmp_path_factory.mktemp("runs")
    narrow = tiny_animator("lia_x")
    with torch.no_grad():
        narrow.network.motion_head.weight[2:] = 0
        narrow.network.motion_head.bias[2:] = 0
    save_animator(narrow, folder / "narrow.ckpt")
    for name in ("lia_x", "lia", "fomm"):
        save_animator(tiny_animator(name), folder / f"{name}.ckpt")
    save_animator(tiny_animator("lia", image_size=128), folder / "large.ckpt")
    return folder


def words(files, *rows, out, **changes):
    given = {"data": "toy", "frames": "4", "device": "cpu", "output": out, "name": "tiny"}
    given |= {"picture": out / "maps.png"} | changes
    options = [str(word) for key, value in given.items() for word in (f"--{key}", value)]
    return ["sparsity", *options, *TOY, "--rows", *(f"{r}={files / r}.ckpt" for r in rows)]


@pytest.fixture(scope="module")
def made(files, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    assert study.main(words(files, "lia_x", "narrow", out=out)) == 0
    (path,) = out.glob("*.json")
    return path, json.loads(path.read_text())


def test_the_record_holds_every_rows_figures_over_all_frames_of_all_clips(made, files):
    path, record = made
    assert path.name.startswith("sparsity_tiny_toy_")
    assert path.name.startswith(records.OTHERS)
    assert read_study_record(path, "sparsity") == record
    assert (record["clips"]["count"], record["clips"]["frames"]) == (3, 12)
    options = read_options(data_file("toy"), TOY)
    clips = TestClips(build_data(options | {"image_size": 64, "frames": 4}), "cpu", "")
    for row in record["rows"]:
        model = load_animator(files / f"{row['row']}.ckpt", "cpu")
        with torch.no_grad():
            frames = torch.cat([model.encode_motion(c["video"][0]).magnitudes for c in clips])
        for figure, threshold in zip(row["figures"], THRESHOLDS, strict=True):
            assert figure["threshold"] == threshold
            assert figure["active"] == pytest.approx(sparsity(frames, threshold).active)
            assert sum(figure["by_direction"]) / 5 == pytest.approx(figure["active"])
            assert figure["used"] > figure["active"] - 1e-9
        assert row["l1"] == pytest.approx(sparsity(frames).l1, rel=1e-3)


def test_whoever_uses_two_of_five_directions_has_at_most_two_fifths(made):
    full, narrow = made[1]["rows"]
    for figure in narrow["figures"]:
        assert 0.2 <= figure["active"] <= 0.4
        assert figure["by_direction"][2:] == [0, 0, 0]
    assert full["figures"][0]["active"] > 0.4


def test_the_table_has_the_rows_side_by_side_and_the_picture_a_map_of_each(made):
    path, record = made
    text = studied.report(record)
    assert "| lia_x | 5 |" in text
    assert "| narrow | 5 |" in text
    assert "above 0.05 | above 0.1 | above 0.2 | L1" in text
    assert text.count("\n| ") == 3
    assert (path.parent / "maps.png").stat().st_size > 1000


def test_every_frame_is_encoded_once_for_a_row(files, tmp_path, monkeypatch):
    from animators.lia import Lia

    seen, encode = [], Lia.encode_motion
    monkeypatch.setattr(
        Lia, "encode_motion", lambda self, x: (seen.append(len(x)), encode(self, x))[1]
    )
    assert study.main(words(files, "lia", out=tmp_path)) == 0
    assert sum(seen) == 12


def test_mistakes_are_one_line_and_leave_nothing(files, tmp_path, fails):
    out = tmp_path / "out"

    def said(*rows, **changes):
        return fails(study.main, *words(files, *rows, out=out, **changes))

    assert "gone.ckpt" in said("gone")
    assert "without motion directions" in said("lia", "fomm")
    assert "a row 'lia' already" in said("lia", "lia")
    assert "[64, 128] pixels" in said("lia", "large")
    assert "--clip must be 0 to 2" in said("lia", clip="3")
    assert "--thresholds must be" in said("lia", thresholds="1")
    assert "small letters" in said("lia", name="Two Words")
    assert "must end in .png" in said("lia", picture=out / "maps.jpg")
    assert "NAME=CHECKPOINT" in fails(study.main, *words(files, out=out), "with:a.ckpt")
    assert not out.exists()
