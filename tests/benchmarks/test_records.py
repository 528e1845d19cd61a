import json
import math

import pytest
import torch

from benchmarks import records


def example(**changes):
    content = {
        "format": records.FORMAT,
        "kind": "quality",
        "model": "lia",
        "data": "toy",
        "protocol": {"name": "reconstruction-64px-32frames-source0-remaining-0ref-pervideo"},
        "metrics": {"l1": 0.1, "psnr": 20.0},
        "copy_source": {"l1": 0.2, "psnr": 15.0},
        "higher_is_better": {"l1": False, "psnr": True},
        "checkpoint": {"sha256": "ab", "trained": {"pairs_seen": 1200}},
        "clips": {"count": 3, "frames": 93, "sha256": "cd"},
        "device": "Some CPU (1 threads)",
        "date": "2026-01-02T03:04:05+00:00",
    }
    return content | changes


def test_name_and_round_trip(tmp_path):
    path = records.write_record(example(), tmp_path / "new", "lia", "toy")
    assert path.name == "lia_toy_some-cpu-1-threads_2026-01-02.json"
    assert records.read_record(path) == example()
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_nan_becomes_null(tmp_path):
    content = example(metrics={"l1": math.nan, "psnr": 20.0})
    path = records.write_record(content, tmp_path, "lia", "toy")
    assert "NaN" not in path.read_text()
    assert records.read_record(path)["metrics"]["l1"] is None


def test_a_damaged_file_of_that_name_costs_no_measurement(tmp_path):
    first = records.write_record(example(), tmp_path, "a")
    first.write_text('{"half')
    second = records.write_record(example(), tmp_path, "a")
    assert records.read_record(second)["model"] == example()["model"]
    assert first.read_text() == '{"half'


@pytest.mark.parametrize("lost", ["checkpoint", "result"])
def test_half_a_record_of_speed_is_named(tmp_path, lost):
    whole = {"format": 1, "kind": "speed", "device": "x", "date": "y"}
    whole |= {"checkpoint": {}, "result": {}}
    whole.pop(lost)
    (tmp_path / "speed_x.json").write_text(json.dumps(whole))
    with pytest.raises(ValueError, match=rf"speed_x.json is no record.*{lost}"):
        records.read_speed_records(tmp_path)


def test_no_machine_path_gets_into_a_record():
    from benchmarks.data import public_options

    assert public_options({"root": "/somewhere/clips", "train": "t"}) == {
        "root": "clips",
        "train": "t",
    }


def test_the_newest_of_equals_counts(tmp_path):
    for day, value in (("2026-01-02", 0.1), ("2026-03-02", 0.3), ("2026-02-02", 0.2)):
        content = example(date=f"{day}T00:00:00+00:00", metrics={"l1": value, "psnr": 1.0})
        records.write_record(content, tmp_path, "lia", "toy")
    other = records.write_record(example(model="other"), tmp_path, "other", "toy")
    others = ("speed_lia", "loader_toy", "references_a_toy", "solver_cpu", "field_lia_toy")
    for name in (*others, "flow-cost_swin-tps", "identity-probe_with_toy"):
        (tmp_path / f"{name}_cpu_2026-01-01.json").write_text("{}")
    found = {record["model"]: record for record in records.read_records(tmp_path)}
    assert found["lia"]["metrics"]["l1"] == 0.3
    assert found["other"] == records.read_record(other)


def test_seeds_and_training_sets_are_no_equals(tmp_path):
    for i, more in enumerate(
        ({}, {"seed_trained": 0}, {"seed_trained": 1}, {"seed_trained": 1, "trained_on": "faces"})
    ):
        for day in ("01", "02"):
            content = example(date=f"2026-01-{day}T00:00:00+00:00", **more)
            (tmp_path / f"{i}{day}.json").write_text(json.dumps(content))
    found = records.read_records(tmp_path)
    assert len(found) == 4
    assert {record["date"][:10] for record in found} == {"2026-01-02"}


def without(name):
    content = example()
    del content[name]
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is no JSON"),
        (json.dumps(example())[:-40], "is no JSON"),
        ("[1, 2]", "holds a list"),
        (json.dumps(without("protocol")), "'protocol' is bad"),
        (json.dumps(example(metrics=[1])), "'metrics' is bad"),
        (json.dumps(example(format=99)), "format 99"),
        (json.dumps(example(protocol={})), "names no protocol"),
        (json.dumps(example(protocol={"name": "x", "references": 3})), "lacks the figures with"),
        (json.dumps(example(metrics={"l1": "0.1"})), r"metrics\.l1 is no number"),
        (json.dumps(example(metrics={"fid": 1.0})), "more of 'fid' is better"),
    ],
)
def test_bad_records(content, message, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        records.read_record(path)
    assert "bad.json" in str(caught.value)


def test_no_record(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.json"):
        records.read_record(tmp_path / "absent.json")
    with pytest.raises(FileNotFoundError, match="make benchmark"):
        records.read_records(tmp_path)


def test_device_has_a_name():
    assert records.device_name(torch.device("cpu")).endswith("threads)")
