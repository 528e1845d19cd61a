"""Hourglass: an encoder-decoder with skip connections, the trunk of keypoints and dense motion."""

import torch
from torch import Tensor, nn

from animators.nn.blocks import DownBlock, Norm, UpBlock


def check_image_size(image_size: int, multiple: int) -> None:
    """Refuse pictures that the network's halvings do not divide.

    Args:
        image_size: height and width in pixels.
        multiple: what it must be a multiple of.

    Raises:
        ValueError: it is not.
    """
    if image_size < multiple or image_size % multiple:
        sizes = ", ".join(str(n) for n in (64, 128, 256, 384, 512) if n % multiple == 0)
        raise ValueError(
            f"image_size must be a multiple of {multiple} for these halvings ({sizes}, ...), got "
            f"{image_size}: take another size, fewer hourglass blocks, or PRESET=small"
        )


def check_counts(least: int = 1, /, **counts: int) -> None:
    """Refuse numbers of things that are too few, or widths too narrow, to build with.

    Args:
        least: smallest that will do.
        counts: each by its argument's name.

    Raises:
        ValueError: one is smaller.
    """
    for name, count in counts.items():
        if count < least:
            raise ValueError(f"{name} must be at least {least}, got {count}")


def check_heatmaps(image_size: int, shrink_factor: int, padding: int, temperature: float) -> None:
    """Refuse heatmaps that have no pixel, or a softmax that has no temperature.

    Args:
        image_size: height and width in pixels.
        shrink_factor: how much smaller the heatmaps' hourglass sees the picture.
        padding: of the 7 x 7 convolution to the heatmaps.
        temperature: of the softmax over positions.

    Raises:
        ValueError: either; what it may be is named.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    least = 7 - 2 * padding
    if image_size < least * shrink_factor:
        raise ValueError(
            f"image_size must be at least {least * shrink_factor}, so that {least} pixels are left "
            f"behind shrink_factor {shrink_factor} for heatmaps, got {image_size}"
        )


class Hourglass(nn.Module):
    """Halve `blocks` times, double as often; each doubling sees the encoder's map of its size.

    Args:
        in_channels: C of the input.
        width: channels before the first halving; each halving doubles them.
        max_width: most channels of any map.
        blocks: number of halvings.
        norm: kind of normalisation.

    Attributes:
        map_channels: channels of each decoder map, coarse to fine; the last is `width + C`.
    """

    def __init__(
        self, in_channels: int, *, width: int, max_width: int, blocks: int, norm: Norm
    ) -> None:
        super().__init__()
        widths = [min(max_width, width * 2**i) for i in range(blocks + 1)]
        inside = [in_channels, *widths[1:]]
        self.encoder = nn.ModuleList(
            DownBlock(inside[i], inside[i + 1], norm=norm) for i in range(blocks)
        )
        self.decoder = nn.ModuleList()
        below = inside[-1]
        self.map_channels: tuple[int, ...] = ()
        for i in reversed(range(blocks)):
            self.decoder.append(UpBlock(below, widths[i], norm=norm))
            below = widths[i] + inside[i]
            self.map_channels += (below,)

    @property
    def out_channels(self) -> int:
        """Channels of the finest map."""
        return self.map_channels[-1]

    def maps(self, x: Tensor) -> list[Tensor]:
        """Return every decoder map of (B, C, H, W), coarse to fine, each [decoder, skip].

        H and W must be multiples of 2 ** blocks.
        """
        skips = [x]
        for down in self.encoder:
            skips.append(down(skips[-1]))
        found: list[Tensor] = []
        y = skips.pop()
        for up in self.decoder:
            y = torch.cat([up(y), skips.pop()], dim=1)
            found.append(y)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Return the finest map, (B, width + C, H, W)."""
        return self.maps(x)[-1]
