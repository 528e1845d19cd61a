from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from animators import load_animator
from animators.animator import Mode
from animators.commands import train
from animators.commands.starting import start_from
from animators.dime import Dime, module
from animators.dime.module import PAPER_WEIGHTS
from animators.dime.network import DimeMotion
from animators.losses.equivariance import value_equivariance
from animators.nn.tps import random_spline
from animators.training import Training
from animators.weights import save_animator
from tests.animators.tiny import fit_tiny, tiny_animator


@pytest.fixture
def dime():
    return tiny_animator("dime").eval()


@pytest.fixture
def clip():
    """Two clips of six smooth frames."""
    small = torch.rand(12, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    frames = torch.nn.functional.interpolate(small, (32, 32), mode="bilinear")
    return frames.unflatten(0, (2, 6))


def batch_of(clip, references=3, seed=0):
    keys = torch.tensor([[seed, 0, i] for i in range(len(clip))])
    others = clip[:, 2 : 2 + references]
    return {"source": clip[:, 0], "driving": clip[:, 1], "references": others, "key": keys}


def rows(batch, i):
    return {name: value[i : i + 1] for name, value in batch.items()}


def losses_of(dime, batch):
    return dime.training_losses(batch).losses


def test_the_prediction_is_drawn_from_source_and_references(dime, clip):
    step = dime.training_losses(batch_of(clip))
    views = torch.cat([clip[:, :1], clip[:, 2:5]], dim=1)
    drawn = dime.render(dime.encode_source(views), dime.encode_motion(clip[:, 1]))
    torch.testing.assert_close(step.prediction, drawn)
    expected = (drawn - clip[:, 1]).abs().mean()
    torch.testing.assert_close(step.losses["reconstruction"], expected)
    assert step.figures == {"evaluations": 16.0}
    alone = dime.training_losses(batch_of(clip, references=0))
    drawn = dime.render(dime.encode_source(clip[:, 0]), dime.encode_motion(clip[:, 1]))
    torch.testing.assert_close(alone.prediction, drawn)
    assert tiny_animator("dime", refine=False).training_losses(batch_of(clip)).figures == {}


def test_equivariance_is_the_sources(dime, clip):
    """Keypoints of the bent source against the bent keypoints of the source (eq. 14)."""
    batch = batch_of(clip)
    spline = random_spline(batch["key"], distance="l1", like=clip[:, 0])
    bent = dime.network.detect(spline.warp(clip[:, 0], align_corners=True))
    expected = value_equivariance(dime.network.detect(clip[:, 0]), bent, spline)
    found = losses_of(dime, batch)["equivariance"]
    torch.testing.assert_close(found, expected)
    other = losses_of(dime, batch | {"driving": clip[:, 5]})
    torch.testing.assert_close(other["equivariance"], found)
    moved = losses_of(dime, batch | {"source": clip[:, 5]})
    assert (moved["equivariance"] - found).abs() > 1e-4


def test_losses_follow_the_sample_and_nothing_else(dime, clip):
    batch = batch_of(clip)
    first, again = losses_of(dime, batch), losses_of(dime, batch)
    assert set(first) == {"equivariance", "reconstruction"}
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = losses_of(dime, batch_of(clip, seed=1))
    assert first["reconstruction"] == other["reconstruction"]
    assert first["equivariance"] != other["equivariance"]
    for name in first:
        halves = [losses_of(dime, rows(batch, i))[name] for i in (0, 1)]
        torch.testing.assert_close(torch.stack(halves).mean(), first[name])


def test_without_references_their_f_is_not_trained(clip):
    dime = tiny_animator("dime").train()
    optimizer = dime.configure_optimizers()[0][0]
    f_ref = dime.network.evolution.dynamics.reference
    before = {name: value.clone() for name, value in dime.network.named_parameters()}
    for _ in range(2):
        optimizer.zero_grad()
        sum(losses_of(dime, batch_of(clip, references=0)).values()).backward()
        assert all(p.grad is None for p in f_ref.parameters())
        optimizer.step()
    prefix = "evolution.dynamics.reference."
    for name, value in dime.network.named_parameters():
        assert torch.equal(value, before[name]) is name.startswith(prefix), name
    optimizer.zero_grad()
    sum(losses_of(dime, batch_of(clip)).values()).backward()
    assert all(p.grad.any() for p in f_ref.parameters())


def test_the_number_of_references_is_drawn_alike_everywhere(clip):
    dime = tiny_animator("dime", reference_range=(0, 3))
    counts = []
    for seen in range(40):
        dime.batches_seen = seen
        counts.append(dime.views(batch_of(clip)).shape[1] - 1)
        # another process: other samples of the same run
        elsewhere = batch_of(clip.flip(0))
        elsewhere["key"][:, 1:] += 7
        assert dime.views(elsewhere).shape[1] - 1 == counts[-1]
    assert set(counts) == {0, 1, 2, 3}
    saved: dict = {}
    dime.on_save_checkpoint(saved)
    resumed = tiny_animator("dime", reference_range=(0, 3))
    resumed.on_load_checkpoint(saved)
    assert resumed.views(batch_of(clip)).shape == dime.views(batch_of(clip)).shape
    assert resumed.batches_seen == 39
    again = []
    for seen in range(40):
        resumed.batches_seen = seen
        again.append(resumed.views(batch_of(clip)).shape[1] - 1)
    assert again == counts
    other = []
    for seen in range(40):
        resumed.batches_seen = seen
        other.append(resumed.views(batch_of(clip, seed=1)).shape[1] - 1)
    assert other != counts


def test_the_range_keeps_the_first_references_and_its_ends(clip):
    batch = batch_of(clip)
    fixed = tiny_animator("dime", reference_range=(2, 2))
    expected = torch.cat([clip[:, :1], clip[:, 2:4]], dim=1)
    assert torch.equal(fixed.views(batch), expected)
    every = tiny_animator("dime").views(batch)
    assert torch.equal(every, torch.cat([clip[:, :1], clip[:, 2:5]], dim=1))


def test_too_few_references_for_the_range_are_refused(clip):
    dime = tiny_animator("dime", reference_range=(0, 3))
    with pytest.raises(ValueError, match=r"up to 3 references, a batch has 2: raise data\.init"):
        dime.views(batch_of(clip, references=2))
    for bad in ((2, 1), (-1, 2)):
        with pytest.raises(ValueError, match=r"^reference_range must be two rising counts, got"):
            tiny_animator("dime", reference_range=bad)


def test_mixed_precision_trains_nearly_the_same(clip):
    found = {}
    for mixed in (False, True):
        dime = tiny_animator("dime").train()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            losses = losses_of(dime, batch_of(clip))
        sum(losses.values()).backward()
        assert all(p.grad.isfinite().all() for p in dime.network.parameters())
        found[mixed] = {name: value.item() for name, value in losses.items()}
    assert found[True] == pytest.approx(found[False], rel=0.05)


def test_mixed_precisions_gradients_point_the_same_way(dime, clip):
    """With still batch norm: over two samples its statistics magnify every rounding."""
    found = []
    for mixed in (False, True):
        dime.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            losses = losses_of(dime, batch_of(clip))
        sum(losses.values()).backward()
        parts = [dime.network, *dime.network.children()]
        found.append([torch.cat([p.grad.flatten() for p in m.parameters()]) for m in parts])
    for single, half in zip(*found, strict=True):
        assert torch.cosine_similarity(single, half, dim=0) > 0.95


@torch.no_grad()
def test_relative_motion_by_hand(dime, clip):
    source = dime.encode_source(clip[:, :3])
    then, now = DimeMotion(torch.rand(2, 4, 2)), DimeMotion(torch.rand(2, 4, 2))
    dime.arguments["hull_scaling"] = False
    found = dime.transfer(source, now, then, Mode.RELATIVE).keypoints
    own = source.keypoints[:, 0]
    torch.testing.assert_close(found, own + now.keypoints - then.keypoints)
    prepared = dime.prepare_reference(source, then)
    assert torch.equal(prepared.scale, torch.ones(2))


@torch.no_grad()
def test_displacements_grow_with_the_source_and_not_with_its_references(dime, clip):
    """Keypoints twice as far apart in the source: twice the displacement."""
    source = dime.encode_source(clip[:, :3])
    own = source.keypoints[:, 0]
    centre = own.mean(dim=1, keepdim=True)
    then = DimeMotion(centre + (own - centre) / 2)
    now = DimeMotion(then.keypoints + 0.1)
    others = source.keypoints.clone()
    others[:, 1:] *= 3
    for state in (source, replace(source, keypoints=others)):
        for reference in (then, dime.prepare_reference(state, then)):
            found = dime.transfer(state, now, reference, Mode.RELATIVE).keypoints
            torch.testing.assert_close(found, own + 0.2, atol=1e-5, rtol=0)


@torch.no_grad()
def test_what_does_not_change_over_a_clip_is_done_once(dime, clip, monkeypatch):
    calls = dict.fromkeys(("detect", "encode", "hull_area"), 0)

    def counted(name, function):
        def call(*arguments, **options):
            calls[name] += 1
            return function(*arguments, **options)

        return call

    network = dime.network
    monkeypatch.setattr(network, "detect", counted("detect", network.detect))
    monkeypatch.setattr(network.generator, "encode", counted("encode", network.generator.encode))
    monkeypatch.setattr(module, "hull_area", counted("hull_area", module.hull_area))
    list(dime.stream(clip[:, 0], torch.split(clip, 1, dim=1), mode=Mode.RELATIVE))
    assert calls == {"detect": 1 + 6, "encode": 1, "hull_area": 2}


@torch.no_grad()
def test_a_reference_frame_is_needed_and_must_not_lie_on_one_line(dime, clip):
    source, driving = dime.encode_source(clip[:, 0]), dime.encode_motion(clip[:, 1])
    with pytest.raises(ValueError, match="needs the driving clip's reference frame"):
        dime.transfer(source, driving, None, Mode.RELATIVE)
    assert dime.transfer(source, driving, None, Mode.ABSOLUTE) is driving
    line = DimeMotion(torch.linspace(-1, 1, 4)[None, :, None].expand(2, -1, 2))
    with pytest.raises(ValueError, match="lie on one line"):
        dime.transfer(source, line, line, Mode.RELATIVE)
    dime.arguments["hull_scaling"] = False
    dime.transfer(source, line, line, Mode.RELATIVE)


@torch.no_grad()
def test_distance_of_motions_is_the_sources_own(dime, clip):
    source = dime.encode_source(clip[:, :3])
    same = dime.motion_distance(source, dime.encode_motion(clip[:, 0]))
    torch.testing.assert_close(same, torch.zeros(2), atol=1e-6, rtol=0)
    assert dime.motion_distance(source, dime.encode_motion(clip[:, 1])).min() > 1e-4


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"loss_weights .*'reconstruction'"):
        tiny_animator("dime", loss_weights=dict(PAPER_WEIGHTS))
    with pytest.raises(ValueError, match="got 2: raise num_keypoints, or set hull_scaling to fal"):
        tiny_animator("dime", num_keypoints=2)
    assert tiny_animator("dime", num_keypoints=2, hull_scaling=False).modes
    with pytest.raises(ValueError, match=r"^step_size must lie in \(0, 1\], got 0"):
        tiny_animator("dime", step_size=0)


