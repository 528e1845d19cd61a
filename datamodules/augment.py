"""Augmentation on the device: kornia's functions, with numbers drawn per sample.

Every number comes from the sample's key, so a sample looks the same in any batch, process
or run. All frames of a sample (source, driving, references) share its draw.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from kornia.enhance import (
    adjust_brightness_accumulative,
    adjust_contrast_with_mean_subtraction,
    adjust_hue,
    adjust_saturation_with_gray_subtraction,
)
from kornia.geometry.transform import hflip, warp_affine
from torch import Tensor

from animators.nn.draws import permutations, uniform
from datamodules import media
from datamodules.batch import PairBatch
from datamodules.items import is_reversed


@dataclass(frozen=True)
class Augmentation:
    """What is varied in training, in this order: direction, mirror, zoom, colours.

    Attributes:
        reverse: chance that source and driving frame change places; None draws them in any
            order to begin with. Done where the frames are chosen.
        mirror: chance of a mirrored sample, among those that are not reversed.
        zoom: range of a factor on both axes; a square of the frame's size is cut at random
            from what grows, and the edge repeated around what shrinks.
        brightness: factor from 1 - v to 1 + v.
        contrast: factor from 1 - v to 1 + v, about the frame's mean grey.
        saturation: factor from 1 - v to 1 + v.
        hue: turn of the colour circle from -v to v, 1 being the whole circle.
        last_only: of the colour operations, drawn in any order, only the last acts.
    """

    reverse: float | None = None
    mirror: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    last_only: bool = False

    def __post_init__(self) -> None:
        """Refuse values outside their ranges.

        Raises:
            ValueError: names the value.
        """
        for name in ("mirror", "brightness", "contrast", "saturation", "hue"):
            limit = 0.5 if name == "hue" else 1.0
            if not 0 <= getattr(self, name) <= limit:
                raise ValueError(f"augment.{name} must be 0 to {limit}, got {getattr(self, name)}")
        if self.reverse is not None and not 0 <= self.reverse <= 1:
            raise ValueError(f"augment.reverse must be 0 to 1, got {self.reverse}")
        if not 0 < self.zoom[0] <= self.zoom[1]:
            raise ValueError(f"augment.zoom must rise and be positive, got {self.zoom}")


_FLIPS = Augmentation(reverse=0.5, mirror=0.5)
_FLIPS_AND_COLOURS = replace(_FLIPS, brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1)
_LIA = replace(_FLIPS_AND_COLOURS, reverse=None, last_only=True)

SETTINGS = {
    "none": Augmentation(),
    # FOMM, MRAA and TPSMM, by data set
    "vox": _FLIPS_AND_COLOURS,
    "taichi": _FLIPS_AND_COLOURS,
    "ted": _FLIPS_AND_COLOURS,
    "bair": _FLIPS_AND_COLOURS,
    "fashion": replace(_FLIPS, hue=0.1),
    "nemo": _FLIPS,
    "mgif": replace(_FLIPS, zoom=(0.9, 1.1), hue=0.5),
    # LIA's withdrawn training code: its colour steps each began from the untouched frame
    "lia-vox": Augmentation(),
    "lia-ted": _LIA,
    # a crop of 224 out of 256, brought back to the network's size
    "lia-taichi": replace(_LIA, zoom=(8 / 7, 8 / 7)),
}
"""Augmentations by the names of the papers' data sets."""


def named(augment: str | Augmentation) -> Augmentation:
    """Return the settings of that name, or those given.

    Raises:
        ValueError: no such name; lists them.
    """
    if isinstance(augment, Augmentation):
        return augment
    if augment not in SETTINGS:
        raise ValueError(f"data.augment: {augment!r} is none of {', '.join(SETTINGS)}")
    return SETTINGS[augment]


def prepare(
    batch: dict[str, Any], dtype: torch.dtype, settings: Augmentation | None
) -> dict[str, Any]:
    """Turn the uint8 frames of a batch into [0, 1] of a type, and vary them if told to.

    Args:
        batch: any of the three kinds, on any device.
        dtype: type of the frames given out; they are varied in float32 at least.
        settings: what is varied in a `PairBatch`; None varies nothing.
    """
    wide = torch.promote_types(dtype, torch.float32)
    floats = {
        name: media.to_float(value, wide) if _is_type(value, torch.uint8) else value
        for name, value in batch.items()
    }
    if settings is not None:
        floats = dict(augment_pairs(cast(PairBatch, floats), settings))
    return {
        name: value.to(dtype) if _is_type(value, wide) else value for name, value in floats.items()
    }


