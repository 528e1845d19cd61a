"""Shapes, counts and what the two encoders are for."""

import pytest
import torch

from animators.nn.avd import AvdNetwork


@pytest.mark.parametrize(
    ("features", "size", "parameters"),
    [(60, 64, 2_290_620), (120, 64, 2_336_760), (100, 128, 2_583_652)],  # MRAA, ted-youtube, TPSMM
)
def test_parameters_of_the_papers_sizes(features, size, parameters):
    with torch.device("meta"):
        network = AvdNetwork(features, identity_dim=size, pose_dim=size)
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.fixture
def network():
    return AvdNetwork(12, identity_dim=8, pose_dim=5).eval()


def test_the_pose_stands_before_the_identity(network):
    """The order that published decoders were trained with."""
    identity, pose = torch.randn(2, 3, 12)
    with torch.no_grad():
        a, b = network.identity_encoder(identity), network.pose_encoder(pose)
        assert (a.shape, b.shape) == ((3, 8), (3, 5))
        assert torch.equal(network(identity, pose), network.decoder(torch.cat([b, a], dim=1)))
        assert torch.equal(network(identity, pose), network.decode(a, pose))


def test_both_inputs_matter_and_the_output_is_unbounded(network):
    identity, pose = torch.randn(2, 3, 12)
    with torch.no_grad():
        found = network(identity, pose)
        assert found.shape == (3, 12)
        assert (network(identity.flip(0), pose) - found).abs().amax() > 1e-3
        assert (network(identity, pose.flip(0)) - found).abs().amax() > 1e-3
        network.decoder[-1].bias.fill_(-100)
        assert network(identity, pose).max() < -50


def test_last_layers_are_bare(network):
    """Neither norm nor ReLU behind an embedding or the output."""
    for part in (network.identity_encoder, network.pose_encoder, network.decoder):
        kinds = [type(layer).__name__ for layer in part]
        assert kinds == ["Linear", "BatchNorm1d", "ReLU"] * 3 + ["Linear"]


def test_it_can_learn_to_take_the_pose(network):
    """A few steps towards pose + identity beat the best constant."""
    draw = torch.Generator().manual_seed(0)
    identity, pose = torch.randn(2, 256, 12, generator=draw)
    wanted = pose + 0.5 * identity
    network.train()
    adam = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(60):
        adam.zero_grad()
        loss = (network(identity, pose) - wanted).abs().mean()
        loss.backward()
        adam.step()
    assert loss < 0.5 * (wanted - wanted.mean(dim=0)).abs().mean()
