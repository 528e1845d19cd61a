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
        "|  | sets | pixels | N | parameters | GFLOPs a frame | frames a second | "
        "peak memory, MB | training, hours | device |"
    )
    assert rows[1] == "| lia | toy | 64 | 0 | 3,000,000 | 1.2500 | 12.3 | 250 | 1.50 | Some CPU |"


def test_old_records_know_their_weights_and_share_a_line(record):
    checkpoint = {"checkpoint": {"parameters": 7, "init_args": {}}}
    made = [record(data=data, device=data, **checkpoint) for data in ("faces", "bodies")]
    rows, text = lines(costs([*made, record("none")]))
    assert rows == ["|  | sets | pixels | parameters |", "| lia | bodies, faces | 64 | 7 |"]
    assert "Not measured: GFLOPs a frame; frames a second; peak memory, MB" in text
    other = record(data="actions", checkpoint={"parameters": 8, "init_args": {}})
    assert len(costs([*made, other])) == 2


def test_seeds_are_averaged(record):
    made = [
        record(seed_trained=seed, cost=COST | {"frames_per_second": rate, "training_seconds": None})
        for seed, rate in enumerate((10.0, 20.0, 60.0))
    ]
    (found,) = costs(made)
    assert found.seeds == 3
    assert found.figures["frames_per_second"] == 30.0
    assert found.figures["parameters"] == 3_000_000
    assert "training_seconds" not in found.figures


def test_few_shot_rows_have_costs_too(record):
    def row(references, **more):
        name = {"row": f"fomm (best of {references})", "name": "fomm", "references": references}
        return name | {"checkpoint": {"parameters": 9}} | more

    study = {
        "data": "toy", "device": "GPU", "protocol": {"name": Protocol(64, references=6).name},
        "rows": [{"checkpoint": None}, row(3), row(4), row(5, cost=COST)],
    }  # fmt: skip
    found = costs([], [study])
    assert [(one.name, one.given, one.device) for one in found] == [
        ("fomm", None, ""),  # of any number of references, as large
        ("fomm (best of 5)", 5, "GPU"),
    ]


def test_bad_figures_are_named(record):
    for value in (-1, "x", True):
        with pytest.raises(ValueError, match=r"record of lia has cost\.parameters"):
            costs([record(cost={"parameters": value})])
