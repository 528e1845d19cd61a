"""A clip as a track of tiny pictures, by which it is known again after encoding, resizing, cutting.

Every frame becomes 8 x 8 grey cells. Two tracks show the same clip where, laid over each other
at some shift in time, they differ by much less than either moves. Frames alone would not do:
clips before one background look alike in every frame, and only their motion tells them apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from datamodules.media import Frames

Cells = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]

SIDE = 8
LONGEST = 2048
"""Frames that a track keeps; longer clips are thinned out evenly."""

SPACING = 8.0
MOST_SCENES = 24
FLAT = 4.0
NOISE = 1.5
LEAST_OVERLAP = 24
LARGEST_ERROR = 8.0
LARGEST_RATIO = 0.4
SAME_RATE = 0.02


@dataclass(frozen=True)
class Track:
    """A clip's frames as tiny pictures.

    Attributes:
        cells: (n, 8, 8) uint8 grey.
        rate: of these frames a second.
        step: frames of the clip from one of these to the next.
        scenes: numbers of frames that stand for all: every frame is near one of them.
    """

    cells: npt.NDArray[np.uint8]
    rate: float
    step: int
    scenes: tuple[int, ...]

    def flat(self, *, mirrored: bool = False) -> Cells:
        """Give the cells, (n, 64) float32, of the clip or of its mirror image."""
        cells = self.cells[:, :, ::-1] if mirrored else self.cells
        return cells.reshape(len(cells), -1).astype(np.float32)


@dataclass(frozen=True)
class Agreement:
    """Where two tracks show the same.

    Attributes:
        ratio: energy of their difference over energy of their motion, coding noise left out;
            0 for copies, about 1 and more for different motions.
        frames: length of the overlap, in frames of the slower track.
        shift: frame of the second track at which frame 0 of the first lies; may be negative.
    """

    ratio: float
    frames: int
    shift: int


def reduced(frame: Frames) -> npt.NDArray[np.uint8]:
    """Reduce a frame (H, W, 3) to (32, 32) grey means."""
    grey = Image.fromarray(frame).convert("L")
    return np.asarray(grey.resize((4 * SIDE, 4 * SIDE), Image.Resampling.BOX))


def cells_of(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Reduce what `reduced` gives to (8, 8)."""
    return (grey.reshape(SIDE, 4, SIDE, 4).mean((1, 3)) + 0.5).astype(np.uint8)


def make_track(cells: list[npt.NDArray[np.uint8]], fps: float) -> Track:
    """Make the track of a clip of at least one frame from the cells of all its frames."""
    step = -(-len(cells) // LONGEST)
    kept = np.stack(cells[::step])
    return Track(kept, fps / step, step, _scenes(kept))


def _scenes(cells: npt.NDArray[np.uint8]) -> tuple[int, ...]:
    """Pick frames until each is within `SPACING` of a picked one, the farthest one next.

    What is picked follows from what is shown, not from times, so that clips cut differently
    from one video still pick like frames in what they share. Flat frames (black, white) are
    passed over: they are alike everywhere.
    """
    flat = cells.reshape(len(cells), -1).astype(np.float32)
    told = np.flatnonzero(flat.std(1) >= FLAT)
    if not len(told):
        return ()
    flat = flat[told]
    picked = [0]
    away = np.square(flat - flat[0]).mean(1)
    while len(picked) < MOST_SCENES and away.max() > SPACING**2:
        picked.append(int(away.argmax()))
        away = np.minimum(away, np.square(flat - flat[picked[-1]]).mean(1))
    return tuple(int(told[k]) for k in picked)


def compare(a: Track, b: Track, *, mirrored: bool = False) -> Agreement | None:
    """Tell where clip a, or its mirror image, and clip b show the same; None where nowhere."""
    found = [
        agreement
        for x, y in _in_step(a, b, mirrored=mirrored)
        if (agreement := _overlay(x, y)) is not None
    ]
    return min(found, key=lambda agreement: agreement.ratio, default=None)


def _in_step(a: Track, b: Track, *, mirrored: bool) -> Iterator[tuple[Cells, Cells]]:
    """Give both tracks at one rate: by time, and frame by frame where rates may be nominal."""
    x, y = a.flat(mirrored=mirrored), b.flat()
    like = abs(a.rate / b.rate - 1) <= SAME_RATE
    if like or a.step == b.step == 1:
        yield x, y
    if like:
        return
    if a.rate > b.rate:
        yield _thinned(x, a.rate / b.rate), y
    else:
        yield x, _thinned(y, b.rate / a.rate)


def _thinned(cells: Cells, factor: float) -> Cells:
    at = np.floor(np.arange(0, len(cells) - 0.5, factor) + 0.5).astype(np.int64)
    return cells[np.minimum(at, len(cells) - 1)]


def _overlay(x: Cells, y: Cells) -> Agreement | None:
    """Find the shift at which tracks (n, 64) and (m, 64) agree best, if they do at any.

    With mean square error e^2 over the overlap, motion energies u, v (variance over time) and
    coding noise s^2, the measure is (e^2 - s^2) / (u + v): it does not fall below about 1 for
    independent motions, however alike the background.
    """
    n, m = len(x), len(y)
    least = min(LEAST_OVERLAP, n, m)
    shifts = np.arange(least - n, m - least + 1)
    first, stop = np.maximum(0, -shifts), np.minimum(n, m - shifts)
    count = (stop - first).astype(np.float64)
    # every overlap at once: sums along the diagonals of all products, and running sums
    places = (np.arange(m)[None] - np.arange(n)[:, None] + n - 1).ravel()
    crossed = np.bincount(places, weights=(x @ y.T).ravel(), minlength=n + m - 1)[shifts + n - 1]
    sum_x, energy_x = _spans(x, first, stop)
    sum_y, energy_y = _spans(y, first + shifts, stop + shifts)
    cells = x.shape[1]
    error = np.maximum(energy_x + energy_y - 2 * crossed, 0) / count / cells
    energy_of_means = (np.square(sum_x) + np.square(sum_y)).sum(1) / count
    motion = (energy_x + energy_y - energy_of_means) / count / cells
    ratio = np.maximum(error - NOISE**2, 0) / np.maximum(motion, 1e-3)
    told = (sum_x / count[:, None]).std(1) >= FLAT
    ratio[~told | (error > LARGEST_ERROR**2)] = np.inf
    # of equally good shifts the longest overlap, then the least error
    best = int(np.lexsort((error, -count, np.round(ratio, 3)))[0])
    if ratio[best] > LARGEST_RATIO:
        return None
    return Agreement(float(ratio[best]), int(count[best]), int(shifts[best]))


def _spans(
    cells: Cells, first: npt.NDArray[np.int64], stop: npt.NDArray[np.int64]
) -> tuple[Numbers, Numbers]:
    """Sum the cells (n, 64), and their squares, over each span: (k, 64) and (k,)."""
    wide = cells.astype(np.float64)
    sums = np.concatenate([np.zeros((1, wide.shape[1])), np.cumsum(wide, axis=0)])
    squares = np.concatenate([[0.0], np.cumsum(np.square(wide).sum(1))])
    return sums[stop] - sums[first], squares[stop] - squares[first]
