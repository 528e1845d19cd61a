import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import yaml

from animators.lia_x.network import FlowBlock, LiaXNetwork, RenderBlock
from animators.nn.grid import coordinate_grid
from animators.nn.stylegan import channels

PRESETS = Path(__file__).parents[3] / "zoo_configs" / "preset"
TINY = {"latent_dim": 32, "motion_dim": 5, "channel_multiplier": 1 / 8, "blocks": 2}


@pytest.fixture
def network():
    network = LiaXNetwork(64, **TINY)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # biases and gains too
    return network.eval()


def through(network, source, driving):
    state = network.encode_source(source)
    displacement = network.displacement(network.encode_motion(driving).magnitudes)
    return network.decode(state.latent + displacement, state.features)


def count(**sizes):
    with torch.device("meta"):
        network = LiaXNetwork(**sizes)
    return sum(p.numel() for p in network.parameters())


def test_parameters_of_the_published_model():
    with torch.device("meta"):
        network = LiaXNetwork()
    encoder = [*network.encoder.parameters(), *network.motion_head.parameters()]
    decoder = [*network.decoder.parameters(), *network.dictionary.parameters()]
    assert sum(p.numel() for p in encoder) == 115_789_864
    assert sum(p.numel() for p in decoder) == 794_781_887
    assert count(latent_dim=512, channel_multiplier=1.0) == 227_728_551
    assert count(latent_dim=256, channel_multiplier=0.5) == 56_974_983


@pytest.mark.parametrize(
    ("preset", "size", "parameters"),
    [
        ("base", 512, 54_823_955),
        ("base", 256, 43_461_770),
        ("middle", 512, 316_872_573),
        ("middle", 256, 249_019_764),
        ("large", 512, 910_571_751),
        ("large", 256, 710_244_574),
        ("small", 64, 3_116_940),
    ],
)
def test_parameters_of_the_papers_sizes(preset, size, parameters):
    file = PRESETS / f"lia_x-{preset}.yaml"
    given = yaml.safe_load(file.read_text())["model"]["init_args"]
    sizes = {name: given[name] for name in given.keys() & TINY.keys()}
    assert count(image_size=size, **sizes) == parameters
    billions = {"base": 0.05, "middle": 0.3, "large": 0.9}
    if size == 512:
        assert parameters / 1e9 == pytest.approx(billions[preset], rel=0.1)


def test_sizes_grow_in_blocks_widths_and_dictionary():
    """The paper's three differ in all of these, and in nothing else: a step sees 8 pairs."""
    files = [
        yaml.safe_load((PRESETS / f"lia_x-{name}.yaml").read_text())
        for name in ("base", "middle", "large")
    ]
    read = [file["model"]["init_args"] for file in files]
    for file, given in zip(files, read, strict=True):
        batch = file.get("data", {"init_args": {"batch_size": 8}})["init_args"]["batch_size"]
        assert batch * given.get("training", {"accumulate": 1})["accumulate"] == 8
    for setting in ("blocks", "channel_multiplier", "motion_dim", "latent_dim"):
        assert read[0][setting] < read[1][setting] < read[2][setting]


