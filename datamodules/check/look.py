"""Open one clip and decode it: what it holds, or why it cannot be read."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from datamodules import media
from datamodules.check.files import Packed
from datamodules.check.fingerprint import Track, cells_of, make_track, reduced
from datamodules.media.pictures import AnimatedPicture
from datamodules.media.stream import VideoFile, open_video, packets_of, video_stream
from datamodules.prepare.digest import digest_of

STILL = 4
"""Grey levels of the reduced frame that coding alone may change."""


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


def look_at(
    path: Path,
    packed: Packed | None = None,
    *,
    quick: bool = False,
    hashed: bool = False,
    frame_width: int | None = None,
) -> Look:
    """Decode a clip from end to end.

    Args:
        path: file or folder; of a clip in a shard, what it is called.
        packed: where it lies in a shard.
        quick: decode the first, the middle and the last frame only.
        hashed: take the file's hash too.
        frame_width: width of one frame in strips; None takes their height.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is damaged, breaks off, or is no clip at all.
    """
    data = None if packed is None else packed.read()
    with _opened(path, data, frame_width) as clip:
        if quick:
            count = clip.num_frames
            summary = _Summary(clip.read(sorted({0, count // 2, count - 1})))
        else:
            summary = _Summary(clip)
            count = len(summary.cells)
            _refuse_fragments(clip, data, count)
        height, width = clip.size
    return Look(
        frames=count,
        fps=clip.fps,
        width=width,
        height=height,
        motion=summary.motion,
        still=summary.largest <= STILL,
        sha256=_digest(path, data) if hashed else "",
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


def _opened(path: Path, data: bytes | None, frame_width: int | None) -> media.Clip:
    if data is not None:
        return media.VideoClip(path, data)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError(f"{path} is neither a file nor a folder: take it out of the set")
    return media.open_clip(path, strips=True, frame_width=frame_width)


def _digest(path: Path, data: bytes | None) -> str:
    return digest_of(path) if data is None else hashlib.sha256(data).hexdigest()


def _refuse_fragments(clip: media.Clip, data: bytes | None, decoded: int) -> None:
    """Raise ValueError where fewer frames decode than the file holds, or once held."""
    promised = clip.num_frames
    if isinstance(clip, media.VideoClip):
        file = VideoFile.at(clip.path) if data is None else VideoFile.of(clip.path, data)
        promised = max(promised, _frames_promised(file))
    if isinstance(clip, AnimatedPicture) and clip.path.suffix.lower() == ".gif":
        promised = max(promised, _frames_of_gif(clip.path))
    if decoded < promised:
        raise ValueError(
            f"{clip.path} is damaged or breaks off: {decoded} of {promised} frames decode; "
            "copy or encode it again"
        )


def _frames_promised(file: VideoFile) -> int:
    """Give the frames that a video's header promises where packets are missing, else 0.

    Frames that an edit list hides are promised too, but their packets are there.
    """
    with open_video(file) as container:
        promised = video_stream(container).frames
        packets = sum(1 for packet in packets_of(container) if packet.size)
    return promised if packets < promised else 0


def _frames_of_gif(path: Path) -> int:
    """Count the frames that begin in a gif, whether or not they are whole."""
    with Image.open(path) as image:
        return int(getattr(image, "n_frames", 1))
