"""The kinds of file a clip is written to; each takes frames and completes what lies aside."""

import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import av.filter
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from datamodules.media.convert import Frames
from datamodules.media.sound import Sound

GIF_TICK = Fraction(1, 100)
"""A gif counts time in hundredths of a second."""
GIF_LEAST = 2
"""Ticks that a frame lasts at least: players show shorter ones for ten."""

FASTEST = 1000
"""Frames per second up to which the units of an mp4 are fine enough."""

RGB = av.VideoFormat("rgb24")


@dataclass(frozen=True)
class Encoding:
    """How an mp4 is encoded.

    Attributes:
        crf: quality as x264 counts it, 0 (lossless) to 51.
        key_interval: frames from one key frame to the next, exactly; None leaves it to x264, which
            sets one at cuts and else every 250.
        threads: of the encoder; 0 leaves it to x264.
        steady: the same frames give the same bytes at any size. x264 plans bits ahead on a
            picture of half the size, and where that is not a multiple of 64 pixels wide, reads
            beyond its edge: the plan is left out, for a file about a fifth larger.
    """

    crf: int = 16
    key_interval: int | None = None
    threads: int = 0
    steady: bool = False

    @property
    def options(self) -> dict[str, str]:
        """The encoder's options."""
        params = []
        if self.key_interval is not None:
            params += [f"keyint={self.key_interval}", f"min-keyint={self.key_interval}"]
            params.append("scenecut=0")
        if self.steady:
            params.append("mbtree=0")
        return {"crf": str(self.crf), "x264-params": ":".join(params)}


class Sink(ABC):
    """Where the frames of one kind of file go; `part` is the place aside."""

    def __init__(self, part: Path) -> None:
        self.part = part

    @abstractmethod
    def write(self, frame: Frames) -> None:
        """Append one frame."""

    @abstractmethod
    def finish(self, target: Path) -> Path:
        """Complete what was written, move it to `target`, and return where it lies."""

    def discard(self) -> None:
        """Remove what lies aside; nothing does after `finish`."""
        self.part.unlink(missing_ok=True)


class Mp4(Sink):
    """h264 in yuv420p, with sound as aac."""

    def __init__(
        self, part: Path, fps: Fraction, audio_from: Path | None, encoding: Encoding
    ) -> None:
        super().__init__(part)
        self.fps = fps
        self.count = 0
        self.sound = None if audio_from is None else Sound.of(audio_from)
        options = {"movflags": "+faststart"}
        if fps > FASTEST:  # or the edit list, which counts in milliseconds, hides every frame
            options["movie_timescale"] = str(fps.numerator)
        self.container = av.open(str(part.absolute()), "w", format="mp4", options=options)
        self.video = self.container.add_stream("libx264", rate=fps, options=encoding.options)
        if encoding.threads:
            self.video.codec_context.thread_count = encoding.threads
        self.video.pix_fmt = "yuv420p"
        # how RGB becomes YUV is said in the file, else players guess by its size
        self.video.codec_context.colorspace = Colorspace.ITU601
        self.video.codec_context.color_range = ColorRange.MPEG
        # one tick a frame: the rate is exact, whatever its fraction
        self.video.codec_context.time_base = 1 / fps
        if self.sound is not None:
            self.audio = self.container.add_stream("aac", rate=self.sound.rate)
            self.audio.layout = self.sound.layout

    def write(self, frame: Frames) -> None:
        """Encode a frame, and the sound that is heard with it."""
        height, width = frame.shape[:2]
        if height % 2 or width % 2:
            raise ValueError(f"an mp4 needs even sides, the frame has {width}x{height} pixels")
        if self.count == 0:
            self.video.height, self.video.width = height, width
        rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        picture = rgb.reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG,
        )
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

    def finish(self, target: Path) -> Path:
        """Empty the encoders and move the file."""
        self.container.mux(self.video.encode(None))
        if self.sound is not None:
            self.container.mux(self.audio.encode(None))
        self.container.close()
        return self.part.replace(target)

    def discard(self) -> None:
        """Close and remove what lies aside."""
        if self.sound is not None:
            self.sound.close()
        # a writer that failed before its first frame has no header to complete
        self.container.close()
        super().discard()


class Gif(Sink):
    """A gif, each frame in 256 colours of its own, encoded as it comes."""

    def __init__(self, part: Path, fps: Fraction) -> None:
        super().__init__(part)
        self.fps = fps
        self.count = 0
        self.last = -GIF_LEAST
        self.container = av.open(str(part.absolute()), "w", format="gif", options={"loop": "0"})
        self.stream = self.container.add_stream("gif", rate=1 / GIF_TICK)
        self.stream.pix_fmt = "pal8"
        self.stream.codec_context.time_base = GIF_TICK

    def write(self, frame: Frames) -> None:
        """Encode a frame, unless it would last too short."""
        if self.count == 0:
            self.stream.height, self.stream.width = frame.shape[:2]
        # each frame begins at the tick nearest to its time, so that rounding does not add up
        start = round(self.count / self.fps / GIF_TICK)
        self.count += 1
        if start - self.last < GIF_LEAST:
            return
        picture = _palette(frame)
        picture.pts, picture.time_base = start, GIF_TICK
        for packet in self.stream.encode(picture):
            packet.duration = round(self.count / self.fps / GIF_TICK) - start
            self.container.mux(packet)
        self.last = start

    def finish(self, target: Path) -> Path:
        """Empty the encoders and move the file."""
        self.container.mux(self.stream.encode(None))
        self.container.close()
        return self.part.replace(target)

    def discard(self) -> None:
        """Close and remove what lies aside."""
        self.container.close()
        super().discard()


def _palette(frame: Frames) -> av.VideoFrame:
    """Choose 256 colours for a frame, and dither it with them."""
    height, width = frame.shape[:2]
    graph = av.filter.Graph()
    into = graph.add_buffer(width=width, height=height, format=RGB, time_base=GIF_TICK)
    split = graph.add("split")
    choose = graph.add("palettegen", "stats_mode=single:reserve_transparent=0")
    use = graph.add("paletteuse")
    out = graph.add("buffersink")
    into.link_to(split)
    split.link_to(choose, 0, 0)
    split.link_to(use, 1, 0)
    choose.link_to(use, 0, 1)
    use.link_to(out)
    graph.configure()
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
    picture.pts, picture.time_base = 0, GIF_TICK
    graph.push(picture)
    graph.push(None)
    return cast(av.VideoFrame, graph.pull())


class Pictures(Sink):
    """One picture, or a folder of numbered ones, called as the target without its ending."""

    def __init__(self, part: Path, target: Path) -> None:
        super().__init__(part)
        self.folder = target.with_suffix("")
        part.mkdir()
        self.count = 0

    def write(self, frame: Frames) -> None:
        """Write a picture; ValueError at the second if its folder is taken."""
        self.count += 1
        if self.count == 2 and self.folder.exists():
            raise ValueError(
                f"several frames go to the folder {self.folder}, which exists: remove it, or "
                "give another name"
            )
        Image.fromarray(frame).save(self.part / f"{self.count:07d}.png")

    def finish(self, target: Path) -> Path:
        """Move the picture, or the folder."""
        if self.count == 1:
            return (self.part / f"{1:07d}.png").replace(target)
        return self.part.rename(self.folder)

    def discard(self) -> None:
        """Remove what lies aside."""
        shutil.rmtree(self.part, ignore_errors=True)
