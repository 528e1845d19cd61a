"""The flow optimiser: its token map, its reach, its cost, its start."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from animators.nn.grid import coordinate_grid
from animators.swin_tps.flow_optimiser import FlowOptimiser
from animators.swin_tps.network import TOKENS, pieces


def optimiser(channels=6, piece=2, depth=1, alive=True):
    torch.manual_seed(0)
    made = FlowOptimiser(channels, piece, dim=8, heads=2, depth=depth, tokens=TOKENS)
    if alive:
        torch.nn.init.normal_(made.residual.weight, std=0.1)
    return made.eval()


def inputs(side, channels=6, batch=1):
    warped = torch.randn(batch, channels, side, side, generator=torch.Generator().manual_seed(1))
    flow = coordinate_grid(side, side, like=warped)[None].expand(batch, -1, -1, -1)
    return flow, warped


def token_map(made, side, channels):
    seen = []
    made.stages.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
    made(*inputs(side, channels))
    return tuple(seen[0])


def test_the_token_map_is_32_by_32_at_every_scale_of_256_pixels():
    sides = (32, 64, 128, 256)
    assert pieces(len(sides)) == (1, 2, 4, 8)
    for piece, side in zip(pieces(len(sides)), sides, strict=True):
        assert token_map(optimiser(3, piece), side, 3) == (1, 32, 32, 8)


def test_the_map_grows_with_the_picture_and_the_weights_stay():
    made = optimiser(3, 8)
    assert token_map(made, 512, 3) == (1, 64, 64, 8)
    assert token_map(optimiser(3, 8), 64, 3) == (1, 8, 8, 8)


@pytest.mark.parametrize("depth", [1, 2])
def test_there_are_four_blocks_a_depth_with_windows_8_and_4(depth):
    blocks = [b for stage in optimiser(depth=depth).stages for b in stage.branches]
    assert [b.window_size for b in blocks] == [(8, 8), (4, 4)] * (2 * depth)
    assert [b.shift_size for b in blocks] == [(0, 0), (0, 0), (4, 4), (2, 2)] * depth


def test_it_begins_as_the_coarse_flow():
    flow, warped = inputs(64)
    assert torch.equal(optimiser(alive=False)(flow, warped), flow)
    assert not torch.equal(optimiser()(flow, warped), flow)


def test_it_is_the_sum_of_eq_6():
    """Stage by stage with timm's blocks called by hand, the branch weights at their ones."""
    made = optimiser()
    x = torch.randn(1, 32, 32, 8)
    plain, shifted = made.stages
    first = plain.branches[0](x) + plain.branches[1](x)
    wanted = shifted.branches[0](first) + shifted.branches[1](first)
    torch.testing.assert_close(made.stages(x), wanted)
    with torch.no_grad():
        plain.weights.copy_(torch.tensor([0.0, 2.0]))
    torch.testing.assert_close(plain(x), 2 * plain.branches[1](x))


def reach(depth):
    """Rows of tokens that the token in the middle depends on."""
    made = optimiser(depth=depth).double()
    x = torch.randn(1, 32, 32, 8, dtype=torch.float64, requires_grad=True)
    made.stages(x)[0, 17, 17].sum().backward()
    rows = x.grad.abs().sum(dim=(0, 2, 3)) > 0
    return int(rows.sum())


def test_an_output_token_sees_16_by_16_tokens_and_more_with_depth():
    assert reach(1) == 16
    assert reach(2) > 16


def test_the_cost_grows_linearly_with_the_pixels():
    made = optimiser()

    def flops(side):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            made(*inputs(side))
        return counter.get_total_flops()

    assert flops(128) == pytest.approx(4 * flops(64), rel=0.01)
    assert flops(256) == pytest.approx(16 * flops(64), rel=0.01)
