"""Splines against SciPy, float64 written out, and automatic differentiation."""

import numpy as np
import pytest
import torch
from scipy.interpolate import RBFInterpolator

from animators.nn import tps
from animators.nn.grid import coordinate_grid
from animators.nn.tps import RandomSpline, radial, radial_gradient, random_spline, solve, transform

KEYS = torch.tensor([[0, 3, 5], [0, 3, 6], [1, 3, 5]])


@pytest.fixture
def pairs():
    """Control points and targets of 3 samples with 2 splines of 5 points."""
    draw = torch.Generator().manual_seed(0)
    return 2 * torch.rand(2, 3, 2, 5, 2, generator=draw, dtype=torch.float64) - 1


def test_without_the_ridge_it_is_scipys_thin_plate_spline(pairs, monkeypatch):
    monkeypatch.setattr(tps, "RIDGE", 0.0)
    control, target = pairs
    points = 3 * torch.rand(40, 2, dtype=torch.float64) - 1.5
    found = transform(solve(control, target), points)
    for sample in range(3):
        for k in range(2):
            theirs = RBFInterpolator(
                control[sample, k].numpy(), target[sample, k].numpy(), kernel="thin_plate_spline"
            )
            np.testing.assert_allclose(found[sample, k], theirs(points.numpy()), atol=1e-6)


def test_with_the_ridge_it_is_the_system_written_out(pairs):
    control, target = pairs
    found = solve(control, target)
    p, q = control[1, 0].numpy(), target[1, 0].numpy()
    system = np.zeros((8, 8))
    for i in range(5):
        for j in range(5):
            square = np.sum((p[i] - p[j]) ** 2)
            system[i, j] = square * np.log(square + 1e-9)
        system[i, 5:] = system[5:, i] = (*p[i], 1)
    numbers = np.linalg.solve(system + 0.01 * np.eye(8), np.concatenate([q, np.zeros((3, 2))]))
    np.testing.assert_allclose(found.weights[1, 0], numbers[:5], atol=1e-9)
    np.testing.assert_allclose(found.theta[1, 0], numbers[5:].T, atol=1e-9)


def test_control_points_are_missed_by_the_ridge_times_their_weights(pairs):
    control, target = pairs
    splines = solve(control, target)
    for sample in range(3):
        for k in range(2):
            met = transform(splines, control[sample, k])[sample, k]
            wanted = target[sample, k] - 0.01 * splines.weights[sample, k]
            torch.testing.assert_close(met, wanted, atol=1e-9, rtol=0)


def test_points_keep_their_shape(pairs):
    splines = solve(*pairs)
    grid = coordinate_grid(4, 7, splines.theta)
    moved = transform(splines, grid)
    assert moved.shape == (3, 2, 4, 7, 2)
    torch.testing.assert_close(moved[:, :, 2, 3:4], transform(splines, grid[2, 3:4]))


def test_equal_points_have_finite_values_and_gradients():
    points = torch.zeros(1, 1, 5, 2, requires_grad=True)
    transform(solve(points, points), torch.zeros(1, 2)).sum().backward()
    assert points.grad.isfinite().all()


def test_half_precision_is_solved_in_single(pairs):
    control, target = pairs.float()
    exact = transform(solve(control, target), coordinate_grid(5, 5, control))
    with torch.autocast("cpu", torch.bfloat16):
        found = transform(solve(control, target), coordinate_grid(5, 5, control))
    assert torch.equal(found, exact)
    assert solve(control.bfloat16(), target.bfloat16()).theta.dtype == torch.float32


def test_radial_functions_at_one_offset():
    offset = torch.tensor([0.3, -0.4], dtype=torch.float64)
    assert radial(offset, distance="l1").item() == pytest.approx(0.49 * np.log(0.700001))
    assert radial(offset, distance="l2").item() == pytest.approx(0.25 * np.log(0.25 + 1e-9))


@pytest.mark.parametrize("distance", ["l1", "l2"])
def test_slopes_are_the_derivative(distance):
    offset = torch.randn(50, 2, dtype=torch.float64, requires_grad=True)
    (wanted,) = torch.autograd.grad(radial(offset, distance=distance).sum(), offset)
    torch.testing.assert_close(radial_gradient(offset, distance=distance), wanted)


