import pytest
import torch

from animators.nn.discriminators import StyleGan2Discriminator, minibatch_deviation


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
