from dataclasses import replace

import pytest
import torch

from animators.nn.grid import coordinate_grid
from animators.nn.spline_network import SplineMotion, SplineNetwork

TINY = {
    "num_splines": 3,
    "points_per_spline": 4,
    "keypoint_width": 4,
    "motion_width": 4,
    "max_width": 16,
    "blocks": 2,
    "shrink_factor": 2,
    "generator_width": 4,
    "generator_max_width": 8,
    "down_blocks": 2,
}


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = SplineNetwork(64, **TINY, avd=True)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


@pytest.fixture
def pictures():
    return torch.rand(2, 2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_parameters_at_the_papers_sizes():
    with torch.device("meta"):
        network = SplineNetwork(avd=True)
    counts = {
        name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()
    }
    assert counts == {
        "keypoints": 11_227_812,
        "background": 11_188_998,
        "dense_motion": 37_941_397,
        "generator": 24_737_283,
        "avd": 2_583_652,
    }
    # four bytes each, and batch-norm's statistics: the five entries of the published files
    size = sum(v.numel() * v.element_size() for v in network.state_dict().values())
    kernel = 3 * 13 * 13 * 4  # their anti-aliasing filter is stored, ours is not
    assert size == 350_838_796 - kernel


@pytest.mark.parametrize(
    "name",
    [
        "num_splines", "points_per_spline", "keypoint_width", "motion_width", "max_width",
        "blocks", "shrink_factor", "generator_width", "generator_max_width", "down_blocks",
    ],
)  # fmt: skip
def test_what_nothing_can_be_built_of_is_refused(name):
    least = 2 if name == "down_blocks" else 1
    with pytest.raises(ValueError, match=f"^{name} must be at least {least}, got -1$"):
        SplineNetwork(64, **(TINY | {name: -1}))


def test_parts_that_are_off_hold_nothing():
    with torch.device("meta"):
        network = SplineNetwork(background=False)
    assert network.background is None
    assert network.avd is None
    assert not [key for key in network.state_dict() if key.startswith(("background", "avd"))]


@pytest.mark.parametrize("size", [64, 96, 320])
def test_sizes_that_the_halvings_do_not_divide_are_refused(size):
    with (
        pytest.raises(ValueError, match="image_size must be a multiple of 128"),
        torch.device("meta"),
    ):
        SplineNetwork(size)
    # dense motion would take 8, the generator's three halvings of full size want 16
    with pytest.raises(ValueError, match="multiple of 16 "):
        SplineNetwork(24, **(TINY | {"blocks": 2, "down_blocks": 4, "shrink_factor": 2}))


@torch.no_grad()
@pytest.mark.parametrize("size", [64, 96])
def test_it_is_convolutional(network, size):
    pictures = torch.rand(2, 3, size, size)
    state = network.encode_source(pictures)
    assert state.points.shape == (2, 12, 2)
    assert state.small.shape == (2, 3, size // 2, size // 2)
    assert state.gaussians.shape == (2, 12, size // 2, size // 2)
    assert state.features[-1] is pictures
    drawn = network.draw(state, network.encode_motion(pictures.flip(0)))
    assert drawn.shape == pictures.shape
    assert 0 < drawn.min() <= drawn.max() < 1


@torch.no_grad()
def test_the_background_moves_against_its_own_source_only(network, pictures):
    source, driving = pictures
    state = network.encode_source(source)
    assert network.encode_motion(driving).background is None
    pair = network.encode_motion(driving, state)
    torch.testing.assert_close(pair.background, network.background(source, driving))
    assert torch.equal(pair.points, network.encode_motion(driving).points)
    still = replace(pair, background=torch.eye(3).expand(2, 3, 3))
    at_rest = network.flow(state, SplineMotion(pair.points)).grid
    torch.testing.assert_close(network.flow(state, still).grid, at_rest)
    assert (network.flow(state, pair).grid - at_rest).abs().max() > 1e-3


@torch.no_grad()
def test_what_is_dropped_does_not_move_anything(network, pictures):
    source, driving = pictures
    state, motion = network.encode_source(source), network.encode_motion(driving)
    nothing = torch.tensor([[1.0, 0.0, 0.0, 0.0]]).expand(2, -1)
    grid = network.flow(state, motion, nothing).grid
    # the background alone: the identity, up to the 1e-6 in the shares' denominator
    torch.testing.assert_close(
        grid, coordinate_grid(32, 32, grid).expand(2, -1, -1, -1), atol=0.02, rtol=0
    )
    assert (network.flow(state, motion).grid - grid).abs().max() > 0.1


@torch.no_grad()
def test_refinements_reach_the_generator(network, pictures):
    state = network.encode_source(pictures[0])
    flow = network.flow(state, network.encode_motion(pictures[1]))
    plain = network.inpaint(state, flow)
    same = network.inpaint(state, flow, lambda _, grid, feature: grid, lambda _, feature: feature)
    assert torch.equal(plain.picture, same.picture)
    other = network.inpaint(state, flow, lambda _, grid, feature: grid + 0.1, None)
    assert (other.picture - plain.picture).abs().max() > 1e-3


@torch.no_grad()
def test_avd_reads_the_shape_of_one_and_the_pose_of_the_other(network, pictures):
    source, driving = pictures
    state, motion = network.encode_source(source), network.encode_motion(driving)
    state = replace(state, identity=network.identity(state))
    points = network.disentangle(state, motion).points
    wanted = network.avd(state.points.flatten(1), motion.points.flatten(1)).view(2, 12, 2)
    torch.testing.assert_close(points, wanted)


def test_avd_without_its_network_or_embedding_is_refused(network, pictures):
    state, motion = network.encode_source(pictures[0]), network.encode_motion(pictures[1])
    with pytest.raises(ValueError, match="not embedded"):
        network.disentangle(state, motion)
    network.avd = None
    assert network.identity(state) is None
    with pytest.raises(ValueError, match="no AVD network"):
        network.disentangle(replace(state, identity=torch.zeros(2, 128)), motion)


@torch.no_grad()
def test_full_precision_islands_under_autocast(network, pictures):
    source, driving = pictures
    state = network.encode_source(source)
    exact = network.draw(state, network.encode_motion(driving, state))
    with torch.autocast("cpu", torch.bfloat16):
        state = network.encode_source(source)
        motion = network.encode_motion(driving, state)
        flow = network.flow(state, motion)
        drawn = network.inpaint(state, flow)
        identity = network.identity(state)
    for x in (state.points, state.gaussians, motion.background, flow.grid, identity):
        assert x.dtype == torch.float32
    assert drawn.warped[0].dtype == torch.float32
    assert state.features[0].dtype == torch.bfloat16  # the convolutions do run in half precision
    assert (drawn.picture - exact).abs().mean() < 0.1


def test_half_precision_gradients_are_finite(network, pictures):
    network.train()
    with torch.autocast("cpu", torch.bfloat16):
        state = network.encode_source(pictures[0])
        motion = network.encode_motion(pictures[1], state)
        drawn = network.inpaint(state, network.flow(state, motion)).picture
        (drawn - pictures[1]).abs().mean().backward()
    for name, parameter in network.named_parameters():
        if not name.startswith("avd."):
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


@torch.no_grad()
def test_double_precision_all_the_way(network, pictures):
    network.double()
    source, driving = pictures.double()
    state = network.encode_source(source)
    motion = network.encode_motion(driving, state)
    assert motion.background.dtype == motion.points.dtype == torch.float64
    assert network.draw(state, motion).dtype == torch.float64
