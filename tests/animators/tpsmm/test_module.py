"""Modes, losses, schedules and clipping of TPSMM in small."""

import math
from dataclasses import replace

import pytest
import torch

from animators.animator import Mode
from animators.nn.relative import hull_area
from animators.tpsmm import Tpsmm
from animators.tpsmm.module import PAPER_TRAINING, PAPER_WEIGHTS
from animators.tpsmm.network import SplineMotion
from tests.animators.tiny import tiny_animator


@pytest.fixture
def model():
    return tiny_animator("tpsmm", avd=True).eval()


@pytest.fixture
def clip():
    small = torch.rand(8, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    frames = torch.nn.functional.interpolate(small, (64, 64), mode="bilinear")
    return frames.unflatten(0, (2, 4))


def batch_of(clip, epoch=0):
    keys = torch.tensor([[0, epoch, i] for i in range(len(clip))])
    return {"source": clip[:, 0], "driving": clip[:, 1], "key": keys}


def at_epoch(model, epoch, monkeypatch):
    monkeypatch.setattr(type(model), "current_epoch", property(lambda _: epoch))


def train_step(model, optimizer, batch):
    optimizer.zero_grad()
    losses = model.training_losses(batch).losses
    torch.stack(list(losses.values())).sum().backward()
    model.training_settings.clip(model.network, optimizer, adversary=False)
    optimizer.step()
    return losses


@torch.no_grad()
def test_relative_motion_is_the_scaled_displacement(model, clip):
    source = model.encode_source(clip[:, 0])
    reference, driving = (model.encode_motion(clip[:, i]) for i in (1, 2))
    moved = model.transfer(source, driving, reference, Mode.RELATIVE)
    scale = (hull_area(source.points) / hull_area(reference.points)).sqrt()[:, None, None]
    wanted = source.points + scale * (driving.points - reference.points)
    torch.testing.assert_close(moved.points, wanted)
    prepared = model.prepare_reference(source, reference)
    again = model.transfer(source, driving, prepared, Mode.RELATIVE)
    assert torch.equal(again.points, moved.points)
    # a subject twice as large in the clip moves twice as far there
    large = [SplineMotion(2 * x.points) for x in (driving, reference)]
    torch.testing.assert_close(
        model.transfer(source, *large, Mode.RELATIVE).points, moved.points, atol=1e-5, rtol=0
    )


@torch.no_grad()
def test_the_hull_of_the_reference_is_taken_once_a_clip(model, clip, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "animators.spline_animator.hull_area", lambda points: calls.append(1) or hull_area(points)
    )
    model.animate(clip[:, 0], clip[:, 1:], mode="relative", chunk=1)
    assert len(calls) == 2  # the source's and the reference frame's


@torch.no_grad()
def test_the_shape_is_embedded_once_a_clip(model, clip):
    calls = {"identity": 0, "pose": 0}
    for name in calls:
        encoder = getattr(model.network.avd, f"{name}_encoder")
        encoder.register_forward_hook(
            lambda *_, name=name: calls.__setitem__(name, calls[name] + 1)
        )
    model.animate(clip[:, 0], clip, mode="avd", chunk=1)
    assert calls == {"identity": 1, "pose": 4}


def test_modes_and_what_to_do_about_a_missing_one(model, clip):
    assert model.modes == (Mode.ABSOLUTE, Mode.RELATIVE, Mode.AVD)
    without = tiny_animator("tpsmm")
    assert without.modes == (Mode.ABSOLUTE, Mode.RELATIVE)
    with pytest.raises(ValueError, match="MODEL=tpsmm-avd"):
        without.animate(clip[:, 0], clip, mode="avd")
    state = model.encode_source(clip[:, 0])
    motion = model.encode_motion(clip[:, 1])
    with pytest.raises(ValueError, match="reference frame"):
        model.transfer(state, motion, None, Mode.RELATIVE)
    with pytest.raises(ValueError, match="one source view"):
        model.encode_source(clip)


@torch.no_grad()
def test_the_background_moves_in_reconstruction_only(model, clip):
    rebuilt = model.reconstruct(clip)
    assert (model.animate(clip[:, 0], clip, mode="absolute") - rebuilt).abs().max() > 1e-3
    state = model.encode_source(clip[:, 0])
    motion = model.encode_motion(clip[:, 2], state)
    torch.testing.assert_close(model.render(state, motion), rebuilt[:, 2], atol=2e-3, rtol=0)
    model.network.background = None
    torch.testing.assert_close(
        model.animate(clip[:, 0], clip, mode="absolute"), model.reconstruct(clip)
    )


@torch.no_grad()
def test_the_nearest_shape_is_the_best_frame(model, clip):
    state = model.encode_source(clip[:, 0])
    motion = model.encode_motion(clip[:, 0])
    moved = SplineMotion(3 * motion.points + 0.5)  # the same shape elsewhere, and larger
    assert model.motion_distance(state, moved).max() < 1e-5
    assert model.motion_distance(state, model.encode_motion(clip[:, 1])).min() > 1e-2


def test_the_background_waits_for_its_epoch(clip, monkeypatch):
    model = tiny_animator("tpsmm", background_start=2).train()
    (optimizer,), _ = model.configure_optimizers()
    before = {k: v.clone() for k, v in model.network.background.state_dict().items()}
    at_epoch(model, 1, monkeypatch)
    losses = train_step(model, optimizer, batch_of(clip))
    assert losses["background"] == 0
    assert not losses["background"].requires_grad
    # weight decay and batch norm leave it alone too
    for key, value in model.network.background.state_dict().items():
        assert torch.equal(value, before[key]), key
    at_epoch(model, 2, monkeypatch)
    assert train_step(model, optimizer, batch_of(clip))["background"] > 0
    for name, parameter in model.network.background.named_parameters():
        assert not torch.equal(parameter, before[name]), name


def test_splines_are_dropped_by_epoch(clip, monkeypatch):
    kept = []
    model = tiny_animator("tpsmm").train()
    model.network.dense_motion.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[3]))
    for epoch in (34, 35):
        at_epoch(model, epoch, monkeypatch)
        model.training_losses(batch_of(clip, epoch))
    assert kept[0].shape == (2, 4)
    assert kept[0][:, 0].all()
    assert kept[1] is None


