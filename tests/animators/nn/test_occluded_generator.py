import pytest
import torch
import torch.nn.functional as F

from animators.nn.grid import coordinate_grid, warp
from animators.nn.occluded_generator import OccludedGenerator, resize_grid


def made(*, skips, align_corners=True):
    generator = OccludedGenerator(
        width=4,
        max_width=8,
        down_blocks=2,
        residual_blocks=2,
        skips=skips,
        align_corners=align_corners,
    )
    with torch.no_grad():
        for parameter in generator.parameters():
            if parameter.ndim == 4:
                parameter.mul_(3)  # torch's own start fades within a few layers
    return generator.double().eval()


def picture(seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, 16, 16, generator=draw, dtype=torch.float64)


def identity(side=4):
    return coordinate_grid(side, side, picture()).expand(2, -1, -1, -1)


def occlusion(value, side=4):
    return torch.full((2, 1, side, side), value, dtype=torch.float64)


def test_a_grid_of_the_right_size_is_handed_back():
    grid = identity()
    assert resize_grid(grid, (4, 4), align_corners=False) is grid


def test_the_identity_resized_between_its_corners_is_the_identity():
    found = resize_grid(identity(4), (16, 8), align_corners=True)
    expected = coordinate_grid(16, 8, found).expand(2, -1, -1, -1)
    torch.testing.assert_close(found, expected)
    other = resize_grid(identity(4), (16, 8), align_corners=False)
    assert (other - expected).abs().max() > 0.05


def test_without_skips_only_the_coarsest_map_is_kept():
    maps = made(skips=False).encode(picture())
    assert [tuple(m.shape[1:]) for m in maps] == [(8, 4, 4)]


def test_with_skips_the_picture_and_every_map_are_kept():
    source = picture()
    maps = made(skips=True).encode(source)
    shapes = [(3, 16, 16), (4, 16, 16), (8, 8, 8), (8, 4, 4)]
    assert [tuple(m.shape[1:]) for m in maps] == shapes
    assert maps[0] is source


def test_without_motion_or_occlusion_it_is_an_autoencoder():
    generator = made(skips=False)
    encoded = generator.encode(picture())
    found = generator(encoded, identity(), occlusion(1.0))
    by_hand = generator.bottleneck(encoded[0])
    for up in generator.up:
        by_hand = up(by_hand)
    torch.testing.assert_close(found, generator.final(by_hand).sigmoid())


def test_the_feature_is_warped_then_masked():
    generator = made(skips=False)
    (feature,) = generator.encode(picture())
    grid = 0.7 * identity() + 0.1
    mask = torch.rand(2, 1, 4, 4, dtype=torch.float64)
    moved = warp(feature, grid, align_corners=True) * mask
    expected = generator((moved,), identity(), occlusion(1.0))
    torch.testing.assert_close(generator((feature,), grid, mask), expected)


@pytest.mark.parametrize("skips", [False, True])
def test_nothing_of_the_source_passes_where_all_is_hidden(skips):
    generator = made(skips=skips)
    first, second = (
        generator(generator.encode(picture(seed)), identity(), occlusion(0.0)) for seed in (0, 1)
    )
    assert torch.equal(first, second)
    seen = generator(generator.encode(picture(0)), identity(), occlusion(0.5))
    assert (seen - first).abs().max() > 1e-3


def test_with_skips_the_pixels_themselves_pass_where_all_is_visible():
    generator, source = made(skips=True), picture()
    grid = identity(16).flip(2)  # mirrored
    found = generator(generator.encode(source), grid, occlusion(1.0, 16))
    torch.testing.assert_close(found, source.flip(3))


def test_with_skips_pixels_are_blended_by_the_mask():
    generator, source = made(skips=True), picture()
    encoded = generator.encode(source)
    drawn = []
    generator.final.register_forward_hook(lambda module, given, raw: drawn.append(raw.sigmoid()))
    mask = torch.rand(2, 1, 16, 16, dtype=torch.float64)
    found = generator(encoded, identity(16), mask)
    torch.testing.assert_close(found, mask * source + (1 - mask) * drawn[0])


@pytest.mark.parametrize("skips", [False, True])
def test_flow_and_occlusion_are_resized_bilinearly(skips):
    generator = made(skips=skips)
    encoded = generator.encode(picture())
    grid, mask = 0.8 * identity(8), torch.rand(2, 1, 8, 8, dtype=torch.float64)
    found = generator(encoded, grid, mask)
    if skips:
        assert found.shape == (2, 3, 16, 16)
        return
    small = F.interpolate(mask, size=(4, 4), mode="bilinear", align_corners=False)
    resized = resize_grid(grid, (4, 4), align_corners=False)
    torch.testing.assert_close(found, generator(encoded, resized, small))


def test_sampling_is_as_told():
    corners, edges = made(skips=False, align_corners=True), made(skips=False, align_corners=False)
    edges.load_state_dict(corners.state_dict())
    encoded = corners.encode(picture())
    first, second = (g(encoded, identity(), occlusion(1.0)) for g in (corners, edges))
    assert (first - second).abs().max() > 1e-3


def test_pictures_lie_between_0_and_1():
    generator = made(skips=False)
    found = generator(generator.encode(picture()), identity(), occlusion(1.0))
    assert found.min() > 0
    assert found.max() < 1


def test_parameters_at_the_papers_size():
    with torch.device("meta"):
        generator = OccludedGenerator(
            width=64,
            max_width=512,
            down_blocks=2,
            residual_blocks=6,
            skips=False,
            align_corners=True,
        )
    assert sum(p.numel() for p in generator.bottleneck.parameters()) == 7_087_104
    assert sum(p.numel() for p in generator.parameters()) == 45_575_391 - 37_730_268
