import pytest
import torch

from animators.losses.spline import background_consistency, warp_terms
from animators.nn.grid import coordinate_grid, warp


@pytest.fixture
def maps():
    draw = torch.Generator().manual_seed(0)
    source = [torch.rand(2, c, s, s, generator=draw) for c, s in ((6, 4), (3, 8))]
    grids = [
        coordinate_grid(s, s, x).expand(2, -1, -1, -1) + 0.3
        for s, x in zip((4, 8), source, strict=True)
    ]
    masks = [torch.rand(2, 1, s, s, generator=draw) for s in (4, 8)]
    return source, grids, masks


def test_a_flow_that_leads_from_one_to_the_other_costs_nothing(maps):
    source, grids, masks = maps
    driving = [warp(x, g, align_corners=True) for x, g in zip(source, grids, strict=True)]
    terms = warp_terms(source, driving, grids, masks, align_corners=True)
    assert [t.item() for t in terms] == [0.0, 0.0]
    other = warp_terms(source, driving, grids, masks, align_corners=False)
    assert min(other) > 1e-3


def test_each_scale_is_the_mean_of_the_masked_difference(maps):
    source, grids, masks = maps
    driving = [torch.zeros_like(x) for x in source]
    for x, g, m, term in zip(
        source,
        grids,
        masks,
        warp_terms(source, driving, grids, masks, align_corners=True),
        strict=True,
    ):
        wanted = (warp(x, g, align_corners=True) * m).sum() / x.numel()
        torch.testing.assert_close(term, wanted)


def test_only_the_flow_learns_from_it(maps):
    source, grids, masks = ([x.clone().requires_grad_() for x in part] for part in maps)
    driving = [torch.rand_like(x).requires_grad_() for x in source]
    torch.stack(warp_terms(source, driving, grids, masks, align_corners=True)).sum().backward()
    assert all(x.grad is None for x in (*source, *masks, *driving))
    assert all(x.grad.abs().sum() > 0 for x in grids)


def test_other_numbers_of_scales_are_refused(maps):
    source, grids, masks = maps
    with pytest.raises(ValueError, match="shorter"):
        warp_terms(source, source, grids[:1], masks, align_corners=True)


def test_a_background_that_moves_back_costs_nothing():
    forth = torch.eye(3).repeat(2, 1, 1) + 0.1 * torch.randn(2, 3, 3)
    assert background_consistency(forth, torch.linalg.inv(forth)) < 1e-6


def test_a_background_that_moves_on_costs_its_shift():
    shift = torch.eye(3).repeat(2, 1, 1)
    shift[:, 0, 2] = torch.tensor([0.3, -0.6])
    # twice the shift, at one of nine entries
    assert background_consistency(shift, shift).item() == pytest.approx((0.6 + 1.2) / 2 / 9)


def test_half_precision_is_multiplied_in_single():
    forth, back = torch.randn(2, 2, 3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        found = background_consistency(forth, back)
    assert torch.equal(found, background_consistency(forth, back))
