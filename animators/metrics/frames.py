"""Distances between frames, one number a frame; frames are (T, 3, H, W) in [0, 1]."""

import torch
from torch import Tensor
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

PSNR_LIMIT = 100.0
"""dB given to identical frames, whose PSNR is infinite."""
MS_SSIM_BETAS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
MS_SSIM_LEAST = 176
"""Smallest side at which all five scales of MS-SSIM fit."""


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference, (T,); LIA halves the same on [-1, 1]."""
    return (prediction - target).abs().flatten(1).mean(dim=1)


def psnr(prediction: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB over each frame's three channels, (T,)."""
    value = peak_signal_noise_ratio(
        prediction, target, data_range=1.0, dim=(1, 2, 3), reduction="none"
    )
    return value.clamp(max=PSNR_LIMIT)


def ssim(prediction: Tensor, target: Tensor) -> Tensor:
    """Structural similarity on RGB, (T,)."""
    value = structural_similarity_index_measure(
        prediction, target, data_range=1.0, reduction="none"
    )
    assert isinstance(value, Tensor)
    return value.reshape(-1)


def ms_ssim_scales(size: int) -> int:
    """Scales of MS-SSIM that frames of `size` pixels allow: five from 176 pixels on."""
    return 5 if size >= MS_SSIM_LEAST else 3


def ms_ssim(prediction: Tensor, target: Tensor) -> Tensor:
    """Multi-scale structural similarity, (T,).

    Below 176 pixels the last two of the five scales do not fit; the first three are then
    used, with their published weights made to sum to 1.
    """
    weights = MS_SSIM_BETAS[: ms_ssim_scales(min(prediction.shape[2:]))]
    betas = tuple(w / sum(weights) for w in weights)
    return multiscale_structural_similarity_index_measure(
        prediction, target, data_range=1.0, reduction="none", betas=betas, normalize="relu"
    ).reshape(-1)


def moving_half(target: Tensor, source: Tensor) -> Tensor:
    """Frames that differ from the source by more than their clip's median frame does, (T,) bool.

    Args:
        target: (T, 3, H, W), the true frames.
        source: (3, H, W).
    """
    distance = l1(source[None].expand_as(target), target)
    # the mean of the two middle ones, so that exactly half of an even number lies above
    return distance > distance.quantile(0.5)


def moving_pixels_l1(
    prediction: Tensor, target: Tensor, source: Tensor, threshold: float = 0.1
) -> tuple[Tensor, Tensor]:
    """L1 over the values in which a frame differs from the source by more than `threshold`.

    Returns:
        Sums (T,) and counts (T,) of such values.
    """
    moving = (target - source[None]).abs() > threshold
    difference = torch.where(moving, (prediction - target).abs(), 0.0)
    return difference.flatten(1).sum(dim=1), moving.flatten(1).sum(dim=1)
