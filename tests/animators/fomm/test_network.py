from dataclasses import replace

import pytest
import torch

from animators.fomm.network import FommNetwork
from animators.nn import occluded_generator
from animators.nn.grid import coordinate_grid

TINY = {
    "num_keypoints": 4,
    "keypoint_width": 4,
    "motion_width": 4,
    "max_width": 16,
    "blocks": 2,
    "shrink_factor": 2,
    "generator_width": 4,
    "generator_max_width": 8,
    "residual_blocks": 1,
}


@pytest.fixture
def network():
    network = FommNetwork(32, **TINY)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


@pytest.mark.parametrize("size", [32, 48, 64])
def test_sizes(size):
    network = FommNetwork(size, **TINY)
    source, driving = torch.rand(2, 2, 3, size, size)
    state, motion = network.encode_source(source), network.encode_motion(driving)
    assert state.small.shape == (2, 3, size // 2, size // 2)
    assert state.gaussians.shape == (2, 4, size // 2, size // 2)
    assert motion.keypoints.value.shape == (2, 4, 2)
    assert motion.keypoints.jacobian.shape == (2, 4, 2, 2)
    flow = network.flow(state, motion)
    assert flow.grid.shape == (2, size // 2, size // 2, 2)
    assert network.draw(state, motion).shape == source.shape


@pytest.mark.parametrize("size", [64, 200, 320])
def test_sizes_that_the_papers_halvings_do_not_divide(size):
    with pytest.raises(ValueError, match=r"image_size must be a multiple of 128 .* 256"):
        FommNetwork(size)


def test_the_generators_halvings_count_too():
    with pytest.raises(ValueError, match="multiple of 16 "):
        FommNetwork(24, **TINY, down_blocks=4)


@pytest.mark.parametrize(
    "name",
    [
        "num_keypoints", "keypoint_width", "motion_width", "max_width", "blocks", "shrink_factor",
        "generator_width", "generator_max_width", "down_blocks",
    ],
)  # fmt: skip
@pytest.mark.parametrize("number", [0, -1])
def test_what_nothing_can_be_built_of_is_refused(name, number):
    with pytest.raises(ValueError, match=f"^{name} must be at least 1, got {number}$"):
        FommNetwork(32, **(TINY | {name: number}))


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"^residual_blocks must be at least 0, got -1$"):
        FommNetwork(32, **(TINY | {"residual_blocks": -1}))
    for temperature in (0.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match=r"^temperature must be above 0, got"):
            FommNetwork(32, **TINY, temperature=temperature)
    with pytest.raises(ValueError, match=r"^image_size must be at least 14, so that 7 pixels"):
        FommNetwork(8, **TINY)
    assert FommNetwork(16, **TINY).keypoints(torch.rand(1, 3, 16, 16)).value.isfinite().all()


@pytest.mark.parametrize(("single", "count"), [(False, 14_215_368), (True, 14_153_592)])
def test_parameters_at_the_papers_size(single, count):
    with torch.device("meta"):
        network = FommNetwork(single_jacobian_map=single)
    assert sum(p.numel() for p in network.keypoints.parameters()) == count
    assert sum(p.numel() for p in network.parameters()) == count + 45_575_391


def test_every_parameter_receives_a_gradient(network):
    source, driving = torch.rand(2, 4, 3, 32, 32)
    network.train()
    drawn = network.draw(network.encode_source(source), network.encode_motion(driving))
    (drawn - driving).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_a_picture_that_drives_itself_does_not_move(network):
    picture = torch.rand(2, 3, 32, 32)
    state = network.encode_source(picture)
    flow = network.flow(state, network.encode_motion(picture))
    still = coordinate_grid(16, 16, picture).expand(2, -1, -1, -1)
    torch.testing.assert_close(flow.grid, still, atol=1e-5, rtol=0)


def test_keypoints_that_turn_together_turn_the_plane(network):
    """One affine map of all keypoints and jacobians is the motion of every one of them."""
    state = network.encode_source(torch.rand(1, 3, 32, 32))
    turn, shift = torch.tensor([[0.8, -0.3], [0.2, 1.1]]), torch.tensor([0.1, -0.2])
    own = state.keypoints
    moved = replace(own, value=own.value @ turn.T + shift, jacobian=turn @ own.jacobian)
    seen = []
    network.dense_motion.register_forward_pre_hook(lambda module, given: seen.append(given[2]))
    network.flow(state, replace(network.encode_motion(state.small), keypoints=moved))
    grid = coordinate_grid(16, 16, turn)
    back = (grid - shift) @ torch.linalg.inv(turn).T
    for k in range(1, 5):
        torch.testing.assert_close(seen[0][0, k], back, atol=1e-4, rtol=1e-4)
    assert torch.equal(seen[0][0, 0], grid)


def test_only_features_are_warped_at_the_generators_size(network, monkeypatch):
    """The authors also warp the picture itself, and never look at it."""
    shapes, original = [], occluded_generator.warp

    def counted(image, *rest, **options):
        shapes.append(tuple(image.shape[1:]))
        return original(image, *rest, **options)

    monkeypatch.setattr(occluded_generator, "warp", counted)
    picture = torch.rand(1, 3, 32, 32)
    network.draw(network.encode_source(picture), network.encode_motion(picture))
    assert shapes == [(8, 8, 8)]


def test_both_parts_sample_as_told():
    for corners in (False, True):
        network = FommNetwork(32, **TINY, align_corners=corners)
        assert network.dense_motion.align_corners is corners
        assert network.generator.align_corners is corners


def test_drawing_agrees_between_float32_and_float64(network):
    source, driving = torch.rand(2, 1, 3, 32, 32)
    single = network.draw(network.encode_source(source), network.encode_motion(driving))
    network.double()
    source, driving = source.double(), driving.double()
    double = network.draw(network.encode_source(source), network.encode_motion(driving))
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, atol=1e-4, rtol=0)


def test_mixed_precision_draws_nearly_the_same(network):
    source, driving = torch.rand(2, 1, 3, 32, 32)
    exact = network.draw(network.encode_source(source), network.encode_motion(driving))
    with torch.autocast("cpu", torch.bfloat16):
        state, motion = network.encode_source(source), network.encode_motion(driving)
        half, flow = network.draw(state, motion), network.flow(state, motion)
    assert flow.grid.dtype == motion.keypoints.jacobian.dtype == torch.float32
    assert (half.float() - exact).abs().mean() < 0.02
