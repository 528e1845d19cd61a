"""Videos as clips: frames by number, exactly, and streaming."""

from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame

from datamodules.media.base import Clip
from datamodules.media.convert import Frames
from datamodules.media.index import index_of
from datamodules.media.stream import (
    VideoFile,
    decode,
    decode_packet,
    open_video,
    packets_of,
    to_rgb,
    video_stream,
)

PROGRESSIVE = 1
"""FFmpeg's number for pictures that are whole, not two fields."""


class VideoClip(Clip):
    """An mp4, mov, avi, webm or mkv file; `read` seeks to the key frame before."""

    def __init__(self, path: Path, data: bytes | None = None) -> None:
        """Index the file.

        Args:
            path: where it lies, or what it is called if `data` is given.
            data: the file's content.
        """
        self._file = VideoFile.at(path) if data is None else VideoFile.of(path, data)
        self._container: InputContainer | None
        self.index, self._container = index_of(self._file)
        super().__init__(path, self.index.count, self.index.fps, self.index.size)
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
            self._container = open_video(self._file)
        times = [self.index.times[number] for number in wanted]
        for key, run in groupby(times, lambda time: bisect_right(self.index.keys, time) - 1):
            expected = deque(run)
            for frame in self._counted(
                frames_from(self._container, self.index.keys[key], expected)
            ):
                if frame.pts is None or frame.pts < expected[0]:
                    continue
                if frame.pts != expected.popleft():
                    return
                yield frame
                if not expected:
                    break
            if expected:
                return

    def _pick_by_count(self, wanted: Sequence[int]) -> Iterator[VideoFrame]:
        """Yield the wanted frames by decoding from the start: slow, and always exact."""
        left = set(wanted)
        with open_video(self._file) as fresh:
            for number, frame in enumerate(self._counted(decode(fresh))):
                if number in left:
                    left.remove(number)
                    yield frame
                if not left:
                    return

    def _counted(self, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        for frame in frames:
            self.decoded += 1
            yield frame

    def __iter__(self) -> Iterator[Frames]:
        with open_video(self._file) as container:
            for number, frame in enumerate(decode(container)):
                yield self._checked(to_rgb(frame), number)

    def close(self) -> None:
        """Close the file; a later read opens it again."""
        if self._container is not None:
            self._container.close()
            self._container = None


def frames_from(
    container: InputContainer, key: int, wanted: Collection[int]
) -> Iterator[VideoFrame]:
    """Yield frames from the key frame shown at `key` on; none where the file cannot seek.

    Of h264, frames that neither are wanted nor serve others are not decoded, and those behind
    the last wanted one not even read: half of the work or less.

    Args:
        container: a video that is open.
        key: time of the key frame, in the stream's time base.
        wanted: times of the frames that must come out.
    """
    stream = video_stream(container)
    try:
        container.seek(key, stream=stream, backward=True, any_frame=False)
    except av.FFmpegError:
        return
    decoder = stream.codec_context
    # fields would want their other half, other codecs tell less reliably what serves others
    if decoder.name != "h264" or decoder.field_order != PROGRESSIVE:
        yield from decode(container)
        return
    left = set(wanted)
    try:
        for packet in packets_of(container):
            decoder.skip_frame = "DEFAULT" if packet.pts in left else "NONREF"
            left.discard(packet.pts)
            yield from decode_packet(stream, packet)
            if not left:
                break
        decoder.skip_frame = "DEFAULT"
        yield from decode_packet(stream, None)
    finally:
        decoder.skip_frame = "DEFAULT"
