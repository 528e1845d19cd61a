"""Where the frames of a video file are: found without decoding where that is enough."""

from array import array
from collections import OrderedDict
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from datamodules.media.stream import VideoFile, decode, open_video, packets_of, to_rgb, video_stream

INDEXES_KEPT = 4096
"""Files whose index is remembered: about 3 kB for 300 frames, so memory stays bounded."""

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

    times: "array[int]"
    keys: "array[int]"
    count: int
    fps: Fraction
    size: tuple[int, int]


_indexes: "OrderedDict[tuple[Path, int, int], VideoIndex]" = OrderedDict()


def index_of(file: VideoFile) -> VideoIndex:
    """Index a file, or remember its index; a file that changed is indexed anew."""
    key = (file.path, file.size, file.changed)
    if key not in _indexes:
        _indexes[key] = _survey(file)
        if len(_indexes) > INDEXES_KEPT:
            _indexes.popitem(last=False)
    _indexes.move_to_end(key)
    return _indexes[key]


def _survey(file: VideoFile) -> VideoIndex:
    """Index a file.

    Packets are read without decoding where that is enough. Where anything is odd (times
    missing or double, fewer packets than promised, codecs with hidden frames), every frame
    is decoded once and only those that come out count.
    """
    with open_video(file) as container:
        stream = video_stream(container)
        times, keys = [], []
        packets, plain = 0, stream.codec_context.name not in _HIDING
        for packet in packets_of(container):
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
        times, keys, count = _decoded_times(file)
    if reordered:
        times, keys = [], []
    with open_video(file) as container:
        first = next(decode(container), None)
        size = to_rgb(first).shape[:2] if first is not None else (0, 0)
    if count == 0 or first is None:
        raise ValueError(
            f"{file.path} holds no frame that can be decoded: it is truncated or damaged; "
            "copy or encode it again"
        )
    if not fps:
        raise ValueError(f"{file.path} does not say its frame rate: encode it again, as mp4")
    size = (size[0], size[1])
    return VideoIndex(array("q", times), array("q", keys), count, Fraction(fps), size)


def _decoded_times(file: VideoFile) -> tuple[list[int], list[int], int]:
    """Decode the whole file; times and key times are empty where the file gives none."""
    times: list[int | None] = []
    keys: list[int] = []
    with open_video(file) as container:
        for frame in decode(container):
            times.append(frame.pts)
            if frame.key_frame and frame.pts is not None:
                keys.append(frame.pts)
    known = [t for t in times if t is not None]
    rising = all(a < b for a, b in pairwise(known))
    if len(known) < len(times) or not rising or keys[:1] != known[:1]:
        return [], [], len(times)
    return known, keys, len(times)
