"""A root in shards, as `prepare` writes it: found whole, and every damage to it told."""

import csv
import shutil

import pytest

from datamodules.check.files import Packed
from datamodules.prepare.command import main as prepare
from datamodules.splits import read_table

PLACES = {
    "train/anna#1": "train0",
    "train/anna#2": "train1",
    "train/bob#1": "train2",
    "test/carl#1": "test0",
}


@pytest.fixture(scope="session")
def packed(tmp_path_factory, films, save):
    """Four clips in shards: bob#1 alone in the last of train."""
    folder = tmp_path_factory.mktemp("packed")
    for number, (place, name) in enumerate(PLACES.items()):
        save(folder / "source" / f"{place}.mp4", films[name][: 20 + number])
    options = ["--size", "64", "--identities", "prefix(#)", "--workers", "1"]
    words = ["folder", str(folder / "source"), str(folder / "root"), "--format", "shards", *options]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datamodules.prepare.pack.MEGABYTE", 15_000)
        assert prepare([*words, "--shard-size", "1"]) == 0
    return folder / "root"


@pytest.fixture
def root(packed, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(packed, tmp_path / "root")


def table(path):
    return {row.get("path") or row["name"]: row for row in read_table(path, ())}


def write(path, rows):
    rows = list(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def change(path, name, **values):
    rows = table(path)
    rows[name] |= values
    write(path, rows.values())


def piece(root, name):
    row = table(root / "train/index.csv")[name]
    offset, size = int(row["offset"]), int(row["bytes"])
    return Packed(root / "train" / row["shard"], offset, size, int(row["frames"]), "")


def place(root, name):
    return f"train/{piece(root, name).shard.name}/{name}.mp4"


def test_a_good_root(run, packed, tmp_path):
    status, said, err = run(packed, "--workers", 2, "--output", tmp_path / "table.csv")
    assert (status, err) == (0, "")
    assert said["TABLE"][1].split() == ["train", "3", "63", "0.00", "64x64", "25", "2", "1/1.5/2"]
    assert said["TABLE"][2].split() == ["test", "1", "23", "0.00", "64x64", "25", "1", "1/1/1"]
    assert said["BROKEN"] == said["LEAKS"] == []
    why = "the shards' index has them"
    assert said["NOTES"] == [f"identities by csv(manifest.csv,identity) ({why})"]
    rows, manifest = table(tmp_path / "table.csv"), table(packed / "manifest.csv")
    assert set(rows) == set(manifest)
    assert all(rows[path]["identity"] == manifest[path]["identity"] for path in rows)
    assert all(rows[path]["frames"] == manifest[path]["frames"] for path in rows)


def test_without_a_manifest_the_index_tells_who_is_shown(run, root):
    (root / "manifest.csv").unlink()
    change(root / "train/index.csv", "bob#1", identity="carl")
    status, said, _ = run(root)
    assert status == 1
    line = "identity: carl is in both splits (1 clips of train, 1 of test)"
    assert said["LEAKS"] == [line]
    _, said, _ = run(root, "--quick", "--identities", "csv(people.csv,who)")  # as training does
    assert said["LEAKS"] == [line]
    status, said, _ = run(root, "--quick", "--identities", "prefix(#)")
    assert status == 0
    assert said["NOTES"][0] == "identities by prefix(#) (as asked)"


def test_bytes_that_changed(run, root):
    """One byte of a comment that no decoder reads: only the hash tells."""
    where = piece(root, "anna#1")
    content = bytearray(where.shard.read_bytes())
    at = content.index(b"x264 - core", where.offset, where.offset + where.size)
    content[at] ^= 0x20
    where.shard.write_bytes(content)
    status, said, _ = run(root)
    assert status == 1
    (line,) = said["BROKEN"]
    assert line.startswith(f"{place(root, 'anna#1')}: changed since it was prepared")
    assert run(root, "--quick")[0] == 0


def test_frames_that_differ(run, root):
    anna, bob = place(root, "anna#1"), place(root, "bob#1")
    change(root / "train/index.csv", "anna#1", frames="21")
    change(root / "manifest.csv", bob, frames="9")
    for words in ([], ["--quick"]):
        status, said, _ = run(root, *words)
        assert status == 1
        assert said["BROKEN"] == [
            f"{anna}: has 20 frames, index.csv says 21: pack the shards again",
            f"{bob}: has 22 frames, manifest.csv says 9",
        ]


def test_index_and_manifest_list_other_clips(run, root):
    index, manifest = table(root / "train/index.csv"), table(root / "manifest.csv")
    anna, bob = place(root, "anna#1"), place(root, "bob#1")
    del index["anna#1"], manifest[bob]
    write(root / "train/index.csv", index.values())
    write(root / "manifest.csv", manifest.values())
    status, said, _ = run(root)
    assert status == 1
    assert said["BROKEN"] == [
        f"{anna}: listed in manifest.csv, but not in train/index.csv",
        f"{bob}: not listed in manifest.csv",
    ]


def test_a_shard_that_breaks_off_and_one_that_is_gone(run, root, tmp_path):
    bob, anna = piece(root, "bob#1"), piece(root, "anna#1")
    assert bob.shard != anna.shard
    with bob.shard.open("r+b") as file:
        file.truncate(bob.offset + bob.size - 1)
    anna.shard.unlink()
    status, said, err = run(root)
    assert (status, err) == (1, "")
    reasons = dict(line.split(": ", 1) for line in said["BROKEN"])
    assert f"train/{bob.shard.name} is truncated" in reasons[f"train/{bob.shard.name}/bob#1.mp4"]
    assert f"train/{anna.shard.name} is missing" in reasons[f"train/{anna.shard.name}/anna#1.mp4"]
    assert str(tmp_path) not in " ".join(said["BROKEN"])
    assert said["TABLE"][2].split()[:3] == ["test", "1", "23"]


def test_an_index_that_points_elsewhere(run, root):
    where = piece(root, "anna#1")
    change(root / "train/index.csv", "anna#1", offset=where.offset + 100, identity="")
    status, said, _ = run(root)
    assert status == 1
    (line,) = said["BROKEN"]
    assert line.startswith(f"{place(root, 'anna#1')}: is not a video that can be read")
    assert "has no identity in index.csv" in line


def test_clips_shared_by_the_splits(run, root):
    """The test split's shard is train's last: the same clip and the same person."""
    shutil.copy(piece(root, "bob#1").shard, root / "test/bob.tar")
    rows = [*table(root / "test/index.csv").values(), table(root / "train/index.csv")["bob#1"]]
    write(root / "test/index.csv", [*rows[:-1], rows[-1] | {"shard": "bob.tar"}])
    status, said, _ = run(root)
    assert status == 1
    assert said["LEAKS"] == [
        f"same clip: {place(root, 'bob#1')} and test/bob.tar/bob#1.mp4 (22 frames)",
        "identity: bob is in both splits (1 clips of train, 1 of test)",
    ]
    assert said["BROKEN"] == ["test/bob.tar/bob#1.mp4: not listed in manifest.csv"]


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "damaged"), ("a,b\n1,2\n", "damaged"), (None, "there are no shards at")],
)
def test_a_bad_index_is_one_line(run, root, content, message):
    path = root / "test/index.csv"
    path.unlink() if content is None else path.write_text(content)
    status, _, err = run(root)
    assert status == 2
    assert err.count("\n") == 1
    assert message in err


def test_a_split_file_does_not_apply(run, packed):
    status, _, err = run(packed, "--split-file", "test.txt")
    assert status == 2
    assert "--split-file does not apply to shards" in err
