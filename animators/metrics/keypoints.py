"""How far the pose of a generated frame is from the real one's: keypoint distances.

Siarohin et al., "Animating Arbitrary Objects via Deep Motion Transfer", 2019, section 4, and LIA's
appendix B.2. With P(x) the points that are found in x and p_k(x) the place of one:

    AKD = mean over k in P(real) and P(generated) of |p_k(real) - p_k(generated)|_2
    MKR = share of P(real) that is not in P(generated)

of each frame. Distances are pixels of the frames as they are given, whatever their size: at half
the size, they are half as long, and are never rescaled here. The program that the authors published
for faces averages |dx| and |dy| instead of the length, so their numbers are smaller than these,
and stand in no column with them.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from animators.metrics.networks import Floats, Landmarks, Picture
from animators.metrics.pictures import NetworkAverage, pictures
from animators.metrics.protocol import Averaging
from animators.pretrained import MeshLandmarks

Mask = npt.NDArray[np.bool_]


def average_keypoint_distance(points_a: Floats, points_b: Floats) -> float:
    """Mean Euclidean distance of the points that both have.

    Args:
        points_a: (K, 2) xy in pixels; NaN for a point that is missing.
        points_b: (K, 2), the same points of another frame.

    Returns:
        Pixels; NaN where they have no point in common.

    Raises:
        ValueError: other shapes.
    """
    both = _present(points_a, points_b) & _present(points_b, points_a)
    if not both.any():
        return float("nan")
    return float(np.linalg.norm(points_a[both] - points_b[both], axis=1).mean())


def missing_keypoint_rate(real: Floats, generated: Floats) -> float:
    """Share of the real frame's points that are missing in the generated one.

    Args:
        real: (K, 2) xy; NaN for a point that is missing.
        generated: (K, 2), the same points of the generated frame.

    Returns:
        0 to 1; NaN where the real frame has no point.

    Raises:
        ValueError: other shapes.
    """
    wanted, found = _present(real, generated), _present(generated, real)
    if not wanted.any():
        return float("nan")
    return float((wanted & ~found).sum() / wanted.sum())


def _present(points: Floats, others: Floats) -> Mask:
    if points.ndim != 2 or points.shape[1] != 2 or points.shape != others.shape:
        raise ValueError(f"two sets of points (K, 2) are wanted: {points.shape}, {others.shape}")
    return np.asarray(~np.isnan(points).any(axis=1))


class KeypointAverage(NetworkAverage):
    """Mean of a number of each frame's real and generated points."""

    def __init__(
        self, averaging: Averaging = Averaging.VIDEO, network: Landmarks | None = None
    ) -> None:
        """Take the network, or find the face mesh's files.

        Args:
            averaging: mean of the clips' means, or mean of all frames.
            network: what finds the points.

        Raises:
            WeightsNotFound: no network is given and the mesh's files are nowhere.
        """
        network = MeshLandmarks() if network is None else network
        super().__init__(network, averaging)
        self.network: Landmarks = network

    def frame_values(self, prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:
        """Measure each frame: (T, 3, H, W) twice, (3, H, W) -> (T,), NaN without a value."""
        pairs = zip(pictures(target), pictures(prediction), strict=True)
        values = [self._measure(real, generated) for real, generated in pairs]
        return torch.tensor(values, dtype=torch.float64)

    def of_points(self, real: Floats, generated: Floats) -> float:
        """Measure a frame by its real and its generated points (K, 2), NaN where they miss."""
        raise NotImplementedError

    def _measure(self, real: Picture, generated: Picture) -> float:
        wanted = self.network.find(real)
        if wanted is None:  # nothing to compare with, whatever the other shows
            return float("nan")
        found = self.network.find(generated, shared=real)
        return self.of_points(wanted, np.full_like(wanted, np.nan) if found is None else found)


class AverageKeypointDistance(KeypointAverage):
    """AKD in pixels of the frames, over the points that are found in both.

    A frame whose real or generated picture shows nothing has no value; `MissingKeypointRate` counts
    the latter.
    """

    measure = "akd"
    higher_is_better = False

    def of_points(self, real: Floats, generated: Floats) -> float:
        """Measure a frame: (K, 2) twice -> pixels, or NaN."""
        return average_keypoint_distance(real, generated)


class MissingKeypointRate(KeypointAverage):
    """MKR, 0 to 1; 1 for a frame whose generated picture shows nothing."""

    measure = "mkr"
    higher_is_better = False

    def of_points(self, real: Floats, generated: Floats) -> float:
        """Measure a frame: (K, 2) twice -> share, or NaN."""
        return missing_keypoint_rate(real, generated)
