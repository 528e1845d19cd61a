"""What a number means: the protocol is part of it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Protocol:
    """How clips become one number; tables never mix two of them in a column.

    Attributes:
        task: "reconstruction": each clip from its own first frame.
        image_size: pixels of a side.
        frames: equally spaced frames of a clip, the source included; None takes all.
        references: further views of the source's clip, none of them scored.
        averaging: "video": mean of the clips' means (LIA); "frame": mean over all frames (FOMM).
        source_scored: the source frame counts among the scored ones (LIA-X, FOMM).
    """

    task: Literal["reconstruction"] = "reconstruction"
    image_size: int = 256
    frames: int | None = 32
    references: int = 0
    averaging: Literal["video", "frame"] = "video"
    source_scored: bool = False

    @property
    def name(self) -> str:
        """The protocol in one word, such as `reconstruction-64px-32f-rest-per-video-0ref`."""
        frames = "all" if self.frames is None else f"{self.frames}f"
        scored = "whole" if self.source_scored else "rest"
        return (
            f"{self.task}-{self.image_size}px-{frames}-{scored}-per-{self.averaging}"
            f"-{self.references}ref"
        )
