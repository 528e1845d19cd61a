"""Clips written frame by frame, aside, and moved into place when whole."""

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.audio.frame import AudioFrame
from PIL import Image

from datamodules.media.convert import Frames

OUTPUTS = (".mp4", ".gif", ".png")
GIF_TICK = Fraction(1, 100)
"""A gif counts time in hundredths of a second."""


class ClipWriter:
    """Writes a clip; the kind follows from the name.

    `.mp4` is h264 in yuv420p at the exact rate, with the sound of another clip as aac; `.gif`
    repeats for ever; `.png` holds one frame, and several become a folder of numbered
    pictures that is called as the file without its ending.

    The target appears, or is replaced, when the `with` block ends without an error; after an
    error nothing is left of what was written.

    Args:
        path: the file to write; its folder is made.
        fps: frames per second.
        audio_from: clip whose sound is taken along, cut to the length of the pictures.

    Raises:
        ValueError: an unknown ending, or a folder where the file should go.
    """

    def __init__(self, path: str | Path, fps: Fraction, audio_from: Path | None = None) -> None:
        self.path = check_output(path)
        self.frames = 0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        kind = self.path.suffix.lower()
        self._sink: _Sink
        if kind == ".mp4":
            self._sink = _Mp4(part, fps, audio_from)
        elif kind == ".gif":
            self._sink = _Gif(part, fps)
        else:
            self._sink = _Pictures(part)

    def write(self, frame: Frames) -> None:
        """Append one frame (H, W, 3) uint8.

        Raises:
            ValueError: another type or shape, or an odd side in an mp4.
        """
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise ValueError(f"a frame is (H, W, 3) uint8, got {frame.shape} {frame.dtype}")
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
                self._sink.finish(self.path)
        finally:
            self._sink.discard()


def check_output(path: str | Path) -> Path:
    """Return the path, or raise ValueError when no clip can be written there."""
    path = Path(path)
    if path.suffix.lower() not in OUTPUTS:
        raise ValueError(f"output {path} must end in one of {' '.join(OUTPUTS)}")
    if path.is_dir():
        raise ValueError(f"output {path} is a folder: give a file name")
    return path


class _Sink(ABC):
    """Where the frames of one kind of file go; `part` is the place aside."""

    def __init__(self, part: Path) -> None:
        self.part = part

    @abstractmethod
    def write(self, frame: Frames) -> None:
        """Append one frame."""

    @abstractmethod
    def finish(self, target: Path) -> None:
        """Complete what was written and move it to `target`."""

    def discard(self) -> None:
        """Remove what lies aside; nothing does after `finish`."""
        self.part.unlink(missing_ok=True)


class _Mp4(_Sink):
    def __init__(self, part: Path, fps: Fraction, audio_from: Path | None) -> None:
        super().__init__(part)
        self.fps = fps
        self.count = 0
        self.container = av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"})
        self.video = self.container.add_stream("libx264", rate=fps, options={"crf": "16"})
        self.video.pix_fmt = "yuv420p"
        # one tick a frame: the rate is exact, whatever its fraction
        self.video.codec_context.time_base = 1 / fps
        self.sound = None if audio_from is None else _Sound.of(audio_from)
        if self.sound is not None:
            self.audio = self.container.add_stream("aac", rate=self.sound.rate)
            self.audio.layout = self.sound.layout

    def write(self, frame: Frames) -> None:
        height, width = frame.shape[:2]
        if height % 2 or width % 2:
            raise ValueError(f"an mp4 needs even sides, the frame has {width}x{height} pixels")
        if self.count == 0:
            self.video.height, self.video.width = height, width
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        picture.pts = self.count
        picture.time_base = 1 / self.fps
        self.container.mux(self.video.encode(picture))
        self.count += 1
        self._sound_until(self.count / self.fps)

    def _sound_until(self, end: Fraction) -> None:
        """Interleave the sound up to a time, so that players need not search for it."""
        if self.sound is not None:
            for piece in self.sound.until(end):
                self.container.mux(self.audio.encode(piece))

    def finish(self, target: Path) -> None:
        self.container.mux(self.video.encode(None))
        if self.sound is not None:
            self.container.mux(self.audio.encode(None))
        self.container.close()
        self.part.replace(target)

    def discard(self) -> None:
        if self.sound is not None:
            self.sound.close()
        # a writer that failed before its first frame has no header to complete
        self.container.close()
        super().discard()


class _Sound:
    """The sound of a clip, decoded piece by piece."""

    def __init__(self, container: av.container.InputContainer) -> None:
        self.container = container
        stream = container.streams.audio[0]
        self.rate, self.layout = stream.rate, stream.layout.name
        self._time = Fraction(0)
        self._pieces: Iterator[AudioFrame] = container.decode(stream)

    @classmethod
    def of(cls, path: Path) -> "_Sound | None":
        """Open the sound of a clip, or return None when it has none."""
        try:
            container = av.open(str(path))
        except (av.FFmpegError, OSError):
            return None  # a folder of frames or a picture
        if not container.streams.audio:
            container.close()
            return None
        return cls(container)

    def until(self, end: Fraction) -> Iterator[AudioFrame]:
        """Yield pieces that begin before `end` seconds."""
        while self._time < end:
            try:
                piece = next(self._pieces, None)
            except av.FFmpegError:
                piece = None  # a damaged tail ends the sound, not the pictures
            if piece is None:
                self._time = Fraction(1 << 40)
                return
            self._time += Fraction(piece.samples, piece.sample_rate)
            piece.pts = None  # counted by the encoder, from 0
            yield piece

    def close(self) -> None:
        self.container.close()


class _Gif(_Sink):
    """A gif; its frames are kept in 256 colours until the end, as the format wants."""

    def __init__(self, part: Path, fps: Fraction) -> None:
        super().__init__(part)
        self.fps = fps
        self.pictures: list[Image.Image] = []

    def write(self, frame: Frames) -> None:
        self.pictures.append(Image.fromarray(frame).quantize(256))

    def finish(self, target: Path) -> None:
        first, *rest = self.pictures
        # each frame ends at the tick nearest to its time, so that rounding does not add up
        ends = [round((i + 1) / self.fps / GIF_TICK) for i in range(len(self.pictures))]
        lasts = [10 * (b - a) for a, b in zip([0, *ends], ends, strict=False)]
        first.save(
            self.part, "GIF", save_all=True, append_images=rest, duration=lasts, loop=0,
            optimize=False,
        )  # fmt: skip
        self.part.replace(target)


class _Pictures(_Sink):
    def __init__(self, part: Path) -> None:
        super().__init__(part)
        part.mkdir()
        self.count = 0

    def write(self, frame: Frames) -> None:
        self.count += 1
        Image.fromarray(frame).save(self.part / f"{self.count:07d}.png")

    def finish(self, target: Path) -> None:
        if self.count == 1:
            (self.part / f"{1:07d}.png").replace(target)
            return
        folder = target.with_suffix("")
        if folder.exists():
            raise ValueError(
                f"{self.count} frames go to the folder {folder}, which exists: remove it, or give "
                "another name"
            )
        self.part.rename(folder)

    def discard(self) -> None:
        shutil.rmtree(self.part, ignore_errors=True)
