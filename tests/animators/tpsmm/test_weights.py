"""What the import of the authors' TPSMM accepts, and what it refuses and how."""

from itertools import pairwise

import pytest
import torch

from animators import load_animator
from animators.commands.import_weights import main
from animators.nn.resample import gaussian_taps
from animators.nn.residual_encoder import residual_encoder

SPLINES, POINTS = 3, 4


def conv(at, a, b, kernel=3):
    return {f"{at}.weight": torch.randn(b, a, kernel, kernel), f"{at}.bias": torch.randn(b)}


def norm(at, channels):
    return {f"{at}.{name}": torch.rand(channels) for name in ("weight", "bias")}


def block(at, a, b, kernel=3):
    return conv(f"{at}.conv", a, b, kernel) | norm(f"{at}.norm", b)


def resnet(prefix, in_channels, outputs):
    """torchvision's names, as tests/animators/nn/test_residual_encoder.py holds."""
    state = residual_encoder(in_channels, outputs, width=8).state_dict()
    return {f"{prefix}.{key}": value for key, value in state.items()}


def layers(at, widths):
    state = {}
    for i, (a, b) in enumerate(pairwise(widths)):
        state |= {f"{at}.{3 * i}.weight": torch.randn(b, a), f"{at}.{3 * i}.bias": torch.randn(b)}
        if i < len(widths) - 2:
            state |= norm(f"{at}.{3 * i + 1}", b)
            state |= {f"{at}.{3 * i + 1}.running_{x}": torch.rand(b) for x in ("mean", "var")}
            state[f"{at}.{3 * i + 1}.num_batches_tracked"] = torch.tensor(0)
    return state


