"""What every kind of clip offers: frames by number, frames in order, rate and size."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from datamodules.media.convert import Frames

PICTURE_RATE = Fraction(25)
"""Frames per second taken for what has no rate of its own: folders, strips, pictures."""


class Clip(ABC):
    """Frames of one clip, opened for reading; a context manager.

    Attributes:
        path: the file or folder.
        num_frames: frames that can be read.
        fps: exact mean rate in frames per second.
        size: (height, width) of the frames as shown, after turning.
        decoded: frames decoded by `read` so far, those passed over on the way included.
    """

    def __init__(self, path: Path, num_frames: int, fps: Fraction, size: tuple[int, int]) -> None:
        self.path = path
        self.num_frames = num_frames
        self.fps = fps
        self.size = size
        self.decoded = 0

    @abstractmethod
    def _pick(self, wanted: Sequence[int]) -> Iterator[Frames]:
        """Yield the frames (H, W, 3) of the increasing, distinct numbers `wanted`."""

    @abstractmethod
    def __iter__(self) -> Iterator[Frames]:
        """Yield every frame (H, W, 3) uint8 in order, holding one at a time."""

    def read(self, indices: Sequence[int]) -> Frames:
        """Read frames by number, in any order and with repetitions.

        Args:
            indices: numbers in 0..num_frames - 1.

        Returns:
            (n, H, W, 3) uint8 RGB.

        Raises:
            IndexError: a number outside the clip.
            ValueError: a frame that cannot be decoded.
        """
        wanted = [int(i) for i in indices]
        for i in wanted:
            if not 0 <= i < self.num_frames:
                raise IndexError(f"{self.path} has {self.num_frames} frames, no number {i}")
        order = sorted(set(wanted))
        place = {number: row for row, number in enumerate(order)}
        out = np.empty((len(order), *self.size, 3), np.uint8)
        before = self.decoded
        for row, frame in enumerate(self._pick(order)):
            out[row] = self._checked(frame, order[row])
        self.decoded = max(self.decoded, before + len(order))
        if wanted == order:
            return out
        return out[[place[i] for i in wanted]]

    def stream(self, wanted: Sequence[int]) -> Iterator[Frames]:
        """Yield frames (H, W, 3) uint8 of increasing, distinct numbers, holding one at a time.

        Raises:
            IndexError: a number outside the clip.
            ValueError: a frame that cannot be decoded.
        """
        if wanted and not 0 <= wanted[0] <= wanted[-1] < self.num_frames:
            raise IndexError(f"{self.path} has {self.num_frames} frames, no number {wanted[-1]}")
        for number, frame in zip(wanted, self._pick(wanted), strict=True):
            yield self._checked(frame, number)

    def _checked(self, frame: Frames, number: int) -> Frames:
        """Return the frame, or raise ValueError where its size is not the clip's."""
        if frame.shape[:2] != self.size:
            height, width = self.size
            raise ValueError(
                f"{self.path}: frame {number} is {frame.shape[1]}x{frame.shape[0]}, the first is "
                f"{width}x{height}: all frames of a clip must have one size"
            )
        return frame

    def close(self) -> None:  # noqa: B027 - most kinds hold nothing open
        """Let go of the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Order names as people do: `frame2` before `frame10`."""
    parts: list[tuple[int, int, str]] = []
    digits = ""
    for char in [*name, ""]:
        if char and char in "0123456789":
            digits += char
            continue
        if digits:
            parts.append((0, int(digits), digits))
            digits = ""
        if char:
            parts.append((1, 0, char.casefold()))
    # Names that differ in case or leading zeros only still get one fixed order.
    return [*parts, (2, 0, name)]


def existing(path: Path, what: str) -> Path:
    """Return the path, or raise FileNotFoundError saying what was looked for."""
    if not path.exists():
        raise FileNotFoundError(f"{what} {path} does not exist")
    if not (path.is_file() or path.is_dir()):
        raise ValueError(f"{path} is neither a file nor a folder, perhaps a pipe: give a file")
    if path.is_file() and path.stat().st_size == 0:
        raise ValueError(f"{path} is empty (0 bytes): copy or download it again")
    return path
