import numpy as np
import pytest
import torch

from animators.metrics import Averaging, Flicker, Jitter
from animators.metrics.jitter import change, flicker, trajectory_jitter
from animators.metrics.pictures import pictures

RNG = np.random.default_rng(0)


class Brightest:
    """Finds one point, the brightest pixel; nothing in a black picture."""

    name, version, points = "brightest", "1", 1

    def __init__(self):
        self.shared = []

    def find(self, frame, shared=None):
        self.shared.append(shared)
        grey = frame.sum(-1)
        if not grey.any():
            return None
        y, x = np.unravel_index(grey.argmax(), grey.shape)
        return np.array([[x, y]], np.float64)


def dots(*columns):
    """A clip of one white pixel a frame, in row 3; None is a black frame."""
    clip = torch.zeros(len(columns), 3, 8, 16)
    for frame, column in zip(clip, columns, strict=True):
        if column is not None:
            frame[:, 3, column] = 1
    return clip


def test_offset_and_drift_do_not_tremble():
    real = RNG.normal(size=(7, 5, 2)).cumsum(0)
    time = np.arange(7)[:, None, None]
    np.testing.assert_allclose(
        trajectory_jitter(real + [3, -2] + time * [0.5, 1], real), 0, atol=1e-9
    )


def test_an_error_that_alternates_and_one_that_speeds_up():
    real = RNG.normal(size=(6, 4, 2)).cumsum(0)
    time = np.arange(6)[:, None, None]
    turns = real + (-1.0) ** time * [3, 4]
    np.testing.assert_allclose(trajectory_jitter(turns, real), 4 * 5)
    faster = real + 0.5 * time**2 * [0, 3]
    np.testing.assert_allclose(trajectory_jitter(faster, real), 3)


def test_missing_points_are_left_out_alone():
    real = np.zeros((5, 2, 2))
    made = np.zeros((5, 2, 2))
    made[:, 0, 0] = [0, 1, 0, 1, 0]  # 2 at each of the three times
    made[3, 1] = np.nan
    np.testing.assert_allclose(trajectory_jitter(made, real), [1, 2, 2])
    made[0, 0] = np.nan
    made[2, 1] = np.nan
    np.testing.assert_allclose(trajectory_jitter(made, real), [np.nan, 2, 2])


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(T, K, 2\)"):
        trajectory_jitter(np.zeros((5, 2, 2)), np.zeros((4, 2, 2)))


def test_jitter_of_clips():
    metric = Jitter(Averaging.VIDEO, Brightest())
    assert metric.name == "jitter_brightest"
    assert metric.higher_is_better is False
    real = dots(2, 4, 6, 8)
    metric.update(dots(3, 6, 9, 12), real, real[0])  # drifts
    assert float(metric.compute()) == 0
    seen = metric.network.shared
    assert seen[::2] == [None] * 4
    for frame, shared in zip(pictures(real), seen[1::2], strict=True):
        np.testing.assert_array_equal(frame, shared)
    metric.update(dots(3, 3, 7, 7), real, real[0])  # off by 1, -1, 1, -1
    assert float(metric.compute()) == pytest.approx(2)
    metric.update(dots(3, 3, None, 7), real, real[0])  # no three frames in turn
    metric.update(dots(3, 3), real[:2], real[0])
    assert float(metric.compute()) == pytest.approx(2)


def test_change_of_a_fade_and_of_a_blink():
    fade = torch.linspace(0, 1, 6).view(-1, 1, 1, 1).expand(6, 3, 4, 4)
    torch.testing.assert_close(change(fade), torch.zeros(4), atol=1e-6, rtol=0)
    blink = torch.tensor([0.0, 1, 0, 1]).view(-1, 1, 1, 1).expand(4, 3, 4, 4)
    torch.testing.assert_close(change(0.25 * blink), torch.full((2,), 0.5))
    assert len(change(fade[:2])) == 0


def test_flicker_counts_too_much_and_too_little_alike():
    blink = torch.tensor([0.0, 1, 0, 1]).view(-1, 1, 1, 1).expand(4, 3, 4, 4)
    real = 0.25 * blink
    torch.testing.assert_close(flicker(real, real), torch.zeros(2))
    torch.testing.assert_close(flicker(0.5 * blink, real), torch.full((2,), 0.5))
    torch.testing.assert_close(flicker(0 * blink, real), torch.full((2,), 0.5))
    metric = Flicker(Averaging.FRAME)
    metric.update(0.5 * blink, real, real[0])
    metric.update(real, real, real[0])
    assert float(metric.compute()) == pytest.approx(0.25)
