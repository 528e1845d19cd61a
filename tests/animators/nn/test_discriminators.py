import pytest
import torch
import torch.nn.functional as F

from animators.nn.discriminators import (
    PatchDiscriminator,
    StyleGan2Discriminator,
    minibatch_deviation,
)


@pytest.mark.parametrize(("batch", "size"), [(1, 1), (2, 2), (4, 4), (6, 3), (8, 4), (5, 1)])
def test_deviation_of_each_group(batch, size):
    x = torch.randn(batch, 3, 2, 2, dtype=torch.float64)
    out = minibatch_deviation(x)
    assert torch.equal(out[:, :3], x)
    groups = batch // size
    for i in range(batch):
        members = x[i % groups :: groups]
        assert len(members) == size
        expected = (members.var(dim=0, unbiased=False) + 1e-8).sqrt().mean()
        torch.testing.assert_close(out[i, 3], expected.expand(2, 2))


def test_batches_dealt_alternately_keep_their_groups():
    # what lets two processes equal one with the doubled batch
    x = torch.randn(8, 3, 2, 2)
    both = minibatch_deviation(x)
    assert torch.equal(both[0::2], minibatch_deviation(x[0::2]))
    assert torch.equal(both[1::2], minibatch_deviation(x[1::2]))


@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_one_logit_and_every_parameter_learns(size):
    discriminator = StyleGan2Discriminator(size, 1 / 32)
    logits = discriminator(torch.rand(2, 3, size, size))
    assert logits.shape == (2, 1)
    logits.square().sum().backward()
    for name, parameter in discriminator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_parameters_at_the_papers_size():
    with torch.device("meta"):
        discriminator = StyleGan2Discriminator(256)
    count = sum(p.numel() for p in discriminator.parameters())
    # trunk without the 4x4 layer, 513 -> 512 layer, 8192 -> 512, 512 -> 1
    trunk = 21_635_648 - 512 * 512 * 16
    assert count == trunk + (513 * 512 * 9 + 512) + (8192 * 512 + 512) + 513


def test_maps_of_a_patch_discriminator_at_the_papers_size():
    with torch.device("meta"):
        judged = PatchDiscriminator()(torch.empty(1, 3, 256, 256))
    shapes = [tuple(feature.shape[1:]) for feature in judged.features]
    assert shapes == [(64, 126, 126), (128, 61, 61), (256, 29, 29), (512, 26, 26)]
    assert judged.logits.shape == (1, 1, 26, 26)


@pytest.mark.parametrize(("maps", "count"), [(0, 2_758_849), (10, 2_769_089)])
@pytest.mark.parametrize("spectral_norm", [False, True])
def test_parameters_of_a_patch_discriminator(maps, count, spectral_norm):
    with torch.device("meta"):
        made = PatchDiscriminator(condition_channels=maps, spectral_norm=spectral_norm)
    assert sum(p.numel() for p in made.parameters()) == count


def test_two_blocks_of_patches_by_hand():
    made = PatchDiscriminator(16, width=4, blocks=2).double()
    x = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    first, second = made.blocks
    y = F.avg_pool2d(F.leaky_relu(F.conv2d(x, first.conv.weight, first.conv.bias), 0.2), 2)
    z = F.conv2d(y, second.conv.weight, second.conv.bias)
    mean, variance = z.mean(dim=(2, 3), keepdim=True), z.var(dim=(2, 3), keepdim=True, correction=0)
    z = F.leaky_relu((z - mean) / (variance + 1e-5).sqrt(), 0.2)
    judged = made(x)
    torch.testing.assert_close(judged.features[0], y)
    torch.testing.assert_close(judged.features[1], z)
    torch.testing.assert_close(judged.logits, made.logit(z))


def test_a_patch_discriminator_sees_its_condition():
    made = PatchDiscriminator(64, condition_channels=2, width=4)
    images, maps = torch.rand(1, 3, 64, 64), torch.rand(1, 2, 64, 64)
    assert not torch.equal(made(images, maps).logits, made(images, 1 - maps).logits)


def test_spectral_norm_makes_every_convolution_a_contraction():
    made = PatchDiscriminator(64, width=4, spectral_norm=True)
    for layer in [block.conv for block in made.blocks] + [made.logit]:
        layer.parametrizations.weight.original.data.mul_(7)
        for _ in range(200):
            weight = layer.weight  # each look is one step of the power iteration
        largest = torch.linalg.matrix_norm(weight.flatten(1), ord=2)
        torch.testing.assert_close(largest, torch.tensor(1.0), rtol=1e-3, atol=0)
    plain = PatchDiscriminator(64, width=4).blocks[0].conv.weight
    assert abs(torch.linalg.matrix_norm(plain.flatten(1), ord=2) - 1) > 1e-2


@pytest.mark.parametrize("size", [32, 40])
def test_pictures_too_small_for_the_blocks_are_refused(size):
    with pytest.raises(ValueError, match=rf"image_size {size} is too small for 4 blocks"):
        PatchDiscriminator(size)
    PatchDiscriminator(64)
