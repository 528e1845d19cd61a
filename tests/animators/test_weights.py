"""Checkpoints of ours: written whole, opened bit for bit, everything else refused with a remedy."""

import os

import pytest
import torch

from animators import load_animator
from animators.lia import Lia
from animators.weights import animator_class, choose_device, save_animator, some

ARGUMENTS = {"image_size": 64, "latent_dim": 16, "motion_dim": 3, "channel_multiplier": 1 / 32}


class Hostile:
    def __reduce__(self):
        return os.system, ("touch executed",)


@pytest.fixture
def lia():
    return Lia.for_inference(ARGUMENTS).eval()


@pytest.fixture
def saved(lia, tmp_path):
    path = tmp_path / "new" / "lia.ckpt"
    save_animator(lia, path)
    return path


def changed(saved, **entries):
    """Write the file anew with some entries replaced (None removes one)."""
    content = torch.load(saved, weights_only=True) | entries
    torch.save({key: value for key, value in content.items() if value is not None}, saved)
    return saved


def test_saved_and_opened_gives_the_same_pictures_bit_for_bit(lia, saved):
    opened = load_animator(saved, device="cpu")
    assert not opened.training
    assert opened.adversary is None
    source, driving = torch.rand(1, 3, 64, 64), torch.rand(1, 2, 3, 64, 64)
    assert torch.equal(opened.animate(source, driving), lia.animate(source, driving))


def test_the_file_holds_nothing_but_network_and_description(saved):
    content = torch.load(saved, weights_only=True)
    assert set(content) == {"state_dict", "animator"}
    assert content["animator"]["class_path"] == "animators.lia.Lia"
    assert all(name.startswith("network.") for name in content["state_dict"])
    assert [p.name for p in saved.parent.iterdir()] == ["lia.ckpt"]


def test_adversary_and_optimisers_of_a_training_checkpoint_are_left_out(saved):
    state = torch.load(saved, weights_only=True)["state_dict"]
    state["adversary.discriminator.logit.bias"] = torch.tensor([float("nan")])
    changed(saved, state_dict=state, optimizer_states=[{"state": {}}], epoch=3)
    assert load_animator(saved, device="cpu").adversary is None


def test_a_failed_write_leaves_nothing(lia, saved, monkeypatch):
    before = saved.read_bytes()

    def broken(content, file):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(OSError, match="disk full"):
        save_animator(lia, saved)
    assert saved.read_bytes() == before
    assert len(list(saved.parent.iterdir())) == 1


def test_missing_and_damaged_files(tmp_path, saved):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.ckpt does not exist"):
        load_animator(tmp_path / "nowhere.ckpt")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        load_animator(tmp_path)
    whole = saved.read_bytes()
    for content, words in (
        (b"", "is empty"),
        (b"not a checkpoint", "damaged or of another kind"),
        (whole[:-100], "damaged or of another kind"),
        (whole[:1000], "damaged or of another kind"),
    ):
        saved.write_bytes(content)
        with pytest.raises(ValueError, match=words):
            load_animator(saved)


def test_foreign_files_are_told_about_import(tmp_path):
    for content in ({"gen": {}}, {"state_dict": {}}, {"state_dict": {}, "animator": 3}):
        torch.save(content, tmp_path / "x.ckpt")
        with pytest.raises(ValueError, match="python -m animators import --model"):
            load_animator(tmp_path / "x.ckpt")


def test_code_is_never_run(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    changed(saved, hyper_parameters=Hostile())
    with pytest.raises(
        ValueError, match=r"holds code \((posix|nt)\.system\).*nothing of it was run"
    ):
        load_animator(saved)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ({"format": 99}, "checkpoint format 99, this version reads 1"),
        ({"format": 1, "class_path": "os.system"}, "no animator of this version"),
        ({"format": 1, "class_path": "animators.lia.LiaNetwork"}, "no animator of this version"),
        ({"format": 1, "class_path": "animators.nowhere.Lia"}, "no animator of this version"),
        ({"format": 1, "class_path": None}, "no animator of this version"),
        ({"format": 1, "class_path": "animators.lia.Lia"}, "init_args"),
        ({"format": 1, "class_path": "animators.lia.Lia", "init_args": {"x": 1}}, "does not fit"),
        (
            {"format": 1, "class_path": "animators.lia.Lia", "init_args": {"image_size": 65}},
            "does not fit.*image_size must be one of",
        ),
    ],
)
def test_descriptions_that_do_not_fit(saved, description, words):
    with pytest.raises(ValueError, match=words):
        load_animator(changed(saved, animator=description))


def test_only_modules_of_this_package_are_imported(tmp_path):
    for path in ("animators.commands.train.main", "antigravity.x", "animators..x", "x"):
        with pytest.raises(ValueError, match="no animator"):
            animator_class(path, tmp_path)


def test_state_that_does_not_fit(saved):
    original = torch.load(saved, weights_only=True)["state_dict"]
    name = "network.motion_head.0.bias"
    for value, words in (
        (torch.full((16,), float("nan")), "motion_head.0.bias holds NaN or infinity"),
        (torch.full((16,), float("inf")), "motion_head.0.bias holds NaN or infinity"),
        (torch.ones(15), r"motion_head.0.bias should have shape \(16,\), found \(15,\)"),
        ("text", "found str"),
    ):
        with pytest.raises(ValueError, match=words):
            load_animator(changed(saved, state_dict=original | {name: value}))
    extra = original | {"network.more": torch.ones(1)}
    with pytest.raises(ValueError, match="0 missing nothing, 1 surplus more"):
        load_animator(changed(saved, state_dict=extra))
    del original[name]
    with pytest.raises(ValueError, match=r"1 missing motion_head.0.bias"):
        load_animator(changed(saved, state_dict=original))


def test_devices():
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in {"cpu", "cuda"}
    for name in ("nonsense", "cuda:99"):
        with pytest.raises(ValueError, match="not available here"):
            choose_device(name)


def test_long_lists_are_cut():
    assert some(range(7)) == "0, 1, 2, 3, 4 and 2 more"
    assert some([]) == "nothing"
