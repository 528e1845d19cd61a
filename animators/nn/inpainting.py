"""Warp and mask the source's features at every size, fill in what the source hides (TPSMM)."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from animators.nn.blocks import DownBlock, ResidualBlock, SameBlock, UpBlock
from animators.nn.grid import warp
from animators.nn.hourglass import check_counts
from animators.nn.occluded_generator import resize_grid
from animators.nn.spline_motion import SplineFlow

RefineFlow = Callable[[int, Tensor, Tensor], Tensor]
"""(scale, flow (B, H, W, 2), feature warped by it (B, C, H, W)) -> flow of the same shape."""
MixFeature = Callable[[int, Tensor], Tensor]
"""(scale, warped feature (B, C, H, W), not masked yet) -> feature of the same shape."""


class Inpainting(NamedTuple):
    """Output of the generator.

    `picture` is (B, 3, H, W) in (0, 1), `grids` the flow that warped each scale (B, h, w, 2) and
    `warped` its feature before the mask (B, C, h, w), both coarse to fine.
    """

    picture: Tensor
    grids: tuple[Tensor, ...]
    warped: tuple[Tensor, ...]


class InpaintingGenerator(nn.Module):
    """Decode the source's warped features, each scale masked by an occlusion map of its own.

    Scales are counted from the coarsest, 0. Two residual blocks stand before each doubling.

    Args:
        width: channels at full size; each halving doubles them.
        max_width: most channels.
        down_blocks: halvings, at least 2.
        align_corners: how the sampler reads the corner-aligned grids.

    Raises:
        ValueError: fewer than two halvings.
    """

    def __init__(
        self, *, width: int, max_width: int, down_blocks: int, align_corners: bool
    ) -> None:
        super().__init__()
        check_counts(2, down_blocks=down_blocks)
        widths = [min(max_width, width * 2**i) for i in range(down_blocks + 1)]
        self.first = SameBlock(3, widths[0], norm="instance")
        self.down = nn.ModuleList(DownBlock(a, b, norm="instance") for a, b in pairwise(widths))
        self.residual, self.up = nn.ModuleList(), nn.ModuleList()
        above = widths[-1]
        for scale, below in enumerate(reversed(widths[:-1])):
            pair = (ResidualBlock(above, norm="instance") for _ in range(2))
            self.residual.append(nn.Sequential(*pair))
            self.up.append(UpBlock(above, below, norm="instance"))
            # the warped feature joins by concatenation, at full size by blending
            above = below if scale == down_blocks - 1 else 2 * below
        self.final = nn.Conv2d(widths[0], 3, 7, padding=3)
        self.align_corners = align_corners

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the warped feature of each scale, coarse to fine."""
        blocks = [self.first, *self.down]
        return tuple(block.get_submodule("conv").out_channels for block in reversed(blocks))

    def encode(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return what `forward` needs of (B, 3, H, W): feature maps, coarse to fine, and itself."""
        maps = [images, self.first(images)]
        for down in self.down:
            maps.append(down(maps[-1]))
        return tuple(reversed(maps))

    def forward(
        self,
        source: tuple[Tensor, ...],
        flow: SplineFlow,
        refine_flow: RefineFlow | None = None,
        mix_feature: MixFeature | None = None,
    ) -> Inpainting:
        """Draw the source as the flow moves it.

        Args:
            source: from `encode`.
            flow: resized bilinearly where needed; one occlusion map for each scale.
            refine_flow: replaces the flow of a scale, by which the feature is then warped anew.
            mix_feature: replaces the warped feature of a scale before the mask.
        """
        *maps, images = source
        grids: list[Tensor] = []
        warped: list[Tensor] = []
        for scale, feature in enumerate(maps):
            grid = resize_grid(flow.grid, _size(feature), align_corners=True)
            moved = self._warp(feature, grid)
            if refine_flow is not None:
                grid = refine_flow(scale, grid, moved)
                moved = self._warp(feature, grid)
            grids.append(grid)
            warped.append(moved if mix_feature is None else mix_feature(scale, moved))
        picture = self._decode(warped, flow.occlusion, self._warp(images, grids[-1]))
        return Inpainting(picture, tuple(grids), tuple(warped))

    def _decode(
        self, warped: list[Tensor], occlusion: tuple[Tensor, ...], moved_picture: Tensor
    ) -> Tensor:
        visible = [feature * mask for feature, mask in zip(warped, occlusion, strict=True)]
        x, finest = visible[0], visible.pop()
        for scale, (residual, up) in enumerate(zip(self.residual, self.up, strict=True), start=1):
            x = up(residual(x))
            if scale < len(visible):
                x = torch.cat([x, visible[scale]], dim=1)
        hidden = 1 - occlusion[-1]
        x = self.final(x * hidden + finest).sigmoid()
        return x * hidden + moved_picture * occlusion[-1]

    def _warp(self, feature: Tensor, grid: Tensor) -> Tensor:
        return warp(feature, grid, align_corners=self.align_corners)


def _size(maps: Tensor) -> tuple[int, int]:
    return maps.shape[2], maps.shape[3]
