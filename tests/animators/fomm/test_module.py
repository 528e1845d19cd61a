import pytest
import torch

from animators import load_animator
from animators.animator import Mode
from animators.fomm import Fomm, module
from animators.fomm.module import ADVERSARIAL_WEIGHTS, PAPER_WEIGHTS
from animators.fomm.network import FommMotion
from animators.nn.keypoints import Keypoints, gaussian_maps
from animators.training import Training
from animators.weights import save_animator
from tests.animators.tiny import fit_tiny, tiny_animator

SIDE = 64


@pytest.fixture
def fomm():
    return tiny_animator("fomm").eval()


@pytest.fixture
def clip():
    """Two clips of five smooth frames."""
    small = torch.rand(10, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    frames = torch.nn.functional.interpolate(small, (SIDE, SIDE), mode="bilinear")
    return frames.unflatten(0, (2, 5))


def batch_of(clip, seed=0):
    keys = torch.tensor([[seed, 0, i] for i in range(len(clip))])
    return {"source": clip[:, 0], "driving": clip[:, 1], "key": keys}


def motion(value, jacobian=None):
    eye = torch.eye(2).expand(*value.shape[:2], 2, 2)
    return FommMotion(Keypoints(value, eye if jacobian is None else jacobian))


@torch.no_grad()
def test_relative_motion_by_hand(fomm, clip):
    source = fomm.encode_source(clip[:, 0])
    then, now = motion(torch.rand(2, 4, 2)), motion(torch.rand(2, 4, 2), torch.randn(2, 4, 2, 2))
    fomm.arguments["hull_scaling"] = False
    found = fomm.transfer(source, now, then, Mode.RELATIVE).keypoints
    own = source.keypoints
    expected = own.value + now.keypoints.value - then.keypoints.value
    torch.testing.assert_close(found.value, expected)
    torch.testing.assert_close(found.jacobian, now.keypoints.jacobian @ own.jacobian)


@torch.no_grad()
def test_displacements_grow_with_the_source(fomm, clip):
    """Keypoints twice as far apart in the source: twice the displacement."""
    source = fomm.encode_source(clip[:, 0])
    centre = source.keypoints.value.mean(dim=1, keepdim=True)
    then = motion(centre + (source.keypoints.value - centre) / 2)
    now = motion(then.keypoints.value + 0.1)
    found = fomm.transfer(source, now, then, Mode.RELATIVE).keypoints
    expected = source.keypoints.value + 0.2
    torch.testing.assert_close(found.value, expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_turning_the_reference_frame_turns_no_source(fomm, clip):
    """J_t J_0^-1 forgets whatever frame the jacobians are measured in."""
    source = fomm.encode_source(clip[:, 0])
    then = motion(torch.rand(2, 4, 2), torch.randn(2, 4, 2, 2))
    same = fomm.transfer(source, then, then, Mode.RELATIVE).keypoints
    torch.testing.assert_close(same.value, source.keypoints.value)
    torch.testing.assert_close(same.jacobian, source.keypoints.jacobian, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_reference_frame_on_one_line_is_refused(fomm, clip):
    source = fomm.encode_source(clip[:, 0])
    line = motion(torch.linspace(-1, 1, 4)[None, :, None].expand(2, -1, 2))
    with pytest.raises(ValueError, match="lie on one line"):
        fomm.transfer(source, line, line, Mode.RELATIVE)
    fomm.arguments["hull_scaling"] = False
    fomm.transfer(source, line, line, Mode.RELATIVE)


def test_relative_mode_needs_a_reference_frame(fomm, clip):
    source, driving = fomm.encode_source(clip[:, 0]), fomm.encode_motion(clip[:, 1])
    with pytest.raises(ValueError, match="needs the driving clip's reference frame"):
        fomm.transfer(source, driving, None, Mode.RELATIVE)
    assert fomm.transfer(source, driving, None, Mode.ABSOLUTE) is driving


def test_several_views_are_refused(fomm, clip):
    with pytest.raises(ValueError, match=r"one source view .* references to 0"):
        fomm.encode_source(clip)


@torch.no_grad()
def test_what_does_not_change_over_a_clip_is_done_once(fomm, clip, monkeypatch):
    calls = dict.fromkeys(("keypoints", "encode", "hull_area", "inverse_2x2", "decode"), 0)

    def counted(name, function):
        def call(*arguments, **options):
            calls[name] += 1
            return function(*arguments, **options)

        return call

    fomm.network.keypoints.register_forward_hook(counted("keypoints", lambda *_: None))
    fomm.network.generator.register_forward_hook(counted("decode", lambda *_: None))
    monkeypatch.setattr(
        fomm.network.generator, "encode", counted("encode", fomm.network.generator.encode)
    )
    for name in ("hull_area", "inverse_2x2"):
        monkeypatch.setattr(module, name, counted(name, getattr(module, name)))
    list(fomm.stream(clip[:, 0], torch.split(clip, 1, dim=1), mode=Mode.RELATIVE))
    # keypoints of source and frames; areas of source and reference frame
    wanted = {"keypoints": 1 + 5, "encode": 1, "hull_area": 2, "inverse_2x2": 1, "decode": 5}
    assert calls == wanted
    calls.update(dict.fromkeys(calls, 0))
    list(fomm.stream(clip[:, 0], torch.split(clip, 1, dim=1), mode=Mode.ABSOLUTE))
    assert calls == wanted | {"hull_area": 0, "inverse_2x2": 0}


@torch.no_grad()
def test_hull_scaling_acts_in_relative_mode_only(fomm, clip):
    found = {}
    for scaling in (True, False):
        fomm.arguments["hull_scaling"] = scaling
        for mode in (Mode.RELATIVE, Mode.ABSOLUTE):
            found[mode, scaling] = fomm.animate(clip[:, 0], clip.flip(1), mode=mode)
    assert torch.equal(found[Mode.ABSOLUTE, True], found[Mode.ABSOLUTE, False])
    assert (found[Mode.RELATIVE, True] - found[Mode.RELATIVE, False]).abs().max() > 1e-4


def test_sampling_and_scaling_are_kept_in_the_file(fomm, clip, tmp_path):
    corners = fomm.animate(clip[:, 0], clip)
    fomm.set_align_corners(False)
    edges = fomm.animate(clip[:, 0], clip)
    assert not torch.equal(edges, corners)
    save_animator(fomm, tmp_path / "a.ckpt")
    opened = load_animator(tmp_path / "a.ckpt", device="cpu")
    assert torch.equal(opened.animate(clip[:, 0], clip), edges)
    assert opened.arguments["align_corners"] is False


def test_losses_follow_the_sample_and_nothing_else(fomm, clip):
    first = fomm.training_losses(batch_of(clip)).losses
    again = fomm.training_losses(batch_of(clip)).losses
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = fomm.training_losses(batch_of(clip, seed=1)).losses
    assert first["reconstruction"] == other["reconstruction"]
    for name in ("equivariance_value", "equivariance_jacobian"):
        assert first[name] != other[name]
        halves = [fomm.training_losses(_rows(batch_of(clip), i)).losses[name] for i in (0, 1)]
        torch.testing.assert_close(torch.stack(halves).mean(), first[name])


def _rows(batch, i):
    return {name: value[i : i + 1] for name, value in batch.items()}


def test_the_discriminator_sees_the_driving_keypoints_and_does_not_move_them(fomm, clip):
    step = fomm.training_losses(batch_of(clip))
    points = fomm.encode_motion(clip[:, 1]).keypoints.value
    torch.testing.assert_close(step.condition, gaussian_maps(points, (SIDE, SIDE)))
    assert not step.condition.requires_grad
    losses = fomm.adversary.for_generator(step, batch_of(clip))
    assert {*losses, *step.losses} == set(fomm.loss_weights)
    plain = tiny_animator("fomm", use_keypoints=False).eval()
    assert plain.training_losses(batch_of(clip)).condition is None


def test_a_keypoint_detector_of_rate_0_moves_its_statistics_only(clip):
    """As in taichi-adv: stepped, with nothing."""
    fomm = tiny_animator("fomm", training=Training(rate_factors={"keypoints": 0.0})).train()
    before = {name: value.clone() for name, value in fomm.network.state_dict().items()}
    optimizer = fomm.configure_optimizers()[0][0]
    for _ in range(2):
        optimizer.zero_grad()
        sum(fomm.training_losses(batch_of(clip)).losses.values()).backward()
        optimizer.step()
    after = fomm.network.state_dict()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    own = {name for name in moved if name.startswith("keypoints.")}
    assert own
    assert all("running_" in name or "num_batches" in name for name in own)
    assert {name for name, _ in fomm.network.generator.named_parameters("generator")} <= moved


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"loss_weights .*'adversarial'.*'feature_matching'"):
        tiny_animator("fomm", loss_weights=dict(PAPER_WEIGHTS))
    quiet = {"reconstruction": 1.0, "equivariance_value": 1.0, "equivariance_jacobian": 1.0}
    with pytest.raises(ValueError, match="set adversarial to true"):
        tiny_animator("fomm", adversarial=False, loss_weights=quiet)
    with pytest.raises(ValueError, match="discriminator_width must be at least 1, got 0"):
        tiny_animator("fomm", discriminator_width=0)
    with pytest.raises(ValueError, match="perceptual_scales"):
        tiny_animator("fomm", perceptual="vgg16", loss_weights=dict(ADVERSARIAL_WEIGHTS) | quiet)


@torch.no_grad()
def test_singular_jacobians_still_give_a_picture(fomm, clip):
    source, still = fomm.encode_source(clip[:, 0]), fomm.encode_motion(clip[:, 1])
    flat = motion(still.keypoints.value, torch.ones_like(still.keypoints.jacobian))
    assert fomm.render(source, flat).isfinite().all()
    moved = fomm.transfer(source, still, flat, Mode.RELATIVE)
    assert fomm.render(source, moved).isfinite().all()


def test_two_keypoints_have_no_hull():
    with pytest.raises(ValueError, match="got 2: raise num_keypoints, or set hull_scaling to fal"):
        tiny_animator("fomm", num_keypoints=2)
    assert tiny_animator("fomm", num_keypoints=2, hull_scaling=False).modes


def test_the_papers_settings():
    with torch.device("meta"):
        fomm = Fomm()
    settings = fomm.training_settings
    assert (settings.learning_rate, settings.betas) == (2e-4, (0.5, 0.999))
    assert (settings.decay, settings.unit, settings.milestones) == ("steps", "epochs", (60, 90))
    assert settings.weight_decay == 0
    assert settings.clip_norm is None
    assert fomm.adversary is None
    assert set(fomm.loss_weights.values()) == {10.0}
    assert fomm.pretrained_files() == ("vgg19",)


def test_an_adversarial_run_through_the_command(tmp_path):
    run = tmp_path / "run"
    options = ["--model.init_args.training.rate_factors.keypoints=0"]
    assert fit_tiny("fomm", run, 3, *options) == 0
    opened = load_animator(run / "checkpoints" / "last.ckpt", device="cpu")
    assert opened.adversary is None
    assert opened.modes == (Mode.ABSOLUTE, Mode.RELATIVE)
    rows = (run / "metrics.csv").read_text()
    for name in ("train/feature_matching", "adversary/real", "train/equivariance_jacobian"):
        assert name in rows
