"""Still pictures of a clip: flow colours and differences, as uint8."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.utils import flow_to_image

from benchmarks.page.fields import Field, identity
from datamodules import media

GAIN = 2
"""Differences are shown this many times as large: most are too dark to be seen."""
WHEEL = 96  # pixels of the legend


def differences(pictures: Tensor, target: Tensor) -> Tensor:
    """Give `GAIN` times the absolute difference, cut off at 1.

    Args:
        pictures: (..., 3, H, W) in [0, 1].
        target: of the same shape.
    """
    return (GAIN * (pictures - target).abs()).clamp(max=1)


def colours(displacement: Tensor) -> Tensor:
    """Show a field by hue (direction) and saturation (length; the longest is full).

    Args:
        displacement: (h, w, 2).

    Returns:
        (3, h, w) in [0, 1]; white where nothing moves.
    """
    field = displacement.permute(2, 0, 1).float()
    if float(field.abs().max()) == 0:  # flow_to_image would divide by it
        return torch.ones(3, *field.shape[1:])
    return flow_to_image(field) / 255


def draw_field(field: Field, size: int) -> Tensor:
    """Draw a field at the picture's size, (3, size, size) in [0, 1]."""
    vectors = field.displacement.permute(2, 0, 1)[None]
    large = interpolate(vectors, size=(size, size), mode="bilinear", align_corners=True)
    return colours(large[0].permute(1, 2, 0))


def wheel() -> Tensor:
    """Draw the legend: every direction in its colour, the longest at the rim."""
    places = identity(WHEEL, WHEEL)
    inside = places.norm(dim=-1) <= 1
    shades = colours(places * inside[..., None])
    return torch.where(inside, shades, torch.ones(()))


def furthest(video: Tensor) -> int:
    """Find the frame that differs most from frame 0 of (T, 3, H, W)."""
    return int((video - video[0]).abs().flatten(1).mean(1).argmax())


def to_picture(picture: Tensor) -> media.Frames:
    """Turn (3, H, W) in [0, 1] into (H, W, 3) uint8."""
    return media.to_frames(media.to_uint8(picture[None]))[0]
