import numpy as np
import pytest
from scipy.stats import bootstrap

from benchmarks.report import statistics
from benchmarks.report.statistics import (
    RESAMPLES,
    SEED,
    Standing,
    interval,
    mean,
    over_seeds,
    resampled,
    separable,
    standings,
)

BEST, NEAR, BEHIND, NONE = Standing.BEST, Standing.NEAR, Standing.BEHIND, Standing.NONE


def clips(seed, count=12, shift=0.0, noise=1.0):
    return np.random.default_rng(seed).normal(shift, noise, count)


def scipys(data, statistic, seed):
    found = bootstrap(
        data, statistic, paired=True, vectorized=True, n_resamples=RESAMPLES, method="percentile",
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    return found.confidence_interval


@pytest.mark.parametrize("count", [5, 12, 40])
def test_intervals_are_scipys(count):
    """The same draws, so to the last digits; scipy takes the difference, we take it before."""
    one, other = clips(1, count), clips(2, count, 0.4)

    def difference(x, y, axis):
        return x.mean(axis) - y.mean(axis)

    exact = scipys((one, other), difference, SEED)
    assert interval(one - other, np.ones(count)) == pytest.approx(tuple(exact), rel=1e-9)
    again = scipys((one, other), difference, SEED + 1)
    assert interval(one - other, np.ones(count)) == pytest.approx(tuple(again), abs=0.03)
    alone = scipys((one,), lambda x, axis: x.mean(axis), SEED)
    assert interval(one, np.ones(count)) == pytest.approx(tuple(alone), rel=1e-9)


def test_a_mean_over_frames_is_a_ratio_of_sums():
    """Clips of many frames count more, in the mean and in every draw."""
    values, weights = clips(3, 20), np.random.default_rng(4).integers(3, 60, 20).astype(float)

    def pooled(x, w, axis):
        return (x * w).sum(axis) / w.sum(axis)

    expected = scipys((values, weights), pooled, SEED)
    assert interval(values, weights) == pytest.approx(tuple(expected), rel=1e-9)
    frames = np.repeat(values, weights.astype(int))
    assert mean(values, weights) == pytest.approx(frames.mean())
    assert interval(values, np.ones(20)) != pytest.approx(tuple(expected), rel=1e-3)


def test_draws_have_as_many_clips_as_there_are_and_stay():
    times = resampled(7)
    assert times.shape == (RESAMPLES, 7)
    assert (times.sum(1) == 7).all()
    assert times.mean(0) == pytest.approx(np.ones(7), abs=0.05)
    before = times.copy()
    resampled.cache_clear()
    assert (resampled(7) == before).all()


def test_batches_change_no_draw(monkeypatch):
    before = resampled(9).copy()
    resampled.cache_clear()
    monkeypatch.setattr(statistics, "BATCH", 333)
    assert (resampled(9) == before).all()
    resampled.cache_clear()


def test_clips_without_a_value_are_left_out():
    values = clips(5, 10)
    holes = np.concatenate([values, [np.nan, 7.0]])
    weights = np.array([1.0] * 11 + [0.0])
    assert interval(holes, weights) == interval(values, np.ones(10))
    assert mean(holes, weights) == pytest.approx(values.mean())
    assert mean(np.array([np.nan]), np.ones(1)) is None


def test_few_clips_have_no_interval():
    assert interval(clips(1, 4), np.ones(4)) is None
    assert not separable(np.full(4, 9.0), np.zeros(4), np.ones(4))
    assert interval(clips(1, 5), np.ones(5)) is not None


def judged(*rows, shown=None, higher=False):
    columns = [None if row is None else (row, np.ones(len(row))) for row in rows]
    values = [None if row is None else float(np.nanmean(row)) for row in rows]
    return standings(columns, values if shown is None else shown, higher=higher)


def test_pairing_sees_what_two_intervals_do_not():
    """Clips differ far more than rows do; every clip is a little better."""
    one = clips(1, 12, noise=10.0)
    other = one + 0.1 + clips(2, 12, noise=0.02)
    low, high = interval(one, np.ones(12)), interval(other, np.ones(12))
    assert low[1] > high[0]  # they overlap
    assert judged(one, other) == [BEST, BEHIND]
    assert judged(one, other, higher=True) == [BEHIND, BEST]


def test_best_must_leave_every_row_behind():
    one = clips(1)
    close, far = one + clips(2, noise=0.5), one + 2
    assert interval(one - close, np.ones(12))[0] < 0 < interval(one - close, np.ones(12))[1]
    assert judged(one, far) == [BEST, BEHIND]
    assert judged(one, close, far) == [NEAR, NEAR, BEHIND]
    assert judged(one, one.copy()) == [NEAR, NEAR]


def test_rows_without_clips_take_no_part_but_keep_others_from_being_best():
    one, far = clips(1), clips(1) + 2
    low = float(one.mean())
    for theirs, first in ((low + 1, BEST), (low - 1, NONE), (low, NONE)):
        shown = [low, low + 2, theirs]
        assert judged(one, far, None, shown=shown) == [first, BEHIND, NONE]
    assert judged(one, far, None, shown=[low, None, None]) == [NONE] * 3
    assert judged(None, one) == [NONE, NONE]


def test_few_clips_are_not_judged():
    assert judged(np.zeros(4), np.ones(4)) == [NONE, NONE]
    assert judged(np.zeros(5), np.ones(5)) == [BEST, BEHIND]
    # a row that shares fewer than five clips with the best cannot be told from it
    holes = np.array([1.0, 1.0, np.nan, np.nan, np.nan])
    assert judged(np.zeros(5), holes) == [NEAR, NEAR]


def test_seeds():
    middle, spread = over_seeds([1.0, 2.0, 6.0])
    assert (middle, spread) == (pytest.approx(3.0), pytest.approx(7.0**0.5))  # (4 + 1 + 9) / 2
    with pytest.raises(ValueError, match="1 seeds have no spread"):
        over_seeds([1.0])


def test_as_many_intervals_as_were_promised_hold_the_truth():
    """Of 400 sets of 40 clips, the interval holds the true mean in about 95 of 100."""
    hits = 0
    for seed in range(400):
        low, high = interval(clips(seed, 40, 1.0), np.ones(40))
        hits += low <= 1.0 <= high
    assert 0.91 <= hits / 400 <= 0.97
