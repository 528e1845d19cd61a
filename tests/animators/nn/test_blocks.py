import pytest
import torch
import torch.nn.functional as F

from animators.nn.blocks import ConvBlock, DownBlock, ResidualBlock, SameBlock, UpBlock

EPSILON = 1e-5


def transparent(block):
    """Let convolutions and norms hand their input on: what is left is the block's wiring."""
    for name, parameter in block.named_parameters():
        if name.endswith("bias"):
            parameter.data.zero_()
        elif parameter.ndim == 4:
            torch.nn.init.dirac_(parameter.data)
    for name, buffer in block.named_buffers():
        if name.endswith("running_var"):
            buffer.fill_(1 - EPSILON)
    return block.double().eval()


@pytest.fixture
def x():
    return torch.randn(2, 3, 6, 4, dtype=torch.float64)


def test_same_keeps_the_size_and_cuts_at_zero(x):
    torch.testing.assert_close(transparent(SameBlock(3, 3, norm="batch"))(x), x.clamp(min=0))


def test_down_takes_the_mean_of_four_pixels_after_the_cut(x):
    four = x.clamp(min=0).reshape(2, 3, 3, 2, 2, 2)
    found = transparent(DownBlock(3, 3, norm="batch"))(x)
    torch.testing.assert_close(found, four.mean(dim=(3, 5)))


def test_up_repeats_every_pixel_in_both_axes(x):
    expected = x.clamp(min=0).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    torch.testing.assert_close(transparent(UpBlock(3, 3, norm="batch"))(x), expected)


def test_residual_adds_to_its_input_what_is_cut_twice(x):
    found = transparent(ResidualBlock(3, norm="batch"))(x)
    torch.testing.assert_close(found, x + x.clamp(min=0))


def test_residual_normalises_before_each_convolution(x):
    block = transparent(ResidualBlock(3, norm="batch"))
    block.norm1.bias.data.fill_(5.0)  # nothing is cut by the first ReLU
    block.conv1.bias.data.fill_(-7.0)
    torch.testing.assert_close(block(x), x + (x - 2).clamp(min=0))


@pytest.mark.parametrize(("kind", "side"), [(SameBlock, 7), (DownBlock, 3), (UpBlock, 3)])
def test_kernels(kind, side):
    assert kind(3, 5, norm="batch").conv.weight.shape == (5, 3, side, side)


def test_batch_norm_uses_stored_statistics_in_eval_mode(x):
    block = ConvBlock(3, 5, norm="batch", kernel=3).double()
    block(x)
    stored = block.norm.running_mean.clone()
    assert stored.abs().max() > 0
    block.eval()
    raw = F.conv2d(x, block.conv.weight, block.conv.bias, padding=1)
    mean, variance = (v[:, None, None] for v in (stored, block.norm.running_var))
    torch.testing.assert_close(block(x), ((raw - mean) / (variance + EPSILON).sqrt()).clamp(min=0))
    assert torch.equal(block.norm.running_mean, stored)


def test_instance_norm_has_weights_and_no_statistics(x):
    block = ConvBlock(3, 5, norm="instance", kernel=3).double()
    assert {n for n, _ in block.named_parameters()} == set(block.state_dict())
    raw = F.conv2d(x, block.conv.weight, block.conv.bias, padding=1)
    mean = raw.mean(dim=(2, 3), keepdim=True)
    variance = raw.var(dim=(2, 3), keepdim=True, correction=0)
    torch.testing.assert_close(block(x), ((raw - mean) / (variance + EPSILON).sqrt()).clamp(min=0))


def test_names_are_those_of_the_published_files():
    assert {n for n, _ in DownBlock(3, 5, norm="batch").named_children()} == {"conv", "norm"}
    parts = {n for n, _ in ResidualBlock(3, norm="batch").named_children()}
    assert parts == {"conv1", "conv2", "norm1", "norm2"}
