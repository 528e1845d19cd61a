"""Schedules, accumulation windows and loss weights."""

import math

import pytest
import torch

from animators.training import Training, weighted_total, window


def test_window_covers_an_epoch_that_accumulation_does_not_divide():
    sizes = [window(i, 7, 3) for i in range(7)]
    assert sizes == [(3, False), (3, False), (3, True)] * 2 + [(1, True)]


def test_window_of_one_steps_each_batch():
    assert [window(i, 3, 1) for i in range(3)] == [(1, True)] * 3


def test_schedules_have_their_closed_forms():
    cosine = Training(warmup_steps=4, decay="cosine", decay_steps=14)
    assert [cosine.factor(i) for i in range(5)] == pytest.approx([0.25, 0.5, 0.75, 1, 1])
    assert cosine.factor(9) == pytest.approx(0.5)
    assert cosine.factor(6) == pytest.approx(0.5 * (1 + math.cos(math.pi * 0.2)))
    assert cosine.factor(99) == pytest.approx(0)
    assert Training(decay="linear", decay_steps=10).factor(4) == pytest.approx(0.6)
    steps = Training(decay="steps", milestones=(3, 6), gamma=0.5)
    assert [steps.factor(i) for i in (2, 3, 6)] == [1, 0.5, 0.25]


def test_total_is_the_weighted_sum():
    losses = {"a": torch.tensor(2.0), "b": torch.tensor(3.0)}
    assert weighted_total(losses, {"a": 1.0, "b": 10.0}).item() == 32


def test_names_that_do_not_match_are_shown():
    with pytest.raises(ValueError, match=r"\['a', 'c'\].*\['a'\]"):
        weighted_total({"a": torch.tensor(1.0)}, {"a": 1.0, "c": 1.0})


def test_adversary_takes_the_generators_rate_unless_given():
    weight = [torch.nn.Parameter(torch.zeros(1))]
    shared = Training(learning_rate=0.5)
    own = Training(learning_rate=0.5, adversary_learning_rate=0.25, adversary_betas=(0, 0.5))
    assert shared.optimizer(weight, adversary=True)[0].param_groups[0]["lr"] == 0.5
    group = own.optimizer(weight, adversary=True)[0].param_groups[0]
    assert (group["lr"], group["betas"]) == (0.25, (0.0, 0.5))


@pytest.mark.parametrize(
    "settings", [{"accumulate": 0}, {"learning_rate": 0}, {"decay": "cosine", "decay_steps": 0}]
)
def test_settings_that_cannot_train_are_refused(settings):
    with pytest.raises(ValueError, match=r"training\."):
        Training(**settings)
