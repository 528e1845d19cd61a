"""Metrics of single frames: images (T, 3, H, W) in [0, 1] in, one number a frame (T,) out."""

from typing import cast

import torch
from torch import Tensor
from torchmetrics.functional import mean_absolute_error
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

PSNR_LIMIT = 100.0  # dB; equal images would give infinity and spoil every mean
MOVED = 0.1  # a pixel moves where source and driving differ by more than this

# Weights of the five scales of Wang, Simoncelli, Bovik 2003, from the finest.
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
MS_SSIM_WINDOW = 11


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference.

    Args:
        prediction: (T, 3, H, W) in [0, 1].
        target: (T, 3, H, W) in [0, 1].

    Returns:
        (T,).
    """
    frames = len(prediction)
    one, other = (image.reshape(frames, -1).T for image in (prediction, target))
    return mean_absolute_error(one, other, num_outputs=frames).reshape(frames)


def psnr(prediction: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of RGB images in dB, at most 100.

    Args:
        prediction: (T, 3, H, W) in [0, 1].
        target: (T, 3, H, W) in [0, 1].

    Returns:
        (T,).
    """
    ratio = peak_signal_noise_ratio(
        prediction, target, data_range=1.0, dim=(1, 2, 3), reduction="none"
    )
    return ratio.reshape(len(prediction)).clamp(max=PSNR_LIMIT)


def ssim(prediction: Tensor, target: Tensor) -> Tensor:
    """Structural similarity of RGB images (Wang 2004; gaussian window of 11, sigma 1.5).

    Args:
        prediction: (T, 3, H, W) in [0, 1].
        target: (T, 3, H, W) in [0, 1].

    Returns:
        (T,).
    """
    value = structural_similarity_index_measure(
        prediction, target, data_range=1.0, reduction="none"
    )
    return cast("Tensor", value).reshape(len(prediction))


def ms_ssim_scales(height: int, width: int) -> int:
    """Tell how many scales of MS-SSIM an image is large enough for.

    Returns:
        5 from 176 pixels on, 3 from 44 pixels on, else 0: the window of 11 must fit the coarsest
        image.
    """
    side = min(height, width)
    for scales in (5, 3):
        if side // 2 ** (scales - 1) >= MS_SSIM_WINDOW:
            return scales
    return 0


def ms_ssim_name(height: int, width: int) -> str | None:
    """Name MS-SSIM as it is measured at this size: `ms_ssim`, `ms_ssim_3_scales` or nothing."""
    names: dict[int, str | None] = {5: "ms_ssim", 3: "ms_ssim_3_scales", 0: None}
    return names[ms_ssim_scales(height, width)]


def ms_ssim(prediction: Tensor, target: Tensor) -> Tensor:
    """Multi-scale structural similarity (Wang 2003), over five scales, or three on small images.

    With three scales the first three weights are divided by their sum, and the number stands under
    another name (`ms_ssim_name`).

    Args:
        prediction: (T, 3, H, W) in [0, 1].
        target: (T, 3, H, W) in [0, 1].

    Returns:
        (T,).

    Raises:
        ValueError: the images are too small for three scales.
    """
    height, width = prediction.shape[-2:]
    scales = ms_ssim_scales(height, width)
    if scales == 0:
        raise ValueError(f"MS-SSIM needs images of at least 44 pixels, not {height}x{width}")
    weights = MS_SSIM_WEIGHTS[:scales]
    total = sum(weights) if scales < len(MS_SSIM_WEIGHTS) else 1.0
    value = multiscale_structural_similarity_index_measure(
        prediction,
        target,
        data_range=1.0,
        reduction="none",
        betas=tuple(weight / total for weight in weights),
    )
    return value.reshape(len(prediction))


def moving_frames(source: Tensor, target: Tensor) -> Tensor:
    """Mark the moving half of a clip: frames further from the source than the clip's median.

    Args:
        source: (3, H, W) in [0, 1].
        target: (T, 3, H, W) in [0, 1].

    Returns:
        (T,) bool; nowhere true in a still clip.
    """
    distance = l1(source.expand_as(target), target).double()
    return distance > torch.quantile(distance, 0.5)


def moving_pixel_l1(prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:
    """Mean absolute difference over the pixels that differ from the source by more than 0.1.

    A pixel's difference is the mean over its three channels.

    Args:
        prediction: (T, 3, H, W) in [0, 1].
        target: (T, 3, H, W) in [0, 1].
        source: (3, H, W) in [0, 1].

    Returns:
        (T,); NaN for a frame in which no pixel moves.
    """
    moved = ((target - source).abs().mean(1) > MOVED).double()
    error = (prediction - target).abs().mean(1).double()
    return (error * moved).sum((1, 2)) / moved.sum((1, 2))
