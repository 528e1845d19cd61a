"""What the import of the authors' MRAA takes off a file, and what off the configuration's name."""

from itertools import pairwise

import pytest
import torch

from animators import load_animator
from animators.commands.import_weights import main
from animators.nn.resample import gaussian_taps


def conv(at, a, b, kernel):
    return {f"{at}.weight": torch.randn(b, a, kernel, kernel), f"{at}.bias": torch.randn(b)}


def norm(at, channels):
    names = ("weight", "bias", "running_mean", "running_var")
    parts = {f"{at}.{name}": torch.rand(channels) for name in names}
    return parts | {f"{at}.num_batches_tracked": torch.tensor(0)}


def block(at, a, b, kernel=3):
    return conv(f"{at}.conv", a, b, kernel) | norm(f"{at}.norm", b)


def blur():
    taps = gaussian_taps(1.5)
    return {"down.weight": torch.outer(taps, taps).expand(3, 1, 13, 13).clone()}


def hourglass(at, channels):
    """Two halvings, width 4, at most 16."""
    state = block(f"{at}.encoder.down_blocks.0", channels, 8)
    state |= block(f"{at}.encoder.down_blocks.1", 8, 16)
    state |= block(f"{at}.decoder.up_blocks.0", 16, 8)
    return state | block(f"{at}.decoder.up_blocks.1", 16, 4)


def layers(at, widths):
    state = {}
    for i, (a, b) in enumerate(pairwise(widths)):
        state[f"{at}.{3 * i}.weight"] = torch.randn(b, a)
        state[f"{at}.{3 * i}.bias"] = torch.randn(b)
        if i < len(widths) - 2:
            state |= norm(f"{at}.{3 * i + 1}", b)
    return state


def published(*, regions=4, background=True, avd=True):
    """A small file under the authors' names, written from the spec."""
    flow = hourglass("hourglass", 4 * (regions + 1)) | blur()
    channels = 4 + 4 * (regions + 1)
    flow |= conv("mask", channels, regions + 1, 7) | conv("occlusion", channels, 1, 7)
    generator = {f"pixelwise_flow_predictor.{key}": value for key, value in flow.items()}
    generator |= block("first", 3, 4, 7) | conv("final", 4, 3, 7)
    generator |= block("down_blocks.0", 4, 8) | block("down_blocks.1", 8, 8)
    generator |= block("up_blocks.0", 8, 8) | block("up_blocks.1", 8, 4)
    for i in (1, 2):
        generator |= conv(f"bottleneck.r0.conv{i}", 8, 8, 3) | norm(f"bottleneck.r0.norm{i}", 8)
    predictor = hourglass("predictor", 3) | conv("regions", 7, regions, 7) | blur()
    still = {}
    if background:
        for i, (a, b) in enumerate(pairwise((6, 4, 8, 16, 16, 16))):
            still |= block(f"encoder.down_blocks.{i}", a, b)
        still |= {"fc.weight": torch.zeros(6, 16), "fc.bias": torch.ones(6)}
    content = {"generator": generator, "region_predictor": predictor, "bg_predictor": still}
    if avd:
        wide, deep = 6 * regions, (256, 512, 1024)
        content["avd_network"] = (
            layers("id_encoder", (wide, *deep, 64))
            | layers("pose_encoder", (wide, *deep, 64))
            | layers("decoder", (128, *reversed(deep), wide))
        )
    return content


@pytest.fixture
def run(tmp_path, capsys):
    """Import a file with this content; give exit code, stderr and output path."""

    def call(content, *extra):
        torch.save(content, tmp_path / "official.pth")
        paths = ["--input", str(tmp_path / "official.pth"), "--output", str(tmp_path / "ours.ckpt")]
        code = main(["--model", "mraa", *paths, *extra])
        return code, capsys.readouterr().err, tmp_path / "ours.ckpt"

    return call


