"""Where the faces are in a picture: BlazeFace, short range, on LiteRT.

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019. The
network looks at 128x128 pixels and finds faces that are large in them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from animators.pretrained.files import resolve
from animators.pretrained.litert import open_network

Floats = npt.NDArray[np.float64]

SIDE = 128
"""Pixels of the network's square input; its regressions are in such pixels too."""

LAYERS = ((8, 2), (16, 6))
"""(stride in pixels, anchors at each place) of the two maps of the network, in their order."""

THRESHOLD = 0.5
"""Least probability of a face, as the network's publisher has it."""

SURE = 0.7
"""A face below this is looked at again, closely: what is none nearly always drops out then."""

CLOSE = 3.0
"""Side of that closer look, in sides of the face: the size that the network knows best."""

SMALL = 0.25
"""A face below this part of what was looked at is looked at again too: its edges are rough."""

TILES = (1, 2, 4)
"""Parts of the picture's shorter side that a tile is wide, tried one after the other."""

SMALLEST_TILE = 32
"""Pixels; blown up further, a picture shows no faces any more."""

TILE_STEP = 2 / 3
"""Largest step from tile to tile, in sides: what is a third of a tile wide lies whole in one."""

OVERLAP = 0.3
"""Boxes of a larger IoU with a better one are the same face, as the network's publisher has it."""


@dataclass(frozen=True)
class Face:
    """A face in a picture: nearly square, about from the eyebrows to the chin.

    Attributes:
        left, top, right, bottom: edges in pixels; they may lie outside of the picture.
        score: probability, 0 to 1.
    """

    left: float
    top: float
    right: float
    bottom: float
    score: float


def anchors(side: int = SIDE, layers: Sequence[tuple[int, int]] = LAYERS) -> Floats:
    """Give the centres that the network's boxes are relative to.

    Args:
        side: pixels of the network's square input.
        layers: (stride in pixels, anchors at each place) of its maps, in their order.

    Returns:
        (N, 2) xy in 0..1, row by row, map after map; 896 for the network of this file.
    """
    found: list[Floats] = []
    for stride, count in layers:
        cells = side // stride
        centres = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(centres, centres, indexing="ij")
        found.append(np.repeat(np.stack([x.ravel(), y.ravel()], 1), count, axis=0))
    return np.concatenate(found)


def decode(
    regressions: npt.ArrayLike, logits: npt.ArrayLike, threshold: float = THRESHOLD
) -> tuple[Floats, Floats]:
    """Turn what the network says at each anchor into boxes.

    Args:
        regressions: (896, 16) in input pixels: centre relative to the anchor, width, height, then
            six points that are not used.
        logits: (896,) or (896, 1).
        threshold: boxes of a lower probability are left out.

    Returns:
        Boxes (n, 4), left, top, right, bottom with the input's side as 1, and probabilities (n,).
    """
    score = 1 / (1 + np.exp(-np.clip(np.asarray(logits, np.float64).ravel(), -80, 80)))
    kept = score >= threshold
    values = np.asarray(regressions, np.float64)[kept] / SIDE
    centre = anchors()[kept] + values[:, :2]
    half = values[:, 2:4] / 2
    return np.concatenate([centre - half, centre + half], axis=1), score[kept]


def iou(box: Floats, others: Floats) -> Floats:
    """Give intersection over union of a box (4,) with others (n, 4): (n,), 0 to 1."""
    corner = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    inside = corner.clip(0).prod(1)
    areas = (others[:, 2:] - others[:, :2]).clip(0).prod(1)
    union = (box[2:] - box[:2]).clip(0).prod() + areas - inside
    return np.asarray(np.where(union > 0, inside / np.where(union > 0, union, 1), 0.0))


