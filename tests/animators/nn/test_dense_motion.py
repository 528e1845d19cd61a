import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from animators.nn.background import background_grid
from animators.nn.dense_motion import DenseMotion, affine_motions, warp_each, with_background
from animators.nn.grid import coordinate_grid, warp


def drawn(*shape):
    draw = torch.Generator().manual_seed(sum(shape))
    return 2 * torch.rand(shape, generator=draw, dtype=torch.float64) - 1


@pytest.fixture
def dense():
    return DenseMotion(3, width=4, max_width=8, blocks=2, align_corners=True).double().eval()


@pytest.fixture
def inputs():
    """The source, the heatmaps behind a zero map, four candidate motions."""
    heat = torch.cat([torch.zeros(2, 1, 8, 8), drawn(2, 3, 8, 8)], dim=1)
    return drawn(2, 3, 8, 8), heat, drawn(2, 4, 8, 8, 2)


def test_a_motion_around_the_origin_is_torchs_affine_grid():
    matrix, source = drawn(2, 3, 2, 2), drawn(2, 3, 2)
    found = affine_motions(matrix, torch.zeros_like(source), source, (5, 7))
    theta = torch.cat([matrix, source[..., None]], dim=-1)
    for k in range(3):
        expected = F.affine_grid(theta[:, k], [2, 1, 5, 7], align_corners=True)
        torch.testing.assert_close(found[:, k], expected)


def test_a_motion_leads_the_driving_point_to_the_source_point():
    grid = coordinate_grid(5, 7, drawn(1, 1))
    driving = torch.stack([grid[1, 2], grid[4, 6]])[None]
    source, matrix = drawn(1, 2, 2), drawn(1, 2, 2, 2)
    found = affine_motions(matrix, driving, source, (5, 7))
    torch.testing.assert_close(found[0, 0, 1, 2], source[0, 0])
    torch.testing.assert_close(found[0, 1, 4, 6], source[0, 1])
    # one column further, the first column of the matrix further
    step = found[0, :, 0, 1] - found[0, :, 0, 0]
    torch.testing.assert_close(step, matrix[0, :, :, 0] * (grid[0, 1, 0] - grid[0, 0, 0]))


def test_equal_points_and_the_identity_give_the_identity():
    driving, eye = drawn(2, 3, 2), torch.eye(2, dtype=torch.float64).expand(2, 3, 2, 2)
    found = affine_motions(eye, driving, driving, (5, 7))
    torch.testing.assert_close(found, coordinate_grid(5, 7, driving).expand_as(found))


def test_the_background_stands_first():
    motions, matrix = drawn(2, 3, 5, 7, 2), drawn(2, 3, 3) + 2 * torch.eye(3)
    still, moved = with_background(motions, None), with_background(motions, matrix)
    assert torch.equal(still[:, 1:], motions)
    assert torch.equal(moved[:, 1:], motions)
    assert torch.equal(still[:, 0], coordinate_grid(5, 7, motions).expand(2, -1, -1, -1))
    assert torch.equal(moved[:, 0], background_grid(matrix, 5, 7, motions))


@pytest.mark.parametrize("align_corners", [False, True])
def test_one_picture_is_warped_by_each_motion(align_corners):
    picture, motions = drawn(2, 3, 6, 6), drawn(2, 4, 5, 7, 2)
    found = warp_each(picture, motions, align_corners=align_corners)
    for k in range(4):
        expected = warp(picture, motions[:, k], align_corners=align_corners)
        assert torch.equal(found[:, k], expected)


def test_shares_sum_to_one_and_occlusion_is_a_share(dense, inputs):
    flow = dense(*inputs)
    torch.testing.assert_close(flow.mask.sum(dim=1), torch.ones(2, 8, 8, dtype=torch.float64))
    assert flow.occlusion.min() > 0
    assert flow.occlusion.max() < 1
    assert flow.mask.std(dim=(2, 3)).min() > 0


def test_equal_motions_leave_nothing_to_weigh(dense, inputs):
    small, heat, motions = inputs
    flow = dense(small, heat, motions[:, :1].expand_as(motions))
    torch.testing.assert_close(flow.grid, motions[:, 0])


def test_flow_is_the_mean_of_motions_weighed_by_the_mask(dense, inputs):
    motions = inputs[2]
    flow = dense(*inputs)
    expected = sum(flow.mask[:, k, :, :, None] * motions[:, k] for k in range(4))
    torch.testing.assert_close(flow.grid, expected)
    dense.mask.bias.data[2] = 1e3
    torch.testing.assert_close(dense(*inputs).grid, motions[:, 2])


def test_occlusion_without_features_is_its_bias(dense, inputs):
    dense.occlusion.weight.data.zero_()
    dense.occlusion.bias.data.fill_(0.5)
    expected = torch.tensor(0.5, dtype=torch.float64).sigmoid().expand(2, 1, 8, 8)
    torch.testing.assert_close(dense(*inputs).occlusion, expected)


def test_heatmap_and_colours_of_one_keypoint_stand_together(dense, inputs):
    small, heat, motions = inputs
    seen = []
    dense.hourglass.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    dense(*inputs)
    for k in range(4):
        assert torch.equal(seen[0][:, 4 * k], heat[:, k])
        warped = warp(small, motions[:, k], align_corners=True)
        assert torch.equal(seen[0][:, 4 * k + 1 : 4 * k + 4], warped)


def test_sampling_is_as_told(inputs):
    made = [
        DenseMotion(3, width=4, max_width=8, blocks=2, align_corners=corners).double().eval()
        for corners in (False, True)
    ]
    made[1].load_state_dict(made[0].state_dict())
    first, second = (dense(*inputs).mask for dense in made)
    assert (first - second).abs().max() > 1e-3


def test_gradients_in_double_precision(dense, inputs):
    matrix, driving, source = (
        x.requires_grad_() for x in (drawn(1, 2, 2, 2), drawn(1, 2, 2), drawn(1, 2, 1, 2)[:, :, 0])
    )
    assert gradcheck(lambda a, d, s: affine_motions(a, d, s, (3, 4)), (matrix, driving, source))
    leaves = [x[:1].clone().requires_grad_() for x in inputs]
    # small steps, so that no bilinear sample crosses a pixel's edge
    assert gradcheck(
        lambda *x: dense(*x).grid.sum(dim=(1, 2)), leaves, eps=1e-8, atol=1e-4, rtol=1e-3
    )


def test_flow_stays_in_full_precision_under_autocast(dense, inputs):
    with torch.autocast("cpu", torch.bfloat16):
        flow = dense.float()(*(x.float() for x in inputs))
    assert flow.grid.dtype == flow.mask.dtype == flow.occlusion.dtype == torch.float32


def test_parameters_at_the_papers_size():
    with torch.device("meta"):
        dense = DenseMotion(10, width=64, max_width=1024, blocks=5, align_corners=True)
    assert sum(p.numel() for p in dense.parameters()) == 37_730_268
