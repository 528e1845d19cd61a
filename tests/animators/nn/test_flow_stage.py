import torch

from animators.nn.flow_stage import FlowHead, FlowStage, RgbHead
from animators.nn.grid import coordinate_grid, warp
from animators.nn.resample import binomial_kernel, upsample


def test_a_silent_head_reads_the_base_grid():
    head = FlowHead(4, 6)
    torch.nn.init.zeros_(head.weight)
    x = torch.randn(2, 4, 8, 8)
    flow = head(x, torch.randn(2, 6), None)
    torch.testing.assert_close(flow.grid, coordinate_grid(8, 8, like=x).expand(2, -1, -1, -1))
    assert flow.mask.eq(0.5).all()


def test_the_head_is_a_modulated_convolution_without_demodulation():
    head = FlowHead(4, 6).double()
    torch.nn.init.normal_(head.bias)
    x, latent = torch.randn(2, 4, 8, 8).double(), torch.randn(2, 6).double()
    coarser = torch.randn(2, 3, 4, 4).double()
    style = head.modulation(latent)
    raw = torch.einsum("oc,bc,bchw->bohw", head.weight / 2, style, x) + head.bias.view(3, 1, 1)
    raw = raw + upsample(coarser, binomial_kernel(4.0).double())
    flow = head(x, latent, coarser)
    torch.testing.assert_close(flow.raw, raw)
    base = coordinate_grid(8, 8, like=x)
    torch.testing.assert_close(flow.grid[..., 0], raw[:, 0].tanh() + base[..., 0])  # x first
    torch.testing.assert_close(flow.grid[..., 1], raw[:, 1].tanh() + base[..., 1])
    torch.testing.assert_close(flow.mask, raw[:, 2:].sigmoid())


def test_the_stage_warps_masks_and_blends():
    x, feature, latent = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8), torch.randn(1, 6)
    for corners in (False, True):
        stage = FlowStage(4, 6, align_corners=corners, last=False)
        flow, warped, blended = stage(x, feature, latent, None)
        read = warp(feature, flow.grid, align_corners=corners)
        torch.testing.assert_close(warped, read * flow.mask)
        torch.testing.assert_close(blended, warped + (1 - flow.mask) * x)
    assert FlowStage(4, 6, align_corners=True, last=True)(x, feature, latent, None).blended is None


def test_the_picture_is_accumulated():
    head = RgbHead(4)
    torch.nn.init.normal_(head.bias)
    warped, coarser = torch.randn(1, 4, 8, 8), torch.randn(1, 3, 4, 4)
    alone = head(warped, None)
    torch.testing.assert_close(alone, head.conv(warped) + head.bias.view(3, 1, 1))
    both = head(warped, coarser)
    torch.testing.assert_close(both, alone + upsample(coarser, binomial_kernel(4.0)))


def test_full_precision_under_autocast():
    stage = FlowStage(4, 6, align_corners=False, last=False)
    x, feature = torch.randn(1, 4, 8, 8).bfloat16(), torch.randn(1, 4, 8, 8).bfloat16()
    latent = torch.randn(1, 6)
    exact = stage(x.float(), feature.float(), latent, None)
    with torch.autocast("cpu", torch.bfloat16):
        half = stage(x, feature, latent, None)
    assert half.flow.grid.dtype == torch.float32
    torch.testing.assert_close(half.flow.grid, exact.flow.grid)
    torch.testing.assert_close(half.warped, exact.warped)
