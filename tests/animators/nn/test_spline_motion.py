import pytest
import torch

from animators.nn import tps
from animators.nn.grid import coordinate_grid
from animators.nn.spline_motion import (
    DenseSplineMotion,
    contribution_maps,
    keep_masks,
    spline_motions,
)


def keys(count, epoch=0):
    return torch.tensor([[0, epoch, i] for i in range(count)])


def dense(**changes):
    sizes = {"width": 4, "max_width": 16, "blocks": 3, "shrink_factor": 4, "occlusion_maps": 4}
    return DenseSplineMotion(3, 4, **(sizes | changes), align_corners=True)


def candidates(batch=2, size=16):
    grid = coordinate_grid(size, size, torch.zeros(1)).expand(batch, 4, -1, -1, -1)
    shifts = torch.tensor([0.0, 0.5, -0.5, 0.25]).view(4, 1, 1, 1)
    return torch.rand(batch, 3, size, size), torch.randn(batch, 13, size, size), grid + shifts


def test_a_shift_of_the_points_shifts_every_position(monkeypatch):
    monkeypatch.setattr(tps, "RIDGE", 0.0)
    driving = 2 * torch.rand(2, 12, 2, dtype=torch.float64) - 1
    motions = spline_motions(driving, driving + torch.tensor([0.2, -0.1]), 3, (5, 7))
    wanted = coordinate_grid(5, 7, driving) + torch.tensor([0.2, -0.1], dtype=torch.float64)
    torch.testing.assert_close(motions, wanted.expand(2, 3, -1, -1, -1), atol=1e-7, rtol=0)


def test_neighbouring_points_belong_to_one_spline():
    driving, source = torch.rand(2, 1, 12, 2)
    motions = spline_motions(driving, source, 3, (4, 4))
    own = spline_motions(driving[:, 4:8], source[:, 4:8], 1, (4, 4))
    torch.testing.assert_close(motions[:, 1:2], own)


def test_splines_are_dropped_at_the_rate_asked_for():
    keep = keep_masks(keys(2000), 10, 0.3)
    assert keep.shape == (2000, 11)
    assert keep[:, 0].all()
    assert set(keep.unique().tolist()) == {0.0, 1.0}
    # four standard deviations of 20,000 draws
    assert keep[:, 1:].mean() == pytest.approx(0.7, abs=4 * (0.21 / 20_000) ** 0.5)
    assert keep_masks(keys(9), 10, 0.0).all()


def test_what_is_dropped_depends_on_the_sample_alone():
    whole = keep_masks(keys(8), 10, 0.5)
    assert torch.equal(
        torch.cat([keep_masks(keys(8)[i : i + 2], 10, 0.5) for i in (0, 2, 4, 6)]), whole
    )
    assert not torch.equal(keep_masks(keys(8, epoch=1), 10, 0.5), whole)


def test_contributions_are_a_softmax_over_what_is_kept():
    logits = torch.randn(2, 4, 6, 6, dtype=torch.float64)
    keep = torch.tensor([[1.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]])
    maps = contribution_maps(logits, keep)
    wanted = logits.masked_fill(keep[:, :, None, None] == 0, -torch.inf).softmax(dim=1)
    # what the 1e-6 takes away is more the more the dropped ones weigh
    torch.testing.assert_close(maps, wanted, atol=1e-3, rtol=0)
    assert (maps[keep == 0] == 0).all()
    torch.testing.assert_close(contribution_maps(logits), logits.softmax(dim=1))


def test_contributions_of_large_logits_are_finite():
    logits = torch.tensor([1e4, -1e4, 0.0]).view(1, 3, 1, 1)
    dropped = contribution_maps(logits, torch.tensor([[1.0, 1.0, 0.0]]))
    assert dropped.flatten().tolist() == pytest.approx([1.0, 0.0, 0.0], abs=1e-5)
    assert contribution_maps(logits, torch.tensor([[0.0, 1.0, 1.0]])).isfinite().all()


@pytest.mark.parametrize(
    ("shrink_factor", "maps", "sizes"),
    [(4, 4, (8, 16, 32, 64)), (2, 4, (4, 8, 16, 32)), (2, 3, (8, 16, 32))],
)
def test_occlusion_maps_double_up_to_the_pictures_size(shrink_factor, maps, sizes):
    net = dense(shrink_factor=shrink_factor, occlusion_maps=maps)
    flow = net(*candidates())
    assert tuple(mask.shape for mask in flow.occlusion) == tuple((2, 1, s, s) for s in sizes)
    assert all(0 < mask.min() <= mask.max() < 1 for mask in flow.occlusion)
    assert flow.contribution.shape == (2, 4, 16, 16)


@pytest.mark.parametrize("changes", [{"shrink_factor": 3}, {"occlusion_maps": 2}, {"blocks": 1}])
def test_sizes_that_do_not_meet_are_refused(changes):
    with pytest.raises(ValueError, match="change shrink_factor, blocks or down_blocks"):
        dense(**changes)


def test_the_flow_is_the_weighted_mean_of_the_candidates():
    small, heat, motions = candidates()
    keep = torch.tensor([[1.0, 1.0, 0.0, 1.0]]).expand(2, -1)
    flow = dense()(small, heat, motions, keep)
    wanted = sum(flow.contribution[:, k, :, :, None] * motions[:, k] for k in range(4))
    torch.testing.assert_close(flow.grid, wanted)
    assert not flow.contribution[:, 2].any()


def test_flow_and_masks_are_single_precision_under_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        flow = dense()(*candidates())
    assert {flow.grid.dtype, flow.contribution.dtype, flow.occlusion[-1].dtype} == {torch.float32}
