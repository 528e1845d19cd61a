"""Layers of StyleGAN2 (Karras et al. 2020) as LIA and LIA-X use them.

Weights are stored as N(0, 1) and scaled by 1 / sqrt(fan-in) at run time (equalised learning
rate). Activations are leaky ReLUs of slope 0.2 and gain sqrt(2) behind a bias. Both are
linear or positively homogeneous, so scale, gain and bias are folded into the convolution.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from animators.nn.precision import at_least_float32, full_precision
from animators.nn.resample import binomial_kernel, fir, upsample

SLOPE = 0.2
GAIN = math.sqrt(2.0)
EPSILON = 1e-8
SIZES = (64, 128, 256, 512)
NARROW, WIDE = 64, 512


def channels(resolution: int, multiplier: float = 1.0, narrow_at: int = 256) -> int:
    """Width of the layers at a resolution.

    Args:
        resolution: pixels, a power of two.
        multiplier: factor on the width.
        narrow_at: resolution of 64 channels, from which they double down to 512 and halve up:
            256 in StyleGAN2 and LIA, whatever the picture's size; 512 in LIA-X of 512 pixels.
    """
    return max(1, round(min(WIDE, NARROW * narrow_at / resolution) * multiplier))


def check_size(image_size: int) -> int:
    """Return the size, or raise ValueError naming the sizes that these networks work at."""
    if image_size not in SIZES:
        raise ValueError(f"image_size must be one of {SIZES}, got {image_size}")
    return image_size


class EqualLinear(nn.Module):
    """Linear layer with equalised learning rate.

    Args:
        in_features: size of the input.
        out_features: size of the output.
        bias: initial value of the bias.
    """

    def __init__(self, in_features: int, out_features: int, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features))
        self.bias = nn.Parameter(torch.full((out_features,), bias))
        self.scale = 1 / math.sqrt(in_features)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in) to (B, out)."""
        return F.linear(x * self.scale, self.weight, self.bias)


class EqualConv2d(nn.Module):
    """Convolution with equalised learning rate, without bias or activation.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: height and width of the kernel.
        stride: step.
        padding: zeros on every side.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.scale = 1 / math.sqrt(in_channels * kernel**2)
        self.stride, self.padding = stride, padding

    def forward(self, x: Tensor, bias: Tensor | None = None, gain: float = 1.0) -> Tensor:
        """Map (B, C, H, W) to gain * conv(x) + bias."""
        factor = self.scale * gain
        # scale whichever is the smaller tensor
        weight: Tensor = self.weight
        if x.numel() < weight.numel():
            x = x * factor
        else:
            weight = weight * factor
        return F.conv2d(x, weight, bias, stride=self.stride, padding=self.padding)


class ConvLayer(nn.Module):
    """Convolution, bias and leaky ReLU.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: 1 or 3.
        down: filter and halve the resolution.
        up: double the resolution (zeros inserted, then filter) before the convolution.
    """

    kernel: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        down: bool = False,
        up: bool = False,
    ) -> None:
        super().__init__()
        stride, padding = (2, 0) if down else (1, kernel // 2)
        self.conv = EqualConv2d(in_channels, out_channels, kernel, stride, padding)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.down, self.up = down, up
        if down or up:
            kernel_values = binomial_kernel(4.0 if up else 1.0)
            self.register_buffer("kernel", kernel_values, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H, W), (B, C', H/2, W/2) or (B, C', 2H, 2W)."""
        if self.down:
            x = fir(x, self.kernel, padding=(self.conv.weight.shape[-1] + 1) // 2)
        elif self.up:
            x = upsample(x, self.kernel)
        return F.leaky_relu(self.conv(x, self.bias * GAIN, GAIN), SLOPE, inplace=True)


class ResidualDown(nn.Module):
    """Residual block that halves the resolution.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        widen_first: the first convolution widens (LIA-X), not the second (StyleGAN2, LIA).
    """

    kernel: Tensor

    def __init__(self, in_channels: int, out_channels: int, widen_first: bool = False) -> None:
        super().__init__()
        between = out_channels if widen_first else in_channels
        self.first = ConvLayer(in_channels, between, 3)
        self.second = ConvLayer(between, out_channels, 3, down=True)
        self.skip = EqualConv2d(in_channels, out_channels, 1)
        self.register_buffer("kernel", binomial_kernel(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H/2, W/2)."""
        # A 1x1 convolution with stride 2 reads every other filtered pixel: filter only those.
        skip = self.skip(fir(x, self.kernel, padding=1, stride=2), gain=1 / GAIN)
        return torch.add(skip, self.second(self.first(x)), alpha=1 / GAIN)


class ResidualTrunk(nn.Module):
    """Convolutional trunk of encoder and discriminator, down to 4 pixels.

    Args:
        image_size: 64, 128, 256 or 512.
        multiplier: factor on every width.
        narrow_at: as `channels` takes it.
        widen_first: as `ResidualDown` takes it.

    Raises:
        ValueError: another size.
    """

    def __init__(
        self,
        image_size: int,
        multiplier: float = 1.0,
        narrow_at: int = 256,
        widen_first: bool = False,
    ) -> None:
        super().__init__()
        sizes = [check_size(image_size)]
        while sizes[-1] > 4:
            sizes.append(sizes[-1] // 2)
        widths = [channels(size, multiplier, narrow_at) for size in sizes]
        self.stem = ConvLayer(3, widths[0], 1)
        self.blocks = nn.ModuleList(ResidualDown(a, b, widen_first) for a, b in pairwise(widths))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the maps of images (B, 3, S, S) in [-1, 1], from S down to 4 pixels."""
        maps = [self.stem(images)]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return maps


class StyledConv(nn.Module):
    """Modulated 3x3 convolution, demodulated, with bias and leaky ReLU.

    The kernel of each sample is never built: inputs are scaled by the style and outputs by
    the demodulation coefficient, around one shared convolution. That equals the grouped
    convolution of the paper up to rounding.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        latent_dim: size of the latent that modulates.
        up: double the resolution (transposed convolution, then filter).
    """

    kernel: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, latent_dim: int, up: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.modulation = EqualLinear(latent_dim, in_channels, bias=1.0)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.scale = 1 / math.sqrt(in_channels * 9)
        self.up = up
        if up:
            self.register_buffer("kernel", binomial_kernel(4.0), persistent=False)

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        """Map x (B, C, H, W), styled by (B, latent), to (B, C', H, W) or (B, C', 2H, 2W)."""
        style, demodulation = self._coefficients(latent)
        x = x * style[:, :, None, None].to(x.dtype)
        if self.up:
            x = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            x = fir(x, self.kernel, padding=1)
        else:
            x = F.conv2d(x, self.weight, padding=1)
        bias = (self.bias * GAIN).to(x.dtype)[:, None, None]
        x = torch.addcmul(bias, x, (demodulation * GAIN).to(x.dtype)[:, :, None, None])
        return F.leaky_relu(x, SLOPE, inplace=True)

    def _coefficients(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Return the factors on inputs (B, C) and on outputs (B, C')."""
        with full_precision(latent):
            style = self.modulation(at_least_float32(latent)) * self.scale
            energy = self.weight.square().sum(dim=(2, 3))
            return style, torch.rsqrt(style.square() @ energy.T + EPSILON)
