"""The command: what it prints, what it writes, how it ends."""

import csv
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from datamodules.check import command
from datamodules.check.files import ClipFile, Packed
from datamodules.prepare.digest import digest_of


@pytest.fixture
def good(tmp_path, films, save):
    """train/: anna#1, anna#2, bob#1; test/: carl#1, all different."""
    root = tmp_path / "root"
    for place, name in (
        ("train/anna#1", "train0"),
        ("train/anna#2", "train1"),
        ("train/bob#1", "train2"),
        ("test/carl#1", "test0"),
    ):
        save(root / f"{place}.mp4", films[name][:30])
    return root


def write_manifest(root, **changes):
    """As `prepare` writes it; changes of single fields by path."""
    columns = ("path", "split", "identity", "frames", "sha256")
    with (root / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for path in sorted(root.glob("t*/*.mp4")):
            place = path.relative_to(root).as_posix()
            row = {"path": place, "split": path.parent.name, "identity": path.stem[:3]}
            row |= {"frames": 30, "sha256": digest_of(path)}
            writer.writerow(row | changes.get(place, {}))


def test_a_good_root(run, good):
    status, said, err = run(good, "--workers", 2)
    assert status == 0
    assert said["TABLE"][0].split()[:4] == ["split", "clips", "frames", "hours"]
    assert said["TABLE"][1].split() == ["train", "3", "90", "0.00", "96x96", "25", "2", "1/1.5/2"]
    assert said["TABLE"][2].split() == ["test", "1", "30", "0.00", "96x96", "25", "1", "1/1/1"]
    assert said["BROKEN"] == said["LEAKS"] == []
    assert said["NOTES"] == ["identities by prefix(#) (4 of 4 names hold a #)"]
    assert err == ""


def giant_png(path):
    """A picture of a few bytes that claims 40000 x 40000 pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 40000, 40000, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + data)


def test_hostile_files_are_listed_with_their_reasons(run, good, tmp_path):
    train = good / "train"
    whole = (train / "anna#1.mp4").read_bytes()
    (train / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (train / "zero.mp4").touch()
    (train / "text.mp4").write_text("I am no film\n")
    (train / "folder.mp4").mkdir()
    (train / "loop.mp4").symlink_to(train / "loop.mp4")
    (train / "around").symlink_to(train)
    (train / "gone.mov").symlink_to(tmp_path / "nowhere")
    os.mkfifo(train / "pipe.mp4")
    giant_png(train / "giant.png")
    (train / "noise.gif").write_bytes(np.random.default_rng(0).bytes(500))
    (train / "sound.avi").write_bytes(b"RIFF\x00\x00\x00\x00AVI LIST" + bytes(100))
    Image.fromarray(np.zeros((10, 15, 3), np.uint8)).save(train / "single.png")
    sizes = train / "sizes"
    sizes.mkdir()
    for side in (10, 12):
        Image.fromarray(np.zeros((side, side, 3), np.uint8)).save(sizes / f"{side}.png")
    os.close(os.open(os.fsencode(train) + b"/\xff\n.mp4", os.O_CREAT))

    status, said, err = run(good)
    assert status == 1
    assert err == ""
    reasons = dict(line.split(": ", 1) for line in said["BROKEN"])
    wanted = {
        "cut.mp4": "truncated",
        "zero.mp4": "0 bytes",
        "text.mp4": "not a video that can be read",
        "folder.mp4": "no png or jpg",
        "loop.mp4": "does not exist",
        "around": "giant.png has too many pixels",  # the only picture in it
        "gone.mov": "does not exist",
        "pipe.mp4": "neither a file nor a folder",
        "giant.png": "too many pixels",
        "noise.gif": "not a picture",
        "sound.avi": "",
        "single.png": "1 frame",
        "sizes": "all frames of a clip must have one size",
        r"\udcff\n.mp4": "0 bytes",
    }
    assert set(reasons) == {f"train/{name}" for name in wanted}
    for name, reason in wanted.items():
        assert reason in reasons[f"train/{name}"], name
        assert str(tmp_path) not in reasons[f"train/{name}"]
    assert said["TABLE"][1].split()[:3] == ["train", "17", "91"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_listed(run, good):
    (good / "train/anna#1.mp4").chmod(0)
    status, said, _ = run(good)
    assert status == 1
    assert "train/anna#1.mp4" in said["BROKEN"][0]


def test_a_clip_that_does_not_end_in_time_is_listed(run, good, monkeypatch):
    slow = good / "train/slow#1"
    slow.mkdir()
    Image.new("RGB", (6000, 6000)).save(slow / "0.png", compress_level=1)
    for t in range(1, 40):  # seconds of decoding
        (slow / f"{t}.png").hardlink_to(slow / "0.png")
    monkeypatch.setattr(command, "_patience", lambda file: 0.5 if file.path == slow else 60)
    status, said, _ = run(good)
    assert status == 1
    assert said["BROKEN"] == ["train/slow#1: took more than 0.5 seconds"]
    assert said["TABLE"][1].split()[:3] == ["train", "4", "90"]


def test_larger_clips_may_take_longer(tmp_path):
    (tmp_path / "a.mp4").write_bytes(bytes(2_000_000))
    for file, more in (
        (ClipFile("train", tmp_path / "a.mp4"), 2 * command.PER_MEGABYTE),
        (ClipFile("train", tmp_path), command.PER_PICTURE),
        (ClipFile("train", tmp_path / "gone"), 0),
        (
            ClipFile("train", tmp_path / "b", Packed(tmp_path, 0, 5_000_000, 9, "")),
            5 * command.PER_MEGABYTE,
        ),
    ):
        assert command._patience(file) == command.PATIENCE + more


def test_leaks_between_the_splits(run, good, films, save):
    save(good / "test/dora#1.mp4", films["train0"][5:25], crf=35)
    save(good / "test/emil#1.mp4", films["train1"][:30, :, ::-1])
    save(good / "test/bob#2.mp4", films["test1"][:30])
    status, said, _ = run(good)
    assert status == 1
    assert said["LEAKS"] == [
        "same clip: train/anna#1.mp4 and test/dora#1.mp4 (20 frames)",
        "mirrored clip: train/anna#2.mp4 and test/emil#1.mp4 (30 frames)",
        "identity: bob is in both splits (1 clips of train, 1 of test)",
    ]
    assert said["BROKEN"] == []


def test_copies_within_a_split_are_notes(run, good, films, save):
    save(good / "train/bob#2.mp4", films["train0"][:30], crf=30)
    status, said, _ = run(good)
    assert status == 0
    assert said["NOTES"][1:] == [
        "same clip: train/anna#1.mp4 and train/bob#2.mp4 (30 frames)",
    ]


def test_odd_sizes_and_rates_and_still_clips_are_notes(run, good, films, save, halved):
    save(good / "train/small#1.mp4", halved(films["test1"]))
    save(good / "train/slow#1.mp4", films["test2"], fps=10)
    save(good / "test/still#1.mp4", np.repeat(films["test1"][:1, ::-1], 12, 0))
    status, said, _ = run(good)
    assert status == 0
    assert said["NOTES"][1:] == [
        "train/small#1.mp4: its size is 48x48, most have 96x96",
        "train/slow#1.mp4: its rate is 10, most have 25",
        "test/still#1.mp4: nothing moves, so there is nothing to learn",
    ]


def test_a_true_manifest_is_taken_for_identities(run, good):
    write_manifest(good)
    status, said, _ = run(good)
    assert status == 0
    assert said["NOTES"] == ["identities by csv(manifest.csv,identity) (the root has a manifest)"]


def test_a_manifest_that_does_not_fit(run, good, films, save):
    save(good / "train/lost#1.mp4", films["test1"][:30])
    write_manifest(good, **{"train/anna#2.mp4": {"frames": 31}})
    (good / "train/lost#1.mp4").unlink()
    save(good / "train/bob#1.mp4", films["train2"][:30], crf=20)
    save(good / "test/new#1.mp4", films["test2"][:30])
    status, said, _ = run(good, "--identities", "prefix(#)")
    assert status == 1
    assert said["BROKEN"] == [
        "train/lost#1.mp4: listed in manifest.csv, but missing",
        "train/anna#2.mp4: has 30 frames, manifest.csv says 31",
        "train/bob#1.mp4: changed since it was prepared: its sha256 is not the one in manifest.csv",
        "test/new#1.mp4: not listed in manifest.csv",
    ]
    _, said, _ = run(good)  # now the identity of the new clip is not known either
    assert "has no identity for test/new#1.mp4" in said["BROKEN"][-1]


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "", "\xff"])
def test_a_damaged_manifest_is_broken(run, good, content):
    (good / "manifest.csv").write_bytes(content.encode("latin-1"))
    status, said, _ = run(good)
    assert status == 1
    (line,) = said["BROKEN"]
    assert "manifest.csv" in line
    assert "prefix(#)" in said["NOTES"][0]


def test_names_without_a_mark_tell_no_identities(run, tmp_path, films, save):
    for split in ("train", "test"):
        save(tmp_path / split / "1.mp4", films[f"{split}0"])
    status, said, _ = run(tmp_path)
    assert status == 0  # that both are called 1 says nothing
    assert "identities by clip" in said["NOTES"][0]
    assert "cannot be told" in said["NOTES"][1]
    assert "unknown" in said["TABLE"][1]


def test_a_quick_look_finds_whole_copies(run, good, films, save):
    write_manifest(good, **{"train/anna#1.mp4": {"sha256": "not looked at"}})
    save(good / "test/dora#1.mp4", films["train0"][:30, :, ::-1], crf=30)
    status, said, _ = run(good, "--quick", "--identities", "clip")
    assert status == 1
    assert said["LEAKS"] == ["mirrored clip: train/anna#1.mp4 and test/dora#1.mp4 (3 frames)"]
    assert said["BROKEN"] == ["test/dora#1.mp4: not listed in manifest.csv"]
    assert any("quick" in note for note in said["NOTES"])


def test_the_table_has_a_line_for_each_clip(run, good, films, save, tmp_path):
    save(good / "test/dora#1.mp4", films["train0"][:30])
    (good / "train/zero#1.mp4").touch()
    target = tmp_path / "new" / "table.csv"
    run(good, "--output", target)
    with target.open(newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert next(iter(rows)) == "train/anna#1.mp4"
    assert len(rows) == 6
    row = rows["train/anna#1.mp4"]
    assert (row["split"], row["identity"], row["frames"]) == ("train", "anna", "30")
    assert (row["fps"], row["width"], row["height"]) == ("25", "96", "96")
    assert 0 < float(row["motion"]) < 1
    assert row["problem"] == "same clip as test/dora#1.mp4"
    assert rows["train/zero#1.mp4"]["frames"] == ""
    assert "0 bytes" in rows["train/zero#1.mp4"]["problem"]
    assert rows["train/bob#1.mp4"]["problem"] == ""
    assert [p.name for p in target.parent.iterdir()] == ["table.csv"]


def test_long_sections_are_cut(run, good):
    for number in range(25):
        (good / f"train/z{number}#.mp4").touch()
    _, said, _ = run(good)
    assert len(said["BROKEN"]) == 21
    assert said["BROKEN"][-1] == "... and 5 more"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "does not exist"),
        (["--test", "other"], "other does not exist"),
        (["--split-file", "no.txt"], "no.txt"),
        (["--identities", "by face"], "none of clip, prefix"),
        (["--identities", "csv(no.csv,who)"], "no.csv does not exist"),
        (["--workers", "0"], "--workers"),
        (["--frame-width", "wide"], "--frame-width"),
        (["--output", "table.txt"], "must end in .csv"),
        (["--unknown"], "unknown"),
        (["s3://bucket/set"], "s3://bucket/set is an address: copy the set to a disk"),
        ([], "ROOT"),
    ],
)
def test_calls_that_the_user_has_to_change(run, good, arguments, message):
    root = [good] if arguments and arguments[0].startswith("--") else []
    status, _, err = run(*root, *arguments)
    assert status == 2
    assert err.count("\n") == 1
    assert message in err


def test_a_split_file_deals_one_folder(run, tmp_path, films, save):
    for name in ("train0", "train1", "test0"):
        save(tmp_path / f"{name}.mp4", films[name])
    (tmp_path / "test.txt").write_text("test0.mp4\n")
    status, said, _ = run(tmp_path, "--split-file", "test.txt")
    assert status == 0
    assert [row.split()[1] for row in said["TABLE"][1:]] == ["2", "1"]
