"""Self-flow: where a warped view may copy from itself what it lacks (DiME eq. 10)."""

import torch
from torch import Tensor, nn

from animators.nn.grid import coordinate_grid, warp
from animators.nn.hourglass import Hourglass
from animators.nn.precision import at_least_float32, full_precision

REACH = 2.0
"""Largest offset along each axis, in units of [-1, 1]: from one edge to the other."""


class SelfFlow(nn.Module):
    """F_A: Phi_v->v of a view that was warped to the driving frame, and its features sampled there.

    The texts say neither what F_A sees nor how it begins. Ours sees the warped features and the
    picture warped likewise, and gives the identity grid plus an offset within `REACH` that is zero
    at the start, so that F_v->v begins as F_v->D.

    Args:
        channels: C of the features.
        width: the hourglass's.
        max_width: the hourglass's.
        blocks: the hourglass's.
        align_corners: how the sampler reads the corner-aligned grids.
    """

    def __init__(
        self, channels: int, *, width: int, max_width: int, blocks: int, align_corners: bool
    ) -> None:
        super().__init__()
        self.hourglass = Hourglass(
            channels + 3, width=width, max_width=max_width, blocks=blocks, norm="batch"
        )
        self.offset = nn.Conv2d(self.hourglass.out_channels, 2, 7, padding=3)
        nn.init.zeros_(self.offset.weight)
        assert self.offset.bias is not None
        nn.init.zeros_(self.offset.bias)
        self.align_corners = align_corners

    def grid(self, features: Tensor, view: Tensor) -> Tensor:
        """Return Phi_v->v, absolute positions (B, h, w, 2), xy (backward warp).

        Args:
            features: F_v->D, (B, C, h, w).
            view: the picture warped likewise, (B, 3, h, w).
        """
        seen = torch.cat([features, view.to(features.dtype)], dim=1)
        found = self.hourglass(seen)
        with full_precision(features):
            offset = REACH * self.offset(at_least_float32(found)).tanh()
            identity = coordinate_grid(features.shape[2], features.shape[3], like=offset)
            return identity + offset.permute(0, 2, 3, 1)

    def forward(self, features: Tensor, view: Tensor) -> Tensor:
        """Return F_v->v, F_v->D sampled at Phi_v->v: (B, C, h, w), as `grid` takes them."""
        return warp(features, self.grid(features, view), align_corners=self.align_corners)
