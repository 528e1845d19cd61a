import pytest
import torch
import torch.nn.functional as F
from torchvision.models import vgg16, vgg19

from animators.losses.perceptual import (
    _STATES,
    FrozenPerceptual,
    PerceptualLoss,
    VggFeatures,
    most_scales,
)
from animators.nn.resample import shrink
from tests.animators.official import figures, image, stand_in_vgg19

TAPS = {"vgg16": (1, 6, 11, 18, 25), "vgg19": (1, 6, 11, 20, 29)}
"""relu1_1 to relu5_1 in torchvision's `features`."""


@pytest.fixture(scope="module")
def trunks():
    torch.manual_seed(0)
    return {"vgg16": vgg16(weights=None).features, "vgg19": vgg19(weights=None).features}


@pytest.fixture
def loss(trunks):
    return PerceptualLoss("vgg16", scales=2, state=trunks["vgg16"].state_dict())


def peers_features(trunk, images, taps):
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    x, found = (images - mean) / std, []
    for index, layer in enumerate(trunk[: taps[-1] + 1]):
        x = layer(x)
        if index in taps:
            found.append(x.clone())  # torchvision's ReLUs work in place
    return found


@pytest.mark.parametrize("net", ["vgg16", "vgg19"])
def test_features_are_torchvisions(trunks, net):
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        found = VggFeatures(net, trunks[net].state_dict())(images)
        expected = peers_features(trunks[net], images, TAPS[net])
    assert [f.shape[1:] for f in found] == [
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
        (512, 2, 2),
    ]
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_the_sum_over_layers_and_scales(loss, trunks):
    a, b = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    expected = 0.0
    for factor in (1, 2):
        small = [(shrink(x * 2 - 1, factor).clamp(-1, 1) + 1) / 2 for x in (a, b)]
        pairs = [peers_features(trunks["vgg16"], x, TAPS["vgg16"]) for x in small]
        expected += sum(F.l1_loss(x, y) for x, y in zip(*pairs, strict=True))
    torch.testing.assert_close(loss(a, b), expected.detach())


def test_equal_pictures_cost_nothing_and_values_outside_are_clamped(loss):
    a = torch.rand(1, 3, 32, 32)
    assert loss(a, a) == 0
    white = torch.ones(1, 3, 32, 32)
    loss.scales = 1  # smaller scales are blurred over the border first
    assert loss(white * 1.5, white) == 0
    assert loss(white * 0.5, white) > 0


def test_gradient_flows_into_the_prediction_only(loss):
    prediction = torch.rand(1, 3, 32, 32, requires_grad=True)
    target = torch.rand(1, 3, 32, 32, requires_grad=True)
    loss(prediction, target).backward()
    assert prediction.grad.abs().sum() > 0
    assert target.grad is None
    assert all(p.grad is None for p in loss.parameters())


def test_mixed_precision_changes_neither_value_nor_gradient(loss):
    target = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    noise = 0.005 * torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    values, gradients = [], []
    for mixed in (False, True):
        prediction = (target + noise).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            values.append(loss(prediction, target))
        gradients.append(torch.autograd.grad(values[-1], prediction)[0].flatten())
    assert F.cosine_similarity(*gradients, dim=0) > 0.9999
    assert values[1].item() == pytest.approx(values[0].item(), rel=1e-6)


def test_it_is_frozen_and_stays_in_eval_mode(loss):
    loss.train()
    assert not loss.vgg.training
    assert not any(p.requires_grad for p in loss.parameters())


@pytest.mark.parametrize(
    ("size", "scales"), [(15, 0), (16, 1), (32, 2), (64, 3), (128, 4), (256, 5)]
)
def test_scales_that_a_size_allows(loss, size, scales):
    assert most_scales(size) == scales
    picture = torch.rand(1, 3, size, size)
    if size <= 32:
        loss.scales = scales + 1
        with pytest.raises(ValueError, match=f"{size}x{size} pixels allow {scales} perceptual"):
            loss(picture, picture)


def test_other_weights_are_refused(trunks):
    with pytest.raises(ValueError, match=r"no vgg19 weights.*features\.16\."):
        PerceptualLoss("vgg19", state=trunks["vgg16"].state_dict())
    with pytest.raises(ValueError, match="vgg16"):
        PerceptualLoss("resnet", state={})


def test_real_weights_rank_changes_as_an_eye_would(package_weights):
    package_weights("vgg16_trunk")
    loss = PerceptualLoss("vgg16", scales=3)
    torch.manual_seed(0)
    coarse = torch.rand(1, 3, 8, 8)
    picture = F.interpolate(coarse, (64, 64), mode="bicubic").clamp(0, 1)
    shifted = picture.roll(1, dims=3)
    other = F.interpolate(torch.rand(1, 3, 8, 8), (64, 64), mode="bicubic").clamp(0, 1)
    assert (
        0 < loss(shifted, picture) < loss(picture.roll(4, dims=3), picture) < loss(other, picture)
    )


@pytest.mark.parametrize("model", ["fomm", "mraa", "tpsmm"])
def test_the_black_border_gives_the_pyramid_of_the_keypoint_family(model):
    loss = PerceptualLoss("vgg19", state=stand_in_vgg19(), border="black")
    reference = figures(model)
    for factor in (2, 4, 8):
        found = loss.picture(image("driving"), factor)
        stride = found.shape[-1] // 32
        wanted = torch.from_numpy(reference[f"pyramid/driving_{1 / factor:g}"])
        torch.testing.assert_close(found[..., ::stride, ::stride], wanted, atol=1e-5, rtol=0)
        grey = PerceptualLoss("vgg19", state=stand_in_vgg19()).picture(image("driving"), factor)
        assert (grey[..., ::stride, ::stride] - wanted).abs().max() > 0.01


def test_the_black_border_clamps_nothing(trunks):
    loss = PerceptualLoss("vgg16", 1, trunks["vgg16"].state_dict(), border="black")
    white = torch.ones(1, 3, 32, 32)
    assert loss(white * 1.5, white) > 0


def test_an_animators_loss_is_loaded_once_and_is_no_module(monkeypatch, trunks):
    held = FrozenPerceptual("vgg16", 2, "grey")
    assert (held.file, held.loaded) == ("vgg16_trunk", False)
    assert not isinstance(held, torch.nn.Module)
    with pytest.raises(RuntimeError, match="not loaded"):
        held(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))
    made = []

    def state():
        made.append(1)
        return trunks["vgg16"].state_dict()

    monkeypatch.setitem(_STATES, "vgg16", state)
    held.load(torch.device("cpu"), torch.float32)
    held.load(torch.device("cpu"), torch.bfloat16)
    half = torch.rand(2, 1, 3, 32, 32).bfloat16()
    assert held(*half).dtype == torch.float32
    held.load(torch.device("cpu"), torch.float64)
    assert (held.loaded, len(made)) == (True, 1)
    a, b = torch.rand(2, 1, 3, 32, 32, dtype=torch.float64)
    plain = PerceptualLoss("vgg16", 2, trunks["vgg16"].state_dict()).double()
    assert torch.equal(held(a, b), plain(a, b))


def test_more_scales_than_a_size_allows_are_refused_early():
    FrozenPerceptual("vgg19", 4, "black").check(128)
    with pytest.raises(ValueError, match="perceptual_scales is 4, pictures of 64 pixels allow 3"):
        FrozenPerceptual("vgg19", 4, "black").check(64)
    with pytest.raises(ValueError, match="grey or black, got 'white'"):
        FrozenPerceptual("vgg19", 4, "white")
