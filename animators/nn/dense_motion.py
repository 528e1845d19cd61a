"""From sparse motions around keypoints to one dense flow with occlusion (FOMM, MRAA, DiME)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from animators.nn.background import background_grid
from animators.nn.grid import coordinate_grid, warp
from animators.nn.hourglass import Hourglass
from animators.nn.precision import at_least_float32, full_precision


@dataclass(frozen=True)
class DenseFlow:
    """Where each driving position reads in the source, and how much of it is visible there.

    Attributes:
        grid: (B, h, w, 2), absolute positions, xy in [-1, 1] (backward warp).
        mask: (B, K + 1, h, w), share of each candidate motion, summing to 1.
        occlusion: (B, 1, h, w) in (0, 1), 1 where the source is visible.
    """

    grid: Tensor
    mask: Tensor
    occlusion: Tensor

    def displacements(self) -> Tensor:
        """Return the grid minus the identity, (B, h, w, 2), in units of [-1, 1]."""
        return self.grid - coordinate_grid(self.grid.shape[1], self.grid.shape[2], like=self.grid)


def affine_motions(
    matrix: Tensor, driving: Tensor, source: Tensor, size: tuple[int, int]
) -> Tensor:
    """A (z - p_driving) + p_source for every keypoint and position z (FOMM eq. 4).

    Args:
        matrix: A, driving to source, (B, K, 2, 2).
        driving: (B, K, 2).
        source: (B, K, 2).
        size: height and width of the field.

    Returns:
        (B, K, H, W, 2).
    """
    with full_precision(driving):
        driving, source = at_least_float32(driving), at_least_float32(source)
        offset = coordinate_grid(*size, like=driving) - driving[:, :, None, None]
        turned = torch.einsum("bkij,bkhwj->bkhwi", at_least_float32(matrix), offset)
        return turned + source[:, :, None, None]


def with_background(motions: Tensor, matrix: Tensor | None) -> Tensor:
    """Put the background's motion (`matrix` (B, 3, 3), or None) before (B, K, H, W, 2)."""
    behind = background_grid(matrix, motions.shape[2], motions.shape[3], motions)
    return torch.cat([behind[:, None], motions], dim=1)


def warp_each(picture: Tensor, motions: Tensor, *, align_corners: bool) -> Tensor:
    """Warp one picture (B, C, H, W) by each of the motions (B, N, h, w, 2): (B, N, C, h, w)."""
    count = motions.shape[1]
    copies = picture[:, None].expand(-1, count, -1, -1, -1).flatten(0, 1)
    warped = warp(copies, motions.flatten(0, 1), align_corners=align_corners)
    return torch.unflatten(warped, 0, (-1, count))


class DenseMotion(nn.Module):
    """Weigh candidate motions against each other and estimate occlusion (FOMM section 3.2).

    Args:
        num_keypoints: K.
        width: the hourglass's.
        max_width: the hourglass's.
        blocks: the hourglass's.
        align_corners: how the sampler reads the corner-aligned grids.
    """

    def __init__(
        self, num_keypoints: int, *, width: int, max_width: int, blocks: int, align_corners: bool
    ) -> None:
        super().__init__()
        channels = 4 * (num_keypoints + 1)
        self.hourglass = Hourglass(
            channels, width=width, max_width=max_width, blocks=blocks, norm="batch"
        )
        self.mask = nn.Conv2d(self.hourglass.out_channels, num_keypoints + 1, 7, padding=3)
        self.occlusion = nn.Conv2d(self.hourglass.out_channels, 1, 7, padding=3)
        self.align_corners = align_corners

    def forward(self, small: Tensor, heat: Tensor, motions: Tensor) -> DenseFlow:
        """Combine candidate motions.

        Args:
            small: the source, shrunken, (B, 3, h, w).
            heat: driving minus source gaussians behind a zero map, (B, K + 1, h, w).
            motions: candidates, the background first, (B, K + 1, h, w, 2).
        """
        warped = warp_each(small, motions, align_corners=self.align_corners)
        # heatmap and colours of one keypoint stand together
        seen = torch.cat([heat[:, :, None].to(warped.dtype), warped], dim=2).flatten(1, 2)
        features = self.hourglass(seen)
        with full_precision(small):
            features = at_least_float32(features)
            mask = self.mask(features).softmax(dim=1)
            grid = torch.einsum("bkhw,bkhwd->bhwd", mask, motions.to(mask.dtype))
            occlusion = self.occlusion(features).sigmoid()
        return DenseFlow(grid, mask, occlusion)
