"""Face networks that packages ship, in the form that metrics want of any network."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from animators.pretrained.identity import FaceIdentity, PointFinder
from animators.pretrained.landmarks import POINTS, FaceMesh
from animators.pretrained.registry import version_of

Floats = npt.NDArray[np.float64]


class MeshLandmarks:
    """The 468 points of the face mesh of a frame's surest face, without their depth."""

    name = "mesh"
    points = POINTS

    def __init__(
        self, paths: Mapping[str, str | Path] | None = None, mesh: FaceMesh | None = None
    ) -> None:
        """Open the networks.

        Args:
            paths: as `FaceMesh` takes them.
            mesh: one that is open already.

        Raises:
            WeightsNotFound: a file is nowhere, or what is given is another file.
        """
        self.version = version_of("face_mesh", "face_detector")
        self._mesh = FaceMesh(paths) if mesh is None else mesh

    def find(
        self, frame: npt.NDArray[np.uint8], shared: npt.NDArray[np.uint8] | None = None
    ) -> Floats | None:
        """Find the points of a frame.

        Args:
            frame: (H, W, 3) uint8 RGB.
            shared: not used: a face is sought in the frame itself, and missed where it is lost.

        Returns:
            (468, 2) xy in pixels from the upper left edge, or None where no face is found.

        Raises:
            ValueError: the frame is something else.
        """
        found = self._mesh.find(frame)
        return None if found is None else found[:, :2].copy()


class DlibIdentity:
    """The 128 numbers of dlib's network for a frame's surest face, the face found by the mesh."""

    name = "dlib"

    def __init__(
        self, paths: Mapping[str, str | Path] | None = None, mesh: PointFinder | None = None
    ) -> None:
        """Open the networks.

        Args:
            paths: as `FaceIdentity` takes them.
            mesh: what finds the 468 points, where one is open already.

        Raises:
            ValueError: dlib is not installed.
            WeightsNotFound: a file is nowhere, or what is given is another file.
        """
        self._identity = FaceIdentity(paths, mesh)
        self.version = version_of("face_identity", "face_mesh", "face_detector")

    def describe(self, frame: npt.NDArray[np.uint8]) -> Floats | None:
        """Describe whom a frame (H, W, 3) uint8 RGB shows.

        Returns:
            (128,), compared by L2 distance, or None where no face is found.

        Raises:
            ValueError: the frame is something else.
        """
        return self._identity.describe(frame)
