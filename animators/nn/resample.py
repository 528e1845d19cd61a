"""Filtered resampling: the FIR filters of StyleGAN2 and the Gaussian pyramid of losses."""

import torch
import torch.nn.functional as F
from torch import Tensor


def binomial_kernel(gain: float = 1.0) -> Tensor:
    """Make the separable 4-tap binomial kernel [1, 3, 3, 1] as (4, 4), summing to `gain`."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) * (gain / 64)


def fir(x: Tensor, kernel: Tensor, padding: int, stride: int = 1) -> Tensor:
    """Correlate every channel with one kernel, zero-padded.

    Args:
        x: (B, C, H, W).
        kernel: (k, k).
        padding: zeros on every side.
        stride: step in both axes.

    Returns:
        (B, C, H', W').
    """
    channels = x.shape[1]
    taps = kernel.to(x.dtype).expand(channels, 1, *kernel.shape)
    return F.conv2d(x, taps, padding=padding, stride=stride, groups=channels)


def upsample(x: Tensor, kernel: Tensor) -> Tensor:
    """Double height and width by inserting zeros and filtering (StyleGAN2's image skip).

    Equal to: one zero after every pixel, padding of 2 left and top and 1 right and bottom,
    correlation with `kernel`.

    Args:
        x: (B, C, H, W).
        kernel: (4, 4), symmetric, summing to 4.

    Returns:
        (B, C, 2H, 2W).
    """
    channels = x.shape[1]
    taps = kernel.to(x.dtype).expand(channels, 1, *kernel.shape)
    return F.conv_transpose2d(x, taps, stride=2, padding=1, groups=channels)


def gaussian_taps(sigma: float) -> Tensor:
    """Sample a normalised Gaussian at the integers within 4 sigma: (2 round(4 sigma) + 1,)."""
    reach = round(4 * sigma)
    at = torch.arange(-reach, reach + 1, dtype=torch.float32)
    taps = torch.exp(-(at**2) / (2 * sigma**2))
    return taps / taps.sum()


def blur_kernel(factor: int) -> Tensor:
    """Lay out the blur of `shrink` for each of three colours: (3, 1, k, k)."""
    taps = gaussian_taps((factor - 1) / 2)
    return torch.outer(taps, taps).expand(3, 1, -1, -1)


def shrink(x: Tensor, factor: int) -> Tensor:
    """Blur, then keep every `factor`-th pixel, as FOMM's and LIA's pyramids do.

    The blur has sigma (factor - 1) / 2 and zero padding, so edges darken slightly.

    Args:
        x: (B, C, H, W).
        factor: 1 returns `x`.

    Returns:
        (B, C, ceil(H / factor), ceil(W / factor)).
    """
    if factor == 1:
        return x
    channels = x.shape[1]
    taps = gaussian_taps((factor - 1) / 2).to(x)
    reach = taps.numel() // 2
    down = taps.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    across = taps.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    x = F.conv2d(x, down, padding=(reach, 0), stride=(factor, 1), groups=channels)
    return F.conv2d(x, across, padding=(0, reach), stride=(1, factor), groups=channels)