@pytest.mark.parametrize(
    ("config", "size", "padding", "regions"),
    [
        (None, 256, 3, 4),
        ("vox-256", 256, 3, 4),
        ("taichi-256", 256, 0, 4),
        ("ted-384", 384, 0, 4),
        ("ted-youtube-384", 384, 0, 20),
    ],
)
def test_sizes_come_off_the_tensors_and_the_rest_from_the_name(run, config, size, padding, regions):
    content = published(regions=regions)
    code, error, output = run(content, *(("--config", config) if config else ()))
    assert (code, error) == (0, "")
    mraa = load_animator(output, device="cpu")
    given = {
        "image_size": size, "region_padding": padding, "num_regions": regions, "region_width": 4,
        "motion_width": 4, "max_width": 16, "blocks": 2, "generator_width": 4,
        "generator_max_width": 8, "down_blocks": 2, "residual_blocks": 1, "background": True,
        "background_width": 4, "avd": True,
    }  # fmt: skip
    assert {name: mraa.arguments[name] for name in given} == given
    assert mraa.modes == ("absolute", "relative", "avd")


def test_every_tensor_arrives(run):
    content = published()
    _, _, output = run(content)
    ours = load_animator(output, device="cpu").network.state_dict()
    theirs = {
        f"{top}.{key}": value
        for top, state in content.items()
        for key, value in state.items()
        if not key.endswith("down.weight")
    }
    assert len(ours) == len(theirs)
    sums = sorted(value.double().sum().item() for value in theirs.values())
    assert sums == pytest.approx(sorted(value.double().sum().item() for value in ours.values()))


def test_a_file_without_background_or_avd(run):
    code, error, output = run(published(background=False, avd=False), "--config", "mgif-256")
    assert (code, error) == (0, "")
    mraa = load_animator(output, device="cpu")
    assert mraa.network.background is None
    assert (mraa.image_size, mraa.arguments["region_padding"]) == (256, 0)
    assert mraa.network.avd is None
    assert mraa.modes == ("absolute", "relative")


def test_a_trainers_entries_are_passed_over(run):
    extra = {"epoch_reconstruction": 99, "epoch_avd": 29}
    extra |= {name: {"state": {0: torch.ones(9)}} for name in ("optimizer_avd",)}
    code, _, output = run(published() | extra | {"optimizer_reconstruction": {}})
    assert code == 0
    assert set(torch.load(output, weights_only=True)) == {"animator", "state_dict"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.pop("bg_predictor"), ["no entry 'bg_predictor'"]),
        (lambda c: c.update(discriminator={}), ["surplus", "discriminator"]),
        (lambda c: c["generator"].pop("final.bias"), ["1 missing", "generator.final.bias"]),
        (
            lambda c: c["avd_network"].update({"extra.0.bias": torch.ones(1)}),
            ["surplus", "avd_network.extra.0.bias"],
        ),
        (
            lambda c: c["region_predictor"]["down.weight"].mul_(1.01),
            ["region_predictor.down.weight", "differs"],
        ),
        (lambda c: c["region_predictor"].clear(), ["region_predictor.regions.weight"]),
    ],
)
def test_other_files_are_refused(run, change, words):
    content = published()
    change(content)
    code, error, output = run(content)
    assert code == 2
    assert error.count("\n") == 1
    assert all(word in error for word in words), error
    assert not output.exists()


def test_other_configurations_are_refused(run):
    code, error, _ = run(published(), "--config", "vox256")
    assert code == 2
    assert "ted-youtube-384" in error


@pytest.mark.parametrize(
    ("parts", "config", "remedy"),
    [
        ({"regions": 20}, "vox-256", "take --config ted-youtube-384"),
        ({"regions": 20}, "mgif-256", "take --config ted-youtube-384"),
        ({}, "ted-youtube-384", "take --config vox-256 or taichi-256 or ted-384"),
        ({"background": False}, "taichi-256", "take --config mgif-256"),
        ({}, "mgif-256", "take --config vox-256 or taichi-256 or ted-384"),
        ({"regions": 20, "background": False}, "mgif-256", "no configuration has both"),
    ],
)
def test_a_configuration_that_the_tensors_contradict_is_refused(run, parts, config, remedy):
    code, error, output = run(published(avd=False, **parts), "--config", config)
    assert code == 2
    assert f"{config} contradicts" in error
    assert remedy in error
    assert not output.exists()
