import json
import math

import pytest
import torch
from torch import nn

from animators.fomm import Fomm
from animators.nn.evolution import MotionEvolution
from animators.weights import save_animator
from benchmarks import records, study, timing
from benchmarks.studies import solver, solving
from benchmarks.studies.solving import (
    LEAST_MOTION,
    Problem,
    Row,
    random_field,
    random_problem,
    rows,
)
from tests.animators.tiny import tiny_animator

CPU = torch.device("cpu")
SMALL = ["--size", "8", "--width", "4", "--views", "2", "--batch", "1", "--repeats", "1"]


@pytest.fixture(scope="module")
def problem():
    return random_problem(4, (1, 2, 8), CPU, torch.float64)


class Decay(nn.Module):
    """phi / d eps = -rate phi, by a convolution of one pixel that does not look at eps."""

    def __init__(self, rate):
        super().__init__()
        weight = torch.tensor([[-rate, 0.0, 0.0], [0.0, -rate, 0.0]], dtype=torch.float64)
        self.weight = nn.Parameter(weight[..., None, None])

    def forward(self, seen):
        return nn.functional.conv2d(seen, self.weight)


@pytest.fixture(scope="module")
def decay():
    evolution = MotionEvolution(width=4, share_dynamics=True).double()
    evolution.dynamics.source = Decay(0.7)
    return Problem(evolution, random_field((1, 2, 4)))


def test_the_truth_is_the_closed_form_of_a_linear_f(decay):
    truth = decay.truth()
    torch.testing.assert_close(truth.refined, math.exp(-0.7) * decay.field, rtol=1e-9, atol=0)
    weights = decay.weights / decay.weights.numel()  # the loss is a mean
    torch.testing.assert_close(truth.field, math.exp(-0.7) * weights.flatten(), rtol=1e-9, atol=0)
    # d/dA of w . exp(A) phi at A = -0.7 I is exp(-0.7) w phi^T
    outer = torch.einsum("bvhwi,bvhwj->ij", weights, decay.field.detach())
    found = truth.parameters.reshape(2, 3)[:, :2]
    torch.testing.assert_close(found, math.exp(-0.7) * outer)


def test_errors_are_those_of_the_closed_form(decay):
    """Euler with one step gives (1 - 0.7) phi."""
    row = Row("euler", 1, None, "plain")
    found = solver.compare(decay, decay.train(row), decay.truth())
    end = math.exp(-0.7)
    assert found["error"] == pytest.approx(abs(0.3 - end) / (1 - end), rel=1e-6)
    assert found["field_error"] == pytest.approx(abs(0.3 - end) / end, rel=1e-6)


def test_a_random_f_moves_the_field(problem):
    assert problem.motion() > LEAST_MOTION


def test_checkpoints_give_the_plain_gradient_with_every_step_computed_twice(problem):
    for method, calls in (("euler", 4), ("midpoint", 8), ("rk4", 16)):
        plain = problem.train(Row(method, 4, None, "plain"))
        again = problem.train(Row(method, 4, None, "checkpoints"))
        for one, other in zip(plain[:3], again[:3], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)
        assert (plain.evaluations, again.evaluations) == ((calls, 0), (calls, calls))


def test_the_adjoint_comes_nearer_to_the_truth_at_its_order(problem):
    truth = problem.truth()
    errors = [
        solver.compare(problem, problem.train(Row("midpoint", steps, None, "adjoint")), truth)
        for steps in (8, 16)
    ]
    for name in ("error", "parameters_error", "field_error"):
        assert errors[0][name] / errors[1][name] == pytest.approx(4, rel=0.15)


def test_memory_is_what_was_held_at_once():
    def work():
        kept = torch.zeros(1000, dtype=torch.float64)
        for _ in range(5):
            torch.ones(2000, dtype=torch.float64)
        return kept

    assert 24_000 <= timing.peak_allocated(work, CPU) < 25_000


def test_a_record_holds_every_way_and_says_that_memory_is_flat(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(solving, "STEPS", (4, 32))
    monkeypatch.setattr(solving, "TOLERANCES", (1e-3,))
    curve = tmp_path / "solver.png"
    words = [*SMALL, "--device", "cpu", "--output", str(tmp_path), "--curve", str(curve)]
    assert study.main(["solver", *words]) == 0
    (path,) = tmp_path.glob("solver_*.json")
    record = json.loads(path.read_text())
    result, printed = record["result"], capsys.readouterr().out
    assert set(result["rows"]) == {row.name for row in rows()}
    assert len(rows()) == 9 * 2 + 2
    assert result["rows"][solver.BASE]["ratio"] == 1
    for row in result["rows"].values():
        assert row["seconds"] > 0
        assert row["peak_memory_bytes"] > 0
        assert 0 < row["parameters_error"] < 1.5
        assert (row["from_plain"] > 0) == (row["gradient"] == "adjoint") or row["from_plain"] < 1e-9
    assert max(result["memory_growth"]["adjoint"].values()) <= solver.FLAT
    assert min(result["memory_growth"]["plain"].values()) > 4
    assert "flat under the adjoint" in printed
    assert "NOT flat" not in printed
    assert curve.read_bytes().startswith(b"\x89PNG")


def test_growth_that_is_not_flat_is_said():
    memory = {"adjoint": {"rk4": 1.2}, "plain": {"rk4": 7.0}, "checkpoints": {"rk4": 2.0}}
    (line,) = solver._growth_lines(memory)
    assert "NOT flat (1.20 times)" in line


def test_the_evolution_of_a_checkpoint_is_taken(tmp_path):
    save_animator(tiny_animator("dime"), tmp_path / "dime.ckpt")
    arguments = solver.parser().parse_args(
        [*SMALL, "--checkpoint", str(tmp_path / "dime.ckpt"), "--device", "cpu"]
    )
    problem, described = solver.build(arguments)
    assert described["class_path"] == "animators.dime.Dime"
    assert problem.field.shape == (1, 2, 8, 8, 2)
    assert all(weight.dtype == torch.float64 for weight in problem.parameters)
    assert problem.train(Row("rk4", 2, None, "adjoint")).parameters.any()


def test_committed_records_can_be_printed():
    paths = list(records.RESULTS.glob("solver_*.json"))
    assert paths
    for path in paths:
        text = solver.report(json.loads(path.read_text()))
        assert text.count("\n| ") == 1 + len(rows())
        assert "is flat under the adjoint" in text


def test_mistakes_are_one_line(tmp_path, fails):
    assert "--repeats must be at least 1" in fails(solver.main, "--repeats", "0")
    assert ".png or .svg" in fails(solver.main, "--curve", tmp_path / "a.txt")
    assert "absent.ckpt" in fails(solver.main, "--checkpoint", tmp_path / "absent.ckpt")
    fomm = tiny_animator("fomm")
    assert isinstance(fomm, Fomm)
    save_animator(fomm, tmp_path / "fomm.ckpt")
    assert "no motion evolution" in fails(solver.main, "--checkpoint", tmp_path / "fomm.ckpt")
