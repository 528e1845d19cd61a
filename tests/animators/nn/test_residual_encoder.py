"""The encoder against torchvision's ResNet-18, weight for weight and draw for draw."""

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from animators.nn.residual_encoder import BackgroundMotion, ControlPoints, residual_encoder


def theirs(in_channels, outputs):
    """torchvision's, with the two layers replaced as TPSMM replaces them."""
    model = resnet18(weights=None)
    if in_channels != 3:
        model.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
    model.fc = nn.Linear(512, outputs)
    return model


@pytest.mark.parametrize(("in_channels", "outputs"), [(3, 100), (6, 6)])
def test_weight_for_weight_it_is_torchvisions(in_channels, outputs):
    ours, other = residual_encoder(in_channels, outputs), theirs(in_channels, outputs)
    ours.load_state_dict(other.state_dict())  # the same names
    pictures = torch.rand(2, in_channels, 64, 64)
    torch.testing.assert_close(ours(pictures), other(pictures))  # on batch statistics
    for key, value in other.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[key], value, msg=key)  # moved alike
    torch.testing.assert_close(ours.eval()(pictures), other.eval()(pictures))


def test_initial_weights_are_drawn_as_torchvisions():
    ours, other = residual_encoder(3, 100).state_dict(), theirs(3, 100).state_dict()
    for key, wanted in other.items():
        found = ours[key]
        if "bn" in key or "downsample.1" in key or "num_batches" in key:
            assert torch.equal(found, wanted), key
            continue
        assert found.std().item() == pytest.approx(
            wanted.std().item(), rel=0.2 if "bias" in key else 0.06
        ), key
        assert abs(found.mean()) < 4 * wanted.std() / wanted.numel() ** 0.5 + 1e-9, key
        # normal draws reach far beyond uniform ones of the same spread
        normal = wanted.abs().max() > 2 * wanted.std()
        assert (found.abs().max() > 2 * found.std()) == normal, key


def test_points_are_squashed_and_grouped_by_spline():
    net = ControlPoints(3, 4, width=8).eval()
    with torch.no_grad():
        net.encoder.fc.weight.zero_()
        net.encoder.fc.bias.copy_(torch.linspace(-3, 3, 24))
        points = net(torch.rand(2, 3, 64, 64))
    assert points.shape == (2, 12, 2)
    wanted = torch.tanh(torch.linspace(-3, 3, 24) / 2).view(12, 2)
    torch.testing.assert_close(points[1], wanted)


@torch.no_grad()
def test_points_lie_inside_whatever_the_picture():
    net = ControlPoints(10, 5, width=8)
    for scale in (1.0, 100.0):
        points = net(scale * torch.rand(2, 3, 64, 96))
        assert points.abs().max() <= 1
    assert points.std() > 0.1


def test_the_background_stands_still_at_first_and_can_learn():
    net = BackgroundMotion(width=8)
    a, b = torch.rand(2, 2, 3, 64, 64)
    matrix = net(a, b)
    assert torch.equal(matrix, torch.eye(3).expand(2, 3, 3))
    (matrix[:, 0, 2] * torch.tensor([1.0, -2.0])).sum().backward()
    assert net.encoder.fc.weight.grad.abs().sum() > 0
    with torch.no_grad():
        net.encoder.fc.weight.normal_()
    moved = net(a, b)
    assert torch.equal(moved[:, 2], torch.tensor([0.0, 0.0, 1.0]).expand(2, 3))
    assert (net(b, a) - moved).abs().max() > 1e-4  # the order of the two pictures counts


def test_narrow_stages_leave_the_stem_alone():
    net = residual_encoder(3, 5, width=16)
    assert net.conv1.weight.shape == (64, 3, 7, 7)
    assert net.fc.weight.shape == (5, 128)
    assert net(torch.rand(2, 3, 32, 32)).shape == (2, 5)


@torch.no_grad()
def test_numbers_are_squashed_in_single_precision():
    net = ControlPoints(2, 3, width=8).eval()
    with torch.autocast("cpu", torch.bfloat16):
        assert net(torch.rand(1, 3, 64, 64)).dtype == torch.float32
    assert net.double()(torch.rand(1, 3, 64, 64).double()).dtype == torch.float64


@torch.no_grad()
def test_mixed_precision_rounds_no_number_of_the_last_layer():
    background, points = BackgroundMotion(width=8), ControlPoints(1, 3, width=8)
    background.encoder.fc.bias.fill_(1.003)
    points.encoder.fc.weight.zero_()
    points.encoder.fc.bias.fill_(1.003)
    pictures = torch.rand(2, 3, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        matrix, found = background(pictures, pictures), points(pictures)
    torch.testing.assert_close(matrix[:, :2], torch.full((2, 2, 3), 1.003), atol=1e-6, rtol=0)
    wanted = torch.full((2, 3, 2), 1.003 / 2).tanh()
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)
