"""Features of a view from a U-Net (DiME section 4.1)."""

from torch import Tensor, nn

from animators.nn.hourglass import Hourglass
from animators.nn.resample import shrink


class UnetFeatures(nn.Module):
    """F_v from a U-Net over the shrunken picture (section 4.1), instead of the generator's encoder.

    Args:
        channels: C of the features.
        shrink_factor: how much smaller than the picture they are.
        width: the hourglass's.
        max_width: the hourglass's.
        blocks: the hourglass's.
    """

    def __init__(
        self, channels: int, shrink_factor: int, *, width: int, max_width: int, blocks: int
    ) -> None:
        super().__init__()
        self.hourglass = Hourglass(3, width=width, max_width=max_width, blocks=blocks, norm="batch")
        self.last = nn.Conv2d(self.hourglass.out_channels, channels, 3, padding=1)
        self.shrink_factor = shrink_factor

    def forward(self, pictures: Tensor) -> Tensor:
        """Map (B, 3, H, W) in [0, 1] to (B, C, H', W')."""
        found: Tensor = self.last(self.hourglass(shrink(pictures, self.shrink_factor)))
        return found
