"""Schedules, accumulation windows, parts of a network and loss weights."""

import math

import pytest
import torch

from animators.training import FiniteWatch, Training, check_weights, weighted_total, window


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


def test_schedules_in_epochs_stretch_by_the_steps_of_an_epoch():
    steps = Training(unit="epochs", decay="steps", milestones=(2, 3), gamma=0.5)
    assert [steps.factor(i, unit=7) for i in (13, 14, 20, 21)] == [1, 0.5, 0.5, 0.25]
    linear = Training(unit="epochs", decay="linear", warmup_steps=1, decay_steps=3)
    assert [linear.factor(i, unit=4) for i in (0, 3, 4, 8, 12)] == [0.25, 1, 1, 0.5, 0]


def test_the_length_of_an_epoch_is_asked_for_when_it_matters():
    weight = [torch.nn.Parameter(torch.zeros(1))]
    settings = Training(learning_rate=1.0, unit="epochs", decay="steps", milestones=(1,), gamma=0.1)
    asked = []

    def length():
        asked.append(1)
        return 2

    optimizer, schedule = settings.optimizer(weight, adversary=False, steps_per_epoch=length)
    assert not asked
    rates = []
    for _ in range(4):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([1, 1, 0.1, 0.1])
    optimizer, schedule = settings.optimizer(weight, adversary=False)
    optimizer.step()
    with pytest.raises(ValueError, match="number of steps of an epoch"):
        schedule.step()


class Parts(torch.nn.Module):
    """Three parts of one weight each, and one that is switched off."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = (torch.nn.Linear(1, 1, bias=False) for _ in range(3))
        self.off = None


def filled(parts, gradients=(3.0, 4.0, 12.0)):
    for part, value in zip((parts.a, parts.b, parts.c), gradients, strict=True):
        part.weight.grad = torch.full_like(part.weight, value)
    return parts


def test_a_part_trains_at_its_own_rate():
    parts = filled(Parts())
    settings = Training(learning_rate=0.5, rate_factors={"b": 0.0, "c": 0.1, "off": 2})
    optimizer, _ = settings.optimizer(settings.parameter_groups(parts), adversary=False)
    before = [p.detach().clone() for p in parts.parameters()]
    optimizer.step()  # Adam's first step is the learning rate, whatever the gradient
    moved = [(b - p).item() for b, p in zip(before, parts.parameters(), strict=True)]
    assert moved == pytest.approx([0.5, 0.0, 0.05], abs=1e-5)


def test_parameters_without_gradient_are_left_alone_and_decay_pulls_the_others():
    parts = filled(Parts(), (0.0, 0.0, 0.0))
    parts.b.weight.grad = None
    with torch.no_grad():
        for p in parts.parameters():
            p.fill_(2.0)
    settings = Training(learning_rate=0.5, weight_decay=1e-4)
    optimizer, _ = settings.optimizer(settings.parameter_groups(parts), adversary=False)
    optimizer.step()
    assert [p.item() for p in parts.parameters()] == pytest.approx([1.5, 2.0, 1.5], abs=1e-4)


def test_a_part_can_be_spared_the_decay():
    parts = filled(Parts(), (0.0, 0.0, 0.0))
    with torch.no_grad():
        for p in parts.parameters():
            p.fill_(2.0)
    settings = Training(
        learning_rate=0.5, weight_decay=1e-4, rate_factors={"b": 0.1}, undecayed_parts=("c", "off")
    )
    optimizer, _ = settings.optimizer(settings.parameter_groups(parts), adversary=False)
    optimizer.step()
    assert [p.item() for p in parts.parameters()] == pytest.approx([1.5, 1.95, 2.0], abs=1e-4)


def clipped(settings, adversary=False):
    parts = filled(Parts())
    optimizer, _ = settings.optimizer(settings.parameter_groups(parts), adversary=False)
    settings.clip(parts, optimizer, adversary=adversary)
    return [p.grad.item() for p in parts.parameters()]


def test_clipping_as_a_whole_and_by_parts():
    assert clipped(Training()) == [3, 4, 12]
    assert clipped(Training(clip_norm=6.5)) == pytest.approx([1.5, 2, 6], abs=1e-4)
    assert clipped(Training(clip_norm=6, clip_norm_type=math.inf)) == pytest.approx(
        [1.5, 2, 6], abs=1e-4
    )
    by_part = Training(clip_norm=3.5, clip_norm_type=math.inf, clip_parts=("a", "c", "off"))
    assert clipped(by_part) == pytest.approx([3, 4, 3.5], abs=1e-4)
    assert clipped(by_part, adversary=True) == [3, 4, 12]


def test_a_part_that_is_not_there_is_named_beside_those_that_are():
    for settings in (
        Training(rate_factors={"d": 0.1}),
        Training(undecayed_parts=("d",)),
        Training(clip_norm=1.0, clip_parts=("a", "training")),
    ):
        with pytest.raises(ValueError, match=r"no part '(d|training)'.* a, b, c"):
            settings.check_parts(Parts())
    Training(rate_factors={"a": 0.1}, clip_norm=1.0, clip_parts=("off",)).check_parts(Parts())


def test_weights_of_other_losses_are_refused():
    check_weights({"a": 1.0}, {"a"})
    with pytest.raises(ValueError, match=r"\['a', 'c'\].*\['a', 'b'\]"):
        check_weights({"a": 1.0, "c": 1.0}, {"a", "b"})


def test_a_value_that_is_not_finite_is_remembered_until_asked():
    watch = FiniteWatch()
    watch.add([torch.tensor(1.0), torch.tensor(math.inf)])
    watch.add([torch.tensor(1.0)])
    with pytest.raises(FloatingPointError, match="step 12"):
        watch.check(12)
    watch = FiniteWatch()
    watch.add([torch.tensor(1.0)])
    watch.check(13)


@pytest.mark.parametrize(
    "settings",
    [
        {"accumulate": 0},
        {"learning_rate": 0},
        {"decay": "cosine", "decay_steps": 0},
        {"weight_decay": -1e-4},
        {"rate_factors": {"keypoints": -1.0}},
        {"clip_norm": 0.0},
        {"clip_norm": 1.0, "clip_norm_type": 0.0},
        {"clip_parts": ("keypoints",)},
    ],
)
def test_settings_that_cannot_train_are_refused(settings):
    with pytest.raises(ValueError, match=r"training\."):
        Training(**settings)
