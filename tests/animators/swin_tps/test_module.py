"""What must hold of the Swin/TPS model as a whole."""

from dataclasses import replace

import pytest
import torch

from animators.animator import Mode
from animators.swin_tps import SwinTps
from animators.tpsmm import Tpsmm
from tests.animators.tiny import tiny_animator

TPSMM_WEIGHTS = {"reconstruction": 1.0, "equivariance": 1.0, "warp": 1.0, "background": 1.0}


@pytest.fixture
def clip():
    small = torch.rand(8, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    frames = torch.nn.functional.interpolate(small, (64, 64), mode="bilinear")
    return frames.unflatten(0, (2, 4))


def batch_of(clip):
    return {
        "source": clip[:, 0],
        "driving": clip[:, 1],
        "identity": torch.tensor([0, 3]),
        "key": torch.tensor([[0, 0, i] for i in range(len(clip))]),
    }


def swin(**changes):
    return tiny_animator("swin_tps", **changes)


@pytest.mark.parametrize("mode", list(Mode))
def test_with_both_switches_off_it_is_tpsmm_weight_for_weight(clip, mode):
    tpsmm = tiny_animator("tpsmm", avd=True).eval()
    off = swin(optimise_flow=False, decouple=False, avd=True, loss_weights=TPSMM_WEIGHTS).eval()
    assert isinstance(tpsmm, Tpsmm)
    off.network.load_state_dict(tpsmm.network.state_dict())
    wanted = tpsmm.animate(clip[:, 0], clip.flip(1), mode=mode)
    assert torch.equal(off.animate(clip[:, 0], clip.flip(1), mode=mode), wanted)
    assert torch.equal(off.reconstruct(clip), tpsmm.reconstruct(clip))
    steps = [model.training_losses(batch_of(clip)) for model in (off, tpsmm)]
    assert steps[0].losses.keys() == steps[1].losses.keys()
    for name, value in steps[0].losses.items():
        assert torch.equal(value, steps[1].losses[name]), name


def test_it_begins_as_tpsmm_flow_and_picture(clip):
    tpsmm = tiny_animator("tpsmm").eval()
    torch.manual_seed(3)
    config = tiny_animator("swin_tps").arguments
    fresh = SwinTps.for_inference(config).eval()
    fresh.network.load_state_dict(tpsmm.network.state_dict(), strict=False)
    with torch.no_grad():
        drawn = []
        for model in (fresh, tpsmm):
            source = model.encode_source(clip[:, 0])
            motion = model.encode_motion(clip[:, 1], source)
            flow = model.network.flow(source, motion)
            drawn.append(model.network.paint(source, motion, flow))
    for ours, theirs in zip(drawn[0].grids, drawn[1].grids, strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(drawn[0].picture, drawn[1].picture)


def test_each_addition_changes_the_picture_once_it_has_learnt(clip):
    full = swin().eval()
    wanted = full.animate(clip[:, 0], clip)
    with torch.no_grad():
        for attention in full.network.attention:
            attention.gamma.zero_()
    without = full.animate(clip[:, 0], clip)
    assert (without - wanted).abs().mean() > 1e-4
    full.network.flow_optimisers = None
    assert (full.animate(clip[:, 0], clip) - without).abs().mean() > 1e-4


@torch.no_grad()
def test_coefficients_move_as_those_of_lia(clip):
    model = swin().eval()
    source = model.encode_source(clip[:, 0])
    first, now = model.encode_motion(clip[:, 1]), model.encode_motion(clip[:, 2])
    moved = model.transfer(source, now, first, Mode.RELATIVE)
    read = model.network.decoupling.coefficients
    wanted = read(clip[:, 2]) - read(clip[:, 1]) + read(clip[:, 0])
    torch.testing.assert_close(moved.coefficients, wanted)
    absolute = model.transfer(source, now, None, Mode.ABSOLUTE)
    assert torch.equal(absolute.coefficients, now.coefficients)


def test_each_players_gradient_stays_its_own(clip):
    model, batch = swin().train(), batch_of(clip)
    network, player = list(model.network.parameters()), list(model.adversary.parameters())
    step = model.training_losses(batch)
    for p in player:
        p.requires_grad_(False)
    losses = model.adversary.for_generator(step, batch)
    sum(losses.values()).backward(retain_graph=True)
    assert all(p.grad is None for p in player)
    reached = {n.split(".")[0] for n, p in model.network.named_parameters() if p.grad is not None}
    assert reached == {"decoupling"}
    for p in player:
        p.requires_grad_(True)
    for p in network:
        p.grad = None
    sum(model.adversary.for_itself(step.detached(), batch).values()).backward()
    assert all(p.grad is not None for p in player)
    assert all(p.grad is None for p in network)


def test_latent_regression_is_the_mean_distance_and_teaches_the_generated_side_only(clip):
    model, batch = swin().train(), batch_of(clip)
    step = model.training_losses(batch)
    (reached,) = torch.autograd.grad(step.losses["latent"], step.prediction, retain_graph=True)
    assert reached.abs().sum() > 0
    # the driving frame's feature is detached, so its code gets nothing
    (code,) = torch.autograd.grad(step.losses["latent"], step.codes["motion"], allow_unused=True)
    assert code is None


def test_latent_regression_moves_neither_what_reads_the_pictures_nor_its_statistics(clip):
    reader = swin().train().network.decoupling
    picture = clip[:, 0].clone().requires_grad_()
    reader.held(picture).abs().mean().backward()
    assert picture.grad.abs().sum() > 0
    assert all(p.grad is None for p in reader.parameters())
    before = {name: b.clone() for name, b in reader.named_buffers()}
    wanted = reader(clip[:, 0])
    after = {name: b.clone() for name, b in reader.named_buffers()}
    assert any(
        not torch.equal(before[name], after[name]) for name in before
    )  # a forward moves them
    assert torch.equal(reader.held(clip[:, 0]), wanted)
    assert all(torch.equal(b, after[name]) for name, b in reader.named_buffers())


def test_decay_does_not_wipe_out_what_has_no_gradient_yet(clip):
    """Gamma is 0 at the start, so that for a while next to nothing teaches the attention."""
    torch.manual_seed(0)
    weights = dict(swin().loss_weights)
    config = {**swin().description()["init_args"], "num_identities": 4}
    config |= {"perceptual": None, "reconstruction": True, "loss_weights": weights}
    model = SwinTps(**config).train()
    settings = replace(model.training_settings, weight_decay=1e-2, learning_rate=1e-3)
    groups = settings.parameter_groups(model.network)
    optimizer, _ = settings.optimizer(groups, adversary=False)
    layers = [part.query.weight for part in model.network.attention]
    before = [weight.detach().norm() for weight in layers]
    for _ in range(10):
        optimizer.zero_grad()
        step = model.training_losses(batch_of(clip))
        step.losses["reconstruction"].backward()
        optimizer.step()
    for weight, size in zip(layers, before, strict=True):
        assert weight.norm() > 0.98 * size


def test_inference_needs_no_labels_and_other_sets_can_follow(clip, caplog):
    trained = swin()
    opened = SwinTps.for_inference(trained.description()["init_args"])
    opened.network.load_state_dict(trained.network.state_dict())
    assert opened.adversary is None
    assert opened.eval().animate(clip[:, 0], clip).isfinite().all()
    other = swin(num_identities=9)
    with caplog.at_level("INFO"):
        other.start_from(trained)
    assert "starts anew, for 9 identities" in caplog.text
    assert all(
        torch.equal(a, b)
        for a, b in zip(other.network.parameters(), trained.network.parameters(), strict=True)
    )
    batch = batch_of(clip) | {"identity": torch.tensor([8, 5])}
    step = other.train().training_losses(batch)
    losses = other.adversary.for_itself(step.detached(), batch)
    assert all(loss.isfinite() for loss in losses.values())


def test_decoupling_without_identities_is_refused(clip):
    model = swin(num_identities=0)
    with pytest.raises(ValueError, match="number of identities"):
        model.training_losses(batch_of(clip))


def test_the_sign_of_the_domain_weight_must_fit_the_confusion():
    weights = dict(swin().loss_weights)
    with pytest.raises(ValueError, match="weight above 0"):
        swin(confusion="uniform", loss_weights=weights)
    swin(confusion="uniform", loss_weights=weights | {"domain": 1.0})
    with pytest.raises(ValueError, match="up to 0"):
        swin(loss_weights=weights | {"domain": 1.0})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"token_dim": 9}, "multiple of heads"),
        ({"depth": 0}, "depth"),
        ({"motion_dim": 0}, "motion_dim"),
        ({"latent_dim": 5}, "motion_dim"),
    ],
)
def test_sizes_that_do_not_meet_are_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        swin(**changes)