def test_the_papers_settings():
    with torch.device("meta"):
        dime = Dime()
    settings = dime.training_settings
    assert (settings.learning_rate, settings.betas) == (2e-4, (0.5, 0.999))
    assert (settings.decay, settings.unit, settings.milestones) == ("steps", "epochs", (60, 90))
    assert isinstance(settings, Training)
    assert settings.weight_decay == 0
    assert dime.adversary is None
    assert dime.loss_weights == {"perceptual": 10.0, "equivariance": 10.0}
    assert dime.pretrained_files() == ("vgg19",)
    assert dime.several_views
    evolution = dime.network.evolution
    assert (evolution.method, evolution.step_size, evolution.adjoint) == ("rk4", 0.25, True)


@torch.no_grad()
def test_a_trained_network_may_be_solved_otherwise(dime, clip):
    """Solver, steps and tolerances are settings of use, which fine-tuning may change."""
    torch.manual_seed(0)
    for p in dime.network.evolution.parameters():
        torch.nn.init.normal_(p, std=0.2)
    fine = tiny_animator("dime", step_size=1 / 32).eval()
    fine.start_from(dime)
    one = tiny_animator("dime", method="euler", step_size=1.0, adjoint=False).eval()
    one.start_from(dime)
    pictures = [m.reconstruct(clip, clip[:, 4:]) for m in (dime, fine, one)]
    assert 0 < (pictures[0] - pictures[1]).abs().max() < 1e-3
    assert (pictures[2] - pictures[1]).abs().max() > 1e-3
    with pytest.raises(ValueError, match="share_dynamics"):
        tiny_animator("dime", share_dynamics=True).start_from(dime)


