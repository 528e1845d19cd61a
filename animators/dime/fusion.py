"""How much each view counts at each position (DiME eq. 11)."""

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST_CONFIDENCE = 1e-6
"""Added to every confidence, so that their sum can be divided by."""


def fusion_weights(confidence: Tensor, size: tuple[int, int]) -> Tensor:
    """Divide confidences by their sum over the views (eq. 11).

    Args:
        confidence: C_v, (B, V, 1, h, w), above 0.
        size: height and width of the weights.

    Returns:
        (B, V, 1, H', W'), which sum to 1 over V.
    """
    count = confidence.shape[1]
    resized = torch.unflatten(resize(confidence.flatten(0, 1), size), 0, (-1, count))
    return resized / resized.sum(dim=1, keepdim=True)


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (B, C, h, w), whose outer pixels' centres are the ends of [-1, 1], bilinearly."""
    if maps.shape[-2:] == size:
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=True)
