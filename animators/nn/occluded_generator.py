"""Encode the source, warp and mask its features, decode (FOMM, MRAA with skips, DiME)."""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from animators.nn.blocks import DownBlock, ResidualBlock, SameBlock, UpBlock
from animators.nn.grid import warp


def resize_grid(grid: Tensor, size: tuple[int, int], *, align_corners: bool) -> Tensor:
    """Resize a sampling grid (B, h, w, 2) bilinearly to (B, H, W, 2)."""
    if grid.shape[1:3] == size:
        return grid
    channels_first = grid.permute(0, 3, 1, 2)
    resized = F.interpolate(channels_first, size=size, mode="bilinear", align_corners=align_corners)
    return resized.permute(0, 2, 3, 1)


class OccludedGenerator(nn.Module):
    """Generator of Johnson's kind around a warp of the source's features.

    Args:
        width: channels at full size; each halving doubles them.
        max_width: most channels.
        down_blocks: halvings before the warp.
        residual_blocks: of the bottleneck.
        skips: blend the source's warped features, and at the end its pixels, in where they are
            visible, at every size (MRAA).
        align_corners: how the sampler reads the corner-aligned grids.
        encoder: False leaves the encoder out, for features that come from elsewhere (`decode`).

    Attributes:
        channels: of the coarsest map.
    """

    def __init__(
        self,
        *,
        width: int,
        max_width: int,
        down_blocks: int,
        residual_blocks: int,
        skips: bool,
        align_corners: bool,
        encoder: bool = True,
    ) -> None:
        super().__init__()
        widths = [min(max_width, width * 2**i) for i in range(down_blocks + 1)]
        self.channels = widths[-1]
        if encoder:
            self.first = SameBlock(3, widths[0], norm="batch")
            self.down = nn.ModuleList(DownBlock(a, b, norm="batch") for a, b in pairwise(widths))
        self.bottleneck = nn.Sequential(
            *(ResidualBlock(widths[-1], norm="batch") for _ in range(residual_blocks))
        )
        falling = widths[::-1]
        self.up = nn.ModuleList(UpBlock(a, b, norm="batch") for a, b in pairwise(falling))
        self.final = nn.Conv2d(widths[0], 3, 7, padding=3)
        self.skips, self.align_corners = skips, align_corners

    def encode(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return what `forward` needs of (B, 3, H, W).

        Returns:
            The coarsest map alone; with skips every map from full size to the coarsest, and
            before them the pictures themselves.
        """
        maps = [self.first(images)]
        for down in self.down:
            maps.append(down(maps[-1]))
        return (images, *maps) if self.skips else (maps[-1],)

    def forward(self, source: tuple[Tensor, ...], grid: Tensor, occlusion: Tensor) -> Tensor:
        """Draw (B, 3, H, W), in (0, 1).

        Args:
            source: from `encode`.
            grid: dense flow (B, h, w, 2), resized bilinearly where needed.
            occlusion: (B, 1, h, w), likewise.
        """
        visible, mask = self._visible(source[-1], grid, occlusion)
        if not self.skips:
            return self.decode(visible)
        x = self.bottleneck(visible)
        # the coarsest map was warped before the bottleneck and is blended in once more behind it
        x = visible + x * (1 - mask)
        for index, up in enumerate(self.up, start=2):
            x = self._blend(up(x), source[-index], grid, occlusion)
        return self._blend(self.final(x).sigmoid(), source[0], grid, occlusion)

    def decode(self, x: Tensor) -> Tensor:
        """Draw (B, 3, H, W), in (0, 1), from warped features of the coarsest size, no skips."""
        x = self.bottleneck(x)
        for up in self.up:
            x = up(x)
        drawn: Tensor = self.final(x).sigmoid()
        return drawn

    def _visible(self, feature: Tensor, grid: Tensor, occlusion: Tensor) -> tuple[Tensor, Tensor]:
        """Return the warped feature where it is visible, 0 elsewhere, and the resized mask."""
        height, width = feature.shape[2:]
        # flow and occlusion are resized the same way in every torch version, unlike the sampler
        moved = warp(
            feature,
            resize_grid(grid, (height, width), align_corners=False),
            align_corners=self.align_corners,
        )
        if occlusion.shape[2:] != feature.shape[2:]:
            occlusion = F.interpolate(
                occlusion, size=(height, width), mode="bilinear", align_corners=False
            )
        return moved * occlusion, occlusion

    def _blend(self, x: Tensor, feature: Tensor, grid: Tensor, occlusion: Tensor) -> Tensor:
        visible, mask = self._visible(feature, grid, occlusion)
        return visible + x * (1 - mask)
