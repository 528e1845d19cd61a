"""Convolution blocks of the keypoint family (FOMM's `Same`, `Down`, `Up` and `Res`).

Every convolution has a bias and stride 1. Parameters are called `conv` and `norm` as in the
published files.
"""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

Norm = Literal["batch", "instance"]


def normalisation(kind: Norm, channels: int) -> nn.Module:
    """Make batch norm (FOMM, MRAA), or affine instance norm without statistics (TPSMM)."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels, affine=True)


class ConvBlock(nn.Module):
    """Convolution of the same size, norm, ReLU.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        norm: kind of normalisation.
        kernel: odd side of the convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, *, norm: Norm, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)
        self.norm = normalisation(norm, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H, W)."""
        return F.relu(self.norm(self.conv(x)))


class SameBlock(ConvBlock):
    """Convolution of 7 x 7 pixels, norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, *, norm: Norm) -> None:
        super().__init__(in_channels, out_channels, norm=norm, kernel=7)


class DownBlock(ConvBlock):
    """Convolution of 3 x 3 pixels, norm, ReLU, mean of 2 x 2 pixels."""

    def __init__(self, in_channels: int, out_channels: int, *, norm: Norm) -> None:
        super().__init__(in_channels, out_channels, norm=norm, kernel=3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H / 2, W / 2)."""
        return F.avg_pool2d(super().forward(x), 2)


class UpBlock(ConvBlock):
    """Every pixel twice in both axes, convolution of 3 x 3 pixels, norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, *, norm: Norm) -> None:
        super().__init__(in_channels, out_channels, norm=norm, kernel=3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', 2 H, 2 W)."""
        return super().forward(F.interpolate(x, scale_factor=2, mode="nearest"))


class ResidualBlock(nn.Module):
    """Norm, ReLU, convolution, twice, beside the identity.

    Args:
        channels: of input and output.
        norm: kind of normalisation.
    """

    def __init__(self, channels: int, *, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = normalisation(norm, channels)
        self.norm2 = normalisation(norm, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        y = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(y)))
