"""Whose face it is: dlib's residual network, which gives 128 numbers.

King, "High Quality Face Recognition with Deep Metric Learning", 2017. Vectors are compared by
their L2 distance; its author takes two faces nearer than 0.6 for one person's. The network wants
the face upright in its middle: the five points that say where it is are those of the face mesh, so
that there is no second detector, whose misses would differ.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from animators.pretrained.files import resolve
from animators.pretrained.landmarks import FaceMesh

Floats = npt.NDArray[np.float64]

SIZE = 128
"""Numbers of a vector."""

FIVE = (263, 362, 33, 133, 2)
"""Points of the mesh in dlib's order: outer and inner corner of the eye on the picture's right, of
the other one, and where the nose meets the lip."""

SIDE = 256
"""Pixels that a face is blown up to where it is smaller: dlib's points are whole pixels."""

SURROUNDINGS = 2.0
"""Side of the square that is kept around a face, in sides of the face."""


def closeup(frame: npt.NDArray[np.uint8], points: Floats) -> tuple[npt.NDArray[np.uint8], Floats]:
    """Cut a face out with its surroundings, black outside of the picture; blow it up if small.

    Args:
        frame: (H, W, 3) uint8 RGB.
        points: (n, 2 or more), xy in pixels from the picture's edges.

    Returns:
        (S, S, 3) uint8, and the points' xy in it, (n, 2).
    """
    xy = points[:, :2]
    low, high = xy.min(axis=0), xy.max(axis=0)
    size = float((high - low).max())
    side = max(1, round(SURROUNDINGS * size))
    left, top = (round(float(value)) for value in (low + high - side) / 2)
    part = Image.fromarray(frame).crop((left, top, left + side, top + side))
    scale = 1.0
    if 0 < size < SIDE:
        scale = round(side * SIDE / size) / side
        whole = round(side * scale)
        part = part.resize((whole, whole), Image.Resampling.BICUBIC)
    return np.asarray(part), (xy - [left, top]) * scale


class PointFinder(Protocol):
    """Finds the 468 points of a frame's face, such as `FaceMesh`: (468, 2 or more), or None."""

    def find(self, frame: npt.NDArray[np.uint8]) -> Floats | None:
        """Find the points of a frame (H, W, 3) uint8 RGB."""
        ...


class FaceIdentity:
    """Describes whose face a picture shows; an object serves one thread at a time."""

    def __init__(
        self, paths: Mapping[str, str | Path] | None = None, mesh: PointFinder | None = None
    ) -> None:
        """Open the networks.

        Args:
            paths: {"face_identity": file}, and those of `FaceMesh`, where they do not lie in one of
                the usual places.
            mesh: what finds the face where one is open already; it may remember its answers.

        Raises:
            ValueError: dlib is not installed.
            WeightsNotFound: a file is nowhere, or what is given is another file.
        """
        try:
            import dlib
        except ImportError as error:
            raise ValueError(
                "identity wants dlib, which is not installed: pip install 'animator-zoo[identity]'"
            ) from error
        path = resolve("face_identity", paths=paths)["face_identity"]
        self._dlib: Any = dlib
        self._network: Any = dlib.face_recognition_model_v1(str(path))
        self._mesh: PointFinder = FaceMesh(paths) if mesh is None else mesh

    def describe(self, frame: npt.NDArray[np.uint8], points: Floats | None = None) -> Floats | None:
        """Describe the surest face of a picture.

        Args:
            frame: (H, W, 3) uint8 RGB.
            points: what `FaceMesh.find` gave for this picture, where that is known; else the face
                is looked for here.

        Returns:
            (128,), or None where no face is found.

        Raises:
            ValueError: the frame is something else.
        """
        points = self._mesh.find(frame) if points is None else points
        if points is None:
            return None
        near, moved = closeup(frame, points)
        # dlib has the middle of the first pixel at 0
        five = [self._dlib.point(*np.rint(point - 0.5).astype(int)) for point in moved[list(FIVE)]]
        low, high = moved.min(axis=0), moved.max(axis=0)
        box = self._dlib.rectangle(*np.rint([*low, *high]).astype(int))
        shape = self._dlib.full_object_detection(box, self._dlib.points(five))
        return np.array(self._network.compute_face_descriptor(near, shape), np.float64)
