"""What a number means: without equal protocols two numbers cannot be compared."""

import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

REFERENCE_RULE = "equally spaced among the frames that are not scored"


class Averaging(StrEnum):
    """How frames become one number.

    VIDEO: mean over the frames of each clip, then over clips (LIA). FRAME: mean over all frames of
    all clips (FOMM).
    """

    VIDEO = "video"
    FRAME = "frame"


class Scored(StrEnum):
    """Which frames count.

    REMAINING: all but the source frame (LIA). ALL: the source frame too (FOMM).
    """

    REMAINING = "remaining"
    ALL = "all"


_NAME = re.compile(
    r"(?P<task>\w+)-(?P<image_size>\d+)px-(?P<frames>full|\d+frames)-source(?P<source_frame>\d+)"
    r"-(?P<scored>\w+)-(?P<references>\d+)ref-per(?P<averaging>\w+)"
)


@dataclass(frozen=True)
class Protocol:
    """How clips are evaluated; the defaults are LIA's way, on 32 frames a clip.

    Attributes:
        task: `reconstruction`, a clip from its own source frame.
        image_size: side of the square frames in pixels.
        frames: equally spaced frames read per clip, the source frame among them; None reads all.
        source_frame: the frame that is the source.
        scored: which frames count.
        references: further pictures of the same person given to the model, `REFERENCE_RULE`.
        averaging: how frames become one number.
    """

    image_size: int
    frames: int | None = 32
    averaging: Averaging = Averaging.VIDEO
    scored: Scored = Scored.REMAINING
    references: int = 0
    source_frame: int = 0
    task: str = "reconstruction"

    def __post_init__(self) -> None:
        """Refuse what is not measured.

        Raises:
            ValueError: a value is outside its range.
        """
        object.__setattr__(self, "averaging", Averaging(self.averaging))
        object.__setattr__(self, "scored", Scored(self.scored))
        if self.task != "reconstruction":
            raise ValueError(f"task {self.task!r} is not known; known: reconstruction")
        if self.source_frame != 0:
            raise ValueError(f"the source is frame 0 of the frames read, not {self.source_frame}")
        if self.image_size < 1 or self.references < 0:
            raise ValueError(
                f"image_size {self.image_size}, references {self.references}: too small"
            )
        if self.frames is not None and self.frames < 2:
            raise ValueError(f"frames must be 2 or more, or None for all, not {self.frames}")

    @property
    def name(self) -> str:
        """All of it in one word: `reconstruction-64px-32frames-source0-remaining-0ref-pervideo`."""
        frames = "full" if self.frames is None else f"{self.frames}frames"
        return (
            f"{self.task}-{self.image_size}px-{frames}-source{self.source_frame}"
            f"-{self.scored}-{self.references}ref-per{self.averaging}"
        )

    @classmethod
    def from_name(cls, name: str) -> Self:
        """Read a protocol's name.

        Raises:
            ValueError: it is no such name.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            example = cls(image_size=256).name
            raise ValueError(f"{name!r} is not the name of a protocol, such as {example!r}")
        frames = match["frames"].removesuffix("frames")
        return cls(
            image_size=int(match["image_size"]),
            frames=None if frames == "full" else int(frames),
            averaging=Averaging(match["averaging"]),
            scored=Scored(match["scored"]),
            references=int(match["references"]),
            source_frame=int(match["source_frame"]),
            task=match["task"],
        )

    def as_dict(self) -> dict[str, Any]:
        """Give the fields as plain values, for a record."""
        return asdict(self) | {
            "averaging": str(self.averaging),
            "scored": str(self.scored),
            "reference_rule": REFERENCE_RULE,
            "name": self.name,
        }

    @classmethod
    def lia(cls, image_size: int = 256) -> Self:
        """LIA's evaluation: every frame but the first, mean per video, then over videos."""
        return cls(image_size=image_size, frames=None)

    @classmethod
    def fomm(cls, image_size: int = 256) -> Self:
        """FOMM's evaluation: every frame, the first too, mean over all frames of all videos."""
        return cls(image_size=image_size, frames=None, averaging=Averaging.FRAME, scored=Scored.ALL)
