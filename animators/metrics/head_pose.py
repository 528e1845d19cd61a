"""How far a head has turned between two pictures, from landmarks with depth.

No model of a head is needed: the rotation that brings one picture's points onto the other's is
relative by nature. The points are those of the face mesh that the skull carries along: expressions
move the others.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MIDDLE = (10, 151, 9, 8, 168, 6, 197, 195, 5, 4)
"""From the hairline down to the tip of the nose."""

PAIRS = (
    *((33, 263), (133, 362)),  # corners of the eyes
    *((129, 358), (98, 327)),  # wings of the nose
    *((67, 297), (103, 332), (54, 284), (109, 338)),  # forehead
    *((21, 251), (162, 389), (127, 356), (234, 454)),  # temples, down to the ears
)
"""Points that are each other's mirror image, the one on the picture's left first."""

RIGID = (*MIDDLE, *(index for pair in PAIRS for index in pair))


class HeadPose(NamedTuple):
    """A rotation of the head in degrees, as someone before the picture sees it.

    Attributes:
        yaw: the nose turns to the picture's right, -180 to 180.
        pitch: the nose rises, -90 to 90.
        roll: clockwise, -180 to 180.
        angle: of the whole rotation, about its own axis, 0 to 180.
    """

    yaw: float
    pitch: float
    roll: float
    angle: float


def rotation_between(before: npt.ArrayLike, after: npt.ArrayLike) -> Floats:
    """Give the rotation R that minimises sum |after_i - c' - s R (before_i - c)|^2.

    Kabsch, "A solution for the best rotation to relate two sets of vectors", 1976. Where the
    points lie (c, c') and how large they are (s) makes no difference.

    Args:
        before: (n, 3), three or more that are not on one line.
        after: (n, 3), the same points.

    Returns:
        (3, 3), of determinant 1.

    Raises:
        ValueError: other shapes, NaN, or points on one line, which fix no rotation.
    """
    old, new = (np.asarray(points, np.float64) for points in (before, after))
    if old.shape != new.shape or old.ndim != 2 or old.shape[1] != 3:
        raise ValueError(f"two sets of points (n, 3) are wanted, got {old.shape} and {new.shape}")
    if not (np.isfinite(old).all() and np.isfinite(new).all()):
        raise ValueError("the points hold NaN")
    product = (new - new.mean(axis=0)).T @ (old - old.mean(axis=0))
    u, lengths, v = np.linalg.svd(product)
    if lengths[1] <= 1e-9 * lengths[0] or not lengths[0]:
        raise ValueError("the points lie on one line: they fix no rotation")
    # without this, mirrored points would give a mirroring
    sign = np.sign(np.linalg.det(u @ v))
    return np.asarray((u * [1.0, 1.0, sign]) @ v)


def decompose(rotation: Floats) -> HeadPose:
    """Split a rotation (3, 3) into yaw, then pitch, then roll about the axes that turn with it.

    R = R_y(-yaw) R_x(-pitch) R_z(roll), with x to the right, y down and z away from the camera.
    """
    pitch = -np.arcsin(np.clip(-rotation[1, 2], -1, 1))
    yaw = -np.arctan2(rotation[0, 2], rotation[2, 2])
    roll = np.arctan2(rotation[1, 0], rotation[1, 1])
    # exact for small angles too, where the trace alone is flat
    skew = np.array([rotation[i, j] - rotation[j, i] for i, j in ((2, 1), (0, 2), (1, 0))])
    angle = np.arctan2(np.linalg.norm(skew), np.trace(rotation) - 1)
    return HeadPose(*(float(np.degrees(value)) for value in (yaw, pitch, roll, angle)))


def head_turn(before: Floats, after: Floats) -> HeadPose:
    """Give how far a head has turned from one picture to another.

    Args:
        before: (468, 3), points of the face mesh, as `FaceMesh.find` gives them.
        after: the same of the other picture.

    Returns:
        Its yaw, pitch and roll, about the axes of `before`'s camera.
    """
    return decompose(rotation_between(before[list(RIGID)], after[list(RIGID)]))
