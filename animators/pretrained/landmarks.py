"""Where 468 points of a face are, with depth: the face mesh of MediaPipe on LiteRT.

Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", 2019. The
network looks at a square of 192x192 pixels around one upright face, blown up to that size where
the picture is small.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from animators.pretrained.face import FaceDetector
from animators.pretrained.files import resolve
from animators.pretrained.litert import open_network

Floats = npt.NDArray[np.float64]

SIDE = 192
"""Pixels of the network's square input; its points are in such pixels too, their depth as well."""

POINTS = 468

MARGIN = 1.5
"""Side of the square, in sides of the face, as the network's publisher has it."""

PRESENT = 0.5
"""Least probability that the square shows a face: without it, the mesh fits dogs and noise."""

LOOKS = 3
"""Looks at a face, the square leaning as the last look found it to lean: the network knows upright
faces best, and heads that lean by 20 degrees stand upright in the third look."""

MOST_LOOKS = 8
SETTLED = math.radians(2)
"""Heads that lean further take more looks, until one of them turns the square by less than this."""

EYES = (33, 263)
"""The outer corners of the eyes, the one on the picture's left first."""


class Region(NamedTuple):
    """A square of a picture, turned about its centre.

    Attributes:
        x, y: its centre in pixels.
        side: in pixels.
        angle: radians, clockwise in the picture.
    """

    x: float
    y: float
    side: float
    angle: float

    def matrix(self, pixels: int = SIDE) -> Floats:
        """Give the map (2, 3) from the network's input pixels to the picture's.

        Args:
            pixels: side of the network's input.
        """
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        corner = np.array([self.x, self.y]) - turn @ np.full(2, self.side / 2)
        return np.concatenate([turn * (self.side / pixels), corner[:, None]], axis=1)


def upright(points: npt.ArrayLike) -> Region:
    """Give the square in which a face stands upright.

    Args:
        points: (468, 2 or more), xy in pixels.
    """
    xy = np.asarray(points, np.float64)[:, :2]
    across = xy[EYES[1]] - xy[EYES[0]]
    angle = math.atan2(across[1], across[0])
    cosine, sine = math.cos(angle), math.sin(angle)
    back = np.array([[cosine, sine], [-sine, cosine]])
    turned = xy @ back.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    x, y = back.T @ ((low + high) / 2)
    return Region(float(x), float(y), MARGIN * float((high - low).max()), angle)


def cut(picture: Image.Image, region: Region, pixels: int = SIDE) -> npt.NDArray[np.float32]:
    """Cut a square out as the network wants it, black where it reaches outside of the picture.

    Args:
        picture: RGB.
        region: the square.
        pixels: side of the network's input.

    Returns:
        (pixels, pixels, 3) in [0, 1].
    """
    part = picture.transform(
        (pixels, pixels),
        Image.Transform.AFFINE,
        tuple(region.matrix(pixels).ravel()),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(part, np.float32) / np.float32(255)


class FaceMesh:
    """Finds the points of a picture's surest face; an object serves one thread at a time."""

    def __init__(self, paths: Mapping[str, str | Path] | None = None) -> None:
        """Open the networks.

        Args:
            paths: {"face_detector": file, "face_mesh": file}, either of them, where it does not lie
                in one of the usual places.

        Raises:
            WeightsNotFound: a file is nowhere, or what is given is another file.
        """
        found = resolve("face_detector", "face_mesh", paths=paths)
        self._detector = FaceDetector(found)
        self._network: Any = open_network(found["face_mesh"])
        self._input = self._network.get_input_details()[0]["index"]
        sizes = {int(np.prod(row["shape"])): row for row in self._network.get_output_details()}
        self._points, self._presence = (sizes[size]["index"] for size in (3 * POINTS, 1))

    def find(self, frame: npt.NDArray[np.uint8]) -> Floats | None:
        """Find the points of the surest face.

        Args:
            frame: (H, W, 3) uint8 RGB.

        Returns:
            (468, 3) in pixels: x and y from the picture's left and upper edge, as a face's box has
            them (the middle of the first pixel is at 0.5), and depth, larger away from the camera,
            relative to the head's middle. None where no face is found.

        Raises:
            ValueError: the frame is something else.
        """
        faces = self._detector.detect(frame)
        if not faces:
            return None
        face, picture = faces[0], Image.fromarray(frame)
        side = MARGIN * max(face.right - face.left, face.bottom - face.top)
        region = Region((face.left + face.right) / 2, (face.top + face.bottom) / 2, side, 0.0)
        found = self._look(picture, region)
        for looks in range(1, MOST_LOOKS):
            if found is None:
                break
            leaning = upright(found)
            turned = abs(math.remainder(leaning.angle - region.angle, 2 * math.pi))
            if looks >= LOOKS and turned < SETTLED:
                break
            region = leaning
            found = self._look(picture, region)
        return found

    def _look(self, picture: Image.Image, region: Region) -> Floats | None:
        self._network.set_tensor(self._input, cut(picture, region)[None])
        self._network.invoke()
        logit = float(self._network.get_tensor(self._presence).ravel()[0])
        if logit < math.log(PRESENT / (1 - PRESENT)):
            return None
        points = np.asarray(self._network.get_tensor(self._points), np.float64).reshape(POINTS, 3)
        matrix = region.matrix()
        xy = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        return np.concatenate([xy, points[:, 2:] * (region.side / SIDE)], axis=1)
