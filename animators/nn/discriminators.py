"""Discriminators."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as normalise_spectrum

from animators.nn.precision import at_least_float32, full_precision
from animators.nn.stylegan import (
    EPSILON,
    GAIN,
    SLOPE,
    ConvLayer,
    EqualLinear,
    ResidualTrunk,
    channels,
)

LARGEST_GROUP = 4


def minibatch_deviation(x: Tensor) -> Tensor:
    """Append how much the samples of a group differ, as one channel (Karras et al. 2018).

    A group has 4 samples, or the largest smaller number that divides the batch. Sample i
    belongs to group i mod (B / size).

    Args:
        x: (B, C, H, W).

    Returns:
        (B, C + 1, H, W).
    """
    batch = x.shape[0]
    size = next(n for n in range(min(batch, LARGEST_GROUP), 0, -1) if batch % n == 0)
    with full_precision(x):
        groups = at_least_float32(x).reshape(size, -1, *x.shape[1:])
        deviation = (groups.var(dim=0, correction=0) + EPSILON).sqrt().mean(dim=(1, 2, 3))
    channel = deviation.repeat(size).to(x.dtype)[:, None, None, None]
    return torch.cat([x, channel.expand(-1, 1, *x.shape[2:])], dim=1)


class StyleGan2Discriminator(nn.Module):
    """Residual discriminator of StyleGAN2, as LIA trains against.

    Args:
        image_size: 64, 128, 256 or 512.
        channel_multiplier: factor on every width.

    Raises:
        ValueError: another size.
    """

    def __init__(self, image_size: int = 256, channel_multiplier: float = 1.0) -> None:
        super().__init__()
        width = channels(4, channel_multiplier)
        self.trunk = ResidualTrunk(image_size, channel_multiplier)
        self.last = ConvLayer(width + 1, width, 3)
        self.hidden = EqualLinear(width * 16, width)
        self.logit = EqualLinear(width, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return (B, 1) logits, large for real, of (B, 3, S, S) in [0, 1]."""
        x = self.last(minibatch_deviation(self.trunk(images * 2 - 1)[-1]))
        x = F.leaky_relu(self.hidden(x.flatten(1)), SLOPE) * GAIN
        return self.logit(x)


class Judgement(NamedTuple):
    """What a patch discriminator says of pictures.

    Attributes:
        features: maps after each block, fine to coarse.
        logits: (B, 1, h, w), one for each patch, large for real.
    """

    features: tuple[Tensor, ...]
    logits: Tensor


class PatchBlock(nn.Module):
    """Convolution of 4 x 4 pixels without padding, norm, leaky ReLU, mean of 2 x 2 pixels.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        norm: affine instance norm behind the convolution.
        pool: take the mean.
        spectral_norm: divide the convolution by its largest singular value.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, norm: bool, pool: bool, spectral_norm: bool
    ) -> None:
        super().__init__()
        conv = nn.Conv2d(in_channels, out_channels, 4)
        self.conv = normalise_spectrum(conv) if spectral_norm else conv
        self.norm = nn.InstanceNorm2d(out_channels, affine=True) if norm else nn.Identity()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H - 3, W - 3), halved with the mean."""
        x = F.leaky_relu(self.norm(self.conv(x)), SLOPE)
        return F.avg_pool2d(x, 2) if self.pool else x


class PatchDiscriminator(nn.Module):
    """Discriminator of patches, as FOMM trains against.

    Args:
        image_size: height and width in pixels.
        condition_channels: of the maps that it sees beside the pictures; 0 for pictures alone.
        width: channels of the first block; each block doubles them.
        max_width: most channels.
        blocks: number of blocks; all but the last halve.
        spectral_norm: divide every convolution by its largest singular value.

    Raises:
        ValueError: pictures of which the blocks would leave nothing to normalise.
    """

    def __init__(
        self,
        image_size: int = 256,
        *,
        condition_channels: int = 0,
        width: int = 64,
        max_width: int = 512,
        blocks: int = 4,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        _check_patches(image_size, blocks)
        widths = [3 + condition_channels, *(min(max_width, width * 2**i) for i in range(blocks))]
        self.blocks = nn.ModuleList(
            PatchBlock(
                widths[i],
                widths[i + 1],
                norm=i > 0,
                pool=i + 1 < blocks,
                spectral_norm=spectral_norm,
            )
            for i in range(blocks)
        )
        logit = nn.Conv2d(widths[-1], 1, 1)
        self.logit = normalise_spectrum(logit) if spectral_norm else logit

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Judgement:
        """Judge (B, 3, H, W) in [0, 1] beside maps (B, C, H, W) where it is conditional."""
        x = images if condition is None else torch.cat([images, condition], dim=1)
        features: list[Tensor] = []
        for block in self.blocks:
            x = block(x)
            features.append(x)
        return Judgement(tuple(features), self.logit(x))


def _check_patches(image_size: int, blocks: int) -> None:
    side = image_size
    for index in range(blocks):
        side -= 3
        if side < 2:  # instance norm of one pixel is 0 whatever it was
            raise ValueError(
                f"image_size {image_size} is too small for {blocks} blocks of the patch "
                "discriminator: take larger pictures, or train without it (adversarial: false)"
            )
        side = side // 2 if index + 1 < blocks else side
