import json

import pytest
import torch

from animators.swin_tps.attention import MotionAttention
from animators.weights import save_animator
from benchmarks import study
from benchmarks.studies import flow_cost
from benchmarks.studies.flow_parts import count_flops, parts, reach
from tests.animators.tiny import tiny_animator

CPU = torch.device("cpu")
PARTS = ("drawing", "drawing without either", "flow optimisers", "motion attention")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    paper = {"pool_above": 64, "pooled_keys": 32}
    for name, changes in (("full", paper), ("plain", {"optimise_flow": False, "decouple": False})):
        if name == "plain":
            kept = ("reconstruction", "equivariance", "warp", "background")
            changes = {**changes, "loss_weights": dict.fromkeys(kept, 1.0)}
        save_animator(tiny_animator("swin_tps", **changes), folder / f"{name}.ckpt")
    save_animator(tiny_animator("tpsmm"), folder / "tpsmm.ckpt")
    return folder


@pytest.fixture(scope="module")
def made(files, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    words = ["--checkpoint", str(files / "full.ckpt"), "--sizes", "64", "128"]
    words += ["--repeats", "1", "--device", "cpu", "--output", str(out), "--name", "tiny"]
    assert study.main(["flow_cost", *words]) == 0
    (path,) = out.iterdir()
    return path, json.loads(path.read_text())


@pytest.mark.parametrize(("side", "keys"), [(8, 64), (16, 16)])
def test_operations_of_attention_are_those_of_its_products(side, keys):
    """Query at every position, key and value at every key, scores, and their mixture."""
    c, q, n = 6, 5, side * side
    attention = MotionAttention(c, q, pool_above=8, pooled=4).eval()
    motion, warped = torch.randn(1, q), torch.randn(1, c, side, side)
    wanted = 2 * (q * c + c * c * n + 2 * c * c * keys + 2 * n * keys * c)
    with torch.no_grad():
        assert count_flops(lambda: attention(motion, warped)) == wanted


def test_a_drawing_is_the_plain_one_and_the_two_additions():
    """Beside them only F_m = y B is computed."""
    network = tiny_animator("swin_tps").eval().network
    with torch.no_grad():
        flops = {name: count_flops(part) for name, part in parts(network, 64, CPU).items()}
    feature = 2 * 3 * 16  # y of 3 numbers, a basis of 16
    added = flops["flow optimisers"] + flops["motion attention"] + feature
    assert flops["drawing"] == flops["drawing without either"] + added
    assert min(flops.values()) > 0


def test_the_reach_is_that_of_windows_laid_over_each_other():
    """Windows as blocks of boolean matrices over all tokens of a map of 16 x 16."""
    side = 16
    place = torch.arange(side)

    def block(window, shift):
        own = (place + shift) // window
        same = (own[:, None] == own).double()
        return torch.kron(same, same)

    plain, shifted = block(8, 0) + block(4, 0), block(8, 4) + block(4, 2)
    diagonal = place * side + place
    seen = torch.eye(side * side, dtype=torch.float64)
    for depth in (1, 2):
        seen = ((shifted @ plain @ seen) > 0).double()
        wanted = seen[diagonal].unflatten(1, (side, side)) > 0
        found = reach(depth, side)
        assert found["share"] == pytest.approx(wanted.double().mean().item())
        assert found["rows"] == wanted.any(dim=2).sum(dim=1).max()
        assert found["columns"] == wanted.any(dim=1).sum(dim=1).max()


def test_a_token_sees_16_by_16_of_32_by_32_and_measuring_it_leaves_the_global_draws_alone():
    state = torch.random.get_rng_state()
    found = reach(1)
    assert (found["rows"], found["columns"], found["map"]) == (16, 16, 32)
    assert 0.1 < found["share"] < 0.25
    assert torch.equal(torch.random.get_rng_state(), state)


def test_linear_means_within_five_percent_at_every_size():
    def rows(*growth):
        return [{"growth_over_pixels": value} for value in growth]

    assert flow_cost.is_linear(rows(1.0, 1.04, 0.96)) is True
    assert flow_cost.is_linear(rows(1.0, 1.06)) is False
    assert flow_cost.is_linear(rows(1.0, 0.9, 1.0)) is False
    assert flow_cost.is_linear([]) is None


def test_bounded_means_below_full_scores_and_no_faster_than_the_pixels():
    def row(size, peak, pooled=True):
        full = 4 * size**4
        return {"size": size, "pooled": pooled, "peak_memory_bytes": peak, "full_bytes": full}

    assert flow_cost.is_bounded([row(256, 100), row(512, 400)]) is True
    assert flow_cost.is_bounded([row(256, 100), row(512, 430)]) is False
    assert flow_cost.is_bounded([row(256, 4 * 256**4)]) is False
    small = row(64, 1e9, pooled=False)
    assert flow_cost.is_bounded([small]) is None
    assert flow_cost.is_bounded([small, row(256, 100)]) is True


def test_the_record_has_every_part_at_every_size(made):
    path, record = made
    result = record["result"]
    assert path.name.startswith("flow-cost_tiny_")
    assert {(r["part"], r["size"]) for r in result["rows"]} == {
        (part, size) for part in PARTS for size in (64, 128)
    }
    for row in result["rows"]:
        assert min(row["flops"], row["peak_memory_bytes"], row["seconds"]) > 0
        if row["size"] == 64:
            assert row["ratio"] == row["growth_over_pixels"] == 1
    assert (result["linear_in_pixels"], result["attention_bounded"]) == (True, True)
    assert [row["keys"] for row in result["attention"]] == [64**2, 32**2]
    assert result["attention"][1]["full_bytes"] == 128**4 * 4
    assert [row["depth"] for row in result["reach"]] == [1, 2, 3]
    assert record["checkpoint"]["class_path"] == "animators.swin_tps.SwinTps"
    assert {"git", "torch", "device", "settings"} <= record.keys()


def test_the_page_says_what_does_not_hold(made):
    record = json.loads(json.dumps(made[1]))
    text = flow_cost.report(record)
    assert "Flow optimisers: linear in pixels" in text
    assert "memory bounded" in text
    assert "16 x 16 of 32 x 32" in text
    assert text.count("\n| ") == 1 + 8 + 1 + 2 + 1 + 3
    record["result"] |= {"linear_in_pixels": False, "attention_bounded": False}
    text = flow_cost.report(record)
    assert "NOT linear in pixels" in text
    assert "NOT bounded" in text
    record["result"]["attention_bounded"] = None
    assert "no map of these sizes" in flow_cost.report(record)


def test_a_part_that_is_not_there_is_not_measured(monkeypatch):
    monkeypatch.setattr(flow_cost, "DEPTHS", (1,))
    weights = {"reconstruction": 1.0, "equivariance": 1.0, "warp": 1.0, "background": 1.0}
    animator = tiny_animator("swin_tps", decouple=False, loss_weights=weights).eval()
    result = flow_cost.measure(animator, [32, 64], 1)
    assert {row["part"] for row in result["rows"]} == set(PARTS) - {"motion attention"}
    assert result["attention"] == []
    assert result["attention_bounded"] is None


def test_mistakes_are_one_line(files, tmp_path, fails):
    def said(*words):
        return fails(flow_cost.main, *words, "--device", "cpu", "--output", tmp_path / "out")

    full = files / "full.ckpt"
    assert "--repeats must be at least 1" in said("--repeats", "0")
    assert "absent.ckpt" in said("--checkpoint", files / "absent.ckpt")
    assert "growing numbers" in said("--checkpoint", full, "--sizes", "64")
    assert "growing numbers" in said("--checkpoint", full, "--sizes", "64", "64")
    assert "multiple of 8" in said("--checkpoint", full, "--sizes", "64", "100")
    for name in ("plain", "tpsmm"):
        assert "neither flow optimisers nor" in said("--checkpoint", files / f"{name}.ckpt")
    assert "no animator of this version" in said("--model", "animators.swin_tps.Nothing")
    assert not (tmp_path / "out").exists()
