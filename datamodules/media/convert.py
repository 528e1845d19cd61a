"""Pixels between files and tensors: the one place where uint8 meets [0, 1].

A *frame stack* is uint8 (n, H, W, 3) RGB in numpy; a tensor is (..., 3, H, W).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

Frames = npt.NDArray[np.uint8]


def to_float(frames: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Convert uint8 values 0..255 of any shape to [0, 1] of `dtype`; 255 becomes exactly 1.

    Raises:
        ValueError: the tensor is not uint8 (it may have been converted before).
    """
    if frames.dtype != torch.uint8:
        raise ValueError(f"to_float takes uint8 frames, got {frames.dtype}")
    return frames.to(dtype) / 255


def to_uint8(frames: Tensor) -> Tensor:
    """Round [0, 1] of any shape to uint8, clamping what lies outside.

    Raises:
        ValueError: the tensor is not a float tensor, or holds NaN.
    """
    if not frames.is_floating_point():
        raise ValueError(f"to_uint8 takes float frames in [0, 1], got {frames.dtype}")
    if bool(frames.isnan().any()):
        raise ValueError("to_uint8 met NaN: there is no such colour")
    return (frames.float().clamp(0, 1) * 255).round().to(torch.uint8)


def to_tensor(frames: Frames) -> Tensor:
    """Turn a frame stack (n, H, W, 3) into a uint8 tensor (n, 3, H, W), contiguous."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(frames, -1, -3)))


def to_frames(tensor: Tensor) -> Frames:
    """Turn a uint8 tensor (n, 3, H, W) on any device into a frame stack (n, H, W, 3)."""
    stack: Frames = np.ascontiguousarray(tensor.movedim(-3, -1).cpu().numpy())
    return stack


def resize(frames: Frames, size: int | tuple[int, int]) -> Frames:
    """Resize a frame stack with anti-aliased bicubic interpolation (Pillow's).

    Args:
        frames: (n, H, W, 3) uint8.
        size: side of a square, or (height, width).

    Returns:
        (n, height, width, 3) uint8; the input itself where it has that size already.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if frames.shape[1:3] == (height, width):
        return frames
    out = np.empty((len(frames), height, width, 3), np.uint8)
    for i, frame in enumerate(frames):
        picture = Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC)
        out[i] = np.asarray(picture)
    return out


def crop_square(frames: Frames) -> Frames:
    """Cut the largest centred square out of (n, H, W, 3)."""
    height, width = frames.shape[1:3]
    side = min(height, width)
    return crop_box(frames, ((width - side) // 2, (height - side) // 2, side))


def crop_box(frames: Frames, box: Sequence[int]) -> Frames:
    """Cut the square (left, top, side), in pixels, out of (n, H, W, 3).

    Raises:
        ValueError: the square is empty or reaches outside the picture.
    """
    left, top, side = box
    height, width = frames.shape[1:3]
    if side < 1 or left < 0 or top < 0 or left + side > width or top + side > height:
        raise ValueError(
            f"the square {left},{top},{side} (left, top, side) does not lie within the "
            f"picture of {width}x{height} pixels"
        )
    return frames[:, top : top + side, left : left + side]