def merge(boxes: Floats, scores: Floats, overlap: float = OVERLAP) -> tuple[Floats, Floats]:
    """Make one box of those that overlap: their mean, weighted by score.

    Args:
        boxes: (n, 4).
        scores: (n,).
        overlap: IoU with the best box from which on a box counts as the same.

    Returns:
        Boxes (m, 4) and the best score of each (m,), best first.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, scores = boxes[order], scores[order]
    found: list[Floats] = []
    best: list[float] = []
    while len(scores):
        same = iou(boxes[0], boxes) > overlap
        same[0] = True
        found.append(np.average(boxes[same], axis=0, weights=scores[same]))
        best.append(float(scores[0]))
        boxes, scores = boxes[~same], scores[~same]
    return np.array(found).reshape(-1, 4), np.array(best)


Square = tuple[float, float, float]
"""left, top, side in pixels; it may reach outside of the picture."""


def levels(width: int, height: int) -> Iterator[list[Square]]:
    """Give the squares to look at: the whole picture, then finer and finer overlapping tiles."""
    long, short = max(width, height), min(width, height)
    yield [((width - long) / 2, (height - long) / 2, float(long))]
    for parts in TILES:
        side = short / parts
        if SMALLEST_TILE <= side < long:
            rows, columns = _starts(height, side), _starts(width, side)
            yield [(left, top, side) for top in rows for left in columns]


def _starts(length: int, side: float) -> Sequence[float]:
    # the tolerance keeps rounding from adding a tile
    steps = math.ceil((length - side) / (side * TILE_STEP) - 1e-9)
    return [float(start) for start in np.linspace(0, length - side, steps + 1)]


def cut(picture: Image.Image, square: Square) -> npt.NDArray[np.float32]:
    """Cut a square out as the network wants it, black where it reaches outside of the picture.

    Returns:
        (128, 128, 3) in [-1, 1].
    """
    left, top, side = square
    inner = (
        *(max(left, 0.0), max(top, 0.0)),
        *(min(left + side, float(picture.width)), min(top + side, float(picture.height))),
    )
    scale = SIDE / side
    size = [max(1, round((inner[2 + axis] - inner[axis]) * scale)) for axis in (0, 1)]
    part = picture.resize((size[0], size[1]), Image.Resampling.BILINEAR, box=inner)
    canvas = Image.new("RGB", (SIDE, SIDE))
    canvas.paste(part, (round((inner[0] - left) * scale), round((inner[1] - top) * scale)))
    return np.asarray(canvas, np.float32) / np.float32(127.5) - 1


class FaceDetector:
    """Finds all faces of a picture; an object serves one thread at a time."""

    def __init__(self, paths: Mapping[str, str | Path] | None = None) -> None:
        """Open the network.

        Args:
            paths: {"face_detector": file} where it does not lie in one of the usual places.

        Raises:
            WeightsNotFound: the file is nowhere, or what is given is another file.
        """
        path = resolve("face_detector", paths=paths)["face_detector"]
        self._network: Any = open_network(path)
        self._input = self._network.get_input_details()[0]["index"]
        self._outputs = {row["name"]: row["index"] for row in self._network.get_output_details()}

    def detect(self, frame: npt.NDArray[np.uint8]) -> list[Face]:
        """Find the faces of a picture.

        Small faces are looked for in tiles, only where the whole picture shows none.

        Args:
            frame: (H, W, 3) uint8 RGB.

        Returns:
            The faces, best first.

        Raises:
            ValueError: the frame is something else.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
            raise ValueError(
                f"a face is sought in (H, W, 3) uint8, got {frame.dtype} {frame.shape}"
            )
        picture = Image.fromarray(frame)
        for squares in levels(picture.width, picture.height):
            boxes, scores = self._confirmed(
                picture, *self._look(picture, squares), SMALL * squares[0][2]
            )
            if len(scores):
                return [_face(box, score) for box, score in zip(boxes, scores, strict=True)]
        return []

    def _look(self, picture: Image.Image, squares: Sequence[Square]) -> tuple[Floats, Floats]:
        found: list[Floats] = []
        scores: list[Floats] = []
        for square in squares:
            boxes, score = decode(*self._run(cut(picture, square)))
            left, top, side = square
            found.append(boxes * side + np.array([left, top, left, top]))
            scores.append(score)
        return merge(np.concatenate(found), np.concatenate(scores))

    def _confirmed(
        self, picture: Image.Image, boxes: Floats, scores: Floats, small: float
    ) -> tuple[Floats, Floats]:
        kept: list[Floats] = []
        best: list[float] = []
        for box, score in zip(boxes, scores, strict=True):
            if score < SURE or (box[2:] - box[:2]).max() < small:
                near, again = self._closer(picture, box)
                box = near if again >= THRESHOLD else box
                score = again if score < SURE else max(score, again)
            if score >= SURE:
                kept.append(box)
                best.append(float(score))
        return merge(np.array(kept).reshape(-1, 4), np.array(best))

    def _closer(self, picture: Image.Image, box: Floats) -> tuple[Floats, float]:
        side = CLOSE * float((box[2:] - box[:2]).max())
        left, top = (box[:2] + box[2:]) / 2 - side / 2
        boxes, scores = self._look(picture, [(float(left), float(top), side)])
        same = iou(box, boxes) > OVERLAP
        if not same.any():
            return box, 0.0
        return boxes[same][0], float(scores[same][0])

    def _run(self, pixels: npt.NDArray[np.float32]) -> tuple[npt.ArrayLike, npt.ArrayLike]:
        self._network.set_tensor(self._input, pixels[None])
        self._network.invoke()
        regressions, logits = (
            self._network.get_tensor(self._outputs[name])[0]
            for name in ("regressors", "classificators")
        )
        return regressions, logits


def _face(box: Floats, score: float) -> Face:
    left, top, right, bottom = map(float, box)
    return Face(left, top, right, bottom, float(score))
