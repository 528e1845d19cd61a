"""Splits of sets that papers have their own of, and sets that are not there."""

import hashlib
import itertools

import pytest

from datamodules import About, FramePairs
from datamodules.splits import find_clips, fingerprint, identity_rule, label_identities

BOTH = {"train": "set/train", "test": "set/test"}
ABOUT = About("Setty, a set", "https://example.org/setty", "python -m datamodules prepare setty X")


def names(found):
    return {split: [path.name for path in paths] for split, paths in found.items()}


def test_a_fingerprint_is_that_of_the_sorted_names():
    said = fingerprint(["b#1.mp4", "a#2.mp4", "v1.2"])
    assert said == "3-" + hashlib.sha256(b"a#2\nb#1\nv1.2").hexdigest()[:8]


def test_a_fingerprint_knows_names_and_nothing_else():
    clips = ["a.mp4", "b.mp4", "c"]
    same = [sorted(clips, reverse=True), ["a", "b", "c"], ["a.gif", "b.MP4", "c.png"]]
    assert {fingerprint(one) for one in same} == {fingerprint(clips)}
    other = [clips[:2], [*clips, "d"], ["a.mp4", "b.mp4", "d"], ["ab.mp4", "c", "d"], ["a\nb", "c"]]
    everyone = [fingerprint(one) for one in [clips, *other]]
    assert all(one != two for one, two in itertools.combinations(everyone, 2))


def test_a_missing_set_says_what_it_is_where_it_is_and_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        find_clips(tmp_path, BOTH, None, ABOUT)
    assert str(caught.value) == (
        f"{tmp_path}/set/train does not exist: Setty, a set; its owners publish it at "
        "https://example.org/setty; prepare it with `python -m datamodules prepare setty X`; "
        "or name another folder by DATA_ROOT=... of make or --data.init_args.root=..."
    )
    (tmp_path / "set/train").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"set/train holds no clip .*: Setty, a set; its owners"):
        find_clips(tmp_path, BOTH, None, ABOUT)


def test_a_set_may_have_no_train_split(tmp_path, write_frames):
    for name in ("b", "a"):
        write_frames(tmp_path / "set/test" / name, 1, 0)
    found = find_clips(tmp_path, BOTH | {"train": None}, None)
    assert names(found) == {"test": ["a", "b"]}
    assert label_identities(found, identity_rule("clip", tmp_path)) == {"test": [0, 1]}


def test_a_split_file_deals_anew_what_lies_in_both_folders(tmp_path, write_frames):
    for place in ("train/a", "train/b", "test/c", "test/d"):
        write_frames(tmp_path / "set" / place, 1, 0)
    (tmp_path / "set" / "paper.csv").write_text("name,split\nc,train\na,train\nb,test\n")
    found = find_clips(tmp_path, BOTH, "set/paper.csv")
    assert names(found) == {"train": ["a", "c"], "test": ["b"]}
    assert found["train"][1] == tmp_path / "set/test/c"
    (tmp_path / "test.txt").write_text("c\n")
    found = find_clips(tmp_path, BOTH | {"train": None}, "test.txt")
    assert names(found) == {"test": ["c"]}


def test_two_clips_of_one_name_cannot_be_dealt(tmp_path, write_frames):
    for place in ("train/a", "test/a"):
        write_frames(tmp_path / "set" / place, 1, 0)
    (tmp_path / "list.txt").write_text("a\n")
    with pytest.raises(ValueError, match=r"cannot tell .*train/a and .*test/a apart"):
        find_clips(tmp_path, BOTH, "list.txt")


def test_a_table_may_name_clips_relative_to_its_own_folder(tmp_path, write_frames):
    """As the `manifest.csv` that `prepare` writes into its root, which lies below ours."""
    rows = ["path,identity"]
    for place, who in (("train/x", "ann"), ("test/x", "bob"), ("test/y", "ann")):
        write_frames(tmp_path / "set" / place, 1, 0)
        rows.append(f"{place},{who}")
    (tmp_path / "set/manifest.csv").write_text("\n".join(rows) + "\n")
    labels = label_identities(
        find_clips(tmp_path, BOTH, None),
        identity_rule("csv(set/manifest.csv,identity)", tmp_path),
    )
    assert labels == {"train": [0], "test": [1, 0]}


def test_training_on_a_set_to_test_on_is_refused(tmp_path, write_frames):
    write_frames(tmp_path / "test" / "a", 3, 0)
    data = FramePairs(str(tmp_path), train=None, image_size=16, about=ABOUT)
    assert data.num_identities == 0
    with pytest.raises(ValueError, match=r"test \(Setty, a set\) is a set to test on or to take"):
        data.setup("fit")
    data.setup("validate")
    assert [batch["name"] for batch in data.val_dataloader()] == [["a"]]


def test_the_split_of_a_datamodule(small_root):
    data = FramePairs(str(small_root), image_size=16, split_name="vox1-metadata-19550-525")
    assert data.test_names == fingerprint(["b#2", "c#1"])
    for name in ("two words", "a@b", "", "a/b"):
        with pytest.raises(ValueError, match=r"data.split_name .* letters, digits"):
            FramePairs(str(small_root), split_name=name)
