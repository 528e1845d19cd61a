"""Read and write clips and pictures; uint8 and [0, 1] meet here and nowhere else."""

from pathlib import Path

from datamodules.media.base import PICTURE_RATE, Clip, existing, natural_key
from datamodules.media.convert import (
    Frames,
    crop_box,
    crop_square,
    resize,
    to_float,
    to_frames,
    to_tensor,
    to_uint8,
)
from datamodules.media.pictures import PICTURES, AnimatedPicture, FrameFolder, Strip, read_image
from datamodules.media.sinks import Encoding
from datamodules.media.stream import VIDEOS
from datamodules.media.video import VideoClip
from datamodules.media.write import OUTPUTS, ClipWriter, check_output

__all__ = [
    "CLIPS",
    "OUTPUTS",
    "PICTURES",
    "PICTURE_RATE",
    "VIDEOS",
    "Clip",
    "ClipWriter",
    "Encoding",
    "Frames",
    "VideoClip",
    "check_output",
    "crop_box",
    "crop_square",
    "natural_key",
    "open_clip",
    "read_image",
    "resize",
    "to_float",
    "to_frames",
    "to_tensor",
    "to_uint8",
]

CLIPS = VIDEOS | PICTURES | {".gif"}
"""Endings of the files that can be clips."""


def open_clip(path: str | Path, *, strips: bool = False, frame_width: int | None = None) -> Clip:
    """Open a clip: a video file, a gif, a folder of frames, a picture, or a strip.

    Args:
        path: mp4, mov, m4v, avi, webm, mkv; gif; a folder of png or jpg, whatever its name;
            a picture (one frame, or several where it is animated).
        strips: cut a still picture that is a whole number of squares wide, two or more, into
            frames side by side; without it such a picture is one frame.
        frame_width: cut still pictures by this width instead.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: it is empty, of another kind, or holds no frame that can be read.
    """
    path = existing(Path(path), "clip")
    if path.is_dir():
        return FrameFolder(path)
    ending = path.suffix.lower()
    if ending in VIDEOS:
        return VideoClip(path)
    if ending not in CLIPS:
        raise ValueError(
            f"{path} is of an unknown kind {ending!r}: a clip is one of "
            f"{' '.join(sorted(CLIPS))}, or a folder of frames"
        )
    picture = AnimatedPicture(path)
    if picture.num_frames > 1 or not (strips or frame_width):
        return picture
    height, width = picture.size
    if frame_width or (width % height == 0 and width > height):
        return Strip(path, frame_width)
    return picture
