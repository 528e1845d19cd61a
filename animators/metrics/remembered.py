"""Networks that look at each frame once: several metrics and models ask about the same ones.

    mesh = RememberedLandmarks(MeshLandmarks(), shares=False)
    identity = RememberedEmbedder(DlibIdentity(mesh=mesh))

answer AKD, MKR, AED, CSIM and the rest together with one look at each frame.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable

from animators.metrics.networks import Embedder, Floats, Landmarks, Network, Picture

KEPT = 2048
"""Answers that are kept: 64 clips of 32 frames, each some kilobytes."""


def digest(frame: Picture) -> bytes:
    """Hash a frame's bytes and its shape: pictures of other shapes may have the same bytes."""
    content = hashlib.blake2b(repr((frame.shape, frame.dtype.str)).encode(), digest_size=16)
    content.update(frame.tobytes())
    return content.digest()


class Remembered:
    """Keeps a network's last answers, that used longest ago forgotten first.

    Attributes:
        looks: how often the network itself was asked.
    """

    def __init__(self, network: Network, kept: int = KEPT) -> None:
        """Remember nothing yet.

        Args:
            network: what is asked for what is not known.
            kept: answers that are kept.

        Raises:
            ValueError: none is to be kept.
        """
        if kept < 1:
            raise ValueError(f"kept must be 1 or more, not {kept}")
        self.name = network.name
        self.version = network.version
        self.looks = 0
        self._kept = kept
        self._answers: OrderedDict[bytes, Floats | None] = OrderedDict()

    def _recall(self, key: bytes, look: Callable[[], Floats | None]) -> Floats | None:
        if key in self._answers:
            self._answers.move_to_end(key)
            return self._answers[key]
        self.looks += 1
        found = look()
        if found is not None:
            found = found.copy()
            found.setflags(write=False)  # what one metric changes, another would read
        self._answers[key] = found
        if len(self._answers) > self._kept:
            self._answers.popitem(last=False)
        return found


class RememberedLandmarks(Remembered):
    """Landmarks that are found once in each frame; arrays that it gives cannot be written to."""

    def __init__(self, network: Landmarks, kept: int = KEPT, *, shares: bool = True) -> None:
        """Remember nothing yet.

        Args:
            network: what finds the points.
            kept: answers that are kept.
            shares: whether a shared frame changes what the network finds; where it does not, as
                with faces, a frame is looked at once whatever it is shared with.

        Raises:
            ValueError: none is to be kept.
        """
        super().__init__(network, kept)
        self.points = network.points
        self._network, self._shares = network, shares

    def find(self, frame: Picture, shared: Picture | None = None) -> Floats | None:
        """Find the points of a frame (H, W, 3) uint8 RGB, as the network does: (K, 2) or None."""
        shared = shared if self._shares else None
        key = digest(frame) + (b"" if shared is None else digest(shared))
        return self._recall(key, lambda: self._network.find(frame, shared))


class RememberedEmbedder(Remembered):
    """Embeddings that are computed once for each frame; they cannot be written to."""

    def __init__(self, network: Embedder, kept: int = KEPT) -> None:
        """Remember nothing yet.

        Args:
            network: what describes whom a frame shows.
            kept: answers that are kept.

        Raises:
            ValueError: none is to be kept.
        """
        super().__init__(network, kept)
        self._network = network

    def describe(self, frame: Picture) -> Floats | None:
        """Describe whom a frame (H, W, 3) uint8 RGB shows, as the network does: (D,) or None."""
        return self._recall(digest(frame), lambda: self._network.describe(frame))