def _is_type(value: object, dtype: torch.dtype) -> bool:
    return isinstance(value, Tensor) and value.dtype == dtype


def augment_pairs(batch: PairBatch, settings: Augmentation) -> PairBatch:
    """Vary the frames of a batch.

    Args:
        batch: float frames in [0, 1] on any device, `key` on the CPU.
        settings: what is varied.

    Returns:
        The batch with new `source`, `driving` and `references`, in [0, 1].
    """
    frames = torch.cat(
        [batch["source"][:, None], batch["driving"][:, None], batch["references"]], 1
    )
    frames = _mirror(frames, batch["key"], settings)
    frames = _zoom(frames, batch["key"], settings)
    frames = _colours(frames, batch["key"], settings)
    return PairBatch(
        {**batch, "source": frames[:, 0], "driving": frames[:, 1], "references": frames[:, 2:]}
    )


def _mirror(frames: Tensor, keys: Tensor, settings: Augmentation) -> Tensor:
    if not settings.mirror:
        return frames
    chosen = uniform(keys, "mirror") < settings.mirror
    if settings.reverse is not None:
        chosen &= ~is_reversed(keys, settings.reverse)
    return torch.where(chosen.to(frames.device)[:, None, None, None, None], hflip(frames), frames)


def _zoom(frames: Tensor, keys: Tensor, settings: Augmentation) -> Tensor:
    """Resize and cut in one interpolation: output pixel x comes from (x + offset) / factor."""
    if settings.zoom == (1.0, 1.0):
        return frames
    count, height, width = frames.shape[1], *frames.shape[-2:]
    factor = uniform(keys, "zoom", (), *settings.zoom).double()
    place = uniform(keys, "zoom offset", (2,)).double()
    matrix = torch.zeros(len(keys), 2, 3, dtype=torch.float64)
    for axis, side in enumerate((width, height)):
        spare = (factor - 1) * side
        # what shrinks stays in the middle; pixel centres lie half a pixel inside the edge
        start = torch.where(spare > 0, spare * place[:, axis], spare / 2)
        matrix[:, axis, axis] = factor
        matrix[:, axis, 2] = 0.5 * factor - 0.5 - start
    matrix = matrix.to(frames.device, frames.dtype).repeat_interleave(count, 0)
    flat = warp_affine(
        frames.flatten(0, 1), matrix, (height, width), padding_mode="border", align_corners=True
    )
    return flat.clamp(0, 1).reshape(frames.shape)


_OPERATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "brightness": adjust_brightness_accumulative,
    "contrast": adjust_contrast_with_mean_subtraction,
    "saturation": adjust_saturation_with_gray_subtraction,
    "hue": adjust_hue,
}


def _colours(frames: Tensor, keys: Tensor, settings: Augmentation) -> Tensor:
    """Apply the colour operations in each sample's own order."""
    names = [name for name in _OPERATIONS if getattr(settings, name)]
    if not names:
        return frames
    factors = {}
    for name in names:
        reach = getattr(settings, name)
        if name == "hue":
            factors[name] = uniform(keys, name, (), -reach, reach) * 2 * math.pi
        else:
            factors[name] = uniform(keys, name, (), 1 - reach, 1 + reach)
    order = permutations(keys, "colour order", len(names))
    if settings.last_only:
        order = order[:, -1:]
    count = frames.shape[1]
    frames = frames.clone()
    for turn in order.T:
        for number, name in enumerate(names):
            rows = torch.nonzero(turn == number)[:, 0]
            if len(rows):
                factor = factors[name][rows].repeat_interleave(count).to(frames)
                rows = rows.to(frames.device)
                changed = _OPERATIONS[name](frames[rows].flatten(0, 1), factor)
                frames[rows] = changed.clamp(0, 1).reshape(-1, *frames.shape[1:])
    return frames
