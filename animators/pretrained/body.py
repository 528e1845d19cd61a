"""Where 33 points of a body are: BlazePose (full) of MediaPipe on LiteRT.

Bazarevsky et al., "BlazePose: On-device Real-time Body Pose Tracking", 2020. A detector finds a
person by the head and says where the hips are and how far the body reaches; the landmark network
looks at that square, turned upright, and blown up where the picture is small.

It is not OpenPose, with which the papers measure bodies: numbers of the two are no neighbours.
"""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from animators.pretrained.face import anchors, iou
from animators.pretrained.files import resolve
from animators.pretrained.landmarks import Region, cut
from animators.pretrained.litert import open_network
from animators.pretrained.registry import version_of

Floats = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]

POINTS = 33

DETECTOR_SIDE = 224
"""Pixels of the detector's square input, which holds the whole picture."""

DETECTOR_LAYERS = ((8, 2), (16, 2), (32, 6))
"""(stride in pixels, anchors at each place) of the detector's maps, in their order."""

HIPS, REACH = 0, 1
"""Points of a detection: the middle of the hips, and one on the circle around the whole body."""

SIDE = 256
"""Pixels of the landmark network's square input; its points are in such pixels too."""

MARGIN = 1.25
"""Side of the square, in diameters of that circle, as the network's publisher has it."""

THRESHOLD = 0.5
"""Least probability of a detection, of a body in the square, and of a point that is not hidden."""

OVERLAP = 0.3
"""Detections of a larger IoU with the best one are averaged with it."""

HEATMAP_WINDOW = 7
"""Cells of a point's heat map, around where the point is said to be, whose middle it moves to."""

KEPT = 64
"""Pictures whose regions are remembered."""


def decode(regressions: npt.ArrayLike, logits: npt.ArrayLike) -> tuple[Floats, Floats] | None:
    """Turn what the detector says at each anchor into its surest person.

    Args:
        regressions: (2254, 12) in input pixels: centre relative to the anchor, width, height, then
            four points relative to the anchor.
        logits: (2254,) or (2254, 1).

    Returns:
        Hips' middle (2,) and a point of the body's circle (2,), xy with the input's side as 1; or
        None where nobody is.
    """
    score = 1 / (1 + np.exp(-np.clip(np.asarray(logits, np.float64).ravel(), -80, 80)))
    kept = score >= THRESHOLD
    if not kept.any():
        return None
    score = score[kept]
    places = np.asarray(regressions, np.float64)[kept].reshape(len(score), -1, 2) / DETECTOR_SIDE
    origin = anchors(DETECTOR_SIDE, DETECTOR_LAYERS)[kept]
    centre, half, points = places[:, 0] + origin, places[:, 1] / 2, places[:, 2:] + origin[:, None]
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    best = int(score.argmax())
    same = iou(boxes[best], boxes) > OVERLAP
    same[best] = True
    person = np.average(points[same], axis=0, weights=score[same])
    return person[HIPS], person[REACH]


def around(hips: Floats, reach: Floats) -> Region:
    """Give the square in which a body stands upright.

    Args:
        hips: (2,) xy in pixels, the middle of the hips, which is the square's.
        reach: (2,) xy in pixels, on the circle around the body, above the hips of an upright one.
    """
    x, y = reach - hips
    return Region(float(hips[0]), float(hips[1]), 2 * MARGIN * math.hypot(x, y), math.atan2(x, -y))


def refine(points: Floats, heatmaps: npt.ArrayLike) -> Floats:
    """Move points to the middle of what their heat maps show around them.

    Args:
        points: (K, 2) xy in input pixels.
        heatmaps: (h, w, K) logits over the same square.

    Returns:
        (K, 2); a point stays where its map is nowhere surer than 0.5 or is left by it.
    """
    maps = np.asarray(heatmaps, np.float64)
    cell = SIDE / maps.shape[0]
    moved = points.copy()
    reach = HEATMAP_WINDOW // 2
    for index, (x, y) in enumerate(points / cell):
        column, row = int(x), int(y)  # towards zero, as the network's publisher has it
        if not (0 <= column < maps.shape[1] and 0 <= row < maps.shape[0]):
            continue
        top, left = max(row - reach, 0), max(column - reach, 0)
        logits = maps[top : row + reach + 1, left : column + reach + 1, index]
        weight = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
        if weight.max() >= THRESHOLD:
            rows, columns = np.indices(weight.shape)
            middle = [((columns + left) * weight).sum(), ((rows + top) * weight).sum()]
            moved[index] = np.array(middle) / weight.sum() * cell
    return moved