@pytest.mark.parametrize("distance", ["l1", "l2"])
def test_the_jacobian_of_a_random_spline_is_its_derivative(distance):
    spline = random_spline(
        KEYS, distance=distance, like=torch.zeros(1, dtype=torch.float64), sigma_tps=0.3
    )
    points = torch.randn(3, 7, 2, dtype=torch.float64)
    full = torch.func.jacrev(spline)(points)
    wanted = torch.stack([torch.stack([full[b, n, :, b, n] for n in range(7)]) for b in range(3)])
    torch.testing.assert_close(spline.jacobian(points), wanted)


def test_a_random_spline_written_out():
    theta = torch.tensor([[[1.0, 0.2, -0.1], [0.0, 0.9, 0.3]]])
    control = torch.tensor([[0.5, 0.5], [-0.5, 0.0]])
    spline = RandomSpline(theta, torch.tensor([[0.1, -0.2]]), control, "l2")
    found = spline(torch.tensor([[[0.1, 0.2]]]))[0, 0]
    bent = 0.1 * 0.25 * np.log(0.25 + 1e-9) - 0.2 * 0.4 * np.log(0.4 + 1e-9)
    wanted = [0.1 + 0.04 - 0.1 + bent, 0.18 + 0.3 + bent]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float32))


def test_draws_depend_on_the_sample_alone():
    whole = random_spline(KEYS, distance="l2", like=torch.zeros(1))
    alone = random_spline(KEYS[1:2], distance="l2", like=torch.zeros(1))
    assert torch.equal(whole.theta[1:2], alone.theta)
    assert torch.equal(whole.weights[1:2], alone.weights)
    assert not torch.equal(whole.theta[0], whole.theta[2])  # another seed


def test_draws_have_the_papers_spread():
    keys = torch.stack([torch.zeros(500), torch.zeros(500), torch.arange(500)], 1).long()
    spline = random_spline(keys, distance="l2", like=torch.zeros(1))
    assert spline.weights.shape == (500, 25)
    assert (spline.theta - torch.eye(2, 3)).std() == pytest.approx(0.05, rel=0.05)
    assert spline.weights.std() == pytest.approx(0.005, rel=0.05)
    assert torch.equal(spline.control.view(5, 5, 2), coordinate_grid(5, 5, torch.zeros(1)))


def test_without_spread_nothing_is_deformed():
    frames = torch.rand(3, 3, 16, 16)
    still = random_spline(KEYS, distance="l1", like=frames, sigma_affine=0.0, sigma_tps=0.0)
    torch.testing.assert_close(still.warp(frames, align_corners=True), frames, atol=1e-5, rtol=0)
    points = torch.rand(3, 4, 2)
    torch.testing.assert_close(still(points), points)


def test_a_shift_by_whole_pixels_moves_the_picture_and_mirrors_its_edge():
    frames = torch.rand(1, 1, 5, 5)
    step = 2 / 4  # from pixel to pixel
    theta = torch.tensor([[[1.0, 0.0, step], [0.0, 1.0, 0.0]]])
    spline = RandomSpline(theta, torch.zeros(1, 1), torch.zeros(1, 2), "l2")
    moved = spline.warp(frames, align_corners=True)
    torch.testing.assert_close(moved[..., :4], frames[..., 1:])
    torch.testing.assert_close(moved[..., 4], frames[..., 3])


@pytest.mark.parametrize("distance", ["l1", "l2"])
def test_mixed_precision_rounds_no_random_spline(distance):
    frames = torch.rand(3, 3, 16, 16)
    spline = random_spline(KEYS, distance=distance, like=frames, sigma_tps=0.05)
    points = 2 * torch.rand(3, 7, 2) - 1
    exact = spline(points), spline.jacobian(points), spline.warp(frames, align_corners=True)
    with torch.autocast("cpu", torch.bfloat16):
        found = spline(points), spline.jacobian(points), spline.warp(frames, align_corners=True)
    for a, b in zip(found, exact, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=0)
