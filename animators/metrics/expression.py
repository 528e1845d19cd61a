"""How far eyes and mouth of a generated face open otherwise than the driving one's.

From points of the face mesh in the picture, without their depth. The opening of an eye is the eye
aspect ratio of Soukupova and Cech, "Real-Time Eye Blink Detection using Facial Landmarks", 2016,
equation 1, averaged over both eyes:

    (|p2 - p6| + |p3 - p5|) / (2 |p1 - p4|)

with p1 and p4 the corners, p2 and p3 on the upper lid, p6 and p5 below them. That of the mouth is
the gap between the lips' inner edges over the distance of the mouth's corners. A head that is
turned looks narrower, so both are comparable between frames of one pose only.
"""

import numpy as np

from animators.metrics.keypoints import KeypointAverage
from animators.metrics.networks import Floats, Landmarks
from animators.metrics.protocol import Averaging

POINTS = 468

EYES = ((33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380))
"""p1 to p6 of the eye on the picture's left and of the other one."""

LIPS = (13, 14)
"""The middle of the upper lip's inner edge, and of the lower one's."""

CORNERS = (61, 291)
"""The mouth's corners."""


def eye_openness(points: Floats) -> float:
    """Mean eye aspect ratio of both eyes.

    Args:
        points: (468, 2) xy of the face mesh.

    Returns:
        About 0.05 closed and 0.3 open; NaN where a point is missing or an eye has no width.
    """
    ratios = []
    for p1, p2, p3, p4, p5, p6 in EYES:
        lids = _apart(points, p2, p6) + _apart(points, p3, p5)
        ratios.append(_ratio(lids, 2 * _apart(points, p1, p4)))
    return sum(ratios) / len(ratios)


def mouth_openness(points: Floats) -> float:
    """Gap between the lips over the mouth's width.

    Args:
        points: (468, 2) xy of the face mesh.

    Returns:
        0 closed; NaN where a point is missing or the mouth has no width.
    """
    return _ratio(_apart(points, *LIPS), _apart(points, *CORNERS))


def _apart(points: Floats, one: int, other: int) -> float:
    return float(np.linalg.norm(points[one] - points[other]))


def _ratio(length: float, width: float) -> float:
    return length / width if width else float("nan")


class OpennessError(KeypointAverage):
    """Mean absolute difference of an openness between generated and driving frame."""

    def __init__(
        self, averaging: Averaging = Averaging.VIDEO, network: Landmarks | None = None
    ) -> None:
        """Take the network, or find the face mesh's files.

        Args:
            averaging: mean of the clips' means, or mean of all frames.
            network: one that finds the 468 points of the face mesh.

        Raises:
            ValueError: the network finds other points.
            WeightsNotFound: no network is given and the mesh's files are nowhere.
        """
        super().__init__(averaging, network)
        if self.network.points != POINTS:
            raise ValueError(
                f"{self.name} wants the {POINTS} points of the face mesh, and {self.network.name} "
                f"finds {self.network.points}: give it MeshLandmarks"
            )

    def of_points(self, real: Floats, generated: Floats) -> float:
        """Measure a frame: (468, 2) twice -> difference, or NaN."""
        return abs(self.openness(real) - self.openness(generated))

    def openness(self, points: Floats) -> float:
        """Tell how open it is: (468, 2) -> ratio."""
        raise NotImplementedError


class EyesError(OpennessError):
    """Error of the eyes' openness (`eye_openness`)."""

    measure = "eyes"
    higher_is_better = False

    def openness(self, points: Floats) -> float:
        """Tell how open the eyes are: (468, 2) -> ratio."""
        return eye_openness(points)


class MouthError(OpennessError):
    """Error of the mouth's openness (`mouth_openness`)."""

    measure = "mouth"
    higher_is_better = False

    def openness(self, points: Floats) -> float:
        """Tell how open the mouth is: (468, 2) -> ratio."""
        return mouth_openness(points)
