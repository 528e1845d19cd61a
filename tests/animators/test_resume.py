"""A run killed anywhere and resumed ends as the unbroken run does, bit for bit."""

import random

import pytest
import torch

from tests.animators import resume_worker

# 10 batches an epoch; with 3 accumulated the windows are 3, 3, 3, 1
SETTINGS = {"workers": 0, "accumulate": 3, "ema": True}


def finished(folder):
    """What must be equal: the whole last checkpoint, and the log."""
    state = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)
    return state, (folder / "metrics.csv").read_text()


def assert_same(ours, reference, where=""):
    assert type(ours) is type(reference), where
    if isinstance(ours, dict):
        assert ours.keys() == reference.keys(), where
        for key in ours:
            assert_same(ours[key], reference[key], f"{where}/{key}")
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(reference), where
        for i, (a, b) in enumerate(zip(ours, reference, strict=True)):
            assert_same(a, b, f"{where}/{i}")
    elif isinstance(ours, torch.Tensor):
        assert torch.equal(ours, reference), where
    else:
        assert ours == reference, where


KEPT = ("state_dict", "current_model_state", "averaging_state", "optimizer_states", "lr_schedulers",
        "training", "epoch", "global_step")  # fmt: skip


def compare(folder, reference):
    (ours, log), (unbroken, unbroken_log) = finished(folder), reference
    for key in KEPT:
        assert (key in ours) == (key in unbroken), key
        if key in ours:
            assert_same(ours[key], unbroken[key], key)
    assert log == unbroken_log


def break_and_resume(folder, settings, kills):
    """Run, killed at each of `kills` in turn, then to the end; returns how many kills struck."""
    argv = resume_worker.arguments(folder, **settings)
    struck = 0
    for i, (place, visit) in enumerate(kills):
        code = resume_worker.run(argv, place, visit, resume=i > 0)
        struck += code == -9
        assert code in (0, -9)
    assert resume_worker.run(argv, resume=True) == 0
    return struck


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    made = {}

    def get(**settings):
        key = tuple(sorted(settings.items()))
        if key not in made:
            folder = tmp_path_factory.mktemp("unbroken")
            assert resume_worker.run(resume_worker.arguments(folder, **settings)) == 0
            made[key] = finished(folder)
        return made[key]

    return get


def test_killed_in_a_window_a_validation_and_a_checkpoint(unbroken, tmp_path):
    kills = [("gradients", 7), ("validation", 1), ("checkpoint", 2), ("batch_start", 4)]
    assert break_and_resume(tmp_path / "run", SETTINGS, kills) == 4
    compare(tmp_path / "run", unbroken(**SETTINGS))


def test_a_random_number_of_references_is_drawn_as_if_nothing_had_happened(unbroken, tmp_path):
    settings = {"workers": 0, "accumulate": 1, "ema": False, "model": "dime"}
    kills = [("gradients", 7), ("batch_start", 6)]
    assert break_and_resume(tmp_path / "run", settings, kills) == 2
    compare(tmp_path / "run", unbroken(**settings))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("ema", [False, True])
def test_killed_at_random_moments(workers, accumulate, ema, unbroken, tmp_path):
    settings = {"workers": workers, "accumulate": accumulate, "ema": ema}
    draw = random.Random(f"{settings}")
    places = ["gradients", "gradients", "validation", "checkpoint", "batch_end", "batch_start"]
    kills = [(place, draw.randrange(4 if place == "validation" else 9)) for place in places]
    draw.shuffle(kills)
    for i, kill in enumerate(kills):
        folder = tmp_path / f"run{i}"
        assert break_and_resume(folder, settings, [kill]) == 1, f"{kill} never struck"
        compare(folder, unbroken(**settings))
