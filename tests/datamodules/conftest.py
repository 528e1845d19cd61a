"""Roots of small clips whose frames can be told apart."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def _write_frames(folder: Path, frames: int, shade: int, size: tuple[int, int] = (16, 16)) -> None:
    """A folder clip; frame t has red = shade and green = 10 t."""
    folder.mkdir(parents=True)
    for t in range(frames):
        picture = np.zeros((*size, 3), np.uint8)
        picture[...] = shade, 10 * t, 0
        Image.fromarray(picture).save(folder / f"{t}.png")


@pytest.fixture
def write_frames() -> Callable[..., None]:
    """`write_frames(folder, frames, shade)` makes a folder clip."""
    return _write_frames


@pytest.fixture
def small_root(tmp_path: Path) -> Path:
    """train/: a#1, a#2, b#1 (8, 10, 12 frames); test/: b#2, c#1 (9, 7 frames)."""
    for number, (split, name, frames) in enumerate(
        [
            ("train", "a#1", 8),
            ("train", "a#2", 10),
            ("train", "b#1", 12),
            ("test", "b#2", 9),
            ("test", "c#1", 7),
        ]
    ):
        _write_frames(tmp_path / split / name, frames, 40 * number + 20)
    return tmp_path
