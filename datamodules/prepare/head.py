"""The square around one head, fixed over a clip."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import numpy.typing as npt

from datamodules.media import Frames

Floats = npt.NDArray[np.float64]

SCALE = 2.0
"""Side of a head's square, in sides of its face: hair, chin, ears and some neck."""

LIFT = 0.2
"""How far the head's centre lies above the face's, in sides of the face."""

REACH = 1.0
"""Farthest that the face's centre moves from look to look, in sides of the face."""

STRAY = 0.1
"""How much farther it may have moved for each look in which it was not seen ..."""

FARTHEST = 3.0
"""... and the end of that, so that a head that is gone is not taken for its neighbour's."""

GROWTH = 2.0
"""Largest change of the face's side from look to look, as a factor."""

PATIENCE = 5
"""A head that shows in fewer than one of so many looks since it was chosen is given up."""

RARE = 0.01
"""Share of the looks that may reach over each edge of the square."""


class FaceBox(Protocol):
    """Edges of a face in pixels."""

    @property
    def left(self) -> float:
        """The left edge."""

    @property
    def top(self) -> float:
        """The upper edge."""

    @property
    def right(self) -> float:
        """The right edge."""

    @property
    def bottom(self) -> float:
        """The lower edge."""


class Detector(Protocol):
    """Whatever finds the faces of a frame (H, W, 3) uint8."""

    def detect(self, frame: Frames, /) -> Sequence[FaceBox]:
        """Give all faces, in any order."""


@dataclass(frozen=True)
class HeadCrop:
    """The square around a head, within the picture.

    Attributes:
        left, top, side: in pixels.
        frames: those in which the head was looked for.
        without_head: those of them that did not show it.
    """

    left: int
    top: int
    side: int
    frames: int
    without_head: int


@cache
def detector() -> Detector:
    """Open the face detector, once in each process.

    Raises:
        WeightsNotFound: its file is nowhere; `make weights` gets it.
    """
    # Here alone the data asks the animators for a network: prepared clips do without it.
    from animators.pretrained.face import FaceDetector

    return FaceDetector()


def find_head(
    frames: Iterable[Frames], detector: Detector, *, every: int = 1, face_index: int = 0
) -> HeadCrop:
    """Follow one head through a clip, and give the square that holds it all the time.

    The head is chosen in the first frame that shows enough faces; afterwards it is the face that
    overlaps most with the last one, or the nearest. While it is not found it stays where it was.
    One that is hardly seen again was no head, and the choice is made anew; of several, that counts
    which was seen most often.

    Args:
        frames: (H, W, 3) uint8 each, all of one size; read once, none is kept.
        detector: finds the faces.
        every: look at each frame whose number is a multiple of this.
        face_index: 0 follows the largest face, 1 the second largest, and so on.

    Raises:
        ValueError: no frame shows such a head, or an argument is outside of its range.
    """
    if every < 1:
        raise ValueError(f"every={every}: give a number of frames from 1 on")
    if face_index < 0:
        raise ValueError(f"face_index={face_index}: give a number from 0 on")
    tracks: list[_Track] = []
    looks = most = 0
    size = (0, 0)
    for number, frame in enumerate(frames):
        if number % every:
            continue
        size = (frame.shape[0], frame.shape[1])
        looks += 1
        faces = np.array([(f.left, f.top, f.right, f.bottom) for f in detector.detect(frame)])
        faces = faces.reshape(-1, 4)
        most = max(most, len(faces))
        known = bool(tracks) and tracks[-1].follow(faces)
        if not known and (not tracks or tracks[-1].given_up) and len(faces) > face_index:
            order = np.argsort(-_sides(faces), kind="stable")
            tracks.append(_Track(faces[order[face_index]]))
    if not tracks:
        raise ValueError(_no_head(looks, most, face_index))
    best = max(tracks, key=lambda track: track.seen)
    left, top, side = _square(np.stack(best.boxes), *size)
    return HeadCrop(left, top, side, looks, looks - best.seen)


class _Track:
    """Where one head is, look by look from the one in which it was chosen."""

    def __init__(self, box: Floats) -> None:
        self.boxes = [box]
        self.seen = 1
        self.unseen = 0

    @property
    def given_up(self) -> bool:
        return self.seen * PATIENCE < len(self.boxes)

    def follow(self, faces: Floats) -> bool:
        """Find the head among faces (n, 4), and tell whether it is there."""
        reach = min(REACH + STRAY * self.unseen, FARTHEST)
        found = _same(faces, self.boxes[-1], reach)
        self.boxes.append(self.boxes[-1] if found is None else found)
        self.seen += found is not None
        self.unseen = self.unseen + 1 if found is None else 0
        return found is not None


def _no_head(looks: int, most: int, face_index: int) -> str:
    remedy = "take --crop square, or leave the clip out"
    if not most:
        return f"no head was found in any of {looks} frames: {remedy}"
    return (
        f"head number {face_index} is asked for, counted from 0, and none of {looks} frames shows "
        f"more than {most}: ask for another, {remedy}"
    )


def _sides(boxes: Floats) -> Floats:
    return np.asarray((boxes[..., 2:] - boxes[..., :2]).mean(-1))


def _centres(boxes: Floats) -> Floats:
    return np.asarray((boxes[..., 2:] + boxes[..., :2]) / 2)


def _same(faces: Floats, last: Floats, reach: float) -> Floats | None:
    """Choose the face that is the last one, moved; None where there is none."""
    sides, side = _sides(faces), _sides(last)
    distances = np.linalg.norm(_centres(faces) - _centres(last), axis=-1)
    # The larger side of the two, so that the way back from a box that was too small is as long.
    smaller, larger = np.minimum(sides, side), np.maximum(sides, side)
    fitting = (distances <= reach * larger) & (larger <= GROWTH * smaller)
    faces, distances = faces[fitting], distances[fitting]
    if not len(faces):
        return None
    inside = np.minimum(faces[:, 2:], last[2:]) - np.maximum(faces[:, :2], last[:2])
    shared = inside.clip(0).prod(-1)
    union = (faces[:, 2:] - faces[:, :2]).prod(-1) + (last[2:] - last[:2]).prod() - shared
    # lexsort: the last key counts first
    return np.asarray(faces[np.lexsort((distances, -shared / union))[0]])


def _square(faces: Floats, height: int, width: int) -> tuple[int, int, int]:
    """Give left, top, side of the square in the picture that holds the heads of faces (n, 4)."""
    # One wrong box among its neighbours goes, however short the clip is ...
    padded = np.concatenate([faces[:1], faces, faces[-1:]])
    steady = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    side = _sides(steady)[:, None]
    centre = _centres(steady) - np.array([0, LIFT]) * side
    # ... and of many boxes the rare ones do not count.
    low = np.quantile(centre - side * SCALE / 2, RARE, axis=0)
    high = np.quantile(centre + side * SCALE / 2, 1 - RARE, axis=0)
    longest = min(int(np.ceil((high - low).max())), height, width)
    middle = (low + high) / 2
    left, top = np.rint(middle - longest / 2).astype(int)
    return (
        int(np.clip(left, 0, width - longest)),
        int(np.clip(top, 0, height - longest)),
        longest,
    )
