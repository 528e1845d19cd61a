"""What a number means: without equal protocols two numbers cannot be compared."""

import re
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple, Self

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


class Way(NamedTuple):
    """Which frames count, and how they become one number."""

    scored: Scored
    averaging: Averaging


WAYS = {
    "recon-lia": Way(Scored.REMAINING, Averaging.VIDEO),
    "recon-fomm": Way(Scored.ALL, Averaging.FRAME),
    "recon-liax": Way(Scored.ALL, Averaging.VIDEO),
}
"""Ways of scoring a reconstruction without references, by the paper that has them: LIA leaves its
source out, FOMM takes the mean over all frames, LIA-X scores whole videos."""

_NAME = re.compile(
    r"(?P<task>\w+)-(?P<image_size>\d+)px-(?P<frames>full|\d+frames)-source(?P<source_frame>\d+)"
    r"-(?P<scored>\w+)-(?P<references>\d+)ref-per(?P<averaging>\w+)"
    r"(@(?P<split>[A-Za-z0-9.-]+))?(@(?P<clips>\d+-[0-9a-f]{8}))?"
)
OWN = "own"


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
        split: name of the split of the set; `own` for one that nobody published. Papers have
            splits of their own even where the set's name is the same.
        clips: which test clips that split really had: their number and 8 digits of a hash of
            their names, such as `525-1a2b3c4d`; empty where it is not known, as for papers.
    """

    image_size: int
    frames: int | None = 32
    averaging: Averaging = Averaging.VIDEO
    scored: Scored = Scored.REMAINING
    references: int = 0
    source_frame: int = 0
    task: str = "reconstruction"
    split: str = OWN
    clips: str = ""

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
        for name, form in (("split", "[A-Za-z0-9.-]+"), ("clips", r"(\d+-[0-9a-f]{8})?")):
            if re.fullmatch(form, getattr(self, name)) is None:
                raise ValueError(f"{name} {getattr(self, name)!r} is not of the form {form}")

    @property
    def name(self) -> str:
        """All of it in one word, such as the one below.

        `reconstruction-64px-32frames-source0-remaining-0ref-pervideo@own@12-1a2b3c4d`
        """
        frames = "full" if self.frames is None else f"{self.frames}frames"
        return (
            f"{self.task}-{self.image_size}px-{frames}-source{self.source_frame}"
            f"-{self.scored}-{self.references}ref-per{self.averaging}@{self.split}"
            + (f"@{self.clips}" if self.clips else "")
        )

    @property
    def label(self) -> str:
        """Whose way of scoring it is: `recon-lia`, `recon-fomm`, `recon-liax` or `recon-few`.

        Where frames and averages are nobody's, `reconstruction`. How many frames of a clip are
        read stands in `name`: the papers read all.
        """
        if self.references:
            return "recon-few"
        known = {(how.scored, how.averaging): label for label, how in WAYS.items()}
        return known.get((self.scored, self.averaging), "reconstruction")

    @classmethod
    def from_name(cls, name: str) -> Self:
        """Read a protocol's name; one without a split is of an `own` one.

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
            split=match["split"] or OWN,
            clips=match["clips"] or "",
        )

    def as_dict(self) -> dict[str, Any]:
        """Give the fields as plain values, for a record."""
        return asdict(self) | {
            "averaging": str(self.averaging),
            "scored": str(self.scored),
            "reference_rule": REFERENCE_RULE,
            "name": self.name,
            "label": self.label,
        }

    @property
    def test_clips(self) -> int | None:
        """Number of test clips: those it really had, else the number that ends the split's name."""
        if self.clips:
            return int(self.clips.partition("-")[0])
        number = re.search(r"-(\d+)$", self.split)
        return int(number[1]) if number else None

    def is_that_of(self, paper: Self) -> bool:
        """Tell whether a measurement is of a paper's protocol: all equal, as many test clips."""
        return replace(self, clips="") == paper and self.test_clips == paper.test_clips

    @classmethod
    def lia(cls, image_size: int = 256, split: str = OWN) -> Self:
        """LIA's evaluation: every frame but the first, mean per video, then over videos."""
        return cls(image_size=image_size, frames=None, split=split)

    @classmethod
    def fomm(cls, image_size: int = 256, split: str = OWN) -> Self:
        """FOMM's evaluation: every frame, the first too, mean over all frames of all videos."""
        how = cls(image_size=image_size, frames=None, averaging=Averaging.FRAME, split=split)
        return replace(how, scored=Scored.ALL)
