"""Keypoints as expectations of heatmaps, and gaussians around them (FOMM, MRAA, DiME)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from animators.nn.grid import coordinate_grid
from animators.nn.hourglass import Hourglass
from animators.nn.matrices import inverse_2x2
from animators.nn.precision import at_least_float32, full_precision
from animators.nn.resample import shrink

VARIANCE = 0.01
"""Of the gaussians around keypoints, in squared units of [-1, 1]; every config of the family."""

SMALLEST_HEAT = 1e-30
"""Heat below is none: a ring of subnormal numbers around narrow gaussians slows CPUs."""


@dataclass(frozen=True)
class Keypoints:
    """Keypoints and how the picture is locally oriented and scaled around each.

    Attributes:
        value: (B, K, 2), xy in [-1, 1].
        jacobian: (B, K, 2, 2).
    """

    value: Tensor
    jacobian: Tensor


def spatial_softmax(logits: Tensor, temperature: float) -> Tensor:
    """Turn (B, K, H, W) logits into heatmaps that sum to 1 over the positions, in float32."""
    with full_precision(logits):
        scaled = at_least_float32(logits).flatten(2) / temperature
        return scaled.softmax(dim=2).view_as(logits)


def expectation(heatmap: Tensor) -> Tensor:
    """Mean position under heatmaps (B, K, H, W), on the heatmap's own corner-aligned grid.

    Returns:
        (B, K, 2), xy in [-1, 1].
    """
    grid = coordinate_grid(heatmap.shape[2], heatmap.shape[3], heatmap)
    # summed in a tree: a product of matrices loses a digit over thousands of positions
    return (heatmap[..., None] * grid).sum(dim=(2, 3))


def gaussian_maps(points: Tensor, size: tuple[int, int], variance: float = VARIANCE) -> Tensor:
    """exp(-|z - p|^2 / (2 variance)) at every position z of a grid.

    Args:
        points: (B, K, 2).
        size: height and width of the maps.
        variance: in squared units of [-1, 1].

    Returns:
        (B, K, H, W), at least float32.
    """
    offset = coordinate_grid(*size, like=points) - at_least_float32(points)[:, :, None, None]
    return torch.exp(-0.5 * offset.square().sum(dim=-1) / variance)


def covariance_maps(points: Tensor, covariance: Tensor, size: tuple[int, int]) -> Tensor:
    """exp(-(z - p)^T covariance^-1 (z - p) / 2) at every position z of a grid (MRAA).

    Args:
        points: (B, K, 2).
        covariance: (B, K, 2, 2).
        size: height and width of the maps.

    Returns:
        (B, K, H, W), at least float32.
    """
    with full_precision(points):
        offset = coordinate_grid(*size, like=points) - at_least_float32(points)[:, :, None, None]
        moved = torch.einsum("bkhwi,bkij->bkhwj", offset, inverse_2x2(covariance))
        return torch.exp(-0.5 * (moved * offset).sum(dim=-1))


def heatmap_difference(driving: Tensor, source: Tensor) -> Tensor:
    """Driving minus source maps (B, K, H, W), behind a zero map: (B, K + 1, H, W)."""
    zero = driving.new_zeros(driving.shape[0], 1, *driving.shape[2:])
    heat = driving - source
    return torch.cat([zero, torch.where(heat.abs() < SMALLEST_HEAT, 0.0, heat)], dim=1)


class HeatmapPredictor(nn.Module):
    """Small picture, hourglass, one heatmap for each keypoint.

    Args:
        num_keypoints: K.
        width: the hourglass's.
        max_width: the hourglass's.
        blocks: the hourglass's.
        shrink_factor: the picture is blurred and made this much smaller first.
        temperature: of the softmax over positions.
        padding: of the 7 x 7 convolution to the logits; 0 loses a border of 3 pixels, which the
            heatmap's coordinates then ignore.
    """

    def __init__(
        self,
        num_keypoints: int,
        *,
        width: int,
        max_width: int,
        blocks: int,
        shrink_factor: int,
        temperature: float,
        padding: int,
    ) -> None:
        super().__init__()
        self.hourglass = Hourglass(3, width=width, max_width=max_width, blocks=blocks, norm="batch")
        self.logits = nn.Conv2d(self.hourglass.out_channels, num_keypoints, 7, padding=padding)
        self.shrink_factor, self.temperature, self.padding = shrink_factor, temperature, padding

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, 3, H, W) in [0, 1] to features (B, C, h, w) and heatmaps (B, K, h', w').

        Both are at least float32.
        """
        features = self.hourglass(shrink(images, self.shrink_factor))
        with full_precision(images):
            # a low temperature would magnify what half precision rounds off the logits
            features = at_least_float32(features)
            return features, spatial_softmax(self.logits(features), self.temperature)


class KeypointDetector(nn.Module):
    """Keypoints with jacobians, unsupervised (FOMM section 3.1; DiME).

    Args:
        num_keypoints: K.
        width: the hourglass's.
        max_width: the hourglass's.
        blocks: the hourglass's.
        shrink_factor: how much smaller the picture is made first.
        temperature: of the softmax over positions.
        single_jacobian_map: one map of jacobians for all keypoints instead of one for each.
        padding: of the convolutions to heatmaps and jacobians.
    """

    def __init__(
        self,
        num_keypoints: int = 10,
        *,
        width: int = 32,
        max_width: int = 1024,
        blocks: int = 5,
        shrink_factor: int = 4,
        temperature: float = 0.1,
        single_jacobian_map: bool = False,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.heatmaps = HeatmapPredictor(
            num_keypoints,
            width=width,
            max_width=max_width,
            blocks=blocks,
            shrink_factor=shrink_factor,
            temperature=temperature,
            padding=padding,
        )
        channels = self.heatmaps.hourglass.out_channels
        maps = 1 if single_jacobian_map else num_keypoints
        self.jacobian = nn.Conv2d(channels, 4 * maps, 7, padding=padding)
        nn.init.zeros_(self.jacobian.weight)
        # every jacobian begins as the identity
        self.jacobian.bias = nn.Parameter(torch.eye(2).flatten().repeat(maps))

    def forward(self, images: Tensor) -> Keypoints:
        """Detect in (B, 3, H, W) in [0, 1]."""
        features, heatmap = self.heatmaps(images)
        with full_precision(images):
            maps = torch.unflatten(self.jacobian(features), 1, (-1, 4))
            maps = maps.expand(-1, heatmap.shape[1], -1, -1, -1)
            jacobian = torch.einsum("bkhw,bkchw->bkc", heatmap, maps)
            return Keypoints(expectation(heatmap), torch.unflatten(jacobian, 2, (2, 2)))
