"""Pictures, and clips made of pictures: gifs, folders of frames, strips."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from datamodules.media.base import PICTURE_RATE, Clip, existing, natural_key
from datamodules.media.convert import Frames
from datamodules.media.stream import MOST_PIXELS

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
FRAME_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})

GIF_PAUSE_MS = 100
"""What browsers show for a frame of a gif that names no duration, or nearly none."""

_UNREADABLE = (OSError, SyntaxError, EOFError, ValueError, IndexError, KeyError)
"""What Pillow's decoders raise on damaged data; UnidentifiedImageError is an OSError."""


def read_image(path: str | Path) -> Frames:
    """Read one picture: EXIF turned, alpha flattened on white, 16 bit and grey converted.

    Returns:
        (H, W, 3) uint8 RGB at the picture's own size; the first frame of an animated one.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty, truncated, too large, or no picture.
    """
    path = existing(Path(path), "picture")
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a picture")
    with _open(path) as image:
        return _load(image, path)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep Pillow from warning: what cannot be read raises, and nobody else needs to know."""
    with warnings.catch_warnings():
        # at 89 million pixels, which good cameras have
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)  # of damage around the pixels
        yield


@_quietly()
def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"{path} has too many pixels to be read safely ({error}): make it smaller first"
        ) from error
    except UnidentifiedImageError as error:
        raise ValueError(
            f"{path} is not a picture that can be read: use png, jpg or webp"
        ) from error
    except _UNREADABLE as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"{path} cannot be decoded ({error}): it is truncated or damaged; copy or export it again"
    )


@_quietly()
def _load(image: Image.Image, path: Path) -> Frames:
    """Decode the frame that `image` stands at, upright, on white."""
    try:
        image.load()
        upright = ImageOps.exif_transpose(image)
    except _UNREADABLE as error:
        raise _damaged(path, error) from error
    return _to_rgb(upright)


def _to_rgb(image: Image.Image) -> Frames:
    """Convert any Pillow mode to (H, W, 3) uint8; transparency lies on white."""
    if image.mode.startswith("I"):  # 16 bit grey: Pillow's own conversion would clip, not scale
        grey = np.asarray(image).astype(np.float64)
        level = np.clip(np.round(grey / 257), 0, 255).astype(np.uint8)
        return np.stack([level] * 3, axis=-1)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        picture = image.convert("RGBA")
        ground = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        image = Image.alpha_composite(ground, picture)
    return np.array(image.convert("RGB"))


class AnimatedPicture(Clip):
    """A picture file of one or more frames: gif, animated webp and png, or a still one."""

    def __init__(self, path: Path) -> None:
        num_frames, fps, size = _survey(path, path.stat().st_size, path.stat().st_mtime_ns)
        super().__init__(path, num_frames, fps, size)

    def _pick(self, wanted: Sequence[int]) -> Iterator[Frames]:
        with _open(self.path) as image:
            for number in wanted:
                yield _frame(image, number, self.path)

    def __iter__(self) -> Iterator[Frames]:
        return self._pick(range(self.num_frames))


@_quietly()
def _frame(image: Image.Image, number: int, path: Path) -> Frames:
    try:
        image.seek(number)
    except _UNREADABLE as error:
        raise _damaged(path, error) from error
    return _load(image, path)


@lru_cache(maxsize=1024)
@_quietly()
def _survey(path: Path, _bytes: int, _changed: int) -> tuple[int, Fraction, tuple[int, int]]:
    """Count the frames that decode, and return (count, rate, (height, width)).

    A truncated tail is left out; size and time of change are in the cache's key only.
    """
    milliseconds = Fraction(0)
    count = 0
    with _open(path) as image:
        if getattr(image, "is_animated", False) and image.width * image.height > MOST_PIXELS:
            raise ValueError(
                f"{path} claims many frames of {image.width}x{image.height} pixels: it is damaged, "
                "or has to be made smaller first"
            )
        first = _load(image, path)
        while True:
            count += 1
            pause = float(image.info.get("duration", 0) or 0)
            milliseconds += Fraction(pause if pause > 10 else GIF_PAUSE_MS).limit_denominator(1000)
            try:
                image.seek(count)
                image.load()
            except _UNREADABLE:
                break
    fps = Fraction(1000 * count) / milliseconds if count > 1 else PICTURE_RATE
    height, width = first.shape[:2]
    return count, fps.limit_denominator(100_000), (height, width)


class FrameFolder(Clip):
    """A folder of pictures, one a frame, in natural order of their names."""

    def __init__(self, path: Path) -> None:
        self.files = [
            path / name
            for name in sorted((p.name for p in path.iterdir()), key=natural_key)
            if Path(name).suffix.lower() in FRAME_PICTURES and not name.startswith(".")
        ]
        if not self.files:
            raise ValueError(f"the folder {path} holds no png or jpg frames")
        height, width = read_image(self.files[0]).shape[:2]
        super().__init__(path, len(self.files), PICTURE_RATE, (height, width))

    def _pick(self, wanted: Sequence[int]) -> Iterator[Frames]:
        for number in wanted:
            yield self._checked(read_image(self.files[number]), number)

    def __iter__(self) -> Iterator[Frames]:
        return self._pick(range(self.num_frames))


class Strip(Clip):
    """Frames side by side in one picture, cut by width."""

    def __init__(self, path: Path, frame_width: int | None = None) -> None:
        picture = read_image(path)
        height, width = picture.shape[:2]
        step = frame_width or height
        if width % step:
            raise ValueError(
                f"the strip {path} is {width} pixels wide, which is no multiple of its frame "
                f"width {step}: give the right frame width"
            )
        self._picture = picture
        super().__init__(path, width // step, PICTURE_RATE, (height, step))

    def _pick(self, wanted: Sequence[int]) -> Iterator[Frames]:
        step = self.size[1]
        for number in wanted:
            yield self._picture[:, number * step : (number + 1) * step]

    def __iter__(self) -> Iterator[Frames]:
        return self._pick(range(self.num_frames))
