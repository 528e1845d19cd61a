"""What the import of the authors' LIA accepts, and what it refuses and how."""

import os
from argparse import Namespace

import pytest
import torch

from animators import load_animator
from animators.commands.import_weights import main
from animators.official import import_official
from tests.animators.lia.official import small_state


class Hostile:
    def __reduce__(self):
        return os.system, ("touch executed",)


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Import a file with this content; give exit code, stderr and output path."""
    monkeypatch.chdir(tmp_path)

    def call(content, *extra):
        if content is not None:
            torch.save(content, "official.pt")
        paths = ["--input", "official.pt", "--output", "ours.ckpt"]
        code = main(["--model", "lia", *paths, *extra])
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
    assert not [p for p in output.parent.iterdir() if p.name.endswith(".part")]
    assert not (output.parent / "executed").exists()


def test_sizes_are_taken_off_the_tensors(run):
    code, error, output = run({"gen": small_state(latent=24, motion=5, width=16)})
    assert (code, error) == (0, "")
    animator = load_animator(output, device="cpu")
    assert animator.image_size == 64
    assert animator.arguments == {
        "image_size": 64,
        "latent_dim": 24,
        "motion_dim": 5,
        "channel_multiplier": 1 / 32,
        "dictionary": True,
    }
    picture = animator.animate(torch.rand(1, 3, 64, 64), torch.rand(1, 2, 3, 64, 64))
    assert picture.shape == (1, 2, 3, 64, 64)


def test_every_tensor_arrives(run):
    state = small_state()
    _, _, output = run({"gen": state})
    ours = load_animator(output, device="cpu").network.state_dict()
    idle = ("dec.to_rgb1.", "kernel", "noise.weight")
    theirs = {key: value for key, value in state.items() if not any(part in key for part in idle)}
    assert len(ours) == len(theirs)
    sums = sorted(value.double().sum().item() for value in theirs.values())
    assert sums == pytest.approx(sorted(value.double().sum().item() for value in ours.values()))


def test_a_trainers_file_is_accepted_and_nothing_else_of_it_is_kept(run):
    extra = {"args": Namespace(lr=0.002, dataset="vox"), "g_optim": {"state": {0: torch.ones(9)}}}
    code, _, output = run(
        {"gen": small_state(), "dis": {"x": torch.ones(3)}, "d_optim": {}, **extra}
    )
    assert code == 0
    saved = torch.load(output, weights_only=True)
    assert set(saved) == {"animator", "state_dict"}
    assert all(key.startswith("network.") for key in saved["state_dict"])


def test_a_namespace_is_refused_where_only_our_own_files_belong(tmp_path):
    torch.save({"args": Namespace(size=3)}, tmp_path / "x.ckpt")
    with pytest.raises(ValueError, match=r"holds code \(argparse.Namespace\)"):
        load_animator(tmp_path / "x.ckpt")


def test_missing_and_surplus_keys_are_named(run):
    state = small_state()
    del state["dec.convs.3.activate.bias"]
    refused(run({"gen": state}), "1 missing", "decoder.levels.1.conv.bias")
    refused(run({"gen": small_state() | {"dec.extra": torch.ones(1)}}), "surplus", "dec.extra")
    refused(run({"gen": small_state(), "ema": {}}), "surplus", "ema")


def test_another_shape_is_named(run):
    state = small_state()
    state["enc.fc.2.weight"] = torch.ones(24, 23)
    refused(run({"gen": state}), "motion_head.2.weight", "(24, 24)", "(24, 23)")


def test_another_filter_is_refused(run):
    state = small_state()
    state["dec.convs.2.conv.blur.kernel"][0, 0] += 0.01
    refused(run({"gen": state}), "dec.convs.2.conv.blur.kernel", "differs")


def test_idle_parameters_may_hold_anything_or_be_absent(run):
    state = small_state()
    state["dec.convs.1.noise.weight"].fill_(float("nan"))
    del state["dec.to_rgb1.bias"]
    assert run({"gen": state})[0] == 0


def test_nan_is_refused(run):
    state = small_state()
    state["dec.input.input"][0, 0, 0, 0] = float("nan")
    refused(run({"gen": state}), "decoder.constant", "NaN")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"generator": {}, "kp_detector": {}}, ["no entry 'gen'", "generator", "kp_detector"]),
        ({"gen": {"a.weight": torch.ones(1)}}, ["dec.direction.weight", "a.weight"]),
        ({"gen": {"dec.direction.weight": "text"}}, ["other than tensors", "dec.direction.weight"]),
        ([1, 2], ["holds a list"]),
        ({"gen": Hostile()}, ["holds code", "nothing of it was run", "trust"]),
        ({"gen": small_state(), "args": Hostile()}, ["holds code"]),
        ({"gen": small_state() | {"dec.direction.weight": torch.ones(3)}}, ["sizes unreadable"]),
        ({"gen": small_state() | {"dec.input.input": torch.ones(1)}}, ["sizes unreadable"]),
    ],
)
def test_foreign_and_hostile_files(run, content, words):
    refused(run(content), *words)


def test_damaged_files(run, tmp_path):
    refused(run(None), "official.pt", "does not exist")
    (tmp_path / "official.pt").write_bytes(b"")
    refused(run(None), "official.pt is empty", "download it again")
    (tmp_path / "official.pt").write_text("<html>quota exceeded</html>")
    refused(run(None), "damaged or of another kind", "download it again")
    run({"gen": small_state()})
    whole = (tmp_path / "official.pt").read_bytes()
    (tmp_path / "ours.ckpt").unlink()
    (tmp_path / "official.pt").write_bytes(whole[: len(whole) // 2])
    refused(run(None), "damaged or of another kind")


def test_names_are_checked(run, tmp_path, capsys):
    content = {"gen": small_state()}
    refused(run(content, "--model", "nix"), "no model 'nix'", "lia")
    refused(run(content, "--config", "vox-64"), "no configuration 'vox-64'", "vox-256")
    refused(run(content, "--model", "../lia"), "no model")
    assert main(["--model", "lia", "--input", "official.pt", "--output", "official.pt"]) == 2
    assert "input itself" in capsys.readouterr().err
    assert main(["--model", "lia", "--input", "official.pt", "--output", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err
    assert main(["--model", "lia"]) == 2
    assert "--input" in capsys.readouterr().err


@pytest.mark.parametrize("config", ["vox-256", "taichi-256", "ted-256", None])
def test_configurations(config, tmp_path):
    torch.save({"gen": small_state()}, tmp_path / "official.pt")
    assert import_official("lia", tmp_path / "official.pt", config).image_size == 64


def test_an_existing_output_survives_a_failure(run, tmp_path):
    (tmp_path / "ours.ckpt").write_text("precious")
    assert run({"gen": {}})[0] == 2
    assert (tmp_path / "ours.ckpt").read_text() == "precious"
