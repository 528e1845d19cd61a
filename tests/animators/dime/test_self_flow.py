import pytest
import torch

from animators.dime.self_flow import REACH, SelfFlow
from animators.nn.grid import coordinate_grid, warp


@pytest.fixture
def flow():
    torch.manual_seed(0)
    return SelfFlow(6, width=4, max_width=16, blocks=2, align_corners=True).double().eval()


def given():
    return torch.randn(2, 6, 8, 8).double(), torch.rand(2, 3, 8, 8).double()


def stir(flow):
    torch.nn.init.normal_(flow.offset.weight, std=0.05)
    torch.nn.init.normal_(flow.offset.bias, std=0.1)


@torch.no_grad()
def test_it_begins_as_the_identity(flow):
    features, view = given()
    identity = coordinate_grid(8, 8, like=features)
    assert torch.equal(flow.grid(features, view), identity.expand(2, -1, -1, -1))
    torch.testing.assert_close(flow(features, view), features, atol=1e-12, rtol=0)


@torch.no_grad()
def test_the_offset_is_bounded_by_the_pictures_width(flow):
    """From edge to edge and no further, whatever the hourglass finds."""
    stir(flow)
    features, view = given()
    identity = coordinate_grid(8, 8, like=features)
    found = flow.hourglass(torch.cat([features, view], dim=1))
    raw = torch.nn.functional.conv2d(found, flow.offset.weight, flow.offset.bias, padding=3)
    offset = flow.grid(features, view) - identity
    torch.testing.assert_close(offset, 2 * torch.tanh(raw).movedim(1, -1))
    assert offset.abs().max() > 0.01
    flow.offset.bias.fill_(1e3)
    assert (flow.grid(features, view) - identity - REACH).abs().max() < 1e-9


@torch.no_grad()
def test_features_are_read_at_the_grid_and_the_view_only_steers(flow):
    stir(flow)
    features, view = given()
    expected = warp(features, flow.grid(features, view), align_corners=True)
    torch.testing.assert_close(flow(features, view), expected)
    assert (flow(features, 1 - view) - expected).abs().max() > 1e-4
    flow.align_corners = False
    assert (flow(features, view) - expected).abs().max() > 1e-4


def test_its_silent_last_layer_learns_first_and_then_the_rest(flow):
    features, view = given()
    target = features.roll(1, dims=3)
    flow.train()
    (flow(features, view) - target).square().mean().backward()
    assert flow.offset.weight.grad.abs().sum() > 0
    assert not any(p.grad.any() for p in flow.hourglass.parameters())
    stir(flow)
    flow.zero_grad()
    (flow(features, view) - target).square().mean().backward()
    assert all(p.grad.abs().sum() > 0 for p in flow.parameters())


def test_the_grid_is_in_full_precision(flow):
    flow.float()
    stir(flow)
    features, view = (part.float() for part in given())
    exact = flow.grid(features, view)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = flow.grid(features.bfloat16(), view)
    assert mixed.dtype == torch.float32
    assert (mixed - exact).abs().mean() < 0.02
