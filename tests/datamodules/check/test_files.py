"""What a training root holds: files, or pieces of shards, told by hand-written indexes."""

import pytest

from datamodules.check.files import ClipFile, Packed, clips_of

FOLDERS = {"train": "train", "test": "test"}
HEAD = "name,identity,frames,fps,shard,offset,bytes\n"


@pytest.fixture
def shards(tmp_path):
    """Two splits; a shard of 40 bytes, 0 to 39, in each."""
    for split in FOLDERS:
        folder = tmp_path / split
        folder.mkdir()
        (folder / "00000.tar").write_bytes(bytes(range(40)))
    (tmp_path / "train/index.csv").write_text(
        f"{HEAD}b,bob,9,25,00000.tar,10,5\na,anna,8,30000/1001,00000.tar,30,10\n"
    )
    (tmp_path / "test/index.csv").write_text(f"{HEAD}c,carl,7,25,00000.tar,0,4\n")
    return tmp_path


def test_clips_of_both_splits_train_first(small_root):
    found = clips_of(small_root, FOLDERS, None)
    assert [(file.split, file.path.name) for file in found] == [
        ("train", "a#1"),
        ("train", "a#2"),
        ("train", "b#1"),
        ("test", "b#2"),
        ("test", "c#1"),
    ]
    assert not any(file.packed for file in found)


def test_clips_in_shards_are_those_of_the_index(shards):
    found = clips_of(shards, FOLDERS, None)
    train, test = shards / "train/00000.tar", shards / "test/00000.tar"
    assert found == [
        ClipFile("train", train / "b.mp4", Packed(train, 10, 5, 9, "bob")),
        ClipFile("train", train / "a.mp4", Packed(train, 30, 10, 8, "anna")),
        ClipFile("test", test / "c.mp4", Packed(test, 0, 4, 7, "carl")),
    ]
    assert [list(file.packed.read()) for file in found] == [
        list(range(10, 15)),
        list(range(30, 40)),
        list(range(4)),
    ]


@pytest.mark.parametrize("name", ["/etc/passwd", "../../x"])
def test_names_stay_below_the_root(shards, name):
    (shards / "test/index.csv").write_text(f"{HEAD}{name},carl,7,25,00000.tar,0,4\n")
    (file,) = [file for file in clips_of(shards, FOLDERS, None) if file.split == "test"]
    assert file.path.is_relative_to(shards / "test/00000.tar")


@pytest.mark.parametrize(("offset", "size"), [(31, 10), (40, 1), (0, 10**17), (2**62, 1)], ids=str)
def test_a_piece_beyond_the_end_is_refused_before_it_is_read(shards, offset, size):
    piece = Packed(shards / "train/00000.tar", offset, size, 1, "")
    with pytest.raises(ValueError, match=r"00000\.tar is truncated: it holds 40 bytes"):
        piece.read()


def test_a_missing_shard(shards):
    with pytest.raises(FileNotFoundError, match=r"00001\.tar is missing"):
        Packed(shards / "train/00001.tar", 0, 1, 1, "").read()


def test_one_split_in_shards_alone_is_refused(shards):
    (shards / "test/index.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"no shards at .*test"):
        clips_of(shards, FOLDERS, None)


def test_a_damaged_index(shards):
    (shards / "train/index.csv").write_text(HEAD.replace("offset", "place") + "a,b,1,1,c,1,1\n")
    with pytest.raises(ValueError, match=r"index\.csv is damaged"):
        clips_of(shards, FOLDERS, None)


def test_shards_are_dealt_before_packing(shards):
    with pytest.raises(ValueError, match="--split-file does not apply to shards"):
        clips_of(shards, FOLDERS, "test.txt")


def test_weights_of_files(shards, tmp_path):
    packed = clips_of(shards, FOLDERS, None)[1]
    assert packed.weight() == (0, 10)
    assert ClipFile("train", shards / "train/00000.tar").weight() == (0, 40)
    assert ClipFile("train", shards / "train").weight() == (2, 0)
    assert ClipFile("train", tmp_path / "gone").weight() == (0, 0)
