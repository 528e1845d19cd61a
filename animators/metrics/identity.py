"""Whether a generated frame shows the right person: distances of identity embeddings.

    AED         = |e(generated) - e(target)|_2^2          (LIA, appendix B.2; reconstruction)
    CSIM        = cos(e(generated), e(source))            (DiME, section 4.1; animation)
    id_distance = |e(generated) - e(source)|_2            (LIA-X, table 2: "ID similarity", lower)

LIA writes "MSE"; the squares are added up here and not averaged over the embedding's numbers: its
0.138 on faces could not come from a mean over OpenFace's 128 numbers of unit length. A frame in
which either picture shows no face has no value, so each stands beside `IdentityMissing`: nobody
gains by destroying faces.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from animators.metrics.networks import Embedder, Floats
from animators.metrics.pictures import NetworkAverage, pictures
from animators.metrics.protocol import Averaging
from animators.pretrained import DlibIdentity


def squared_distance(one: Floats, other: Floats) -> float:
    """Sum of squared differences of two embeddings (D,)."""
    return float(np.square(one - other).sum())


def distance(one: Floats, other: Floats) -> float:
    """L2 distance of two embeddings (D,)."""
    return float(np.linalg.norm(one - other))


def cosine(one: Floats, other: Floats) -> float:
    """Cosine of the angle between two embeddings (D,), -1 to 1; NaN for one of length 0."""
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else float("nan")


class IdentityAverage(NetworkAverage):
    """Mean of a number of each frame's embedding."""

    def __init__(
        self, averaging: Averaging = Averaging.VIDEO, network: Embedder | None = None
    ) -> None:
        """Take the network, or find dlib's files.

        Args:
            averaging: mean of the clips' means, or mean of all frames.
            network: what describes whom a frame shows.

        Raises:
            ValueError: no network is given and dlib is not installed.
            WeightsNotFound: no network is given and its files are nowhere.
        """
        network = DlibIdentity() if network is None else network
        super().__init__(network, averaging)
        self.network: Embedder = network

    def described(self, frames: Tensor) -> list[Floats | None]:
        """Describe whom frames (T, 3, H, W) show: T times (D,), or None without a face."""
        return [self.network.describe(picture) for picture in pictures(frames)]


def _compared(
    measure: Callable[[Floats, Floats], float],
    found: Sequence[Floats | None],
    wanted: Sequence[Floats | None],
) -> Tensor:
    values = [
        measure(one, other) if one is not None and other is not None else float("nan")
        for one, other in zip(found, wanted, strict=True)
    ]
    return torch.tensor(values, dtype=torch.float64)


class AverageEuclideanDistance(IdentityAverage):
    """AED: squared L2 distance of the embeddings of the generated and the target frame."""

    measure = "aed"
    higher_is_better = False

    def frame_values(self, prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:
        """Measure each frame: (T, 3, H, W) twice, (3, H, W) -> (T,), NaN without a value."""
        return _compared(squared_distance, self.described(prediction), self.described(target))


class CosineIdentity(IdentityAverage):
    """CSIM: cosine of the embeddings of the generated frame and the source."""

    measure = "csim"
    higher_is_better = True

    def frame_values(self, prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:
        """Measure each frame: (T, 3, H, W) twice, (3, H, W) -> (T,), NaN without a value."""
        wanted = self.described(source[None]) * len(prediction)
        return _compared(cosine, self.described(prediction), wanted)


class IdentityDistance(IdentityAverage):
    """L2 distance of the embeddings of the generated frame and the source."""

    measure = "id_distance"
    higher_is_better = False

    def frame_values(self, prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:
        """Measure each frame: (T, 3, H, W) twice, (3, H, W) -> (T,), NaN without a value."""
        wanted = self.described(source[None]) * len(prediction)
        return _compared(distance, self.described(prediction), wanted)


class IdentityMissing(IdentityAverage):
    """Share of the frames with a face whose generated picture shows none.

    Args:
        averaging: mean of the clips' means, or mean of all frames.
        network: what describes whom a frame shows.
        of_source: it is the source that has to show a face, not the driving frame: for pictures
            that are animated by others.
    """

    measure = "id_missing"
    higher_is_better = False

    def __init__(
        self,
        averaging: Averaging = Averaging.VIDEO,
        network: Embedder | None = None,
        *,
        of_source: bool = False,
    ) -> None:
        super().__init__(averaging, network)
        self.of_source = of_source

    def frame_values(self, prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:
        """Measure each frame: (T, 3, H, W) twice, (3, H, W) -> (T,), NaN without a real face."""
        real = source[None].expand_as(target) if self.of_source else target
        pairs = zip(self.described(prediction), self.described(real), strict=True)
        values = [
            float("nan") if wanted is None else float(found is None) for found, wanted in pairs
        ]
        return torch.tensor(values, dtype=torch.float64)
