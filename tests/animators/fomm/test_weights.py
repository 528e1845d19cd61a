"""What the import of the authors' FOMM accepts, and what it refuses and how."""

import pytest
import torch

from animators import load_animator
from animators.commands.import_weights import main
from animators.fomm.weights import OFFICIAL
from animators.official import import_official
from tests.animators.fomm.official import small_state


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Import a file with this content; give exit code, stderr and output path."""
    monkeypatch.chdir(tmp_path)

    def call(content, *extra, zipped=True):
        torch.save(content, "cpk.pth.tar", _use_new_zipfile_serialization=zipped)
        paths = ["--input", "cpk.pth.tar", "--output", "ours.ckpt"]
        code = main(["--model", "fomm", *paths, *extra])
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


@pytest.mark.parametrize("zipped", [True, False])
def test_sizes_are_taken_off_the_tensors(run, zipped):
    code, error, output = run(small_state(), zipped=zipped)
    assert (code, error) == (0, "")
    arguments = load_animator(output, device="cpu").arguments
    assert arguments == {
        "image_size": 256,
        "num_keypoints": 3,
        "keypoint_width": 4,
        "motion_width": 4,
        "max_width": 1024,
        "blocks": 2,
        "shrink_factor": 4,
        "generator_width": 4,
        "generator_max_width": 512,
        "down_blocks": 2,
        "residual_blocks": 2,
        "temperature": 0.1,
        "single_jacobian_map": False,
        "align_corners": True,
        "hull_scaling": True,
        "refine": False,
        "dynamics_width": 32,
    }


def test_the_single_map_of_mgif(run):
    code, _, output = run(small_state(single_jacobian_map=True), "--config", "mgif-256")
    assert code == 0
    animator = load_animator(output, device="cpu")
    assert animator.arguments["single_jacobian_map"] is True
    with torch.no_grad():
        found = animator.encode_motion(torch.rand(1, 3, 256, 256)).keypoints.jacobian
    assert found.shape == (1, 3, 2, 2)


def test_every_tensor_arrives(run):
    theirs = small_state()
    _, _, output = run(theirs)
    ours = load_animator(output, device="cpu").network.state_dict()
    values = [v for top in theirs.values() for k, v in top.items() if not k.endswith("down.weight")]
    assert len(ours) == len(values)
    sums = sorted(value.double().sum().item() for value in values)
    assert sums == pytest.approx(sorted(value.double().sum().item() for value in ours.values()))


def test_what_trains_only_is_passed_over(run):
    optimisers = {f"optimizer_{n}": {"state": {}} for n in ("generator", "discriminator")}
    extra = {"discriminator": {"x": torch.ones(3)}, "optimizer_kp_detector": {}, "epoch": 99}
    code, _, output = run({**small_state(), **optimisers, **extra})
    assert code == 0
    saved = torch.load(output, weights_only=True)
    assert set(saved) == {"animator", "state_dict"}
    assert all(key.startswith("network.") for key in saved["state_dict"])


def test_missing_and_surplus_are_named(run):
    state = small_state()
    refused(run({"generator": state["generator"]}), "kp_detector")
    del state["generator"]["bottleneck.r1.norm2.bias"]
    refused(run(state), "1 missing", "generator.bottleneck.1.norm2.bias")
    state = small_state()
    state["kp_detector"]["extra"] = torch.ones(1)
    refused(run(state), "surplus", "extra")
    refused(run(small_state() | {"ema": {}}), "surplus", "ema")


def test_another_filter_is_refused(run):
    state = small_state()
    state["kp_detector"]["down.weight"][0, 0, 6, 6] += 0.01
    refused(run(state), "kp_detector.down.weight", "differs")


def test_nan_is_refused(run):
    state = small_state()
    state["generator"]["final.bias"][0] = float("nan")
    refused(run(state), "generator.final.bias", "NaN")


def test_files_of_others_are_refused(run):
    refused(run({"gen": {"dec.direction.weight": torch.ones(1)}}), "generator")
    state = small_state()
    del state["kp_detector"]["jacobian.weight"]  # such as MRAA's regions
    refused(run(state), "jacobian.weight", "another model")


@pytest.mark.parametrize("config", [*OFFICIAL.configs, None])
def test_configurations(config, tmp_path):
    torch.save(small_state(), tmp_path / "official.pt")
    assert import_official("fomm", tmp_path / "official.pt", config).image_size == 256


def test_there_is_no_other_configuration(run):
    refused(run(small_state(), "--config", "ted-384"), "ted-384", "vox-adv-256", "bair-256")
