import numpy as np
import pytest
import torch
from scipy import special, stats
from torch.autograd import gradcheck

from animators.nn.grid import coordinate_grid
from animators.nn.keypoints import (
    VARIANCE,
    KeypointDetector,
    covariance_maps,
    expectation,
    gaussian_maps,
    heatmap_difference,
    spatial_softmax,
)

TINY = {"width": 4, "max_width": 8, "blocks": 2, "shrink_factor": 2}


def points(count=3, reach=0.4):
    draw = torch.Generator().manual_seed(1)
    return (2 * torch.rand(2, count, 2, generator=draw, dtype=torch.float64) - 1) * reach


def covariances(count=3):
    draw = torch.Generator().manual_seed(2)
    root = 0.2 * torch.randn(2, count, 2, 2, generator=draw, dtype=torch.float64)
    return root @ root.mT + 0.02 * torch.eye(2, dtype=torch.float64)


def test_the_expectation_of_a_gaussian_is_its_centre():
    centres = points()
    maps = gaussian_maps(centres, (58, 64))
    maps = maps / maps.sum(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(expectation(maps), centres, atol=1e-6, rtol=0)


def test_the_soft_argmax_of_a_paraboloid_is_its_top():
    centres, grid = points(), coordinate_grid(58, 58, points())
    logits = -(grid - centres[:, :, None, None]).square().sum(dim=-1) / (2 * VARIANCE) * 0.1
    heat = spatial_softmax(logits, temperature=0.1)
    torch.testing.assert_close(expectation(heat), centres, atol=1e-6, rtol=0)


def test_the_border_of_the_map_is_the_border_of_the_coordinates():
    heat = torch.zeros(1, 2, 5, 7)
    heat[0, 0, 0, 6] = heat[0, 1, 4, 0] = 1.0
    assert expectation(heat).tolist() == [[[1.0, -1.0], [-1.0, 1.0]]]


def test_softmax_over_positions_against_scipy():
    logits = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    expected = special.softmax(logits.flatten(2).numpy() / 0.1, axis=2).reshape(logits.shape)
    np.testing.assert_allclose(spatial_softmax(logits, 0.1).numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("make", ["variance", "covariance"])
def test_gaussians_against_scipy(make):
    centres, spread = points(), covariances()
    if make == "variance":
        spread = (0.02 * torch.eye(2, dtype=torch.float64)).expand_as(spread)
        maps = gaussian_maps(centres, (6, 9), 0.02)
    else:
        maps = covariance_maps(centres, spread, (6, 9))
    grid = coordinate_grid(6, 9, centres).numpy()
    for b in range(2):
        for k in range(3):
            normal = stats.multivariate_normal(centres[b, k].numpy(), spread[b, k].numpy())
            expected = normal.pdf(grid) / normal.pdf(centres[b, k].numpy())
            np.testing.assert_allclose(maps[b, k].numpy(), expected, rtol=1e-9, atol=1e-300)


def test_the_difference_stands_behind_a_zero_map():
    driving, source = torch.rand(2, 2, 3, 4, 5)
    found = heatmap_difference(driving, source)
    assert found.shape == (2, 4, 4, 5)
    assert not found[:, 0].any()
    assert torch.equal(found[:, 1:], driving - source)


def test_heat_too_small_to_count_is_none():
    faint = torch.tensor([1e-39, -1e-39, 1e-31, 1e-29, -1e-29, 0.5]).view(1, 1, 2, 3)
    assert faint[0, 0, 0, 0] != 0
    found = heatmap_difference(faint, torch.zeros_like(faint))[:, 1]
    assert torch.equal(found.flatten(), torch.tensor([0, 0, 0, 1e-29, -1e-29, 0.5]))


def test_gradients_in_double_precision():
    logits = torch.randn(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: expectation(spatial_softmax(x, 0.5)), logits)
    centres, spread = points(2)[:1].requires_grad_(), covariances(2)[:1].requires_grad_()
    assert gradcheck(lambda x: gaussian_maps(x, (4, 5), 0.1), centres)
    assert gradcheck(lambda x, c: covariance_maps(x, c, (4, 5)), (centres, spread))


def test_jacobians_begin_as_the_identity():
    found = KeypointDetector(3, **TINY)(torch.rand(2, 3, 32, 32)).jacobian
    torch.testing.assert_close(found, torch.eye(2).expand(2, 3, 2, 2))


@pytest.mark.parametrize("single", [False, True])
def test_constant_maps_are_the_jacobians_row_by_row(single):
    detector = KeypointDetector(3, **TINY, single_jacobian_map=single)
    numbers = torch.arange(4.0 if single else 12.0)
    detector.jacobian.bias.data.copy_(numbers)
    found = detector(torch.rand(2, 3, 32, 32)).jacobian
    torch.testing.assert_close(found, numbers.view(-1, 2, 2).expand(2, 3, 2, 2))


def test_the_jacobian_is_the_expectation_of_its_map_under_the_heatmap():
    detector = KeypointDetector(3, **TINY).eval()
    torch.nn.init.normal_(detector.jacobian.weight)
    images = torch.rand(1, 3, 32, 32)
    found = detector(images)
    features, heat = detector.heatmaps(images)
    maps = detector.jacobian(features).view(3, 4, *heat.shape[2:])
    for k in range(3):
        expected = [(heat[0, k] * maps[k, c]).sum() for c in range(4)]
        torch.testing.assert_close(found.jacobian[0, k].flatten(), torch.stack(expected))
    assert found.jacobian.std(dim=1).min() > 1e-3


def test_maps_lose_the_border_of_an_unpadded_convolution():
    images = torch.rand(1, 3, 32, 32)
    assert KeypointDetector(3, **TINY).heatmaps(images)[1].shape == (1, 3, 10, 10)
    assert KeypointDetector(3, **TINY, padding=3).heatmaps(images)[1].shape == (1, 3, 16, 16)


def test_a_colder_softmax_comes_nearer_to_the_highest_position():
    images = torch.rand(1, 3, 32, 32)
    detector = KeypointDetector(3, **TINY).eval()
    warm = detector.heatmaps(images)[1].amax(dim=(2, 3))
    detector.heatmaps.temperature = 0.001
    assert (detector.heatmaps(images)[1].amax(dim=(2, 3)) > warm).all()


@pytest.mark.parametrize(("single", "count"), [(False, 14_215_368), (True, 14_153_592)])
def test_parameters_at_the_papers_size(single, count):
    with torch.device("meta"):
        detector = KeypointDetector(single_jacobian_map=single)
    assert sum(p.numel() for p in detector.parameters()) == count


def test_points_stay_in_full_precision_under_autocast():
    detector = KeypointDetector(3, **TINY)
    with torch.autocast("cpu", torch.bfloat16):
        found = detector(torch.rand(1, 3, 32, 32))
    assert found.value.dtype == found.jacobian.dtype == torch.float32