def dense_motion():
    """Two halvings, width 4, at most 16; a quarter of the picture's size."""
    channels = SPLINES * POINTS + 1 + 3 * (SPLINES + 1)
    state = block("hourglass.encoder.down_blocks.0", channels, 8)
    state |= block("hourglass.encoder.down_blocks.1", 8, 16)
    state |= block("hourglass.decoder.up_blocks.0", 16, 8)
    state |= block("hourglass.decoder.up_blocks.1", 16, 4)
    seen = channels + 4
    state |= block("up.0", seen, seen // 2) | block("up.1", seen // 2, seen // 4)
    for i, width in enumerate((16, seen, seen // 2, seen // 4)):
        state |= conv(f"occlusion.{i}", width, 1, 7)
    taps = gaussian_taps(1.5)
    state["down.weight"] = torch.outer(taps, taps).expand(3, 1, 13, 13).clone()
    return state | conv("maps", seen, SPLINES + 1, 7)


def inpainting():
    """Widths 4, 8, 8, 8."""
    state = block("first", 3, 4, 7) | conv("final", 4, 3, 7)
    state |= block("down_blocks.0", 4, 8) | block("down_blocks.1", 8, 8)
    state |= block("down_blocks.2", 8, 8)
    state |= block("up_blocks.0", 8, 8) | block("up_blocks.1", 16, 8) | block("up_blocks.2", 16, 4)
    for i, width in enumerate((8, 8, 16, 16, 16, 16)):
        for j in (1, 2):
            state |= conv(f"resblock.{i}.conv{j}", width, width)
            state |= norm(f"resblock.{i}.norm{j}", width)
    return state


def published(*, background=True, avd=True):
    """A small file under the authors' names, written from the spec."""
    torch.manual_seed(0)
    numbers = 2 * SPLINES * POINTS
    content = {
        "kp_detector": resnet("fg_encoder", 3, numbers),
        "dense_motion_network": dense_motion(),
        "inpainting_network": inpainting(),
        "epoch": 99,
        "optimizer": {"state": {}},
    }
    if background:
        content["bg_predictor"] = resnet("bg_encoder", 6, 6)
        content["optimizer_bg_predictor"] = {}
    if avd:
        hidden = (256, 512, 1024)
        content["avd_network"] = (
            layers("id_encoder", (numbers, *hidden, 128))
            | layers("pose_encoder", (numbers, *hidden, 128))
            | layers("decoder", (256, *reversed(hidden), numbers))
        )
        content["optimizer_avd"] = {}
    return content


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Import a file with this content; give exit code, stderr and output path."""
    monkeypatch.chdir(tmp_path)

    def call(content, *extra):
        torch.save(content, "official.pth.tar")
        paths = ["--input", "official.pth.tar", "--output", "ours.ckpt"]
        code = main(["--model", "tpsmm", *paths, *extra])
        return code, capsys.readouterr().err, tmp_path / "ours.ckpt"

    return call


def refused(result, *words):
    code, error, output = result
    assert code == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    for word in words:
        assert word in error
    assert not output.exists()


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("avd", [True, False])
def test_sizes_and_parts_are_taken_off_the_tensors(run, background, avd):
    code, error, output = run(published(background=background, avd=avd))
    assert (code, error) == (0, "")
    animator = load_animator(output, device="cpu")
    assert animator.arguments == {
        "image_size": 256,
        "num_splines": 3,
        "points_per_spline": 4,
        "keypoint_width": 8,
        "motion_width": 4,
        "max_width": 16,
        "blocks": 2,
        "shrink_factor": 4,
        "generator_width": 4,
        "generator_max_width": 8,
        "down_blocks": 3,
        "background": background,
        "avd": avd,
        "align_corners": True,
    }
    assert [mode.value for mode in animator.modes] == ["absolute", "relative", *(["avd"] * avd)]
    pictures = torch.rand(1, 2, 3, 256, 256)
    assert animator.animate(pictures[:, 0], pictures).shape == pictures.shape


@pytest.mark.parametrize(
    ("config", "size"),
    [("vox-256", 256), ("taichi-256", 256), ("ted-384", 384), ("mgif-256", 256)],
)
def test_the_configuration_tells_the_pictures_size(run, config, size):
    code, _, output = run(published(), "--config", config)
    assert code == 0
    assert load_animator(output, device="cpu").image_size == size


def test_every_tensor_arrives_where_it_belongs(run):
    content = published()
    _, _, output = run(content)
    ours = load_animator(output, device="cpu").network.state_dict()
    theirs = {
        f"{top}.{key}": value
        for top in content
        if isinstance(content[top], dict) and "optimizer" not in top
        for key, value in content[top].items()
    }
    assert len(ours) == len(theirs) - 1  # without the fixed filter
    for key, wanted in {
        "dense_motion.contribution.bias": "dense_motion_network.maps.bias",
        "dense_motion.hourglass.decoder.1.norm.weight": (
            "dense_motion_network.hourglass.decoder.up_blocks.1.norm.weight"
        ),
        "generator.residual.1.0.conv2.weight": "inpainting_network.resblock.2.conv2.weight",
        "generator.residual.2.1.norm1.bias": "inpainting_network.resblock.5.norm1.bias",
        "background.encoder.fc.bias": "bg_predictor.bg_encoder.fc.bias",
        "avd.identity_encoder.9.bias": "avd_network.id_encoder.9.bias",
    }.items():
        assert torch.equal(ours[key], theirs[wanted]), key
    sums = sorted(value.double().sum().item() for value in ours.values())
    del theirs["dense_motion_network.down.weight"]
    assert sums == pytest.approx(sorted(value.double().sum().item() for value in theirs.values()))


def test_missing_and_surplus_keys_are_named(run):
    content = published()
    del content["inpainting_network"]["resblock.3.conv1.bias"]
    refused(run(content), "1 missing", "generator.residual.1.1.conv1.bias")
    content = published()
    content["dense_motion_network"]["extra"] = torch.ones(1)
    refused(run(content), "surplus", "motion.extra")
    refused(run(published() | {"discriminator": {}}), "surplus", "discriminator")
    content = published()
    del content["kp_detector"]
    refused(run(content), "no entry 'kp_detector'")


def test_a_single_occlusion_map_is_not_supported(run):
    """The release's `multi_mask: False`, for which nothing was published."""
    content = published()
    motion = content["dense_motion_network"]
    for i in range(4):
        for part in ("weight", "bias"):
            value = motion.pop(f"occlusion.{i}.{part}")
            motion |= {f"occlusion.{part}": value} if i == 1 else {}
    refused(run(content), "dense_motion.occlusion")


def test_another_filter_or_configuration_is_refused(run):
    content = published()
    content["dense_motion_network"]["down.weight"][0, 0, 6, 6] += 0.01
    refused(run(content), "motion.down.weight", "differs")
    refused(run(published(), "--config", "bair-256"), "bair-256", "mgif-256")
