"""The network's parts against closed form, and the paper's sizes."""

from dataclasses import replace

import pytest
import torch
from scipy.spatial import ConvexHull

from animators.animator import Mode
from animators.mraa import Mraa
from animators.mraa.network import BackgroundPredictor, MraaMotion, MraaNetwork, same_direction
from animators.mraa.regions import Regions
from animators.nn.grid import coordinate_grid

TINY = {
    "image_size": 64,
    "num_regions": 5,
    "region_width": 4,
    "motion_width": 4,
    "max_width": 16,
    "blocks": 2,
    "shrink_factor": 2,
    "generator_width": 4,
    "generator_max_width": 8,
    "residual_blocks": 1,
    "background_width": 4,
}


def shaken(model):
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model


@pytest.fixture
def mraa():
    return shaken(Mraa.for_inference({**TINY, "avd": True})).eval()


@pytest.fixture
def pair():
    small = torch.rand(2, 2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    frames = torch.nn.functional.interpolate(small.flatten(0, 1), (64, 64), mode="bilinear")
    return frames.unflatten(0, (2, 2)).unbind(1)


def batch_of(source, driving):
    keys = torch.tensor([[0, 0, i] for i in range(len(source))])
    return {"source": source, "driving": driving, "key": keys}


def count(part):
    return sum(p.numel() for p in part.parameters())


@pytest.mark.parametrize(
    ("regions", "region_net", "generator", "avd"),
    [(10, 14_146_728, 45_575_391, 2_290_620), (20, 14_163_888, 45_717_521, 2_336_760)],
)
def test_parameters_at_the_papers_size(regions, region_net, generator, avd):
    with torch.device("meta"):
        network = MraaNetwork(num_regions=regions, avd=True)
    assert count(network.regions) == region_net
    assert count(network.motion) + count(network.generator) == generator
    assert count(network.background) == 6_282_438
    assert count(network.avd) == avd


@pytest.mark.parametrize("size", [96, 200, 64])
def test_other_sizes_are_refused(size):
    with torch.device("meta"), pytest.raises(ValueError, match="multiple of 128"):
        MraaNetwork(size)
    with torch.device("meta"):
        MraaNetwork(384)


@pytest.mark.parametrize(
    "name",
    [
        "num_regions", "region_width", "motion_width", "max_width", "blocks", "shrink_factor",
        "generator_width", "generator_max_width", "down_blocks", "background_width",
    ],
)  # fmt: skip
def test_what_nothing_can_be_built_of_is_refused(name):
    with pytest.raises(ValueError, match=f"^{name} must be at least 1, got -1$"):
        MraaNetwork(**(TINY | {name: -1}))


@pytest.mark.parametrize("padding", [-1, 1, 4])
def test_settings_out_of_range_are_refused(padding):
    with pytest.raises(ValueError, match=f"^region_padding must be 0 or 3, got {padding}$"):
        MraaNetwork(**TINY, region_padding=padding)
    with pytest.raises(ValueError, match=r"^temperature must be above 0, got 0"):
        MraaNetwork(**TINY, temperature=0)
    eighth = TINY | {"image_size": 32, "shrink_factor": 8}
    with pytest.raises(ValueError, match=r"^image_size must be at least 56"):
        MraaNetwork(**eighth, region_padding=0)
    assert MraaNetwork(**eighth, region_padding=3).regions(torch.rand(1, 3, 32, 32))


def test_the_background_begins_at_rest(pair):
    predictor = BackgroundPredictor(4, 16)
    assert torch.equal(predictor(*pair), torch.eye(3).expand(2, 3, 3))


@torch.no_grad()
def test_mixed_precision_rounds_no_background(pair):
    predictor = BackgroundPredictor(4, 16)
    predictor.fc.bias.fill_(1.003)
    with torch.autocast("cpu", torch.bfloat16):
        matrix = predictor(*pair)
    torch.testing.assert_close(matrix[:, :2], torch.full((2, 2, 3), 1.003), atol=1e-6, rtol=0)


def test_a_network_without_background_keeps_it_still(pair):
    network = MraaNetwork(**TINY, background=False)
    source = network.encode_source(pair[0])
    assert network.background is None
    assert network.encode_motion(pair[1], source).background is None


def test_only_a_pair_moves_the_background(mraa, pair):
    source = mraa.encode_source(pair[0])
    assert mraa.encode_motion(pair[1]).background is None
    moved = mraa.encode_motion(pair[1], source)
    assert moved.background.shape == (2, 3, 3)
    still = replace(moved, background=None)
    with torch.no_grad():
        assert (mraa.render(source, moved) - mraa.render(source, still)).abs().mean() > 1e-4


def test_same_direction():
    matrix = torch.tensor([[[-2.0, 1.0], [0.0, 1.0]], [[0.5, 0.0], [0.0, -1.0]], [[0.0, 1.0]] * 2])
    assert same_direction(matrix).flatten().tolist() == [-1, 1, 1]


def test_the_source_reads_itself_where_its_regions_do_not_move(mraa, pair):
    source = mraa.encode_source(pair[0])
    with torch.no_grad():
        grid = mraa.network.flow(source, MraaMotion(source.regions)).grid
    torch.testing.assert_close(
        grid, coordinate_grid(32, 32, grid).expand_as(grid), atol=1e-4, rtol=0
    )


def test_relative_mode_is_the_formula(mraa, pair):
    """Against hulls and matrices computed here, in double precision."""
    source = mraa.encode_source(pair[0])
    reference = mraa.encode_motion(pair[1])
    driving = mraa.encode_motion(pair[1].flip(3))
    with torch.no_grad():
        moved = mraa.transfer(source, driving, reference, Mode.RELATIVE).regions
    for i in range(2):
        own, first, now = (
            Regions(*(x[i].detach().double() for x in (r.shift, r.covariance, r.affine)))
            for r in (source.regions, reference.regions, driving.regions)
        )
        scale = (ConvexHull(own.shift).volume / ConvexHull(first.shift).volume) ** 0.5
        shift = own.shift + scale * (now.shift - first.shift)
        affine = now.affine @ torch.linalg.inv(first.affine) @ own.affine
        torch.testing.assert_close(moved.shift[i].double(), shift, atol=1e-5, rtol=0)
        torch.testing.assert_close(moved.affine[i].double(), affine, atol=1e-4, rtol=1e-4)
        assert torch.equal(moved.covariance[i].double(), now.covariance)


def test_what_a_mode_lacks_is_said(mraa, pair):
    source, motion = mraa.encode_source(pair[0]), mraa.encode_motion(pair[1])
    with pytest.raises(ValueError, match="reference frame"):
        mraa.transfer(source, motion, None, Mode.RELATIVE)
    plain = Mraa.for_inference(TINY).eval()
    assert plain.modes == (Mode.ABSOLUTE, Mode.RELATIVE)
    with pytest.raises(ValueError, match="MODEL=mraa-avd"):
        plain.animate(pair[0], pair[1][:, None], mode="avd")
    with pytest.raises(ValueError, match="avd=True"):
        plain.network.disentangle(source.regions, motion.regions)


def test_avd_describes_regions_by_six_numbers(mraa, pair):
    source, motion = mraa.encode_source(pair[0]), mraa.encode_motion(pair[1])
    with torch.no_grad():
        found = mraa.network.disentangle(source.regions, motion.regions)
        turned = replace(source.regions, affine=-source.regions.affine)
        same = mraa.network.disentangle(turned, motion.regions)
    torch.testing.assert_close(found.covariance, found.affine @ found.affine.mT)
    torch.testing.assert_close(found.shift, same.shift)  # the source's axes take the pose's sign
    assert mraa.animate(pair[0], torch.stack(pair, dim=1), mode="avd").shape == (2, 2, 3, 64, 64)


def test_avd_losses_are_zero_where_the_network_answers_rightly(mraa, pair, monkeypatch):
    """A network that divides by the factors has no loss; and only it receives gradients."""
    factors = torch.tensor([[0.8, 1.2], [1.1, 0.9]])
    batch = batch_of(*pair)

    def divided(identity, pose):
        numbers = pose.unflatten(1, (-1, 3, 2)).clone()
        x, y = factors[:, None].unbind(2)
        numbers[:, :, 0] /= factors[:, None]
        numbers[:, :, 1] /= x[..., None]  # the first row of affine, by the factor of x
        numbers[:, :, 2] /= y[..., None]
        return numbers.flatten(1)

    monkeypatch.setattr(mraa.network.avd, "forward", divided)
    right = mraa.avd_losses(batch, factors)
    assert set(right) == {"avd_shift", "avd_affine"}
    assert max(right.values()) < 1e-6
    monkeypatch.undo()
    wrong = mraa.avd_losses(batch, factors)
    assert min(wrong.values()) > 1e-2
    sum(wrong.values()).backward()
    touched = {n for n, p in mraa.network.named_parameters() if p.grad is not None}
    assert touched == {f"avd.{n}" for n, _ in mraa.network.avd.named_parameters()}


def test_training_losses_reach_every_net(pair):
    weights = {"equivariance_shift": 10.0, "equivariance_affine": 10.0, "reconstruction": 1.0}
    mraa = shaken(Mraa(**TINY, perceptual=None, reconstruction=True, loss_weights=weights)).train()
    step = mraa.training_losses(batch_of(*pair))
    assert step.losses.keys() == weights.keys()
    assert step.prediction.shape == pair[0].shape
    sum(step.losses.values()).backward()
    for name, parameter in mraa.network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_loss_weights_must_match():
    with pytest.raises(ValueError, match="reconstruction"):
        Mraa(**TINY, perceptual=None, reconstruction=True)


def test_two_regions_have_no_hull():
    with pytest.raises(ValueError, match="got 2: raise num_regions"):
        Mraa.for_inference({**TINY, "num_regions": 2})


def test_defaults_are_the_papers():
    with torch.device("meta"):
        mraa = Mraa()
    settings = mraa.training_settings
    assert mraa.loss_weights == dict.fromkeys(
        ("perceptual", "equivariance_shift", "equivariance_affine"), 10.0
    )
    assert (settings.learning_rate, settings.betas) == (2e-4, (0.5, 0.999))
    assert [settings.factor(e) for e in (0, 59, 60, 89, 90)] == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01]
    )
    assert (settings.unit, settings.weight_decay, settings.clip_norm) == ("epochs", 0, None)


def test_several_views_are_refused(mraa):
    with pytest.raises(ValueError, match="one source view"):
        mraa.encode_source(torch.rand(1, 2, 3, 64, 64))
