"""Clips written frame by frame, aside, and moved into place when whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np

from datamodules.media.convert import Frames
from datamodules.media.sinks import Encoding, Gif, Mp4, Pictures, Sink

OUTPUTS = (".mp4", ".gif", ".png")

DEFAULT = Encoding()


class ClipWriter:
    """Writes a clip; the kind follows from the name.

    `.mp4` is h264 in yuv420p at the exact rate, with the sound of another clip as aac; `.gif`
    repeats for ever, and leaves out frames beyond 50 a second, which players would slow down;
    `.png` holds one frame, and several become a folder of numbered pictures that is called as
    the file without its ending.

    The target appears, or is replaced, when the `with` block ends without an error; after an
    error nothing is left of what was written. Frames are not kept: memory does not grow.

    Args:
        path: the file to write; its folder is made.
        fps: frames per second.
        audio_from: clip whose sound is taken along, cut to the length of the pictures.
        encoding: how an mp4 is encoded.

    Attributes:
        frames: number of frames written so far.
        written: after the `with` block, the file or folder that came to be.

    Raises:
        ValueError: an unknown ending, or a folder where the file should go.
    """

    def __init__(
        self,
        path: str | Path,
        fps: Fraction,
        audio_from: Path | None = None,
        encoding: Encoding = DEFAULT,
    ) -> None:
        self.path = check_output(path)
        self.frames = 0
        self.written = self.path
        self._shape: tuple[int, ...] | None = None
        self._made = [p for p in self.path.parents if not p.exists()]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        kind = self.path.suffix.lower()
        self._sink: Sink
        try:
            with self._named_errors():
                if kind == ".mp4":
                    self._sink = Mp4(part, fps, audio_from, encoding)
                elif kind == ".gif":
                    self._sink = Gif(part, fps)
                else:
                    self._sink = Pictures(part, self.path)
        except BaseException:
            self._remove_folders()
            raise

    def write(self, frame: Frames) -> None:
        """Append one frame (H, W, 3) uint8.

        Raises:
            ValueError: another type or shape, a change of size, or an odd side in an mp4.
            OSError: the file cannot be written.
        """
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise ValueError(f"a frame is (H, W, 3) uint8, got {frame.shape} {frame.dtype}")
        if self._shape not in (None, frame.shape):
            raise ValueError(
                f"all frames of {self.path} have one size, now came "
                f"{frame.shape[1]}x{frame.shape[0]}"
            )
        self._shape = frame.shape
        with self._named_errors():
            self._sink.write(frame)
        self.frames += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                if self.frames == 0:
                    raise ValueError(f"no frame was written to {self.path}")
                with self._named_errors():
                    self.written = self._sink.finish(self.path)
        finally:
            self._sink.discard()
            self._remove_folders()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Say of FFmpeg's errors which file they are about."""
        try:
            yield
        except av.FFmpegError as error:
            raise OSError(f"{self.path} cannot be written: {error.strerror or error}") from error

    def _remove_folders(self) -> None:
        """Remove the folders made for the output, unless something lies there now."""
        for folder in self._made:
            with suppress(OSError):
                folder.rmdir()


def check_output(path: str | Path) -> Path:
    """Return the path, or raise ValueError when no clip can be written there."""
    path = Path(path)
    if path.suffix.lower() not in OUTPUTS:
        raise ValueError(f"output {path} must end in one of {' '.join(OUTPUTS)}")
    if path.is_dir():
        raise ValueError(f"output {path} is a folder: give a file name")
    above = next(p for p in path.parents if p.exists())
    if not above.is_dir():
        raise ValueError(f"output {path} cannot be made: {above} is a file, not a folder")
    return path
