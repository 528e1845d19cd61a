"""What is to be prepared: one job a clip, one set of settings for all of them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from datamodules.splits import Split

Crop = Literal["none", "square", "head"]
Form = Literal["mp4", "frames", "shards"]


@dataclass(frozen=True)
class Span:
    """A stretch of a source, counted in frames of a rate that need not be the file's.

    Attributes:
        first: number of the first frame.
        stop: number after the last frame.
        fps: rate in frames per second of these numbers; None means the file's own.
    """

    first: int
    stop: int
    fps: float | None = None


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of a picture that need not have the file's size.

    Attributes:
        left, top, right, bottom: edges; right and bottom lie just outside.
        width, height: size of the picture in which they were measured.
    """

    left: float
    top: float
    right: float
    bottom: float
    width: float
    height: float


@dataclass(frozen=True)
class Job:
    """One clip to be made.

    Attributes:
        source: the file or folder to read.
        label: how the source is called in reports, relative to what the user named.
        name: of the clip, without ending; unique in its split.
        split: train or test.
        identity: who is shown.
        span: which frames; None takes all.
        box: cut out before anything else; None takes the whole picture. What a box cuts is
            resized to a square whatever its shape, as the published sets were made, unless
            the settings keep aspects.
    """

    source: Path
    label: str
    name: str
    split: Split
    identity: str
    span: Span | None = None
    box: Box | None = None


@dataclass(frozen=True)
class Settings:
    """How every clip is made.

    Attributes:
        size: side of the square frames in pixels; with `crop` none, the shorter side.
        crop: "none" keeps the whole picture and its aspect; "square" cuts out the largest
            centred square; "head" a square around the head, fixed over the clip.
        face_index: with `crop` head and several faces, which one: 0 is the largest.
        min_head: with `crop` head, clips that show the head in a smaller share of their frames
            are skipped: kept boxes alone are no crop.
        fps: frames per second to come down to; None keeps the source's. A source that is
            slower keeps its own rate, since repeated frames teach no motion.
        min_frames: clips of fewer frames are skipped.
        max_frames: frames of a clip after which it ends; None takes all.
        form: "mp4"; "frames", a folder of png for each clip; "shards", tar files of mp4.
        key_interval: frames from one key frame of an mp4 to the next.
        crf: quality of an mp4 as x264 counts it, 0 (lossless) to 51.
        keep_aspect: a box that is not square is widened to a square instead of distorted.
    """

    size: int = 256
    crop: Crop = "square"
    face_index: int = 0
    min_head: float = 0.5
    fps: float | None = None
    min_frames: int = 2
    max_frames: int | None = None
    form: Form = "mp4"
    key_interval: int = 12
    crf: int = 18
    keep_aspect: bool = False

    def __post_init__(self) -> None:
        """Refuse values outside their ranges.

        Raises:
            ValueError: names the value.
        """
        if self.size < 16 or self.size % 2:
            raise ValueError(f"--size {self.size}: give an even number of pixels from 16 on")
        if self.fps is not None and not self.fps >= 0.01:
            raise ValueError(f"--fps {self.fps}: give a rate from 0.01 on")
        if self.face_index < 0:
            raise ValueError(f"--face-index {self.face_index}: give a number from 0 on")
        if not 0 <= self.min_head <= 1:
            raise ValueError(f"--min-head {self.min_head}: give a share from 0 to 1")
        if self.min_frames < 1:
            raise ValueError(f"--min-frames {self.min_frames}: give a number from 1 on")
        if self.max_frames is not None and self.max_frames < self.min_frames:
            raise ValueError(f"--max-frames {self.max_frames}: below --min-frames")
        if self.key_interval < 1:
            raise ValueError(f"--key-interval {self.key_interval}: give a number from 1 on")
        if not 0 <= self.crf <= 51:
            raise ValueError(f"--crf {self.crf}: give a number from 0 to 51")

    def as_dict(self) -> dict[str, Any]:
        """Give the values as primitives, for the journal."""
        return asdict(self)


@dataclass(frozen=True)
class Made:
    """What became of a job: one line of `manifest.csv`.

    Attributes:
        path: the clip, relative to the root it lies in.
        split, identity, source: the job's; source is its label.
        frames: how many were written.
        fps: exact rate as a fraction, such as 30000/1001.
        width, height: of the frames.
        crop: the policy.
        box: left,top,right,bottom that was cut, in pixels of the source; empty for the whole.
        without_head: frames in which the detector found none (crop head).
        sha256: of the file; of a folder, of its files' hashes in order.
        key: what the clip was made from: the source's size and time of change, span and box.
    """

    path: str
    split: Split
    identity: str
    source: str
    frames: int
    fps: str
    width: int
    height: int
    crop: str
    box: str
    without_head: int
    sha256: str
    key: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """The job's: the path's last part without its ending."""
        return self.path.rsplit("/", 1)[1].removesuffix(".mp4").removesuffix(".png")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Made":
        """Make one from what `as_dict` gave; TypeError when keys differ."""
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Give the values as primitives."""
        return asdict(self)
