"""Whose face it is, by ArcFace: 512 numbers, from an ONNX file of insightface.

Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2019. The network
sees 112x112 pixels in which five points of the face lie at fixed places; they are taken from the
face mesh.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from animators.pretrained.files import resolve
from animators.pretrained.identity import PointFinder
from animators.pretrained.landmarks import FaceMesh
from animators.pretrained.registry import version_of

Floats = npt.NDArray[np.float64]

SIDE = 112

PLACES = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
"""Where the five points lie in the network's input, the middle of the first pixel at 0: the eyes,
the one on the picture's left first, the tip of the nose, the mouth's corners."""

FIVE = ((33, 133), (263, 362), (4,), (61,), (291,))
"""The points of the mesh whose mean is each of them."""


def similarity(before: Floats, after: Floats) -> Floats:
    """Give the turn, scaling and shift that brings points nearest to others, by least squares.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    1991, in the plane and without mirroring.

    Args:
        before: (n, 2), two or more different points.
        after: (n, 2).

    Returns:
        (2, 3).
    """
    x, y = before[:, 0], before[:, 1]
    one, none = np.ones_like(x), np.zeros_like(x)
    rows = np.concatenate([np.stack([x, -y, one, none], 1), np.stack([y, x, none, one], 1)])
    a, b, c, d = np.linalg.lstsq(rows, after.T.ravel(), rcond=None)[0]
    return np.array([[a, -b, c], [b, a, d]])


def aligned(frame: npt.NDArray[np.uint8], points: Floats) -> npt.NDArray[np.uint8]:
    """Cut a face out as ArcFace wants it, black outside of the picture.

    Args:
        frame: (H, W, 3) uint8 RGB.
        points: (468, 2 or more), xy in pixels from the picture's edges.

    Returns:
        (112, 112, 3) uint8.
    """
    five = np.stack([points[list(group), :2].mean(axis=0) for group in FIVE])
    matrix = similarity(PLACES + 0.5, five)
    part = Image.fromarray(frame).transform(
        (SIDE, SIDE), Image.Transform.AFFINE, tuple(matrix.ravel()), Image.Resampling.BILINEAR
    )
    return np.asarray(part)


class ArcFaceIdentity:
    """The 512 numbers of a frame's surest face; an object serves one thread at a time."""

    name = "arcface"

    def __init__(
        self, paths: Mapping[str, str | Path] | None = None, mesh: PointFinder | None = None
    ) -> None:
        """Open the networks.

        Args:
            paths: {"arcface": file}, and those of `FaceMesh`, where they do not lie in one of the
                usual places.
            mesh: what finds the 468 points, where one is open already.

        Raises:
            ValueError: onnxruntime is not installed.
            WeightsNotFound: a file is nowhere, or what is given is another file.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise ValueError(
                "ArcFace wants onnxruntime, which is not installed: "
                "pip install 'animator-zoo[arcface]'"
            ) from error
        path = resolve("arcface", paths=paths)["arcface"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the same digits on every machine
        self._session: Any = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        self._mesh: PointFinder = FaceMesh(paths) if mesh is None else mesh
        self.version = version_of("arcface", "face_mesh", "face_detector")

    def describe(self, frame: npt.NDArray[np.uint8]) -> Floats | None:
        """Describe whom a frame (H, W, 3) uint8 RGB shows.

        Returns:
            (512,) of length 1, or None where no face is found.

        Raises:
            ValueError: the frame is something else.
        """
        points = self._mesh.find(frame)
        if points is None:
            return None
        pixels = (aligned(frame, points).astype(np.float32) - 127.5) / 127.5
        given = {self._input: pixels.transpose(2, 0, 1)[None]}
        vector = np.asarray(self._session.run(None, given)[0], np.float64).ravel()
        return vector / np.linalg.norm(vector)
