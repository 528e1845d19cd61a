"""Regions against LAPACK, against exact gaussians and against torch's own derivative."""

import math

import pytest
import torch

from animators.mraa.regions import SMALLEST_VARIANCE, RegionPredictor, principal_axes, regions_of
from animators.nn.grid import coordinate_grid


def covariances(count, dtype=torch.float64):
    draw = torch.Generator().manual_seed(0)
    factor = torch.randn(count, 2, 2, generator=draw, dtype=torch.float64)
    scale = torch.rand(count, 1, 1, generator=draw, dtype=torch.float64)
    return (scale * factor @ factor.mT).to(dtype)


def gaussian(mean, covariance, size=64):
    grid = coordinate_grid(size, size, torch.zeros(1, dtype=torch.float64))
    offset = grid - mean
    exponent = torch.einsum("hwi,ij,hwj->hw", offset, torch.linalg.inv(covariance), offset)
    heat = torch.exp(-exponent / 2)
    return (heat / heat.sum())[None, None]


def test_axes_and_variances_are_lapacks_with_its_signs():
    matrices = covariances(20_000)
    axes, values, _ = torch.linalg.svd(matrices)
    ours = principal_axes(matrices)
    torch.testing.assert_close(ours.axes, axes, atol=1e-12, rtol=0)
    torch.testing.assert_close(ours.variances, values, atol=1e-12, rtol=0)
    positive = axes[:, 0, 0] > 0
    assert 0.05 < positive.double().mean() < 0.95  # both signs occur


@pytest.mark.parametrize("off", [-0.5, -1e-9, 1e-9, 0.5])
@pytest.mark.parametrize("diagonal", [(2.0, 1.0), (1.0, 2.0), (1.0, 1.0), (0.3, 4.0), (4.0, 0.3)])
def test_regions_along_the_axes_are_lapacks_too(diagonal, off):
    matrix = torch.tensor([[diagonal[0], off], [off, diagonal[1]]], dtype=torch.float64)
    axes, values, _ = torch.linalg.svd(matrix)
    ours = principal_axes(matrix)
    torch.testing.assert_close(ours.axes, axes, atol=1e-7, rtol=0)
    torch.testing.assert_close(ours.variances, values, atol=1e-12, rtol=0)


def test_in_single_precision_the_signs_stay():
    """Only a matrix within rounding of the sign's boundary may take the other sign."""
    matrices = covariances(5_000, torch.float32)
    axes = torch.linalg.svd(matrices)[0]
    off = (principal_axes(matrices).axes - axes).abs().amax(dim=(1, 2))
    a, b, d = matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 1, 1]
    clear = (a * a + 2 * b * b - a * d).abs() > 1e-5 * (a + d) ** 2
    clear &= torch.hypot(a - d, 2 * b) > 1e-3 * (a + d)
    assert clear.float().mean() > 0.99
    assert off[clear].max() < 1e-3


def test_axes_are_a_reflection_that_diagonalises():
    matrices = covariances(200)
    axes, variances = principal_axes(matrices)
    torch.testing.assert_close(torch.linalg.det(axes), -torch.ones(200, dtype=torch.float64))
    made = axes @ torch.diag_embed(variances) @ axes.mT
    torch.testing.assert_close(made, matrices)


def test_gradient_is_that_of_the_decomposition_where_the_region_is_long():
    matrices = covariances(2_000)
    a, b, d = matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 1, 1]
    matrices = matrices[torch.hypot(a - d, 2 * b) > 0.5 * (a + d)].requires_grad_()
    assert len(matrices) > 1_000
    mixed = torch.randn(2, 2, dtype=torch.float64)
    ours = principal_axes(matrices)
    (ours.axes * ours.variances[:, None].sqrt() * mixed).sum().backward()
    found, matrices.grad = matrices.grad, None
    # eigh's signs and order are other ones, which are constants to a derivative
    values, vectors = torch.linalg.eigh(matrices)
    values, vectors = values.flip(1), vectors.flip(2)
    sign = (vectors * ours.axes).sum(dim=1, keepdim=True).detach().sign()
    (vectors * sign * values[:, None].sqrt() * mixed).sum().backward()
    found, exact = ((g + g.mT) / 2 for g in (found, matrices.grad))  # of symmetric matrices
    off = torch.linalg.matrix_norm(found - exact) / torch.linalg.matrix_norm(exact)
    assert off.max() < 1e-3
    assert off.median() < 1e-5


@pytest.mark.parametrize("gap", [0.0, 1e-30, 1e-12, 1e-6, 1e-4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_stays_bounded_where_the_axes_are_arbitrary(gap, dtype):
    matrix = torch.tensor([[0.1 + gap, gap], [gap, 0.1]], dtype=dtype, requires_grad=True)
    axes, variances = principal_axes(matrix)
    (axes * variances.sqrt()).sum().backward()
    assert matrix.grad.isfinite().all()
    assert matrix.grad.abs().max() < 1e4  # undamped: 1 / gap


def test_moments_are_those_of_a_gaussian():
    mean = torch.tensor([0.2, -0.1], dtype=torch.float64)
    covariance = torch.tensor([[0.02, 0.008], [0.008, 0.01]], dtype=torch.float64)
    found = regions_of(gaussian(mean, covariance))
    torch.testing.assert_close(found.shift[0, 0], mean, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.covariance[0, 0], covariance, atol=1e-6, rtol=0)
    made = found.affine[0, 0] @ found.affine[0, 0].mT
    torch.testing.assert_close(made, covariance, atol=1e-6, rtol=0)


def test_a_long_region_points_along_its_axis():
    angle = math.radians(30)
    along = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
    across = torch.tensor([-math.sin(angle), math.cos(angle)], dtype=torch.float64)
    covariance = 0.04 * torch.outer(along, along) + 0.01 * torch.outer(across, across)
    affine = regions_of(gaussian(torch.zeros(2, dtype=torch.float64), covariance)).affine[0, 0]
    assert (affine[:, 0] @ along).abs() == pytest.approx(0.2, abs=1e-4)
    assert (affine[:, 1] @ across).abs() == pytest.approx(0.1, abs=1e-4)


def test_a_heatmap_of_one_pixel_still_has_an_inverse_and_a_gradient():
    logits = torch.zeros(1, 2, 16, 16)
    logits[0, :, 5, 7] = 1000.0
    logits[0, 1, 5, 8] = 1000.0  # the second is a line of two pixels
    logits.requires_grad_()
    found = regions_of(logits.flatten(2).softmax(2).view_as(logits))
    least = torch.linalg.eigvalsh(found.covariance).amin(dim=2)
    torch.testing.assert_close(least, torch.full((1, 2), SMALLEST_VARIANCE), rtol=0.01, atol=0)
    made = found.affine @ found.affine.mT
    torch.testing.assert_close(made, found.covariance, rtol=1e-3, atol=1e-8)
    (torch.linalg.inv(found.affine).sum() + found.covariance.sum()).backward()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(("padding", "side"), [(3, 16), (0, 10)])
def test_padding_decides_the_size_of_the_heatmaps_and_no_weight(padding, side):
    sizes = {"width": 4, "max_width": 8, "blocks": 2, "shrink_factor": 4, "temperature": 0.1}
    predictor = RegionPredictor(3, **sizes, padding=padding).eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        heatmap = predictor.heatmaps(images)[1]
        regions = predictor(images)
    assert heatmap.shape == (2, 3, side, side)
    assert predictor.heatmaps.logits.weight.shape == (3, 7, 7, 7)
    assert regions.shift.shape == (2, 3, 2)
    assert regions.affine.shape == regions.covariance.shape == (2, 3, 2, 2)
