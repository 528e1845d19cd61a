"""Coordinate grids and the project's only sampler.

Convention: xy order, [-1, 1], pixel centres at the ends (corner-aligned grids). Whether the
sampler reads the grid that way is `align_corners`, a fact of each model that has no default:
with False, a corner-aligned grid is read up to half a pixel outside the picture.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from animators.nn.precision import at_least_float32, full_precision


def coordinate_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Make the corner-aligned identity grid.

    Args:
        height: rows, at least 1.
        width: columns, at least 1.
        like: gives device and dtype (half precision gives float32).

    Returns:
        (H, W, 2), xy, from -1 to 1 inclusive.
    """
    dtype = at_least_float32(like[:0]).dtype
    x = torch.linspace(-1, 1, width, device=like.device, dtype=dtype)
    y = torch.linspace(-1, 1, height, device=like.device, dtype=dtype)
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)


def warp(image: Tensor, grid: Tensor, *, align_corners: bool, padding: str = "zeros") -> Tensor:
    """Read an image at the grid's positions, bilinearly (backward warp), in full precision.

    Args:
        image: (B, C, H, W).
        grid: (B, H', W', 2), xy; |coordinate| > 1 lies outside.
        align_corners: True if -1 and 1 are the centres of the outer pixels, False if they are
            the outer edges.
        padding: what lies outside, "zeros", "border" or "reflection".

    Returns:
        (B, C, H', W'), float32 (float64 if the image is).
    """
    with full_precision(image):
        image = at_least_float32(image)
        return F.grid_sample(
            image,
            grid.to(image.dtype),
            mode="bilinear",
            padding_mode=padding,
            align_corners=align_corners,
        )
