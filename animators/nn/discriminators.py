"""Discriminators."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
