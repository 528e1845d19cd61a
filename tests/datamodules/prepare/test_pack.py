"""Packing: any order, any kill, and sources that change, always give one and the same set."""

import csv
import importlib
import json
import tarfile
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from datamodules.prepare import pack
from datamodules.prepare.jobs import Made
from datamodules.prepare.journal import Journal
from datamodules.prepare.pack import Packer

NAMES = ["b#2", "b#10", "a#1", "Ä" * 60, "c" * 150, "d"]
OPTIONS = {"form": "shards"}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Shards are closed from 2500 bytes on: two or three clips."""
    monkeypatch.setattr(pack, "MEGABYTE", 2500)


def content(name, version=0):
    return np.random.default_rng([version, *name.encode()]).bytes(900 + len(name))


def clip(root, name, version=0):
    """Write a clip as the engine does, and say what it is."""
    split = "test" if name == "d" else "train"
    path = root / split / f"{name}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content(name, version))
    fields = {"split": split, "identity": name[0], "source": f"{name}.avi", "frames": 9}
    return Made(
        **fields, path=f"{split}/{name}.mp4", fps="25", width=32, height=32, crop="square",
        box="0,0,32,32", without_head=0, sha256="0" * 64, key=f"{version}",
    )  # fmt: skip


def begin(root):
    journal = Journal(root, OPTIONS)
    for split in ("train", "test"):
        (root / split).mkdir(exist_ok=True)
    return journal


def make(root, names=NAMES, version=0):
    """One run of prepare over some clips; those that are there already are left."""
    journal = begin(root)
    packer = Packer(journal, 1)
    for name in names:
        known = [made for made in journal.made.values() if made.source == f"{name}.avi"]
        if not known or known[0].key != f"{version}":
            made = clip(root, name, version)
            journal.note(made)
            packer.add(made)
    return packer.finish()


def read(root):
    """What a reader finds through the index: split -> name -> bytes, in order."""
    found = {}
    for split in ("train", "test"):
        with (root / split / "index.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        found[split] = {}
        for row in rows:
            data = (root / split / row["shard"]).read_bytes()
            start = int(row["offset"])
            found[split][row["name"]] = data[start : start + int(row["bytes"])]
    return found


def members(root):
    """Every file in every shard, with how often it is there."""
    names = []
    for shard in sorted(root.glob("*/*.tar")):
        with tarfile.open(shard) as tar:
            names += [f"{shard.parent.name}/{m.name}" for m in tar]
    return sorted(names)


def expected(names=NAMES, version=0):
    train = ["a#1", "b#2", "b#10", "c" * 150, "Ä" * 60]
    return {
        "train": {name: content(name, version) for name in train if name in names},
        "test": {name: content(name, version) for name in ["d"] if name in names},
    }


def is_whole(root, version=0, names=NAMES):
    found = read(root)
    assert found == expected(names, version)
    assert [list(found[s]) for s in found] == [list(expected(names)[s]) for s in found]
    whole = [f"{split}/{name}.{end}" for split in found for name in found[split]
             for end in ("json", "mp4")]  # fmt: skip
    assert members(root) == sorted(whole)
    left = [path.name for path in root.rglob("*") if path.suffix in (".part", ".mp4")]
    assert not left


def test_clips_go_into_shards_and_leave_the_folder(tmp_path):
    ordered = make(tmp_path)
    is_whole(tmp_path)
    shards = sorted(path.name for path in (tmp_path / "train").glob("*.tar"))
    assert shards == ["00000.tar", "00001.tar"]
    assert [made.path.split("/")[1] for made in ordered if made.split == "test"] == ["00000.tar"]
    assert {made.path.rsplit("/", 1)[1] for made in ordered} == {f"{name}.mp4" for name in NAMES}
    with tarfile.open(tmp_path / "test" / "00000.tar") as tar:
        said = json.loads(tar.extractfile("d.json").read())
    assert (said["source"], said["frames"], said["split"]) == ("d.avi", 9, "test")
    assert not {"key", "path"} & set(said)


@pytest.mark.parametrize("order", list(permutations(range(5)))[::17])
def test_the_order_of_the_index_is_that_of_names(tmp_path, order):
    """Clips come as processes end; what is trained on must not depend on it."""
    make(tmp_path, [NAMES[n] for n in order] + ["d"])
    is_whole(tmp_path)


def test_the_same_clips_make_the_same_shards(tmp_path):
    for root in (tmp_path / "a", tmp_path / "b"):
        make(root)
    for shard in (tmp_path / "a").glob("*/*.tar"):
        other = tmp_path / "b" / shard.relative_to(tmp_path / "a")
        assert shard.read_bytes() == other.read_bytes()


class KilledError(BaseException):
    """What a kill is here: nothing that follows is done."""


def kill(monkeypatch, target, name, after):
    """Die in a call of `target.name`, the `after`th."""
    real, count = getattr(target, name), 0

    def dying(*words, **more):
        nonlocal count
        count += 1
        if count == after:
            raise KilledError
        return real(*words, **more)

    monkeypatch.setattr(target, name, dying)


DEATHS = {
    "in the middle of a shard": ("tarfile.TarFile", "addfile", 3),
    "in the middle of the second shard": ("tarfile.TarFile", "addfile", 8),
    "before the shard appears": ("pathlib.Path", "replace", 2),
    "shard closed, not noted": ("datamodules.prepare.journal.Journal", "note", 4),
    "noted, clips still there": ("pathlib.Path", "unlink", 3),
    "half of the clips removed": ("pathlib.Path", "unlink", 4),
    "before the index": ("datamodules.prepare.pack", "_index", 1),
    "between the indexes": ("datamodules.prepare.pack", "_index", 2),
    "half of the clips made": ("datamodules.prepare.journal.Journal", "note", 3),
}


@pytest.mark.parametrize("death", DEATHS)
def test_after_a_kill_the_same_set_comes_out(tmp_path, monkeypatch, death):
    place, name, after = DEATHS[death]
    module, _, attribute = place.rpartition(".")
    try:
        target = getattr(importlib.import_module(module), attribute)
    except AttributeError:
        target = importlib.import_module(place)
    with monkeypatch.context() as patch:
        kill(patch, target, name, after)
        with pytest.raises(KilledError):
            make(tmp_path)
    journal = begin(tmp_path)
    with journal.lock():  # sweeps what lies aside
        pass
    make(tmp_path)
    is_whole(tmp_path)


def test_a_shard_left_aside_is_no_shard(tmp_path):
    make(tmp_path, NAMES[:3])
    (tmp_path / "train" / ".00001.tar.4711.part").write_bytes(b"half of it")
    with begin(tmp_path).lock():
        make(tmp_path)
    is_whole(tmp_path)


def test_a_second_run_changes_nothing(tmp_path):
    make(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.glob("*/*")}
    make(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.glob("*/*")} == before


def test_more_clips_go_into_more_shards(tmp_path):
    make(tmp_path, NAMES[:3])
    first = (tmp_path / "train" / "00000.tar").read_bytes()
    make(tmp_path)
    is_whole(tmp_path)
    assert (tmp_path / "train" / "00000.tar").read_bytes() == first


def test_a_clip_made_again_replaces_the_one_in_its_shard(tmp_path):
    make(tmp_path)
    make(tmp_path, ["b#2"], version=1)
    whole = expected()
    whole["train"]["b#2"] = content("b#2", 1)
    assert read(tmp_path) == whole
    assert members(tmp_path) == sorted({*members(tmp_path)})
    assert len(members(tmp_path)) == 2 * len(NAMES)
    make(tmp_path, version=2)
    is_whole(tmp_path, version=2)


def test_a_shard_that_is_lost_is_made_again(tmp_path):
    make(tmp_path)
    (tmp_path / "train" / "00000.tar").unlink()
    make(tmp_path)
    is_whole(tmp_path)


@pytest.mark.parametrize("damage", [lambda data: data[:1500], lambda data: b"words" * 200])
def test_a_damaged_shard_is_named_with_what_to_do(tmp_path, damage):
    make(tmp_path)
    shard = tmp_path / "train" / "00001.tar"
    shard.write_bytes(damage(shard.read_bytes()))
    with pytest.raises(ValueError, match=r"shard .*train/00001\.tar is damaged .*: remove it"):
        make(tmp_path)
    shard.unlink()
    make(tmp_path)
    is_whole(tmp_path)


def test_a_split_without_clips_has_an_index_of_none(tmp_path):
    make(tmp_path, ["d"])
    assert read(tmp_path) == {"train": {}, "test": {"d": content("d")}}


def test_what_is_noted_lies_in_shards(tmp_path):
    make(tmp_path)
    made = begin(tmp_path).made.values()
    assert len(made) == len(NAMES)
    assert all(item.path.split("/")[1].endswith(".tar") for item in made)
    assert all(item == replace(item, key="x") for item in made)
