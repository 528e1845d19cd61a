"""One level of LIA's flow-field generator and refinement network (section 3.3, figure 3)."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from animators.nn.grid import coordinate_grid, warp
from animators.nn.precision import at_least_float32, full_precision
from animators.nn.resample import binomial_kernel, upsample
from animators.nn.stylegan import ConvLayer, EqualLinear


class Flow(NamedTuple):
    """A level's flow field and mask.

    Attributes:
        raw: (B, 3, H, W), accumulated over the levels, before tanh and sigmoid.
        grid: (B, H, W, 2), where each output pixel reads the source, xy in (-2, 2).
        mask: (B, 1, H, W) in (0, 1), how much of the warped source is shown.
    """

    raw: Tensor
    grid: Tensor
    mask: Tensor


class FlowHead(nn.Module):
    """Modulated 1x1 convolution to a flow field and a mask, added to the coarser level's.

    Args:
        in_channels: channels of the decoder's map.
        latent_dim: size of the latent that modulates.
    """

    kernel: Tensor

    def __init__(self, in_channels: int, latent_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, in_channels))
        self.modulation = EqualLinear(latent_dim, in_channels, bias=1.0)
        self.bias = nn.Parameter(torch.zeros(3))
        self.scale = 1 / math.sqrt(in_channels)
        self.register_buffer("kernel", binomial_kernel(4.0), persistent=False)

    def forward(self, x: Tensor, latent: Tensor, coarser: Tensor | None) -> Flow:
        """Read the flow off x (B, C, H, W); `coarser` is the level below's raw map."""
        with full_precision(x):
            x, latent = at_least_float32(x), at_least_float32(latent)
            style = self.modulation(latent) * self.scale
            height, width = x.shape[2:]
            raw = torch.matmul(self.weight * style[:, None], x.flatten(2))
            raw = raw.view(-1, 3, height, width)
            raw = raw + self.bias[:, None, None]
            if coarser is not None:
                raw = raw + upsample(coarser, self.kernel)
            base = coordinate_grid(height, width, like=raw)
            grid = torch.tanh(raw[:, :2]).permute(0, 2, 3, 1) + base
            return Flow(raw, grid, torch.sigmoid(raw[:, 2:]))


class RgbHead(nn.Module):
    """1x1 convolution with leaky ReLU and two biases, added to the coarser picture.

    Args:
        in_channels: channels of the warped features.
    """

    kernel: Tensor

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv = ConvLayer(in_channels, 3, 1)
        self.bias = nn.Parameter(torch.zeros(3))
        self.register_buffer("kernel", binomial_kernel(4.0), persistent=False)

    def forward(self, warped: Tensor, coarser: Tensor | None) -> Tensor:
        """Draw (B, 3, H, W) from warped (B, C, H, W); `coarser` is the level below's picture."""
        with full_precision(warped):
            rgb = self.conv(at_least_float32(warped)) + self.bias[:, None, None]
            return rgb if coarser is None else rgb + upsample(coarser, self.kernel)


class Warped(NamedTuple):
    """What a level hands on.

    Attributes:
        flow: flow field and mask.
        warped: (B, C, H, W), source features where the flow reads them, times the mask.
        blended: (B, C, H, W), the same filled up with the decoder's own map; None at the
            last level, where nothing reads it.
    """

    flow: Flow
    warped: Tensor
    blended: Tensor | None


class FlowStage(nn.Module):
    """Warp the source's features of one level by the flow read off the decoder's map.

    Args:
        in_channels: channels of both maps.
        latent_dim: size of the latent that modulates.
        align_corners: how the sampler reads the corner-aligned grid (False for LIA, True for
            LIA-X: what their weights were trained with).
        last: no level follows.
    """

    def __init__(
        self, in_channels: int, latent_dim: int, *, align_corners: bool, last: bool
    ) -> None:
        super().__init__()
        self.flow = FlowHead(in_channels, latent_dim)
        self.align_corners, self.last = align_corners, last

    def forward(self, x: Tensor, feature: Tensor, latent: Tensor, coarser: Tensor | None) -> Warped:
        """Warp `feature` by the flow of `x`, both (B, C, H, W).

        Args:
            x: the decoder's map.
            feature: the source's feature map.
            latent: (B, latent).
            coarser: the level below's raw flow, or None at the first.
        """
        flow: Flow = self.flow(x, latent, coarser)
        warped = warp(feature, flow.grid, align_corners=self.align_corners) * flow.mask
        blended = None if self.last else torch.addcmul(warped, 1 - flow.mask, x.to(warped.dtype))
        return Warped(flow, warped, blended)
