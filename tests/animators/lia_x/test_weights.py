"""What the import of the authors' LIA-X accepts, and what it refuses and how."""

import os

import pytest
import torch

from animators import load_animator
from animators.commands.import_weights import main
from animators.lia_x.weights import DIRECTIONS
from tests.animators.lia.official import small_state as lia_state
from tests.animators.lia_x.official import small_state


class Hostile:
    def __reduce__(self):
        return os.system, ("touch executed",)


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Import a file with this content; give exit code, stderr and output path."""
    monkeypatch.chdir(tmp_path)

    def call(content):
        torch.save(content, "official.pt")
        code = main(["--model", "lia_x", "--input", "official.pt", "--output", "ours.ckpt"])
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
    assert not (output.parent / "executed").exists()


def test_sizes_are_taken_off_the_tensors(run):
    code, error, output = run(small_state(latent=24, motion=5, width=32, blocks=2))
    assert (code, error) == (0, "")
    animator = load_animator(output, device="cpu")
    assert animator.arguments == {
        "image_size": 512,
        "latent_dim": 24,
        "motion_dim": 5,
        "channel_multiplier": 1 / 16,
        "blocks": 2,
        "named_directions": {},  # the demo's names are of 40 directions
    }
    picture = animator.animate(torch.rand(1, 3, 512, 512), torch.rand(1, 1, 3, 512, 512))
    assert picture.shape == (1, 1, 3, 512, 512)


def test_every_tensor_arrives(run):
    state = small_state()
    _, _, output = run(state)
    ours = load_animator(output, device="cpu").network.state_dict()
    theirs = {key: value for key, value in state.items() if not key.endswith("kernel")}
    assert len(ours) == len(theirs)
    sums = sorted(value.double().sum().item() for value in theirs.values())
    assert sums == pytest.approx(sorted(value.double().sum().item() for value in ours.values()))


def test_the_demos_names_come_with_40_directions(run):
    _, _, output = run(small_state(latent=64, motion=40, blocks=1))
    directions = load_animator(output, device="cpu").directions
    assert list(directions)[:14] == list(DIRECTIONS)
    assert len(directions) == 40
    assert sorted(d.index for d in directions.values()) == list(range(40))
    assert directions["yaw1"].index == 37
    assert (directions["yaw1"].low, directions["yaw1"].high) == (-1.0, 0.5)
    assert (directions["eyeballs2"].low, directions["eyeballs2"].high) == (-0.2, 0.2)
    assert (directions["d0"].low, directions["d0"].high) == (-0.5, 0.5)


def test_a_file_of_another_kind_is_named(run):
    refused(run({"gen": lia_state()}), "other than tensors", "gen")
    refused(run(lia_state()), "no lia_x checkpoint", "dec.flow_512.bias", "another model")
    refused(run({}), "no lia_x checkpoint")
    refused(run([torch.ones(1)]), "holds a list")
    refused(run(small_state() | {"step": 3}), "other than tensors", "step")


def test_code_in_a_file_is_not_run(run):
    refused(run({"dec.direction.weight": Hostile()}), "holds code", "system")


def test_missing_and_surplus_keys_are_named(run):
    state = small_state()
    del state["dec.conv3_2.1.gamma"]
    refused(run(state), "1 missing", "decoder.levels.2.blocks.1.gamma")
    refused(run(small_state() | {"dec.extra": torch.ones(1)}), "surplus", "dec.extra")
    extra = {"dec.conv_512_2_up.1.weight": torch.ones(32, 32, 3, 3)}
    refused(run(small_state() | extra), "surplus")


def test_another_shape_is_named(run):
    state = small_state()
    state["enc.enc_r2t.0.weight"] = torch.ones(5, 23)
    refused(run(state), "motion_head.weight", "(5, 24)", "(5, 23)")


@pytest.mark.parametrize(
    "key",
    [
        "enc.enc_2r.block_512.skip.0.kernel",
        "dec.conv4_2_up.0.kernel",
        "dec.rgb_512.up.kernel",
    ],
)
def test_another_filter_is_refused(key, run):
    state = small_state()
    state[key][0, 0] += 0.01
    refused(run(state), key, "differs")


def test_damaged_numbers_are_refused(run):
    state = small_state()
    state["dec.conv2_1.activate.bias"][3] = float("nan")
    refused(run(state), "decoder.levels.1.up.bias", "NaN")
    state = small_state()
    state["dec.direction.weight"] = torch.ones(24)
    refused(run(state), "sizes unreadable")
