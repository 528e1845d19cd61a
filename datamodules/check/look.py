"""Open one clip and decode it: what it holds, or why it cannot be read."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from PIL import Image

from datamodules import media
from datamodules.check.fingerprint import Track, cells_of, make_track, reduced
from datamodules.media.pictures import AnimatedPicture
from datamodules.prepare.digest import digest_of
from datamodules.splits import Split, find_clips

LARGEST_PICTURE = 1 << 27
"""Pixels of a frame beyond which a file is more likely damaged, and memory would run out."""

SHARD_INDEX = "index.csv"
STILL = 2
"""Grey levels of the reduced frame that coding alone may change."""


@dataclass(frozen=True)
class ClipFile:
    """A clip of a training root and the split it lies in."""

    split: Split
    path: Path


@dataclass(frozen=True)
class Look:
    """What a clip holds.

    Attributes:
        frames: as many as decode; with a quick look, as many as the file says.
        fps: exact mean rate.
        width, height: of the frames.
        motion: largest mean absolute difference (0 to 1) between the first frame and another.
        still: nothing moves in any frame.
        sha256: of the file or folder; empty where it was not asked for.
        track: what the clip is known again by.
    """

    frames: int
    fps: Fraction
    width: int
    height: int
    motion: float
    still: bool
    sha256: str
    track: Track


def clips_of(root: Path, folders: Mapping[Split, str], split_file: str | None) -> list[ClipFile]:
    """List the clips of both splits of a training root, train first.

    Raises:
        FileNotFoundError: a folder or the split file is missing.
        ValueError: a split without a clip, or of shards; a split file that does not fit.
    """
    packed = [
        root / folder for folder in folders.values() if (root / folder / SHARD_INDEX).is_file()
    ]
    if packed and split_file is None:
        raise ValueError(f"{packed[0]} holds shards: check the root that they were packed from")
    found = find_clips(root, folders, split_file)
    return [ClipFile(split, path) for split, paths in found.items() for path in paths]


def look_at(
    path: Path, *, quick: bool = False, hashed: bool = False, frame_width: int | None = None
) -> Look:
    """Decode a clip from end to end.

    Args:
        path: file or folder.
        quick: decode the first, the middle and the last frame only.
        hashed: take the file's hash too.
        frame_width: width of one frame in strips; None takes their height.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is damaged, breaks off, or is no clip at all.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError(f"{path} is neither a file nor a folder: take it out of the set")
    _refuse_giants(path)
    with media.open_clip(path, strips=True, frame_width=frame_width) as clip:
        if quick:
            count = clip.num_frames
            summary = _Summary(clip.read(sorted({0, count // 2, count - 1})))
        else:
            summary = _Summary(clip)
            count = len(summary.cells)
            _refuse_fragments(clip, count)
        height, width = clip.size
    return Look(
        frames=count,
        fps=clip.fps,
        width=width,
        height=height,
        motion=summary.motion,
        still=summary.largest <= STILL,
        sha256=digest_of(path) if hashed else "",
        # three frames spread over any length are laid over each other by number
        track=make_track(summary.cells, 1.0 if quick else float(clip.fps)),
    )


class _Summary:
    """What is kept of the frames while they pass by."""

    def __init__(self, frames: Iterable[media.Frames]) -> None:
        self.cells = []
        self.motion = 0.0
        self.largest = 0
        first: npt.NDArray[np.int16] | None = None
        for frame in frames:
            grey = reduced(frame)
            self.cells.append(cells_of(grey))
            small = grey.astype(np.int16)
            first = small if first is None else first
            change = np.abs(small - first)
            self.motion = max(self.motion, float(change.mean()) / 255)
            self.largest = max(self.largest, int(change.max()))


def _refuse_giants(path: Path) -> None:
    """Raise ValueError for frames too large to be decoded, going by the file's header."""
    if not (path.is_file() and path.suffix.lower() in media.VIDEOS):
        return  # Pillow guards itself
    width, height = _size_in_header(path)
    if width * height > LARGEST_PICTURE:
        raise ValueError(f"{path} claims frames of {width}x{height} pixels: make them smaller")


def _refuse_fragments(clip: media.Clip, decoded: int) -> None:
    """Raise ValueError where fewer frames decode than the file holds, or once held."""
    promised = clip.num_frames
    if isinstance(clip, media.VideoClip):
        promised = max(promised, _frames_promised(clip.path))
    if isinstance(clip, AnimatedPicture) and clip.path.suffix.lower() == ".gif":
        promised = max(promised, _frames_of_gif(clip.path))
    if decoded < promised:
        raise ValueError(
            f"{clip.path} is damaged or breaks off: {decoded} of {promised} frames decode; "
            "copy or encode it again"
        )


def _size_in_header(path: Path) -> tuple[int, int]:
    try:
        with av.open(str(path)) as container:
            stream = container.streams.best("video")
            if isinstance(stream, VideoStream) and stream.codec_context is not None:
                return stream.codec_context.width, stream.codec_context.height
    except av.FFmpegError:
        pass  # opening it as a clip says what is wrong
    return 0, 0


def _frames_promised(path: Path) -> int:
    """Give the frames that a video's header promises where packets are missing, else 0.

    Frames that an edit list hides are promised too, but their packets are there.
    """
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream):
            return 0
        packets = sum(1 for packet in _packets(container, stream) if packet.size)
        return stream.frames if packets < stream.frames else 0


def _packets(container: InputContainer, stream: VideoStream) -> "Iterator[Packet[VideoStream]]":
    """Yield packets up to where the file breaks off."""
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.FFmpegError):
            return


def _frames_of_gif(path: Path) -> int:
    """Count the frames that begin in a gif, whether or not they are whole."""
    with Image.open(path) as image:
        return int(getattr(image, "n_frames", 1))
