"""MRAA's regions: heatmaps with their mean, covariance and principal axes (section 3.2)."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from animators.nn.grid import coordinate_grid
from animators.nn.keypoints import HeatmapPredictor, expectation
from animators.nn.precision import at_least_float32, full_precision

SMALLEST_VARIANCE = 1e-6
"""Along any axis, in squared units of [-1, 1]: a thirtieth of a pixel of a 64-pixel heatmap."""
ROUNDNESS = 1e-3
"""Half the difference of two variances, as a share of their sum, below which a region counts as
nearly round: axes of a round region are arbitrary, and their gradient is damped there."""


@dataclass(frozen=True)
class Regions:
    """Where regions of a picture lie, and how they are oriented and scaled.

    Attributes:
        shift: (B, K, 2), xy in [-1, 1].
        covariance: (B, K, 2, 2), in squared units of [-1, 1].
        affine: (B, K, 2, 2), principal axes times their standard deviations.
    """

    shift: Tensor
    covariance: Tensor
    affine: Tensor


class PrincipalAxes(NamedTuple):
    """Of 2 x 2 covariances: unit axes in columns (..., 2, 2), variances (..., 2) falling."""

    axes: Tensor
    variances: Tensor


def principal_axes(covariance: Tensor) -> PrincipalAxes:
    """Singular value decomposition of symmetric matrices, in closed form, with LAPACK's signs.

    The signs matter where the raw axes are read (AVD). With [[a, b], [b, d]] and
    t = atan2(2 b, a - d) / 2 the axes are +-(cos t, sin t) and +-(sin t, -cos t), a reflection;
    the common sign is plus where b > 0 and a^2 + 2 b^2 < a d. The derivative of t has the pole
    1 / (difference of variances); near it the gradient, not the value, is damped.

    Args:
        covariance: (..., 2, 2), symmetric and not negative.

    Returns:
        Axes and variances, in the input's precision.
    """
    a, b, d = covariance[..., 0, 0], covariance[..., 0, 1], covariance[..., 1, 1]
    half, middle = (a - d) / 2, (a + d) / 2
    square = half.square() + b.square()
    with torch.no_grad():
        angle = torch.atan2(b, half) / 2
        plus = (b > 0) & (a.square() + 2 * b.square() < a * d)
        sign = torch.where(plus, 1.0, -1.0).to(angle.dtype)
        pole = 2 * (square + (2 * ROUNDNESS * middle).square())
        pole = pole.clamp_min(torch.finfo(pole.dtype).tiny)
        by_half, by_b = -b / pole, half / pole
    # the added terms are zero and carry the gradient
    angle = angle + by_b * (b - b.detach()) + by_half * (half - half.detach())
    cosine, sine = sign * angle.cos(), sign * angle.sin()
    axes = torch.unflatten(torch.stack([cosine, sine, sine, -cosine], dim=-1), -1, (2, 2))
    # sqrt has no derivative at 0
    gap = square.clamp_min(torch.finfo(square.dtype).tiny).sqrt()
    return PrincipalAxes(axes, torch.stack([middle + gap, middle - gap], dim=-1))


def regions_of(heatmap: Tensor) -> Regions:
    """Mean, covariance and affine matrix of heatmaps (B, K, H, W) that sum to 1 (eq. 3-5).

    A heatmap thinner than `SMALLEST_VARIANCE` is widened to it, evenly in all directions: its
    matrices could not be inverted.
    """
    with full_precision(heatmap):
        heatmap = at_least_float32(heatmap)
        shift = expectation(heatmap)
        grid = coordinate_grid(heatmap.shape[2], heatmap.shape[3], heatmap)
        offset = grid - shift[:, :, None, None]
        products = offset[..., :, None] * offset[..., None, :]
        # not einsum, whose running sums lose a digit that inverses need
        covariance = (heatmap[..., None, None] * products).sum(dim=(2, 3))
        axes, variances = principal_axes(covariance)
        lacking = (SMALLEST_VARIANCE - variances[..., 1]).clamp_min(0)[..., None]
        identity = torch.eye(2, device=covariance.device, dtype=covariance.dtype)
        deviations = (variances + lacking).sqrt()
        return Regions(
            shift, covariance + lacking[..., None] * identity, axes * deviations[..., None, :]
        )


class RegionPredictor(nn.Module):
    """Picture to regions, unsupervised (section 3.2).

    Args:
        num_regions: K.
        width: the hourglass's.
        max_width: the hourglass's.
        blocks: the hourglass's.
        shrink_factor: how much smaller the picture is made first.
        temperature: of the softmax over positions.
        padding: of the convolution to the heatmaps, 3 or 0.
    """

    def __init__(
        self,
        num_regions: int,
        *,
        width: int,
        max_width: int,
        blocks: int,
        shrink_factor: int,
        temperature: float,
        padding: int,
    ) -> None:
        super().__init__()
        self.heatmaps = HeatmapPredictor(
            num_regions,
            width=width,
            max_width=max_width,
            blocks=blocks,
            shrink_factor=shrink_factor,
            temperature=temperature,
            padding=padding,
        )

    def forward(self, images: Tensor) -> Regions:
        """Detect in (B, 3, H, W) in [0, 1]."""
        return regions_of(self.heatmaps(images)[1])
