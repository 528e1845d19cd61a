"""What metrics want of networks that are not ours: one protocol for each kind of answer.

A metric takes any of these and carries its `name` behind its own, such as `akd_mesh`: numbers of
different networks never stand in one column. Package-shipped ones are the defaults, the papers'
come as named options.
"""

from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from torch import Tensor

Floats = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]


class Network(Protocol):
    """Something that looks at frames.

    Attributes:
        name: one word, the end of a metric's name: `mesh`, `dlib`, `blazepose`, `vgg16`.
        version: what computed it, for records: network, package and version or the file's hash.
    """

    @property
    def name(self) -> str:
        """One word, the end of a metric's name."""
        ...

    @property
    def version(self) -> str:
        """What computed it, for records."""
        ...


@runtime_checkable
class Landmarks(Network, Protocol):
    """Finds the points of one face or body.

    `find(frame, shared)` takes a frame (H, W, 3) uint8 RGB and gives (K, 2) xy in pixels of that
    frame, NaN for a point that is missing, or None where nothing is found. With `shared`, a real
    frame of the same pose, a network that needs a region of interest takes it from there.
    """

    @property
    def points(self) -> int:
        """How many points, K."""
        ...

    def find(self, frame: Picture, shared: Picture | None = None) -> Floats | None:
        """Find the points of a frame: (H, W, 3) -> (K, 2) or None."""
        ...


@runtime_checkable
class Embedder(Network, Protocol):
    """Describes who a frame (H, W, 3) uint8 RGB shows: (D,) float64, or None if nobody is found."""

    def describe(self, frame: Picture) -> Floats | None:
        """Describe a frame: (H, W, 3) -> (D,) or None."""
        ...


@runtime_checkable
class Judge(Network, Protocol):
    """Scores the quality of a frame (H, W, 3) uint8 RGB: a number, with its direction."""

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher score is a better frame."""
        ...

    def score(self, frame: Picture) -> float:
        """Score a frame: (H, W, 3) -> a number."""
        ...


@runtime_checkable
class Features(Network, Protocol):
    """Features of frames (N, 3, H, W) or clips (N, T, 3, H, W) uint8 RGB: (N, size) float32."""

    @property
    def size(self) -> int:
        """Numbers of one image's or clip's features."""
        ...

    def features(self, images: Tensor) -> Tensor:
        """Give features: (N, ...) -> (N, size)."""
        ...