def test_a_run_with_references_through_the_command(tmp_path):
    run = tmp_path / "run"
    options = ["--data.init_args.references=2", "--model.init_args.reference_range=[1, 2]"]
    assert fit_tiny("dime", run, 6, *options) == 0
    opened = load_animator(run / "checkpoints" / "last.ckpt", device="cpu")
    assert isinstance(opened, Dime)
    rows_written = (run / "metrics.csv").read_text()
    for name in ("train/equivariance", "train/evaluations", "train/reconstruction"):
        assert name in rows_written


def test_a_run_that_would_fail_is_refused_before_it_starts():
    few = SimpleNamespace(references=2)
    with pytest.raises(ValueError, match=r"up to 3 .* comes with 2: raise data"):
        tiny_animator("dime", reference_range=(0, 3)).check_run(few, "32-true")
    tiny_animator("dime", reference_range=(0, 2)).check_run(few, "32-true")
    adaptive = tiny_animator("dime", method="dopri5")
    with pytest.raises(ValueError, match=r"dopri5 .* 16-mixed: take bf16-mixed"):
        adaptive.check_run(few, "16-mixed")
    for allowed in (tiny_animator("dime"), tiny_animator("dime", method="dopri5", adjoint=False)):
        allowed.check_run(few, "16-mixed")
    adaptive.check_run(few, "bf16-mixed")


def test_starting_with_another_solver_is_said(tmp_path, capsys):
    save_animator(tiny_animator("dime", method="euler", step_size=1.0), tmp_path / "a.ckpt")
    start_from(tiny_animator("dime"), str(tmp_path / "a.ckpt"))
    said = capsys.readouterr().err
    assert "method euler there, rk4 here; step_size 1.0 there, 0.25 here" in said
    start_from(tiny_animator("dime", method="euler", step_size=1.0), str(tmp_path / "a.ckpt"))
    assert capsys.readouterr().err == ""


def test_an_adjoint_that_fails_in_its_backward_pass_is_one_line(monkeypatch, capsys):
    def fails(argv):
        raise AssertionError("underflow in dt 0.0")

    monkeypatch.setattr(train, "cli", fails)
    assert train.main(["fit"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "--model.init_args.method=rk4" in said
