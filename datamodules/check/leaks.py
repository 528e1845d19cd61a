"""Clips that show the same, among thousands."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from datamodules.check.fingerprint import Agreement, Cells, Track, compare

NEAR = 10.0
"""Distance in grey levels, root mean square, below which two frames may be one."""

BLOCK = 4096


@dataclass(frozen=True)
class Pair:
    """Two clips that show the same.

    Attributes:
        a, b: their numbers, a < b.
        mirrored: one is the mirror image of the other.
        agreement: where.
    """

    a: int
    b: int
    mirrored: bool
    agreement: Agreement


def find_pairs(
    tracks: Sequence[Track | None],
    progress: Callable[[Sequence[tuple[int, int]]], Iterable[tuple[int, int]]] = iter,
) -> list[Pair]:
    """Find all pairs of clips that show the same, as they are or mirrored.

    Frames that stand for their clips (a dozen each) are compared all with all, as products of
    matrices: for n clips about 2 (12 n)^2 times 64 multiplications, two minutes for 20,000
    clips on a core. Only clips with near frames are then laid over each other, about half a
    millisecond a pair.

    Args:
        tracks: of each clip; None for those that are left out.
        progress: wraps the pairs that are looked at.

    Returns:
        Pairs in order of their numbers, each once.
    """
    pairs = []
    for a, b in progress(_candidates(tracks)):
        first, second = tracks[a], tracks[b]
        if first is None or second is None:
            continue
        found = [
            Pair(a, b, mirrored, agreement)
            for mirrored in (False, True)
            if (agreement := compare(first, second, mirrored=mirrored)) is not None
        ]
        if found:  # of a clip that is its own mirror image, the better reading, or the plain one
            pairs.append(min(found, key=lambda pair: pair.agreement.ratio))
    return pairs


def _candidates(tracks: Sequence[Track | None]) -> list[tuple[int, int]]:
    """List the pairs of clips that have a near frame."""
    plain, mirror, owners = _scenes(tracks)
    found: set[int] = set()
    for keys in _near(plain, plain, owners, len(tracks)):
        found.update(keys)
    for keys in _near(plain, mirror, owners, len(tracks)):
        found.update(keys)
    return [divmod(key, len(tracks)) for key in sorted(found)]


def _scenes(tracks: Sequence[Track | None]) -> tuple[Cells, Cells, npt.NDArray[np.int64]]:
    """Stack the frames that stand for their clips, their mirror images, and their clips."""
    plain, mirror, owners = [np.zeros((0, 64), np.float32)], [np.zeros((0, 64), np.float32)], []
    for number, track in enumerate(tracks):
        if track is None:
            continue
        picked = list(track.scenes)
        plain.append(track.flat()[picked])
        mirror.append(track.flat(mirrored=True)[picked])
        owners += [number] * len(picked)
    return np.concatenate(plain), np.concatenate(mirror), np.array(owners, np.int64)


def _near(
    rows: Cells, columns: Cells, owners: npt.NDArray[np.int64], clips: int
) -> Iterator[list[int]]:
    """Yield a * clips + b for clips a < b with frames within `NEAR`, block by block.

    A mirrored pair need not be looked for both ways: mirroring both changes no distance.
    """
    limit = NEAR**2 * rows.shape[1]
    # |x - y|^2 as one product: (x, |x|^2, 1) times (-2 y, 1, |y|^2)
    left_side = _extended(rows, 1, np.square(rows - 128).sum(1), 1)
    right_side = _extended(columns, -2, 1, np.square(columns - 128).sum(1))
    for top in range(0, len(rows), BLOCK):
        x, x_owner = left_side[top : top + BLOCK], owners[top : top + BLOCK]
        for left in range(top, len(columns), BLOCK):
            y, y_owner = right_side[left : left + BLOCK], owners[left : left + BLOCK]
            places = np.flatnonzero((x @ y.T) <= limit)
            a, b = x_owner[places // len(y)], y_owner[places % len(y)]
            low, high = np.minimum(a, b), np.maximum(a, b)
            yield np.unique((low * clips + high)[low < high]).tolist()


def _extended(cells: Cells, factor: float, *more: float | Cells) -> Cells:
    """Give (n, 66): the cells around 0 times a factor, and two more columns."""
    out = np.empty((len(cells), cells.shape[1] + len(more)), np.float32)
    out[:, : cells.shape[1]] = (cells - 128) * factor
    for k, column in enumerate(more):
        out[:, cells.shape[1] + k] = column
    return out
