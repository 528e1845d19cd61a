from dataclasses import replace

import pytest
import torch

from animators.animator import Mode
from animators.lia import Lia
from animators.lia.network import LiaNetwork
from animators.nn import motion_dictionary
from animators.nn.grid import warp
from animators.nn.latent_network import LatentMotion

TINY = {"latent_dim": 32, "motion_dim": 5, "channel_multiplier": 1 / 16}


@pytest.fixture
def network():
    network = LiaNetwork(64, **TINY)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # biases too
    return network.eval()


@pytest.fixture
def lia(network):
    lia = Lia.for_inference({"image_size": 64, **TINY}).eval()
    lia.network.load_state_dict(network.state_dict())
    return lia


def through(network, source, driving):
    state = network.encode_source(source)
    displacement = network.displacement(network.encode_motion(driving).magnitudes)
    return network.decode(state.latent + displacement, state.features)


@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_sizes(size):
    network = LiaNetwork(size, latent_dim=16, motion_dim=3, channel_multiplier=1 / 32)
    images = torch.rand(1, 3, size, size)
    with torch.no_grad():
        state = network.encode_source(images)
        output = through(network, images, images)
    assert output.shape == images.shape
    assert [f.shape[-1] for f in state.features] == [8 * 2**i for i in range(len(state.features))]
    assert state.features[-1].shape[-1] == size
    assert state.latent.shape == (1, 16)
    assert state.magnitudes.shape == (1, 3)


def test_other_sizes_are_refused():
    for size in (32, 96, 1024):
        with pytest.raises(ValueError, match="image_size must be one of"):
            LiaNetwork(size)


def test_parameters_at_the_papers_size():
    with torch.device("meta"):
        network = LiaNetwork()
    encoder = [*network.encoder.parameters(), *network.motion_head.parameters()]
    assert sum(p.numel() for p in encoder) == 22_696_532
    # the spec's count less to_rgb1 (512 x 3 + 3 + 3) and 13 noise weights
    rest = [*network.decoder.parameters(), *network.dictionary.parameters()]
    assert sum(p.numel() for p in rest) == 22_419_785 - 1542 - 13


def test_nothing_idle_and_no_buffer_in_the_state(network):
    assert set(network.state_dict()) == {name for name, _ in network.named_parameters()}
    source, driving = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    (through(network.train(), source, driving) - driving).abs().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_initial_values():
    network = LiaNetwork(64, latent_dim=256, motion_dim=20, channel_multiplier=0.25)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            expected = 1.0 if "modulation" in name else 0.0
            assert parameter.eq(expected).all(), name
        elif parameter.numel() > 1000:
            assert abs(parameter.mean()) < 0.15, name
            assert abs(parameter.std() - 1) < 0.1, name


def test_the_head_is_one_affine_map(network):
    a, b = torch.randn(1, 32), torch.randn(1, 32)
    head = network.motion_head
    with torch.no_grad():
        middle = head((a + b) / 2)
        torch.testing.assert_close(middle, (head(a) + head(b)) / 2)


def test_without_a_dictionary_the_head_gives_the_displacement():
    network = LiaNetwork(64, **TINY, dictionary=False)
    motion = network.encode_motion(torch.rand(2, 3, 64, 64))
    assert motion.magnitudes.shape == (2, 32)
    assert network.displacement(motion.magnitudes) is motion.magnitudes
    assert not any("dictionary" in name for name in network.state_dict())
    through(network, *torch.rand(2, 1, 3, 64, 64)).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@torch.no_grad()
def test_relative_equals_absolute_when_the_source_is_the_first_driving_frame(lia):
    driving = torch.rand(2, 3, 3, 64, 64)
    source = driving[:, 0]
    relative = lia.stream(source, [driving], mode=Mode.RELATIVE)
    absolute = lia.stream(source, [driving], mode=Mode.ABSOLUTE)
    (first,), (second,) = list(relative), list(absolute)
    # A_t - A_1 + A_1 is rounded, and rough flows amplify it at single pixels
    assert (first - second).abs().mean() < 1e-5
    other = lia.stream(source.flip(0), [driving], mode=Mode.RELATIVE)
    assert (next(iter(other)) - first).abs().mean() > 1e-2


@torch.no_grad()
def test_relative_at_the_first_frame_is_the_sources_own_reconstruction(lia):
    source, driving = torch.rand(1, 3, 64, 64), torch.rand(1, 1, 3, 64, 64)
    (moved,) = lia.stream(source, [driving], mode=Mode.RELATIVE)
    own = through(lia.network, source, source)
    assert (moved[:, 0] - own).abs().mean() < 1e-5


def test_calls_of_encoder_decoder_and_decomposition(lia, monkeypatch):
    calls = {"encoder": 0, "decoder": 0, "qr": 0}
    original = motion_dictionary.orthonormal

    def count(name):
        def hook(*_):
            calls[name] += 1

        return hook

    def orthonormal(weight):
        calls["qr"] += 1
        return original(weight)

    lia.network.encoder.register_forward_hook(count("encoder"))
    lia.network.decoder.register_forward_hook(count("decoder"))
    monkeypatch.setattr(motion_dictionary, "orthonormal", orthonormal)
    lia.animate(torch.rand(1, 3, 64, 64), torch.rand(1, 5, 3, 64, 64), mode="absolute", chunk=1)
    assert calls == {"encoder": 1 + 5, "decoder": 5, "qr": 1}


@torch.no_grad()
def test_the_reference_picture(network):
    source = torch.rand(1, 3, 64, 64)
    state = network.encode_source(source)
    rendered, warped = network.reference_picture(state, source)
    torch.testing.assert_close(rendered, network.decode(state.latent, state.features))
    grid = network.decode_all(state.latent, state.features).grid
    torch.testing.assert_close(warped, warp(source, grid, align_corners=False))
    # it does not depend on the source's magnitudes
    other = replace(state, magnitudes=state.magnitudes + 1)
    torch.testing.assert_close(network.reference_picture(other, source)[0], rendered)


@torch.no_grad()
def test_full_precision_islands_under_autocast(network):
    source = torch.rand(2, 3, 64, 64)
    exact = through(network, source, source.flip(0))
    with torch.autocast("cpu", torch.bfloat16):
        state = network.encode_source(source)
        decoded = network.decode_all(state.latent, state.features)
        output = through(network, source, source.flip(0))
    assert state.latent.dtype == state.magnitudes.dtype == torch.float32
    assert decoded.grid.dtype == decoded.picture.dtype == torch.float32
    assert state.features[0].dtype == torch.bfloat16  # the convolutions do run in half precision
    assert (output - exact).abs().mean() < 0.1


@torch.no_grad()
def test_double_precision_all_the_way(network):
    network.double()
    images = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    state = network.encode_source(images)
    assert isinstance(network.encode_motion(images), LatentMotion)
    assert through(network, images, images).dtype == state.magnitudes.dtype == torch.float64


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_gradients_on_a_gpu(network, dtype):
    network.train().cuda()
    source, driving = torch.rand(2, 2, 3, 64, 64, device="cuda")
    with torch.autocast("cuda", dtype):
        loss = (through(network, source, driving) - driving).abs().mean()
    loss.backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())
