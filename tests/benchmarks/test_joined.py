"""Metrics measured one after the other stand in one row; other weights or frames add nothing."""

import json

import pytest

from benchmarks import records
from benchmarks.joined import joined
from tests.benchmarks.test_records import example


def clip(**metrics):
    return {"name": "a.mp4", "metrics": metrics, "copy_source": metrics}


def faces(**changes):
    """An older record: L1, and AKD."""
    return example(
        date="2025-01-02T00:00:00+00:00",
        metrics={"l1": 0.5, "akd_mesh": 2.0},
        copy_source={"l1": 0.6, "akd_mesh": 3.0},
        higher_is_better={"l1": False, "akd_mesh": False},
        detectors={"akd_mesh": "mesh 1"},
        per_clip=[clip(l1=0.5, akd_mesh=2.0)],
        **changes,
    )


def pixels(**changes):
    return example(per_clip=[clip(l1=0.1, psnr=20.0)], **changes)


def test_older_columns_stand_beside_and_newer_numbers_win(tmp_path):
    for one in (pixels(), faces()):
        records.write_record(one, tmp_path, "lia", "toy")
    (found,) = records.read_records(tmp_path)
    assert found["metrics"] == {"l1": 0.1, "psnr": 20.0, "akd_mesh": 2.0}
    assert found["copy_source"] == {"l1": 0.2, "psnr": 15.0, "akd_mesh": 3.0}
    assert found["higher_is_better"] == {"l1": False, "psnr": True, "akd_mesh": False}
    assert found["detectors"] == {"akd_mesh": "mesh 1"}
    assert found["per_clip"][0]["metrics"] == {"l1": 0.1, "psnr": 20.0, "akd_mesh": 2.0}
    assert found["date"] == pixels()["date"]


@pytest.mark.parametrize(
    "other",
    [
        {"checkpoint": {"sha256": "other"}},
        {"clips": {"count": 3, "frames": 93, "sha256": "other"}},
    ],
)
def test_other_weights_and_other_frames_add_nothing(other):
    newer = pixels(**other)
    assert joined(newer, faces()) == newer


def test_clips_that_one_record_lacks_add_nothing():
    assert joined(example(), faces()) == example()
    assert joined(pixels(), example()) == pixels()


def test_a_clip_without_a_name_is_named():
    with pytest.raises(ValueError, match="record of lia on toy has a clip without a name"):
        joined(pixels(), faces() | {"per_clip": [{"metrics": {}}]})


def test_the_table_shows_both(tmp_path, capsys):
    from benchmarks.table import main

    for one in (pixels(), faces()):
        records.write_record(one, tmp_path / "results", "lia", "toy")
    page = tmp_path / "page.md"
    page.write_text("<!-- tables -->\n<!-- end of tables -->\n")
    assert main(["--results", str(tmp_path / "results"), "--page", str(page)]) == 0
    assert "| lia | 0.1000 | 20.00 | 2.0000 |" in capsys.readouterr().out.replace("**", "")
    assert json.loads(next((tmp_path / "results").glob("lia*")).read_text())["model"] == "lia"
