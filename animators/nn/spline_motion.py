"""From splines and a background to one dense flow with occlusion maps (TPSMM)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from animators.nn.blocks import UpBlock
from animators.nn.dense_motion import warp_each
from animators.nn.draws import uniform
from animators.nn.grid import coordinate_grid
from animators.nn.hourglass import Hourglass
from animators.nn.precision import at_least_float32, full_precision
from animators.nn.tps import solve, transform


@dataclass(frozen=True)
class SplineFlow:
    """Where each driving position reads in the source, and how much of it is visible there.

    Attributes:
        grid: (B, h, w, 2), absolute positions, xy in [-1, 1] (backward warp).
        contribution: (B, K + 1, h, w), share of each candidate motion, the background first.
        occlusion: maps (B, 1, H', W') in (0, 1), 1 where the source is visible, each twice the
            size of the one before, up to the picture's.
    """

    grid: Tensor
    contribution: Tensor
    occlusion: tuple[Tensor, ...]


def spline_motions(
    driving: Tensor, source: Tensor, num_splines: int, size: tuple[int, int]
) -> Tensor:
    """Where K splines through control points lead every position (TPSMM).

    Args:
        driving: (B, K N, 2).
        source: (B, K N, 2).
        num_splines: K.
        size: height and width of the field.

    Returns:
        (B, K, H, W, 2), at least float32.
    """
    sets = (num_splines, -1)
    splines = solve(torch.unflatten(driving, 1, sets), torch.unflatten(source, 1, sets))
    return transform(splines, coordinate_grid(*size, like=driving))


def keep_masks(keys: Tensor, num_splines: int, probability: float) -> Tensor:
    """Draw which splines of each sample take part in this step (TPSMM eq. 8).

    Args:
        keys: (B, 3) int64, (seed, epoch, index) of each sample.
        num_splines: K.
        probability: of dropping a spline.

    Returns:
        (B, K + 1) float32 of 0 and 1, on the CPU; the background, first, always stays.
    """
    kept = (uniform(keys, "spline dropout", (num_splines,)) < 1 - probability).float()
    return torch.cat([torch.ones(len(keys), 1), kept], dim=1)


def contribution_maps(logits: Tensor, keep: Tensor | None = None) -> Tensor:
    """Turn logits (B, K + 1, H, W) into shares of the candidate motions, in float32.

    Args:
        logits: of each candidate, the background first.
        keep: (B, K + 1) of 0 and 1, from `keep_masks`. The rest shares what the dropped ones
            leave, up to the 1e-6 in the denominator; eq. 8's factor 1 / (1 - p) has no effect
            in the authors' code and is not here. None keeps all.
    """
    with full_precision(logits):
        logits = at_least_float32(logits)
        if keep is None:
            return logits.softmax(dim=1)
        highest = logits.amax(dim=1, keepdim=True)
        kept = (logits - highest).exp() * keep.to(logits)[:, :, None, None]
        return kept / (kept.sum(dim=1, keepdim=True) + 1e-6)


class DenseSplineMotion(nn.Module):
    """Weigh splines and background against each other and estimate occlusion (TPSMM).

    Args:
        num_splines: K.
        points_per_spline: N.
        width: the hourglass's.
        max_width: the hourglass's.
        blocks: the hourglass's.
        shrink_factor: how much smaller than the picture the flow is, a power of two.
        occlusion_maps: how many, each half the size of the next; the last has the picture's.
        align_corners: how the sampler reads the corner-aligned grids.

    Raises:
        ValueError: a shrink factor that is no power of two, or more or fewer occlusion maps than
            hourglass and picture have sizes.
    """

    def __init__(
        self,
        num_splines: int,
        points_per_spline: int,
        *,
        width: int,
        max_width: int,
        blocks: int,
        shrink_factor: int,
        occlusion_maps: int,
        align_corners: bool,
    ) -> None:
        super().__init__()
        halvings = round(math.log2(shrink_factor))
        inside = occlusion_maps - halvings  # of the hourglass's own sizes
        if 2**halvings != shrink_factor or not 1 <= inside <= blocks:
            raise ValueError(
                f"shrink_factor {shrink_factor} must be a power of two, and its halvings and the "
                f"hourglass's {blocks} blocks must reach the {occlusion_maps} sizes of the "
                "generator's maps: change shrink_factor, blocks or down_blocks"
            )
        heat, pictures = num_splines * points_per_spline + 1, 3 * (num_splines + 1)
        self.hourglass = Hourglass(
            heat + pictures, width=width, max_width=max_width, blocks=blocks, norm="instance"
        )
        channels = self.hourglass.out_channels
        self.contribution = nn.Conv2d(channels, num_splines + 1, 7, padding=3)
        seen = list(self.hourglass.map_channels[-inside:])
        self.up = nn.ModuleList()
        for _ in range(halvings):
            self.up.append(UpBlock(seen[-1], seen[-1] // 2, norm="instance"))
            seen.append(seen[-1] // 2)
        self.occlusion = nn.ModuleList(nn.Conv2d(c, 1, 7, padding=3) for c in seen)
        self.inside, self.align_corners = inside, align_corners

    def forward(
        self, small: Tensor, heat: Tensor, motions: Tensor, keep: Tensor | None = None
    ) -> SplineFlow:
        """Combine candidate motions.

        Args:
            small: the source, shrunken, (B, 3, h, w).
            heat: driving minus source gaussians behind a zero map, (B, K N + 1, h, w).
            motions: candidates, the background first, (B, K + 1, h, w, 2).
            keep: (B, K + 1) of 0 and 1, which candidates take part; None keeps all.
        """
        warped = warp_each(small, motions, align_corners=self.align_corners)
        maps = self.hourglass.maps(torch.cat([heat.to(warped.dtype), warped.flatten(1, 2)], dim=1))
        with full_precision(small):
            contribution = contribution_maps(self.contribution(at_least_float32(maps[-1])), keep)
            grid = torch.einsum("bkhw,bkhwd->bhwd", contribution, motions.to(contribution.dtype))
        features = maps[-self.inside :]
        for up in self.up:
            features.append(up(features[-1]))
        with full_precision(small):
            occlusion = tuple(
                head(at_least_float32(feature)).sigmoid()
                for head, feature in zip(self.occlusion, features, strict=True)
            )
        return SplineFlow(grid, contribution, occlusion)
