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
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...


@runtime_checkable
class Landmarks(Network, Protocol):
    """Finds the points of one face or body.

    `find(frame, shared)` takes a frame (H, W, 3) uint8 RGB and gives (K, 2) xy in pixels, NaN for a
    point that is missing, or None where nothing is found. With `shared`, a real frame of the same
    pose, a network that needs a region of interest takes it from there.
    """

    @property
    def points(self) -> int: ...

    def find(self, frame: Picture, shared: Picture | None = None) -> Floats | None: ...


@runtime_checkable
class Embedder(Network, Protocol):
    """Describes who a frame (H, W, 3) uint8 RGB shows: (D,) float64, or None if nobody is found."""

    def describe(self, frame: Picture) -> Floats | None: ...


@runtime_checkable
class Judge(Network, Protocol):
    """Scores the quality of a frame (H, W, 3) uint8 RGB: a number, with its direction."""

    @property
    def higher_is_better(self) -> bool: ...

    def score(self, frame: Picture) -> float: ...


@runtime_checkable
class Features(Network, Protocol):
    """Features of frames (N, 3, H, W) or clips (N, T, 3, H, W) uint8 RGB: (N, size) float32."""

    @property
    def size(self) -> int: ...

    def features(self, images: Tensor) -> Tensor: ...
