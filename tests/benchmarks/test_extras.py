"""Metrics beside the suite's: each clip's value, means, and what has too few samples."""

import math
from types import SimpleNamespace

import pytest
import torch
from torchmetrics import Metric

from animators.metrics import Averaging, FrameAverage
from benchmarks.extras import Extras


class Brightness(FrameAverage):
    name = "brightness"
    higher_is_better = True
    detector = "none, version 1"

    def frame_values(self, prediction, target, source):
        values = prediction.mean(dim=(1, 2, 3))
        return torch.where(values > 0.9, torch.nan, values)


class Distance(Metric):
    name = "fd_test"
    higher_is_better = False
    network = SimpleNamespace(size=4)

    def __init__(self):
        super().__init__()
        self.add_state("seen", torch.tensor(0), dist_reduce_fx="sum")

    @property
    def count(self):
        return int(self.seen)

    @property
    def enough(self):
        return self.count > self.network.size

    def update(self, prediction, target, source):
        self.seen += len(prediction)

    def compute(self):
        return torch.tensor(2.5)


def clip(*values):
    return torch.tensor(values).reshape(-1, 1, 1, 1).expand(-1, 3, 4, 4)


def feed(extras, *values):
    frames = clip(*values)
    return extras.update(frames, frames, frames[0])


def test_each_clip_has_its_own_value_and_the_row_their_mean():
    extras = Extras([Brightness()])
    assert feed(extras, 0.2, 0.4)["brightness"] == pytest.approx(0.3)
    assert feed(extras, 0.8)["brightness"] == pytest.approx(0.8)
    assert math.isnan(feed(extras, 1.0)["brightness"])  # nothing to measure in this one
    assert extras.summary()["brightness"] == pytest.approx(0.55)
    extras.reset()
    feed(extras, 0.5)
    assert extras.summary()["brightness"] == pytest.approx(0.5)


def test_mean_over_frames():
    extras = Extras([Brightness(Averaging.FRAME)])
    feed(extras, 0.2, 0.4)
    assert feed(extras, 0.6, 0.8)["brightness"] == pytest.approx(0.7)
    assert extras.summary()["brightness"] == pytest.approx(0.5)


def test_a_distance_of_few_samples_is_left_out_and_says_how_many_it_had():
    extras = Extras([Brightness(), Distance()])
    assert "fd_test" not in feed(extras, 0.1, 0.2, 0.3, 0.4)
    assert extras.summary().keys() == {"brightness"}
    assert extras.left_out == {"fd_test": "4 samples, more than 4 wanted"}
    feed(extras, 0.1)
    assert extras.summary()["fd_test"] == 2.5
    assert extras.left_out == {}
    assert extras.samples == {"fd_test": 5}


def test_what_computed_a_number_and_which_way_it_goes():
    extras = Extras([Brightness(), Distance()])
    assert extras.detectors == {"brightness": "none, version 1"}
    assert extras.higher_is_better == {"brightness": True, "fd_test": False}
    with pytest.raises(ValueError, match="two metrics of one name"):
        Extras([Brightness(), Brightness()])
