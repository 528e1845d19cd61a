"""Video files opened through PyAV: packets and frames, up to where a file breaks off."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import cast
from zlib import crc32

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream

from datamodules.media.convert import Frames

VIDEOS = frozenset(
    {".mp4", ".mov", ".m4v", ".avi", ".webm", ".mkv"}
    | {".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".3gp"}
)

EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""How YUV becomes RGB. FFmpeg's quick way is a level of 255 too dark, anew with each copy."""

_KINDS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,asf,flv,live_flv,mpegvideo,h264"
"""What FFmpeg may take a file for. Left to itself it also obeys playlists and lists of files,
whatever their ending, and opens what these name."""

MOST_PIXELS = 64 << 20
"""Pixels of a frame beyond which a file is refused: its header is damaged or hostile."""


@dataclass(frozen=True)
class VideoFile:
    """A video on a disk, or in memory where it came out of a shard.

    Attributes:
        path: the file, or what the video is called in messages and in the cache of indexes.
        size: bytes.
        changed: time of the last change; of what is in memory, a checksum.
        data: the whole file; None where it lies at `path`.
    """

    path: Path
    size: int
    changed: int = 0
    data: bytes | None = field(default=None, repr=False)

    @classmethod
    def at(cls, path: Path) -> "VideoFile":
        """Name a file on a disk."""
        stat = path.stat()
        return cls(path, stat.st_size, stat.st_mtime_ns)

    @classmethod
    def of(cls, path: Path, data: bytes) -> "VideoFile":
        """Name a file in memory; other content by the same name is another file."""
        return cls(path, len(data), crc32(data), data)


def open_video(file: VideoFile) -> InputContainer:
    """Open a video for demuxing; its decoder runs in one thread.

    Raises:
        ValueError: no video that can be read, no picture in it, or pictures of a size that
            only a damaged or hostile file claims.
    """
    path = file.path
    # from the root on: what stands before a colon would be taken for a protocol
    content: str | BytesIO = str(path.absolute()) if file.data is None else BytesIO(file.data)
    try:
        # titles and names in it may be in any encoding: nobody reads them
        container = av.open(
            content, "r", options={"format_whitelist": _KINDS}, metadata_errors="replace"
        )
    except av.FFmpegError as error:
        raise ValueError(
            f"{path} is not a video that can be read ({_reason(error)}): it is truncated, damaged "
            "or of another kind; copy or encode it again, for example as mp4"
        ) from error
    if not container.streams.video:
        container.close()
        raise ValueError(f"{path} has no video track, perhaps only sound: choose another file")
    decoder = cast(VideoCodecContext | None, video_stream(container).codec_context)
    if decoder is None:
        container.close()
        raise ValueError(
            f"{path} holds a video of a kind that cannot be decoded: it is truncated, or wants "
            "encoding again, for example as h264 in mp4"
        )
    if decoder.width * decoder.height > MOST_PIXELS:
        container.close()
        raise ValueError(
            f"{path} claims frames of {decoder.width}x{decoder.height} pixels: it is damaged, or "
            "has to be made smaller first"
        )
    decoder.thread_count = 1  # loaders run one process a core
    return container


def _reason(error: av.FFmpegError) -> str:
    return (error.strerror or str(error)).rstrip(".")


def video_stream(container: InputContainer) -> VideoStream:
    """Return the main video track (a cover picture is not)."""
    stream = container.streams.best("video")
    return stream if isinstance(stream, VideoStream) else container.streams.video[0]


def packets_of(container: InputContainer) -> "Iterator[Packet[VideoStream]]":
    """Yield the video packets up to the first place where the file breaks off."""
    packets = container.demux(video_stream(container))
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.FFmpegError):
            return


def decode(container: InputContainer) -> Iterator[VideoFrame]:
    """Yield the frames that decode, in order of showing; damaged packets give none."""
    stream = video_stream(container)
    for packet in packets_of(container):
        yield from decode_packet(stream, packet)
    # a broken file ends without the empty packet that empties the decoder
    yield from decode_packet(stream, None)


def decode_packet(
    stream: VideoStream, packet: "Packet[VideoStream] | None"
) -> Iterator[VideoFrame]:
    """Yield the frames that come out for a packet; a damaged one gives none."""
    try:
        yield from stream.decode(packet)
    except av.FFmpegError:
        return


def shown_size(frame: VideoFrame) -> tuple[int, int]:
    """Give (height, width) of a decoded frame once it is turned."""
    turned = round(frame.rotation / 90) % 2 == 1
    return (frame.width, frame.height) if turned else (frame.height, frame.width)


def to_rgb(frame: VideoFrame) -> Frames:
    """Convert a decoded frame to (H, W, 3) uint8 RGB, turned as its display matrix says."""
    rgb = cast(Frames, frame.to_ndarray(format="rgb24", interpolation=EXACT))
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb
