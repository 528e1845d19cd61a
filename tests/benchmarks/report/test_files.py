"""The tables of some records as three files."""

import pytest

from benchmarks.report.files import NAMES, tables_of, write_tables


def record(model, l1, protocol="recon-lia", frames=True):
    name = "reconstruction-64px-4frames-source0-remaining-0ref-pervideo@own@2-acbd5eed"
    if protocol == "recon-liax":
        name = name.replace("remaining", "all")
    clips = [
        {
            "name": f"c{i}", "metrics": {"l1": l1 + i}, "copy_source": {"l1": 0.5},
            **({"l1": [l1 + i] * 4, "motion_frames": [0.1, 0.2, 0.3, 0.4 + i]} if frames else {}),
        }
        for i in range(2)
    ]  # fmt: skip
    return {
        "format": 1, "kind": "quality", "model": model, "data": "toy", "device": "cpu",
        "protocol": {"name": name, "label": protocol, "references": 0},
        "metrics": {"l1": l1 + 0.5}, "copy_source": {"l1": 0.5},
        "higher_is_better": {"l1": False}, "checkpoint": {"parameters": 1234},
        "clips": {"count": 2, "frames": 8, "sha256": protocol}, "per_clip": clips,
        "date": "2026-01-01",
    }  # fmt: skip


def test_each_protocol_has_its_table_and_that_by_motion_where_frames_are_known():
    rows = [record("lia", 0.1), record("dime", 0.2)]
    more = [record("lia", 0.3, "recon-liax", frames=False)]
    titles = [table.title for table in tables_of([*rows, *more])]
    assert [("recon-liax" in title, "by motion" in title) for title in titles] == [
        *((True, False), (False, False), (False, True)),
    ]


def test_the_same_numbers_stand_in_three_files(tmp_path):
    rows = [record("lia", 0.125), record("dime", 0.25), record("lia", 0.375, "recon-liax")]
    files = write_tables(rows, tmp_path / "new/folder")
    assert [file.name for file in files] == list(NAMES)
    for file in files:
        text = file.read_text()
        for number in ("0.625", "0.75", "0.875"):
            assert number in text, file.name
        assert "1234" in text.replace(",", "").replace("\\", "")


def test_nothing_is_written_of_records_that_do_not_fit(tmp_path):
    other = record("dime", 0.2) | {"copy_source": {"l1": 0.9}}
    with pytest.raises(ValueError, match="copy-source has l1"):
        write_tables([record("lia", 0.1), other], tmp_path / "out")
    assert not (tmp_path / "out").exists()
