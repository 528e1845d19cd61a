"""What every published file is asked, on files of two entries made up here."""

from dataclasses import replace

import pytest
import torch

from animators.commands.import_weights import main
from animators.official import OfficialWeights, _renamed, import_official, official_state
from tests.animators.lia.official import small_state

TWO = OfficialWeights(
    class_path="animators.nothing.Nothing",
    entries={"generator": "g.", "detector": "d.", "extra": "e."},
    optional=("extra",),
    ignored=("epoch",),
    configs=("one", "two"),
    landmarks=("g.weight", "d.weight"),
    arguments=lambda state, config: {"width": len(state["g.weight"]), "config": config},
    names={r"([gde])\.weight": r"part.\1"},
    dropped={r"d\.idle": "nothing reads it"},
    constants={r"g\.kernel": torch.tensor([0.25, 0.5, 0.25])},
)


def file(**changes):
    """What the trainer wrote."""
    content = {
        "generator": {"weight": torch.ones(3), "kernel": torch.tensor([0.25, 0.5, 0.25])},
        "detector": {"weight": torch.zeros(2), "idle": torch.ones(1)},
        "epoch": 99,
    }
    return {k: v for k, v in (content | changes).items() if v is not None}


@pytest.fixture
def read(tmp_path):
    """The state of a file of this content."""

    def call(content, official=TWO, **options):
        torch.save(content, tmp_path / "official.pth.tar", **options)
        return official_state(official, tmp_path / "official.pth.tar", "two")

    return call


def test_entries_become_one_state_under_their_prefixes(read):
    state = read(file())
    assert set(state) == {"g.weight", "g.kernel", "d.weight", "d.idle"}
    assert TWO.arguments(state, "two") == {"width": 3, "config": "two"}


def test_an_optional_entry_is_read_where_it_is(read):
    assert torch.equal(read(file(extra={"weight": torch.ones(1)}))["e.weight"], torch.ones(1))


def test_files_older_than_zip_archives_are_read(read):
    state = read(file(), _use_new_zipfile_serialization=False)
    assert torch.equal(state["d.weight"], torch.zeros(2))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"detector": None}, "no entry 'detector', it holds generator, epoch"),
        ({"extra": 3}, "no entry 'extra'"),
        ({"optimizer": {}}, "surplus entries optimizer"),
        ({"detector": {}}, r"lacks d\.weight"),
        ({"extra": {"weight": "text"}}, r"other than tensors: e\.weight"),
    ],
)
def test_what_does_not_belong_is_named(read, changes, said):
    with pytest.raises(ValueError, match=said):
        read(file(**changes))


def test_keys_are_renamed_dropped_and_checked(tmp_path, read):
    state = read(file())
    assert set(_renamed(TWO, state, tmp_path)) == {"part.g", "part.d"}
    with pytest.raises(ValueError, match=r"1 surplus key\(s\): d\.idle"):
        _renamed(replace(TWO, dropped={}), state, tmp_path)


def test_a_fixed_filter_may_differ_by_rounding_and_by_no_more(tmp_path, read):
    state = read(file())
    state["g.kernel"][1] += 5e-7
    _renamed(TWO, state, tmp_path)
    state["g.kernel"][1] += 5e-6
    with pytest.raises(ValueError, match=r"g\.kernel differs"):
        _renamed(TWO, state, tmp_path)
    with pytest.raises(ValueError, match=r"g\.kernel differs"):
        _renamed(TWO, state | {"g.kernel": torch.ones(1)}, tmp_path)


def test_sizes_that_cannot_be_read_are_refused_whatever_they_raise(tmp_path, monkeypatch):
    path = tmp_path / "official.pth.tar"
    with monkeypatch.context() as patch:
        patch.setattr("animators.official.official_weights", lambda model: TWO)
        torch.save(file(generator={"weight": torch.tensor(3.0)}), path)
        with pytest.raises(ValueError, match=r"no two checkpoint: sizes unreadable \(len"):
            import_official("two", path)
    torch.save(
        {
            "inpainting_network": {"resblock.0.conv1.weight": torch.ones(1)},
            "dense_motion_network": {"maps.weight": torch.ones(1), "maps.bias": torch.ones(1)},
            "kp_detector": {
                "fg_encoder.fc.weight": torch.ones(1),
                "fg_encoder.fc.bias": torch.ones(4),
                "fg_encoder.layer1.0.conv1.weight": torch.ones(4),
            },
        },
        path,
    )
    with pytest.raises(ValueError, match=r"no tpsmm checkpoint: sizes unreadable \(.*zero"):
        import_official("tpsmm", path)


@pytest.mark.parametrize(
    ("extra", "name"), [([], "vox-256"), (["--config", "taichi-256"], "taichi-256")]
)
def test_the_command_says_which_configuration_it_took(extra, name, tmp_path, capsys):
    torch.save({"gen": small_state()}, tmp_path / "official.pt")
    paths = ["--input", str(tmp_path / "official.pt"), "--output", str(tmp_path / "ours.ckpt")]
    assert main(["--model", "lia", *paths, *extra]) == 0
    assert f"lia read as {name}, 64x64 pixels" in capsys.readouterr().out