@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_sizes(size):
    network = LiaXNetwork(
        size, latent_dim=16, motion_dim=3, channel_multiplier=1 / 32, blocks=1
    ).eval()
    images = torch.rand(1, 3, size, size)
    with torch.no_grad():
        state = network.encode_source(images)
        output = through(network, images, images)
    assert output.shape == images.shape
    assert [f.shape[-1] for f in state.features] == [8 * 2**i for i in range(len(state.features))]
    # widths are LIA's but at 512 pixels
    widths = [f.shape[1] for f in state.features]
    largest = {512: 1}.get(size, 256 // size)
    assert widths == [2 * min(8, largest * 2**i) for i in reversed(range(len(widths)))]
    assert state.latent.shape == (1, 16)
    assert state.magnitudes.shape == (1, 3)


def test_widths_at_256_pixels_are_lias():
    assert all(channels(r, 1.0, 256) == channels(r) for r in (4, 8, 16, 32, 64, 128, 256))
    assert [channels(r, 2.0, 512) for r in (512, 256, 128, 64, 4)] == [128, 256, 512, 1024, 1024]


def test_what_cannot_be_built_is_refused():
    for size in (32, 96, 1024):
        with pytest.raises(ValueError, match="image_size must be one of"):
            LiaXNetwork(size)
    with pytest.raises(ValueError, match="blocks must be at least 1, got 0"):
        LiaXNetwork(64, blocks=0)
    with pytest.raises(ValueError, match="motion_dim must be 1 to latent_dim"):
        LiaXNetwork(64, **(TINY | {"motion_dim": 33}))


def test_nothing_idle_and_no_buffer_in_the_state(network):
    assert set(network.state_dict()) == {name for name, _ in network.named_parameters()}
    source, driving = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    (through(network.train(), source, driving) - driving).abs().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_initial_values():
    network = LiaXNetwork(64, latent_dim=256, motion_dim=20, channel_multiplier=0.25, blocks=1)
    for name, parameter in network.named_parameters():
        if name.endswith("gamma"):
            assert parameter.eq(1e-5).all(), name
        elif name.endswith("norm.weight"):
            assert parameter.eq(1.0).all(), name
        elif name.endswith("bias"):
            expected = 1.0 if "modulation" in name else 0.0
            assert parameter.eq(expected).all(), name
        elif parameter.numel() > 1000:
            assert abs(parameter.mean()) < 0.15, name
            assert abs(parameter.std() - 1) < 0.1, name


@pytest.mark.parametrize(("width", "groups"), [(64, 32), (96, 32), (48, 16), (16, 16), (6, 2)])
def test_flow_block(width, groups):
    """The spec's formula; the shortcut starts behind the first convolution."""
    block = FlowBlock(width, 8).double()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.normal_()
    x = torch.randn(1, width, 4, 4, dtype=torch.float64)
    latent = torch.randn(1, 8, dtype=torch.float64)
    u = block.first(x, latent)
    split = u.reshape(1, groups, -1)
    normal = (split - split.mean(2, keepdim=True)) / (
        split.var(2, correction=0, keepdim=True) + 1e-5
    ).sqrt()
    normal = normal.view_as(u) * block.norm.weight.view(-1, 1, 1) + block.norm.bias.view(-1, 1, 1)
    expected = u + block.gamma.view(-1, 1, 1) * block.second(normal, latent)
    torch.testing.assert_close(block(x, latent), expected)


def test_render_block():
    block = RenderBlock(4).double()
    x = torch.randn(1, 4, 6, 6, dtype=torch.float64)

    def layer(part, x):
        x = F.conv2d(x, part.conv.weight / 6, padding=1) + part.bias.view(-1, 1, 1)
        return math.sqrt(2) * F.leaky_relu(x, 0.2)

    torch.nn.init.normal_(block.first.bias)
    expected = (layer(block.second, layer(block.first, x)) + x) / math.sqrt(2)
    torch.testing.assert_close(block(x), expected)


@torch.no_grad()
def test_a_silent_flow_is_the_identity(network):
    """Grid and sampler agree on corners here, as they do not in LIA."""
    for level in network.decoder.levels:
        torch.nn.init.zeros_(level.stage.flow.weight)
        torch.nn.init.zeros_(level.stage.flow.bias)
    images = torch.rand(1, 3, 64, 64)
    state = network.encode_source(images)
    grid = network.decode_all(state.latent, state.features).grid
    torch.testing.assert_close(grid[0], coordinate_grid(64, 64, like=grid))
    _, warped = network.reference_picture(state, images)
    torch.testing.assert_close(warped, images, atol=1e-5, rtol=0)


@torch.no_grad()
def test_islands_of_full_precision(network):
    source = torch.rand(2, 3, 64, 64)
    exact = through(network, source, source.flip(0))
    with torch.autocast("cpu", torch.bfloat16):
        state = network.encode_source(source)
        decoded = network.decode_all(state.latent, state.features)
        output = through(network, source, source.flip(0))
    assert state.latent.dtype == state.magnitudes.dtype == torch.float32
    assert decoded.grid.dtype == decoded.picture.dtype == torch.float32
    assert state.features[0].dtype == torch.bfloat16  # the convolutions do run in half precision
    assert (output - exact).abs().mean() < 0.1 * exact.std()


@torch.no_grad()
def test_double_precision_all_the_way(network):
    network.double()
    images = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    assert through(network, images, images).dtype == torch.float64


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_gradients_on_a_gpu(network, dtype):
    network.train().cuda()
    source, driving = torch.rand(2, 2, 3, 64, 64, device="cuda")
    with torch.autocast("cuda", dtype):
        loss = (through(network, source, driving) - driving).abs().mean()
    loss.backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())
