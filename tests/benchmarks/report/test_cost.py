import pytest

from animators.metrics import Protocol
from benchmarks.report.cost import cost_sheet, costs
from benchmarks.report.markdown import markdown

COST = {
    "parameters": 3_000_000,
    "gflops_per_frame": 1.25,
    "frames_per_second": 12.345,
    "peak_memory_bytes": 250_000_000,
    "training_seconds": 5400.0,
}


def lines(found):
    text = markdown(cost_sheet(found))
    return [line for line in text.splitlines() if line.startswith("| ")], text


def test_every_figure_in_its_unit(record):
    rows, _ = lines(costs([record(cost=COST)]))
    assert rows[0] == (
        "|  | pixels | parameters | GFLOPs a frame | frames a second | peak memory, MB | "
        "training, hours | device |"
    )
    assert rows[1] == "| lia | 64 | 3,000,000 | 1.2500 | 12.3 | 250 | toy 1.50 | Some CPU |"


def test_old_records_know_their_weights_and_share_a_line(record):
    checkpoint = {"checkpoint": {"parameters": 7, "init_args": {}}}
    made = [record(data=data, device=data, **checkpoint) for data in ("faces", "bodies")]
    rows, text = lines(costs([*made, record("none")]))
    assert rows == ["|  | pixels | parameters |", "| lia | 64 | 7 |"]
    assert "Not measured: GFLOPs a frame; frames a second; peak memory, MB; training" in text
    other = record(data="actions", checkpoint={"parameters": 8, "init_args": {}})
    assert len(costs([*made, other])) == 2


def trained(record, sha, seconds, seen=1200, **content):
    checkpoint = {"init_args": {}, "sha256": sha, "trained": {"pairs_seen": seen}}
    return record(checkpoint=checkpoint, cost=COST | {"training_seconds": seconds}, **content)


def test_a_network_has_one_line_whatever_it_was_given_and_measured_on(record):
    best = {"model": "lia (best of 4)", "views": "best of 4"}
    made = [
        trained(record, "a", 3600.0),
        trained(record, "a", 3600.0, **best),  # the same training, which counts once
        trained(record, "b", 7200.0, seed_trained=1),
        trained(record, "c", 360.0, data="bodies"),
        trained(record, "c", 360.0, data="animals", trained_on="bodies"),
    ]
    rows, text = lines(costs(made))
    assert rows[1:] == [
        "| lia | 64 | 3,000,000 | 1.2500 | 12.3 | 250 | bodies 0.10, toy 1.50 | Some CPU |"
    ]
    assert "of several seeds the mean" in text
    longer = trained(record, "d", 36000.0, seen=9000)
    rows, _ = lines(costs([*made, longer]))
    assert "toy 1.50 (1,200 pairs), toy 10.00 (9,000 pairs)" in rows[1]


def test_a_line_for_each_device(record):
    made = [record(cost=COST), record(cost=COST | {"frames_per_second": 900.0}, device="H200")]
    old = record(cost={"parameters": COST["parameters"]}, device="of old")
    found = costs([old, *made])
    assert [(one.device, one.figures["frames_per_second"]) for one in found] == [
        *(("H200", 900.0), ("Some CPU", 12.345)),
    ]
    assert sum(bool(one.training) for one in found) == 1  # hours stand once


def test_few_shot_rows_have_costs_too(record):
    def row(references, **more):
        name = {"row": f"fomm (best of {references})", "name": "fomm", "references": references}
        return name | {"checkpoint": {"parameters": 9}} | more

    study = {
        "data": "toy", "device": "GPU", "protocol": {"name": Protocol(64, references=6).name},
        "rows": [{"checkpoint": None}, row(3), row(4), row(5, cost=COST | {"parameters": 9})],
    }  # fmt: skip
    (found,) = costs([], [study])
    assert (found.name, found.device, found.figures["gflops_per_frame"]) == ("fomm", "GPU", 1.25)


def test_bad_figures_are_named(record):
    for value in (-1, "x", True):
        with pytest.raises(ValueError, match=r"record of lia has cost\.parameters"):
            costs([record(cost={"parameters": value})])
