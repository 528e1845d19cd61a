"""Where the frames of a video file are: found without decoding where that is enough."""

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from operator import eq
from pathlib import Path

from av.container import InputContainer
from av.video.frame import VideoFrame

from datamodules.media.stream import (
    VideoFile,
    decode,
    decode_packet,
    open_video,
    packets_of,
    shown_size,
    video_stream,
)

INDEXES_KEPT = 1 << 15
"""Files whose index is remembered: some hundred bytes each, 8 a frame at unequal times."""

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

    times: Sequence[int]
    keys: Sequence[int]
    count: int
    fps: Fraction
    size: tuple[int, int]


_indexes: "OrderedDict[tuple[Path, int, int], VideoIndex]" = OrderedDict()


def forget() -> None:
    """Forget every index."""
    _indexes.clear()


def index_of(file: VideoFile) -> tuple[VideoIndex, InputContainer | None]:
    """Index a file, or remember its index; a file that changed is indexed anew.

    Returns:
        The index, and the opened file where it had to be opened for that.

    Raises:
        ValueError: it holds no frame that can be decoded, or gives no rate.
    """
    key = (file.path, file.size, file.changed)
    if key in _indexes:
        _indexes.move_to_end(key)
        return _indexes[key], None
    container = open_video(file)
    try:
        _indexes[key] = _survey(file, container)
    except BaseException:
        container.close()
        raise
    if len(_indexes) > INDEXES_KEPT:
        _indexes.popitem(last=False)
    return _indexes[key], container


def _survey(file: VideoFile, container: InputContainer) -> VideoIndex:
    """Index an opened file.

    Packets are read without decoding, but for the first frame, where that is enough. Where
    anything is odd (times missing or double, fewer packets than promised, codecs with hidden
    frames), every frame is decoded once and only those that come out count.
    """
    stream = video_stream(container)
    times, keys = [], []
    packets, plain = 0, stream.codec_context.name not in _HIDING
    first: VideoFrame | None = None
    for packet in packets_of(container):
        if first is None:
            first = next(decode_packet(stream, packet), None)
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
    first = first or next(decode_packet(stream, None), None)
    if count == 0 or first is None:
        raise ValueError(
            f"{file.path} holds no frame that can be decoded: it is truncated or damaged; "
            "copy or encode it again"
        )
    if not fps:
        raise ValueError(f"{file.path} does not say its frame rate: encode it again, as mp4")
    return VideoIndex(_compact(times), _compact(keys), count, Fraction(fps), shown_size(first))


def _compact(numbers: list[int]) -> Sequence[int]:
    """Keep numbers in little room: those at equal steps, as of most files, in next to none."""
    if len(numbers) > 1 and numbers[1] > numbers[0]:
        steps = range(numbers[0], numbers[-1] + 1, numbers[1] - numbers[0])
        if len(steps) == len(numbers) and all(map(eq, steps, numbers)):
            return steps
    return array("q", numbers)


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
