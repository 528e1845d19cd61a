from functools import partial

import pytest
import torch

from animators.nn.grid import coordinate_grid, warp


def test_identity_grid_returns_the_image_where_corners_are_aligned():
    image = torch.rand(2, 3, 7, 9)
    grid = coordinate_grid(7, 9, like=image).expand(2, -1, -1, -1)
    torch.testing.assert_close(warp(image, grid, align_corners=True), image, atol=2e-6, rtol=0)
    assert (warp(image, grid, align_corners=False) - image).abs().mean() > 0.02


def test_the_other_convention_reads_half_a_pixel_outside():
    ramp = torch.arange(8.0).expand(1, 1, 8, 8) + 1
    grid = coordinate_grid(8, 8, like=ramp)[None]
    read = warp(ramp, grid, align_corners=False, padding="border")[0, 0, 4]
    # pixel i is read at i * 8 / 7 - 0.5
    expected = (torch.arange(8) * 8 / 7 - 0.5).clamp(0, 7) + 1
    torch.testing.assert_close(read, expected)


def test_coordinates_are_xy():
    image = torch.rand(1, 1, 5, 6)
    grid = coordinate_grid(5, 6, like=image)[None].clone()
    grid[..., 0] += 2 / 5  # one pixel to the right of a width of 6
    moved = warp(image, grid, align_corners=True)
    torch.testing.assert_close(moved[..., :-1], image[..., 1:], atol=1e-5, rtol=0)
    assert moved[..., -1].abs().max() < 1e-5  # zeros outside


def test_gradients():
    torch.manual_seed(0)
    image = torch.rand(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    grid = (torch.rand(1, 3, 3, 2, dtype=torch.float64) * 1.6 - 0.8).requires_grad_()
    for corners in (True, False):
        read = partial(warp, align_corners=corners)
        assert torch.autograd.gradcheck(read, (image, grid))


def test_full_precision_under_autocast():
    image, grid = torch.rand(1, 2, 6, 6), torch.rand(1, 6, 6, 2) * 2 - 1
    exact = warp(image, grid, align_corners=False)
    with torch.autocast("cpu", torch.bfloat16):
        half = warp(image.bfloat16(), grid, align_corners=False)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, warp(image.bfloat16().float(), grid, align_corners=False))
    assert (half - exact).abs().max() < 0.01
    assert coordinate_grid(3, 3, like=image.bfloat16()).dtype == torch.float32
    assert coordinate_grid(3, 3, like=image.double()).dtype == torch.float64


def test_align_corners_has_no_default():
    with pytest.raises(TypeError, match="align_corners"):
        warp(torch.rand(1, 1, 2, 2), torch.zeros(1, 2, 2, 2))