def test_a_step_of_two_is_the_mean_of_its_samples(clip, monkeypatch):
    """Nothing that is drawn depends on the batch around a sample."""
    model = tiny_animator("tpsmm").double().eval()
    whole = model.training_losses(batch_of(clip.double())).losses
    parts = []
    for i in range(2):
        batch = {k: v[i : i + 1] for k, v in batch_of(clip.double()).items()}
        parts.append(model.training_losses(batch).losses)
    assert whole.keys() == {"equivariance", "warp", "background", "reconstruction"}
    for name, value in whole.items():
        torch.testing.assert_close(value, (parts[0][name] + parts[1][name]) / 2)


def test_each_loss_trains_what_the_paper_says(clip):
    model = tiny_animator("tpsmm").train()
    reached = {}
    for name in ("equivariance", "warp", "background", "reconstruction"):
        model.zero_grad()
        model.training_losses(batch_of(clip)).losses[name].backward()
        reached[name] = {
            part
            for part, module in model.network.named_children()
            if any(p.grad is not None and p.grad.any() for p in module.parameters())
        }
    assert reached == {
        "equivariance": {"keypoints"},
        "warp": {"keypoints", "background", "dense_motion"},
        "background": {"background"},
        "reconstruction": {"keypoints", "background", "dense_motion", "generator"},
    }


def test_three_parts_are_clipped_each_by_its_largest_entry(clip):
    model = tiny_animator("tpsmm", training=replace(PAPER_TRAINING, clip_norm=1e-3)).train()
    (optimizer,), _ = model.configure_optimizers()
    torch.stack(list(model.training_losses(batch_of(clip)).losses.values())).sum().backward()
    parts = dict(model.network.named_children())

    def largest():
        return {
            name: max(p.grad.abs().max().item() for p in part.parameters())
            for name, part in parts.items()
        }

    before = largest()
    model.training_settings.clip(model.network, optimizer, adversary=False)
    after = largest()
    assert min(before.values()) > 1e-3
    for name in ("keypoints", "dense_motion", "background"):
        assert after[name] == pytest.approx(1e-3, rel=1e-2)
    assert after["generator"] == before["generator"]


def test_the_papers_numbers():
    with torch.device("meta"):
        model = Tpsmm()
    (optimizer,), _ = model.configure_optimizers()
    (group,) = optimizer.param_groups
    assert (group["lr"], group["betas"], group["weight_decay"]) == (2e-4, (0.5, 0.999), 1e-4)
    assert sum(p.numel() for p in group["params"]) == 85_095_490
    settings = model.training_settings
    assert (settings.clip_norm, settings.clip_norm_type) == (10, math.inf)
    assert [settings.factor(epoch) for epoch in (69, 70, 89, 90)] == pytest.approx(
        [1, 0.1, 0.1, 0.01]
    )
    assert model.loss_weights == dict(PAPER_WEIGHTS) == dict.fromkeys(PAPER_WEIGHTS, 10.0)
    assert model.perceptual.border == "black"
    assert model.background_start == 10


def test_weights_must_match_the_losses():
    with pytest.raises(ValueError, match="background"):
        tiny_animator("tpsmm", background=False)
    with pytest.raises(ValueError, match="perceptual"):
        tiny_animator("tpsmm", loss_weights=PAPER_WEIGHTS)


def test_two_points_have_no_hull():
    with pytest.raises(ValueError, match="got 2: raise num_splines or points_per_spline"):
        tiny_animator("tpsmm", num_splines=2, points_per_spline=1)


def test_the_second_stage_undoes_a_stretch(model, clip):
    model.train()
    factors = torch.tensor([[0.8, 1.2], [1.1, 0.9]])
    seen = {}

    def look(_, inputs):
        seen["shape"], seen["pose"] = inputs

    model.network.avd.register_forward_pre_hook(look)
    model.network.keypoints.eval()
    losses = model.avd_losses(batch_of(clip), factors)
    assert losses.keys() == {"avd"}
    with torch.no_grad():
        shape, pose = (model.network.keypoints(clip[:, i]) for i in (0, 1))
    torch.testing.assert_close(seen["shape"], shape.flatten(1))
    torch.testing.assert_close(seen["pose"].view(2, 12, 2), pose * factors[:, None])
    losses["avd"].backward()
    for name, parameter in model.network.named_parameters():
        assert (parameter.grad is not None) == name.startswith("avd."), name
    with pytest.raises(ValueError, match="avd=True"):
        tiny_animator("tpsmm").avd_losses(batch_of(clip), factors)


@torch.no_grad()
def test_mixed_precision_rounds_nothing_of_the_second_stage(model, clip, monkeypatch):
    points = {True: 2 * torch.rand(2, 12, 2) - 1, False: 2 * torch.rand(2, 12, 2) - 1}
    batch, factors = batch_of(clip), torch.tensor([[0.8, 1.2], [1.1, 0.9]])
    monkeypatch.setattr(
        model.network.keypoints, "forward", lambda x: points[x is batch["source"]].clone()
    )
    exact = model.avd_losses(batch, factors)["avd"]
    with torch.autocast("cpu", torch.bfloat16):
        found = model.avd_losses(batch, factors)["avd"]
    torch.testing.assert_close(found, exact, atol=1e-6, rtol=0)
