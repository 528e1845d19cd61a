"""Video files through PyAV: frames by number, exactly, and streaming."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from datamodules.media.base import Clip
from datamodules.media.convert import Frames

VIDEOS = frozenset({".mp4", ".mov", ".m4v", ".avi", ".webm", ".mkv"})

_HIDING = frozenset({"vp8"})
"""Codecs whose packets may hold frames that are never shown."""

_TIMELESS = frozenset({"avi"})
"""Containers that store no times of showing: where frames are reordered, those that FFmpeg
makes up differ after a seek."""


@dataclass(frozen=True)
class VideoIndex:
    """When each frame is shown and where decoding can start.

    Attributes:
        times: presentation times in the stream's time base, increasing; empty where the
            file gives none that can be trusted, then frames are counted from the start.
        keys: the times of the key frames, increasing; the first is not after the first frame.
        count: number of frames.
        fps: mean rate.
        size: (height, width) after turning.
    """

    times: tuple[int, ...]
    keys: tuple[int, ...]
    count: int
    fps: Fraction
    size: tuple[int, int]


class VideoClip(Clip):
    """An mp4, mov, avi, webm or mkv file; `read` seeks to the key frame before."""

    def __init__(self, path: Path) -> None:
        stat = path.stat()
        self.index = _index(path, stat.st_size, stat.st_mtime_ns)
        super().__init__(path, self.index.count, self.index.fps, self.index.size)
        self._container: InputContainer | None = None
        self._seeks = bool(self.index.times)

    def _pick(self, wanted: Sequence[int]) -> Iterator[Frames]:
        done = 0
        if self._seeks:
            for frame in self._pick_by_time(wanted):
                done += 1
                yield to_rgb(frame)
        if done < len(wanted):
            # No times, or the file's key frames are not where decoding can start.
            self._seeks = False
            for frame in self._pick_by_count(wanted[done:]):
                done += 1
                yield to_rgb(frame)
        if done < len(wanted):
            raise ValueError(
                f"{self.path}: frame {wanted[done]} cannot be decoded: the file is damaged; "
                "copy or encode it again"
            )

    def _pick_by_time(self, wanted: Sequence[int]) -> Iterator[VideoFrame]:
        """Yield the wanted frames by seeking, up to the first that does not come out."""
        if self._container is None:
            self._container = _open(self.path)
        frames: Iterator[VideoFrame] = iter(())
        here = -1  # number of the key frame whose run of frames `frames` gives
        for number in wanted:
            time = self.index.times[number]
            key = bisect_right(self.index.keys, time) - 1
            if key != here:  # what lies between two wanted frames of one run is decoded on
                frames, here = _from_key(self._container, self.index.keys[key]), key
            found = next((f for f in frames if f.pts is not None and f.pts >= time), None)
            if found is None or found.pts != time:
                return
            yield found

    def _pick_by_count(self, wanted: Sequence[int]) -> Iterator[VideoFrame]:
        """Yield the wanted frames by decoding from the start: slow, and always exact."""
        left = set(wanted)
        with _open(self.path) as fresh:
            for number, frame in enumerate(_decode(fresh)):
                if number in left:
                    left.remove(number)
                    yield frame
                if not left:
                    return

    def __iter__(self) -> Iterator[Frames]:
        with _open(self.path) as container:
            for number, frame in enumerate(_decode(container)):
                yield self._checked(to_rgb(frame), number)

    def close(self) -> None:
        """Close the file; a later read opens it again."""
        if self._container is not None:
            self._container.close()
            self._container = None


def to_rgb(frame: VideoFrame) -> Frames:
    """Convert a decoded frame to (H, W, 3) uint8 RGB, turned as its display matrix says."""
    rgb = cast(Frames, frame.to_ndarray(format="rgb24"))
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb


def _open(path: Path) -> InputContainer:
    try:
        container = av.open(str(path), mode="r")
    except av.FFmpegError as error:
        raise ValueError(
            f"{path} is not a video that can be read ({_reason(error)}): it is truncated, damaged "
            "or of another kind; copy or encode it again, for example as mp4"
        ) from error
    if not container.streams.video:
        container.close()
        raise ValueError(f"{path} has no video track, perhaps only sound: choose another file")
    decoder = cast(VideoCodecContext | None, _stream(container).codec_context)
    if decoder is None:
        container.close()
        raise ValueError(
            f"{path} holds a video of a kind that cannot be decoded: it is truncated, or wants "
            "encoding again, for example as h264 in mp4"
        )
    decoder.thread_count = 1  # loaders run one process a core
    return container


def _reason(error: av.FFmpegError) -> str:
    return (error.strerror or str(error)).rstrip(".")


def _stream(container: InputContainer) -> VideoStream:
    """Return the main video track (a cover picture is not)."""
    stream = container.streams.best("video")
    return stream if isinstance(stream, VideoStream) else container.streams.video[0]


def _packets(container: InputContainer) -> "Iterator[Packet[VideoStream]]":
    """Yield the video packets up to the first place where the file breaks off."""
    packets = container.demux(_stream(container))
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.FFmpegError):
            return


def _decode(container: InputContainer) -> Iterator[VideoFrame]:
    """Yield the frames that decode, in order of showing; damaged packets give none."""
    stream = _stream(container)
    for packet in _packets(container):
        try:
            yield from stream.decode(packet)
        except av.FFmpegError:
            continue
    try:  # a broken file ends without the empty packet that empties the decoder
        yield from stream.decode(None)
    except av.FFmpegError:
        return


def _from_key(container: InputContainer, key: int) -> Iterator[VideoFrame]:
    """Yield frames from the key frame shown at `key` on; none where the file cannot seek."""
    try:
        container.seek(key, stream=_stream(container), backward=True, any_frame=False)
    except av.FFmpegError:
        return iter(())
    return _decode(container)


@lru_cache(maxsize=4096)
def _index(path: Path, _bytes: int, _changed: int) -> VideoIndex:
    """Index a file; size and time of change are in the cache's key only.

    Packets are read without decoding where that is enough. Where anything is odd (times
    missing or double, fewer packets than promised, codecs with hidden frames), every frame
    is decoded once and only those that come out count.
    """
    with _open(path) as container:
        stream = _stream(container)
        times, keys = [], []
        packets, plain = 0, stream.codec_context.name not in _HIDING
        for packet in _packets(container):
            if packet.size:
                packets += 1
                plain &= packet.pts is not None and not packet.is_corrupt
                if packet.pts is not None and not packet.is_discard:
                    times.append(packet.pts)
                if packet.pts is not None and packet.is_keyframe:
                    keys.append(packet.pts)
        times.sort()
        keys.sort()
        rising = len(set(times)) == len(times) > 0
        plain &= rising and stream.frames in (0, packets) and keys[:1] <= times[:1]
        fps = stream.average_rate or stream.guessed_rate
        reordered = container.format.name in _TIMELESS and stream.codec_context.has_b_frames
    count = len(times)
    if not plain or not keys or reordered:
        times, keys, count = _decoded_times(path)
    if reordered:
        times, keys = [], []
    with _open(path) as container:
        first = next(_decode(container), None)
        size = to_rgb(first).shape[:2] if first is not None else (0, 0)
    if count == 0 or first is None:
        raise ValueError(
            f"{path} holds no frame that can be decoded: it is truncated or damaged; "
            "copy or encode it again"
        )
    if not fps:
        raise ValueError(f"{path} does not say its frame rate: encode it again, as mp4")
    return VideoIndex(tuple(times), tuple(keys), count, Fraction(fps), (size[0], size[1]))


def _decoded_times(path: Path) -> tuple[list[int], list[int], int]:
    """Decode the whole file; times and key times are empty where the file gives none."""
    times: list[int | None] = []
    keys: list[int] = []
    with _open(path) as container:
        for frame in _decode(container):
            times.append(frame.pts)
            if frame.key_frame and frame.pts is not None:
                keys.append(frame.pts)
    known = [t for t in times if t is not None]
    rising = all(a < b for a, b in pairwise(known))
    if len(known) < len(times) or not rising or keys[:1] != known[:1]:
        return [], [], len(times)
    return known, keys, len(times)
