import pytest
import torch

from animators.nn.grid import coordinate_grid, warp
from animators.nn.inpainting import InpaintingGenerator
from animators.nn.spline_motion import SplineFlow

SIZES = (4, 8, 16, 32)


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return InpaintingGenerator(width=4, max_width=16, down_blocks=3, align_corners=True).eval()


def flow(occlusion, shift=0.0, batch=2):
    grid = coordinate_grid(8, 8, torch.zeros(1)).expand(batch, -1, -1, -1) + shift
    masks = tuple(torch.full((batch, 1, s, s), occlusion) for s in SIZES)
    return SplineFlow(grid, torch.ones(batch, 1, 8, 8), masks)


@pytest.fixture
def pictures():
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_the_encoding_runs_from_coarse_to_the_picture_itself(generator, pictures):
    *maps, last = generator.encode(pictures)
    assert last is pictures
    assert [m.shape[-1] for m in maps] == list(SIZES)
    assert tuple(m.shape[1] for m in maps) == generator.channels == (16, 16, 8, 4)


@torch.no_grad()
def test_what_is_wholly_visible_is_the_warped_source_itself(generator, pictures):
    moved = flow(1.0, shift=0.3)
    drawn = generator(generator.encode(pictures), moved)
    wanted = warp(pictures, drawn.grids[-1], align_corners=True)
    torch.testing.assert_close(drawn.picture, wanted, atol=1e-6, rtol=0)


@torch.no_grad()
def test_what_is_wholly_hidden_does_not_depend_on_the_source(generator, pictures):
    a = generator(generator.encode(pictures), flow(0.0)).picture
    b = generator(generator.encode(pictures.flip(0)), flow(0.0, shift=0.2)).picture
    assert torch.equal(a, b)


@torch.no_grad()
def test_every_scale_and_mask_has_its_part_in_the_picture(generator, pictures):
    state, whole = generator.encode(pictures), flow(0.5)
    drawn = generator(state, whole).picture
    for scale in range(4):
        masks = list(whole.occlusion)
        masks[scale] = masks[scale] * 0.5
        other = SplineFlow(whole.grid, whole.contribution, tuple(masks))
        assert (generator(state, other).picture - drawn).abs().max() > 1e-5, scale


@torch.no_grad()
def test_flows_are_resized_corner_to_corner(generator, pictures):
    for grid, size in zip(
        generator(generator.encode(pictures), flow(0.5)).grids, SIZES, strict=True
    ):
        wanted = coordinate_grid(size, size, grid).expand(2, -1, -1, -1)
        torch.testing.assert_close(grid, wanted, atol=1e-6, rtol=0)


@torch.no_grad()
def test_refinements_that_change_nothing_leave_every_bit(generator, pictures):
    state, seen = generator.encode(pictures), []

    def refine(scale, grid, feature):
        seen.append(("flow", scale, tuple(grid.shape), tuple(feature.shape)))
        return grid

    def mix(scale, feature):
        seen.append(("feature", scale, tuple(feature.shape)))
        return feature

    plain = generator(state, flow(0.5, shift=0.1))
    refined = generator(state, flow(0.5, shift=0.1), refine, mix)
    assert torch.equal(plain.picture, refined.picture)
    wanted = []
    for scale, (channels, size) in enumerate(zip(generator.channels, SIZES, strict=True)):
        feature = (2, channels, size, size)
        wanted += [("flow", scale, (2, size, size, 2), feature), ("feature", scale, feature)]
    assert seen == wanted


@torch.no_grad()
def test_a_refined_flow_warps_its_scale_and_a_mixed_feature_takes_its_place(generator, pictures):
    state = generator.encode(pictures)
    shifted = generator(state, flow(0.5, shift=0.1))
    refined = generator(state, flow(0.5), lambda _, grid, feature: grid + 0.1)
    torch.testing.assert_close(refined.picture, shifted.picture, atol=1e-5, rtol=0)
    for a, b in zip(refined.warped, shifted.warped, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0)
    plain = generator(state, flow(0.5))
    for scale in range(4):
        double = generator(state, flow(0.5), None, lambda s, x, at=scale: x * (1 + (s == at)))
        torch.testing.assert_close(double.warped[scale], 2 * plain.warped[scale])
        assert (double.picture - plain.picture).abs().max() > 1e-5


def test_other_numbers_of_scales():
    net = InpaintingGenerator(width=4, max_width=8, down_blocks=2, align_corners=True)
    masks = tuple(torch.rand(1, 1, s, s) for s in (8, 16, 32))
    grid = coordinate_grid(16, 16, masks[0]).expand(1, -1, -1, -1)
    state = net.encode(torch.rand(1, 3, 32, 32))
    assert net(state, SplineFlow(grid, grid, masks)).picture.shape == (1, 3, 32, 32)
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        net(state, SplineFlow(grid, grid, masks[:2]))
    with pytest.raises(ValueError, match="down_blocks must be at least 2"):
        InpaintingGenerator(width=4, max_width=8, down_blocks=1, align_corners=True)
