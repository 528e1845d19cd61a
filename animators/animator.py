"""The verbs of an animator, and the words they are written in.

Shapes and ranges, here once for every animator: images are (B, 3, H, W) RGB in [0, 1];
a clip is (B, T, 3, H, W), several views of a source (B, V, 3, H, W). `Source` is what an
animator keeps of a source and `Motion` what it keeps of a driving frame: frozen dataclasses
of tensors whose first axis is the batch.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar, runtime_checkable

from torch import Tensor

Source = TypeVar("Source")
Motion = TypeVar("Motion")


class Mode(StrEnum):
    """How the motion of a driving clip is handed to the source."""

    ABSOLUTE = "absolute"
    """The source takes the driving frame's own pose (one identity, or reconstruction)."""
    RELATIVE = "relative"
    """The source moves as the driving clip moves away from its reference frame."""
    AVD = "avd"
    """Animation via disentanglement: a network fits the motion to the source's shape."""


@dataclass(frozen=True)
class Direction:
    """One motion direction that a user can move along.

    `index` is its place in the motion dictionary; `low` and `high` the range of amounts
    that the paper or its code shows, in units of the animator's own magnitudes.
    """

    index: int
    low: float
    high: float


def find_direction(known: Mapping[str, Direction], wanted: str | int) -> str:
    """Find a direction by its name, its index, or `d` and its index, which always work.

    Args:
        known: an animator's directions by name.
        wanted: as a user says it.

    Returns:
        The direction's name in `known`.

    Raises:
        ValueError: there is none; the message names those there are.
    """
    if wanted in known:
        return str(wanted)
    index = re.fullmatch(r"d?(\d+)", str(wanted))
    for name, direction in known.items():
        if index and direction.index == int(index[1]):
            return name
    raise ValueError(f"no motion direction {wanted!r}; this animator has {_said(known)}")


def _said(known: Mapping[str, Direction]) -> str:
    if not known:
        return "none (no dictionary)"
    numbered = f"d0 to d{len(known) - 1}"
    named = [name for name, direction in known.items() if name != f"d{direction.index}"]
    return f"{', '.join(named)}, and {numbered}" if named else numbered


def spaced(low: float, high: float, count: int) -> tuple[float, ...]:
    """Give `count` equally spaced amounts, two or more, both ends among them."""
    return tuple(low + (high - low) * i / (count - 1) for i in range(count))


class Step(NamedTuple):
    """What one training step of an animator yields."""

    losses: dict[str, Tensor]
    """Raw terms by the paper's names, unweighted scalars."""
    prediction: Tensor
    """(B, 3, H, W), not clamped."""
    condition: Tensor | None = None
    """(B, C, H, W), maps that a conditional discriminator sees beside pictures, detached."""
    figures: Mapping[str, float] = MappingProxyType({})
    """Numbers for the log that are no losses."""
    codes: Mapping[str, Tensor] = MappingProxyType({})
    """Features (B, C) that an adversary reads."""

    def detached(self) -> "Step":
        """Give the step as an adversary's own turn sees it, without the generator's graph."""
        codes = {name: code.detach() for name, code in self.codes.items()}
        return self._replace(prediction=self.prediction.detach(), codes=codes)


def model_name(kind: type) -> str:
    """Name an animator's class as MODEL= and tables do: its folder, or its own name elsewhere."""
    package, _, rest = kind.__module__.partition(".")
    return rest.split(".")[0] if package == __package__ and rest else kind.__name__.lower()


def check_single_view(source: Tensor, name: str) -> None:
    """Refuse several views (B, V, 3, H, W), for an animator that takes one (B, 3, H, W).

    Args:
        source: what it was given.
        name: the animator's.

    Raises:
        ValueError: several views.
    """
    if source.ndim != 4:
        raise ValueError(
            f"{name} takes one source view (B, 3, H, W), got {tuple(source.shape)}: "
            "set references to 0"
        )


def check_references(model: "Animator[Any, Any]", count: int, remedy: str) -> None:
    """Refuse `count` references, where there are any, for an animator that takes one view.

    Raises:
        ValueError: what it is called, the remedy, and who takes references.
    """
    if count and not model.several_views:
        raise ValueError(
            f"{type(model).__name__} takes one source view and no references, got {count}: "
            f"{remedy}, or take an animator of several views, such as dime"
        )


class Animator(Protocol[Source, Motion]):
    """Five verbs; everything that users and benchmarks call is built from them once."""

    modes: tuple[Mode, ...]
    mode_remedies: Mapping[Mode, str]
    """What to do about a mode that is missing."""
    image_size: int
    several_views: ClassVar[bool]
    """Whether references, further pictures of what the source shows, may come with it."""

    def encode_source(self, source: Tensor) -> Source:
        """Keep what is needed of (B, 3, H, W).

        Where `several_views`, also of (B, V, 3, H, W): the source, then its V - 1 references.
        """
        ...

    def encode_motion(self, frames: Tensor, pair: Source | None = None) -> Motion:
        """Read the motion of (B, 3, H, W).

        `pair`, given in reconstruction and training only, fills in what depends on both
        pictures (the background's motion).
        """
        ...

    def transfer(
        self, source: Source, driving: Motion, reference: Motion | None, mode: Mode
    ) -> Motion:
        """Combine motions; `reference` is the driving clip's reference frame in relative mode."""
        ...

    def prepare_reference(self, source: Source, reference: Motion) -> Motion:
        """Fill in what of the reference frame stays the same over a clip, to save its repetition.

        Called once a clip; `transfer` also takes a reference that did not pass here.
        """
        ...

    def render(self, source: Source, motion: Motion) -> Tensor:
        """Draw (B, 3, H, W), not clamped: losses need the raw values."""
        ...

    def motion_distance(self, source: Source, motion: Motion) -> Tensor:
        """Return (B,) distances in the animator's own motion space, for the best frame.

        Of several views, the source's own pose counts.
        """
        ...


@runtime_checkable
class Editable(Protocol[Source, Motion]):
    """An animator whose source can be moved along named directions."""

    sweep: ClassVar[tuple[float, ...]]
    """Amounts at which the paper or its code shows a direction."""

    @property
    def directions(self) -> Mapping[str, Direction]:
        """Directions by name."""
        ...

    def edit(self, source: Source, amounts: Mapping[str | int, float]) -> Source:
        """Move the source along directions (by name or index); edits add up.

        Composes with `transfer` in relative mode, which alone keeps the source's own pose: another
        mode refuses an edited source.
        """
        ...

    def pose(self, source: Source) -> Motion:
        """Return the motion that keeps a source, edited or not, as it is: `render` draws it."""
        ...

    def magnitudes(self, motion: Motion) -> Tensor:
        """Return (B, D), how far a frame lies along each direction, by index."""
        ...
