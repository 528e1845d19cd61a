"""Detectors that follow a deformation exactly cost nothing; errors cost what is written out."""

import pytest
import torch

from animators.losses.equivariance import jacobian_equivariance, value_equivariance
from animators.nn.tps import RandomSpline, random_spline

KEYS = torch.tensor([[0, 0, 0], [0, 0, 1]])


@pytest.fixture(params=["l1", "l2"])
def spline(request):
    like = torch.zeros(1, dtype=torch.float64)
    return random_spline(KEYS, distance=request.param, like=like, sigma_tps=0.05)


@pytest.fixture
def deformed():
    return 2 * torch.rand(2, 5, 2, dtype=torch.float64) - 1


def test_points_that_follow_cost_nothing(spline, deformed):
    assert value_equivariance(spline(deformed), deformed, spline) == 0


def test_points_that_are_off_cost_their_distance(spline, deformed):
    points = spline(deformed) + torch.tensor([0.1, -0.3])
    assert value_equivariance(points, deformed, spline).item() == pytest.approx(0.2)


def test_jacobians_that_follow_cost_nothing(spline, deformed):
    jacobian = torch.eye(2) + 0.3 * torch.randn(2, 5, 2, 2, dtype=torch.float64)
    # the chain rule: J = T'(p') J'
    moved = torch.linalg.solve(spline.jacobian(deformed), jacobian)
    for up_to_sign in (False, True):
        cost = jacobian_equivariance(jacobian, moved, deformed, spline, up_to_sign=up_to_sign)
        assert cost < 1e-12


def test_jacobians_turned_round_are_forgiven_only_up_to_sign(spline, deformed):
    jacobian = torch.eye(2, dtype=torch.float64).expand(2, 5, 2, 2)
    moved = -torch.linalg.inv(spline.jacobian(deformed))
    costs = [
        jacobian_equivariance(jacobian, moved, deformed, spline, up_to_sign=up_to_sign).item()
        for up_to_sign in (True, False)
    ]
    # 1 - (-1) on the diagonal, half of the entries
    assert costs == pytest.approx([0.0, 1.0])


def test_the_jacobians_cost_written_out():
    theta = torch.tensor([[[2.0, 0.0, 0.1], [0.0, 0.5, 0.0]]])
    spline = RandomSpline(theta, torch.zeros(1, 1), torch.zeros(1, 2), "l2")
    eye, at = torch.eye(2).expand(1, 1, 2, 2), torch.zeros(1, 1, 2)
    cost = jacobian_equivariance(eye, eye, at, spline, up_to_sign=False)
    # |1 - 2| and |1 - 0.5| of four entries
    assert cost.item() == pytest.approx(1.5 / 4)


def test_both_sides_learn(spline, deformed):
    points = torch.zeros_like(deformed).requires_grad_()
    deformed.requires_grad_()
    value_equivariance(points, deformed, spline).backward()
    assert points.grad.abs().min() > 0
    assert deformed.grad.abs().sum() > 0


def test_half_precision_is_compared_in_single():
    spline = random_spline(KEYS, distance="l2", like=torch.zeros(1))
    points, deformed = torch.rand(2, 2, 5, 2)
    jacobian = torch.eye(2).expand(2, 5, 2, 2)
    arguments = (jacobian, jacobian, deformed, spline)
    with torch.autocast("cpu", torch.bfloat16):
        value = value_equivariance(points, deformed, spline)
        turned = jacobian_equivariance(*arguments, up_to_sign=False)
    assert torch.equal(value, value_equivariance(points, deformed, spline))
    assert torch.equal(turned, jacobian_equivariance(*arguments, up_to_sign=False))
