import math

import pytest
import torch
import torch.nn.functional as F

from animators.nn.resample import binomial_kernel
from animators.nn.stylegan import (
    ConvLayer,
    EqualConv2d,
    EqualLinear,
    ResidualDown,
    ResidualTrunk,
    StyledConv,
    channels,
)


def act(x, bias):
    return math.sqrt(2) * F.leaky_relu(x + bias.view(1, -1, 1, 1), 0.2)


def depthwise(x, kernel, padding):
    kernel = kernel.to(x).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(F.pad(x, (padding,) * 4), kernel, groups=x.shape[1])


def grouped(layer, x, latent):
    """The paper's form: a kernel for each sample, one grouped convolution."""
    batch, inside = x.shape[:2]
    outside = layer.weight.shape[0]
    style = latent @ layer.modulation.weight.T / math.sqrt(latent.shape[1]) + layer.modulation.bias
    kernel = layer.weight[None] / math.sqrt(inside * 9) * style[:, None, :, None, None]
    kernel = kernel * torch.rsqrt(kernel.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8)
    x = x.reshape(1, batch * inside, *x.shape[2:])
    if layer.up:
        kernel = kernel.transpose(1, 2).reshape(batch * inside, outside, 3, 3)
        x = F.conv_transpose2d(x, kernel, stride=2, groups=batch)
        x = depthwise(x, binomial_kernel(4.0), 1)
    else:
        x = F.conv2d(x, kernel.reshape(batch * outside, inside, 3, 3), padding=1, groups=batch)
    return act(x.reshape(batch, outside, *x.shape[2:]), layer.bias)


def randomised(layer):
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    return layer.double()


@pytest.mark.parametrize("up", [False, True])
def test_styled_conv_equals_the_grouped_convolution(up):
    layer = randomised(StyledConv(5, 7, 6, up=up))
    x = torch.randn(3, 5, 8, 8, dtype=torch.float64, requires_grad=True)
    latent = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    found, expected = layer(x, latent), grouped(layer, x, latent)
    assert found.shape == (3, 7, 16, 16) if up else (3, 7, 8, 8)
    torch.testing.assert_close(found, expected)
    weight = torch.randn_like(found)
    inputs = (x, latent, *layer.parameters())
    first = torch.autograd.grad((found * weight).sum(), inputs)
    second = torch.autograd.grad((expected * weight).sum(), inputs)
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a, b)


def test_styled_conv_in_bfloat16_stays_near():
    layer, x, latent = StyledConv(16, 16, 8), torch.randn(2, 16, 8, 8), torch.randn(2, 8)
    exact = layer(x, latent)
    with torch.autocast("cpu", torch.bfloat16):
        half = layer(x, latent)
    assert (half.float() - exact).abs().mean() < 0.02 * exact.abs().mean()


@pytest.mark.parametrize("size", [2, 16])  # input smaller, and larger, than the weight
def test_equal_conv(size):
    layer, x = EqualConv2d(4, 6, 3, padding=1).double(), torch.randn(1, 4, size, size).double()
    bias = torch.randn(6, dtype=torch.float64)
    expected = 3 * F.conv2d(x, layer.weight / 6, padding=1) + bias.view(1, -1, 1, 1)
    torch.testing.assert_close(layer(x, bias, gain=3.0), expected)


def test_equal_linear():
    layer, x = EqualLinear(9, 4, bias=1.0), torch.randn(2, 9)
    torch.testing.assert_close(layer(x), x @ layer.weight.T / 3 + 1)


@pytest.mark.parametrize(("kernel", "down"), [(1, False), (3, False), (3, True)])
def test_conv_layer(kernel, down):
    layer = randomised(ConvLayer(4, 6, kernel, down))
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    weight = layer.conv.weight / math.sqrt(4 * kernel**2)
    if down:
        expected = F.conv2d(depthwise(x, binomial_kernel(), 2), weight, stride=2)
    else:
        expected = F.conv2d(x, weight, padding=kernel // 2)
    torch.testing.assert_close(layer(x), act(expected, layer.bias))


def test_conv_layer_that_doubles():
    layer = randomised(ConvLayer(4, 6, 3, up=True))
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    spread = torch.zeros(2, 4, 16, 16, dtype=torch.float64)
    spread[:, :, ::2, ::2] = x  # a zero behind every pixel, in both axes
    taps = binomial_kernel(4.0).to(x).expand(4, 1, 4, 4)
    wide = F.conv2d(F.pad(spread, (2, 1, 2, 1)), taps, groups=4)
    expected = F.conv2d(wide, layer.conv.weight / 6, padding=1)
    torch.testing.assert_close(layer(x), act(expected, layer.bias))


@pytest.mark.parametrize(("widen_first", "between"), [(False, 4), (True, 6)])
def test_residual_block(widen_first, between):
    block = randomised(ResidualDown(4, 6, widen_first))
    assert block.first.conv.weight.shape[:2] == (between, 4)
    assert block.second.conv.weight.shape[:2] == (6, between)
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    skip = F.conv2d(depthwise(x, binomial_kernel(), 1), block.skip.weight / 2, stride=2)
    expected = (block.second(block.first(x)) + skip) / math.sqrt(2)
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_trunk_maps(size):
    trunk = ResidualTrunk(size, 1 / 32)
    with torch.no_grad():
        maps = trunk(torch.randn(1, 3, size, size))
    assert [m.shape[2] for m in maps] == [size // 2**i for i in range(len(maps))]
    assert maps[-1].shape == (1, 16, 4, 4)
    assert maps[0].shape[1] == channels(size, 1 / 32) == {64: 8, 128: 4, 256: 2, 512: 1}[size]


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r"64, 128, 256, 512.*got 96"):
        ResidualTrunk(96)


def test_double_backward_through_the_activation():
    # R1 differentiates a gradient; the activation works in place
    layer = randomised(ConvLayer(2, 3, 3))
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(layer, (x,))
