"""Which differences between rows are more than the choice of clips: a paired bootstrap.

The clips are drawn again with replacement, the same draw for all rows, and the means of every draw
give percentile intervals (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13). Such
intervals are too narrow where clips are few, and they know nothing of the seeds of training, whose
spread is shown beside them.
"""

from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Interval = tuple[float, float]

RESAMPLES = 10_000
LEVEL = 0.95
SEED = 0
FEWEST = 5  # of four clips even a difference of one sign throughout has a chance of one in eight
BATCH = 500  # resamples drawn at once, which bounds the memory and changes no draw


class Standing(StrEnum):
    """Where a number stands in its column.

    BEST: its difference to every other row leaves out 0. NEAR: the best, or not separable from it.
    BEHIND: separable from the best. NONE: not judged.
    """

    BEST = "best"
    NEAR = "not separable"
    BEHIND = "behind"
    NONE = ""


@lru_cache(maxsize=4)
def resampled(count: int) -> npt.NDArray[np.uint16]:
    """Draw clips with replacement.

    Args:
        count: how many there are.

    Returns:
        How often each is in each draw, (`RESAMPLES`, count).
    """
    draws = np.random.default_rng(SEED)
    counts = np.empty((RESAMPLES, count), dtype=np.uint16)
    for start in range(0, RESAMPLES, BATCH):
        stop = min(start + BATCH, RESAMPLES)
        drawn = draws.integers(0, count, (stop - start, count))
        drawn += np.arange(stop - start)[:, None] * count  # one range of bins for each draw
        times = np.bincount(drawn.ravel(), minlength=(stop - start) * count)
        counts[start:stop] = times.reshape(stop - start, count)
    counts.setflags(write=False)  # it is shared
    return counts


def mean(values: Array, weights: Array) -> float | None:
    """Give the weighted mean over the clips that have a value.

    Args:
        values: of the clips, (C,), NaN where there is none.
        weights: (C,), 0 for a clip that does not count.

    Returns:
        None where no clip has a value.
    """
    there = _there(values, weights)
    return float(np.average(values[there], weights=weights[there])) if there.any() else None


def interval(values: Array, weights: Array) -> Interval | None:
    """Give the bootstrap's percentile interval of a mean over clips.

    Args:
        values: of the clips, (C,), NaN where there is none.
        weights: (C,), 0 for a clip that does not count.

    Returns:
        Both ends, or None where fewer than `FEWEST` clips have a value.
    """
    there = _there(values, weights)
    count = int(there.sum())
    if count < FEWEST:
        return None
    times = resampled(count).astype(np.float64)
    # the draw changes the sum of the weights too: a mean over frames is a ratio of two sums
    means = times @ (weights[there] * values[there]) / (times @ weights[there])
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _there(values: Array, weights: Array) -> npt.NDArray[np.bool_]:
    return np.isfinite(values) & (weights > 0)


def separable(one: Array, other: Array, weights: Array) -> bool:
    """Tell whether the interval of the paired difference leaves out 0.

    Args:
        one: a row's values of the clips, (C,), NaN where there is none.
        other: another row's of the same clips.
        weights: (C,).

    Returns:
        False as well where fewer than `FEWEST` clips have both values.
    """
    ends = interval(one - other, weights)
    return ends is not None and not ends[0] <= 0 <= ends[1]


def standings(
    columns: Sequence[tuple[Array, Array] | None],
    shown: Sequence[float | None],
    *,
    higher: bool,
) -> list[Standing]:
    """Judge a column.

    Args:
        columns: for each row its values of the clips and their weights, both (C,), clips in one
            order; None for a row that has none, which takes no part.
        shown: the numbers of all rows.
        higher: whether more is better.

    Returns:
        A standing for each row. Nobody is BEST where a row that takes no part has the better
        number, and nobody is judged where there is nothing to compare, or too few clips.
    """
    judged = [Standing.NONE] * len(columns)
    sign = 1 if higher else -1
    numbers = [None if value is None else sign * value for value in shown]
    part = {
        i: (column, number)
        for i, (column, number) in enumerate(zip(columns, numbers, strict=True))
        if column is not None and number is not None
    }
    if len(part) < 2:
        return judged
    first = max(part, key=lambda i: part[i][1])
    (best, weights), top = part[first]
    if int(_there(best, weights).sum()) < FEWEST:
        return judged
    near = [i for i in part if i != first and not separable(part[i][0][0], best, weights)]
    judged = [Standing.BEHIND if i in part else Standing.NONE for i in range(len(columns))]
    rivals = [n for i, n in enumerate(numbers) if i not in part and n is not None]
    for i in (first, *near):
        judged[i] = Standing.NEAR
    if not near:
        judged[first] = Standing.NONE if any(n >= top for n in rivals) else Standing.BEST
    return judged


def over_seeds(values: Sequence[float]) -> tuple[float, float]:
    """Give the mean over seeds of training, and their standard deviation (of a sample, n - 1).

    Raises:
        ValueError: fewer than two seeds have no spread.
    """
    if len(values) < 2:
        raise ValueError(f"{len(values)} seeds have no spread: two or more are wanted")
    return float(np.mean(values)), float(np.std(values, ddof=1))