class BodyLandmarks:
    """Finds the points of a picture's surest body; an object serves one thread at a time.

    Attributes:
        name: `blazepose`.
        version: the networks' files.
        points: 33.
    """

    name = "blazepose"
    points = POINTS

    def __init__(self, paths: Mapping[str, str | Path] | None = None) -> None:
        """Open the networks.

        Args:
            paths: {"pose_detector": file, "pose_landmarks": file}, either of them, where it does
                not lie in one of the usual places.

        Raises:
            WeightsNotFound: a file is nowhere, or what is given is another file.
        """
        self.version = version_of("pose_landmarks", "pose_detector")
        found = resolve("pose_detector", "pose_landmarks", paths=paths)
        self._detector = _Network(found["pose_detector"])
        self._network = _Network(found["pose_landmarks"])
        self._regions: OrderedDict[bytes, Region | None] = OrderedDict()

    def find(self, frame: Picture, shared: Picture | None = None) -> Floats | None:
        """Find the points of the surest body.

        The detector finds people by the head, which it loses when a small picture is blurred: the
        region of a generated frame is to come from the real one.

        Args:
            frame: (H, W, 3) uint8 RGB.
            shared: (H, W, 3) uint8 RGB, the real frame of the same pose, in which the body is
                looked for; the frame itself when None.

        Returns:
            (33, 2) xy in pixels from the picture's left and upper edge (the middle of the first
            pixel is at 0.5), NaN for a point that is hidden; None where no body is found.

        Raises:
            ValueError: a frame is something else, or the two differ in size.
        """
        real = frame if shared is None else shared
        for picture in (frame, real):
            if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
                raise ValueError(
                    f"a body is sought in (H, W, 3) uint8, got {picture.dtype} {picture.shape}"
                )
        if frame.shape != real.shape or not frame.size:
            raise ValueError(f"frames of {frame.shape} and {real.shape} share no region")
        region = self.region(real)
        return None if region is None else self._look(Image.fromarray(frame), region)

    def region(self, frame: Picture) -> Region | None:
        """Find the square around the surest body; the last pictures' squares are remembered.

        Args:
            frame: (H, W, 3) uint8 RGB.

        Returns:
            The square, or None where nobody is.
        """
        digest = hashlib.blake2b(str(frame.shape).encode())
        digest.update(np.ascontiguousarray(frame).data)
        key = digest.digest()
        if key not in self._regions:
            self._regions[key] = self._detect(Image.fromarray(frame))
            if len(self._regions) > KEPT:
                self._regions.popitem(last=False)
        self._regions.move_to_end(key)
        return self._regions[key]

    def _detect(self, picture: Image.Image) -> Region | None:
        side = float(max(picture.size))
        middle = np.array(picture.size) / 2
        whole = Region(float(middle[0]), float(middle[1]), side, 0.0)
        found = self._detector.run(2 * cut(picture, whole, DETECTOR_SIDE) - 1)
        person = decode(found[12], found[1])
        if person is None:
            return None
        hips, reach = ((point - 0.5) * side + middle for point in person)
        return around(hips, reach)

    def _look(self, picture: Image.Image, region: Region) -> Floats | None:
        found = self._network.run(cut(picture, region, SIDE))
        if float(found[1].item()) < THRESHOLD:
            return None
        rows = found[195].reshape(-1, 5)  # x, y, depth, and logits: visible, inside of the square
        points = refine(rows[:, :2], found[39])[:POINTS]
        points[rows[:POINTS, 3] < math.log(THRESHOLD / (1 - THRESHOLD))] = np.nan
        matrix = region.matrix(SIDE)
        return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


class _Network:
    """A tflite network of one picture, its answers told apart by their last axis."""

    def __init__(self, path: Path) -> None:
        self._network: Any = open_network(path)
        self._input = self._network.get_input_details()[0]["index"]
        # several maps end in 1: the shortest name's tensor of that end is the answer of one number
        self._outputs: dict[int, int] = {}
        for row in sorted(self._network.get_output_details(), key=lambda row: row["name"]):
            self._outputs.setdefault(int(row["shape"][-1]), row["index"])

    def run(self, pixels: npt.NDArray[np.float32]) -> dict[int, Floats]:
        self._network.set_tensor(self._input, pixels[None])
        self._network.invoke()
        return {
            size: np.asarray(self._network.get_tensor(index)[0], np.float64)
            for size, index in self._outputs.items()
        }
