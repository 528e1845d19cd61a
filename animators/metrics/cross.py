"""What a number of cross-identity animation means: pictures moved by clips of somebody else."""

import re
from dataclasses import asdict, dataclass
from typing import Any

from animators.metrics.protocol import OWN, Averaging


@dataclass(frozen=True)
class CrossWay:
    """How a paper evaluates animation of others.

    Attributes:
        pairs: pictures with clips, as in the paper; `PER_CLIP` pictures for each clip where 0.
        averaging: how frames become one number.
        first: frames of each clip that count, from its beginning; None counts all.
    """

    pairs: int
    averaging: Averaging
    first: int | None = None

    def taken(self, frames: int | None) -> int | None:
        """Say how many frames count from a clip's beginning; None for all of those read.

        Args:
            frames: equally spaced ones that are read, which all count; None reads every frame.
        """
        return self.first if frames is None else None


PER_CLIP = 2
CROSS_WAYS = {
    "cross-dime": CrossWay(200, Averaging.FRAME),
    "cross-lia": CrossWay(200, Averaging.VIDEO, first=100),
    "cross-liax": CrossWay(0, Averaging.VIDEO),
}
"""DiME: 200 random pairs of different identities, FID and CSIM against the source. LIA: random
pairs, video FID of the first 100 frames. LIA-X: two pictures for each driving clip, identity
distance and image quality. How DiME and LIA-X take means, they do not say."""

_PART = re.compile(r"[A-Za-z0-9.-]+")


@dataclass(frozen=True)
class CrossProtocol:
    """How pictures moved by other people's clips are evaluated.

    Nobody knows what such a picture ought to look like, so nothing is compared pixel by pixel.

    Attributes:
        label: one of `CROSS_WAYS`.
        image_size: side of the square frames in pixels.
        pairs: how many pairs of a picture and a clip.
        frames: equally spaced frames of each driving clip; None takes all.
        mode: how motion is handed over: `relative`, `absolute` or `avd`.
        references: further pictures of the source, for animators of several views.
        sources: where pictures come from when not from the test clips, and which they are, in
            letters, digits and dots, such as `test.animals.3-1a2b3c4d`.
        seed: of the pairs.
        split: name of the split of the driving clips.
        clips: which driving clips there were, as in `Protocol.clips`.
    """

    label: str
    image_size: int
    pairs: int
    frames: int | None = None
    mode: str = "relative"
    references: int = 0
    sources: str = ""
    seed: int = 0
    split: str = OWN
    clips: str = ""

    def __post_init__(self) -> None:
        """Refuse what is not measured.

        Raises:
            ValueError: a value is outside its range.
        """
        if self.label not in CROSS_WAYS:
            raise ValueError(f"protocol {self.label!r} is none of {', '.join(CROSS_WAYS)}")
        if self.pairs < 1 or self.image_size < 1 or self.references < 0:
            raise ValueError(f"{self.pairs} pairs of {self.image_size} pixels: too few")
        for name in ("split", "sources"):
            value = getattr(self, name)
            if value and _PART.fullmatch(value) is None:
                raise ValueError(f"{name} {value!r}: use letters, digits, dots, hyphens")

    @property
    def averaging(self) -> Averaging:
        """How frames become one number."""
        return CROSS_WAYS[self.label].averaging

    @property
    def name(self) -> str:
        """All of it in one word.

        Such as `cross-dime-64px-full-200pairs-seed0-relative-0ref-perframe@own@12-1a2b3c4d`.
        """
        first = CROSS_WAYS[self.label].taken(self.frames)
        taken = f"first{first}" if first else "full"
        frames = taken if self.frames is None else f"{self.frames}frames"
        where = f"-from.{self.sources}" if self.sources else ""
        return (
            f"{self.label}-{self.image_size}px-{frames}-{self.pairs}pairs-seed{self.seed}"
            f"-{self.mode}-{self.references}ref{where}-per{self.averaging}@{self.split}"
            + (f"@{self.clips}" if self.clips else "")
        )

    def as_dict(self) -> dict[str, Any]:
        """Give the fields as plain values, for a record."""
        return asdict(self) | {"averaging": str(self.averaging), "name": self.name}
