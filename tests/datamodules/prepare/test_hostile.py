"""Two hundred broken or hostile files: prepare and check neither crash nor hang on any."""

import csv
import os
import warnings

import av
import numpy as np
import pytest

from datamodules import FramePairs, media
from datamodules.__main__ import main
from tests.datamodules.prepare import hostile

GOOD = (".mp4", ".mov", ".mkv", ".webm", ".gif")


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """Ending -> bytes of a good file."""
    return hostile.make_bases(tmp_path_factory.mktemp("bases"))


def lay_out(folder, bases, seed=0):
    """A folder of hostile files and five good ones; returns what lies there."""
    folder.mkdir(parents=True)
    made = hostile.make_all(folder, bases, seed=seed)
    for letter, ending in zip("abcde", GOOD, strict=True):
        (folder / f"good {letter}{ending}").write_bytes(bases[ending])
    return made


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_there_are_two_hundred_of_all_kinds(tmp_path, bases):
    made = lay_out(tmp_path / "a", bases)
    assert len(set(made)) == 200
    assert all(path.is_symlink() or path.exists() for path in made)
    again = lay_out(tmp_path / "b", bases)
    same = [
        a.read_bytes() == b.read_bytes() for a, b in zip(made, again, strict=True) if a.is_file()
    ]
    assert sum(same) > 150  # some containers note a random number
    for ending, data in bases.items():
        (tmp_path / f"base{ending}").write_bytes(data)
        with media.open_clip(tmp_path / f"base{ending}") as clip:
            assert len(list(clip)) == clip.num_frames >= 1, ending


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 4))])
def test_prepare_makes_or_lists_every_file(tmp_path, bases, capfd, seed):
    """Whatever lies there: a clip that plays, or a line that says why not."""
    source, root = tmp_path / "source", tmp_path / "root"
    made = lay_out(source, bases, seed)
    words = ["--size", "32", "--workers", "2", "--min-frames", "1", "--limit", "30"]
    assert main(["prepare", "folder", str(source), str(root), *words]) == 0
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    assert "Warning" not in out + err
    clips, skipped = rows(root / "manifest.csv"), rows(root / "skipped.csv")
    done, listed = {row["source"] for row in clips}, {row["source"] for row in skipped}
    assert not done & listed
    assert {path.relative_to(source).as_posix() for path in made} <= done | listed
    assert {f"good {letter}{end}" for letter, end in zip("abcde", GOOD, strict=True)} <= done
    assert len(done) + len(listed) == len(made) + len(GOOD)
    assert 50 < len(done) < 150
    for row in skipped:
        assert len(row["reason"]) > 10, row
        assert "\n" not in row["reason"]
        assert "given up" not in row["reason"], row
        assert "process down" not in row["reason"], row
    assert not [path for path in root.rglob("*") if path.name.endswith(".part")]
    plays(root, clips)


def plays(root, clips):
    """Every clip holds the frames that the manifest says, and the data module reads them."""
    frames = {row["path"]: int(row["frames"]) for row in clips}
    data = FramePairs(str(root), image_size=32)
    data.setup("fit")
    read = 0
    for split, found in (("train", data.train_clips), ("test", data.test_clips)):
        for i in range(len(found)):
            assert found.num_frames(i) == frames[f"{split}/{found.name(i)}"]
            last = found.num_frames(i) - 1
            assert found.read(i, [0, last, last // 2]).shape == (3, 3, 32, 32)
            read += 1
    assert read == len(clips)


@pytest.mark.timeout(120)
def test_check_survives_a_root_of_them(tmp_path, bases, capfd):
    lay_out(tmp_path / "train", bases)
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "good.mp4").write_bytes(bases[".mp4"])
    assert (
        main(["check", str(tmp_path), "--workers", "2", "--output", str(tmp_path / "c.csv")]) == 1
    )
    out, err = capfd.readouterr()
    assert "BROKEN" in out
    assert "Traceback" not in out + err
    assert "seconds" not in out


@pytest.mark.timeout(120)
def test_the_loader_names_what_it_cannot_read(tmp_path, bases):
    """Training on them as they are: each read gives frames or an error that names the file."""
    made = lay_out(tmp_path / "source", bases)
    refused = 0
    for path in made:
        if not (path.is_file() or path.is_dir()):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                with media.open_clip(path, strips=True) as clip:
                    got = clip.read([0, clip.num_frames - 1])
        except (ValueError, OSError) as error:
            assert path.name in str(error)  # noqa: PT017 - either outcome is right
            refused += 1
        else:
            assert got.dtype == np.uint8
            assert got.shape == (2, *clip.size, 3)
    assert 60 < refused < 160


@pytest.mark.parametrize("n", range(8))
def test_what_names_other_files_is_refused(tmp_path, bases, n):
    """FFmpeg would open what a list names, and that may lie anywhere."""
    maker = hostile.Maker(tmp_path, bases, 0)
    with pytest.raises(ValueError, match="not a video that can be read"):
        media.open_clip(maker.playlist(n))


def test_what_a_list_names_would_have_been_opened(tmp_path, bases):
    """Left to itself, FFmpeg obeys: the test above can fail."""
    path = hostile.Maker(tmp_path, bases, 0).playlist(0)
    with av.open(str(path)) as container:
        assert container.format.name == "concat"
        assert sum(1 for _ in container.decode(video=0)) == 20


def test_names_that_are_no_utf_8(tmp_path, bases, capfd):
    source = tmp_path / "source"
    source.mkdir()
    for name in (b"good.mp4", b"zo\xeb.mp4"):
        with open(os.path.join(os.fsencode(source), name), "wb") as file:  # noqa: PTH118, PTH123
            file.write(bases[".mp4"])
    words = ["--size", "32", "--workers", "1"]
    assert main(["prepare", "folder", str(source), str(tmp_path / "root"), *words]) == 0
    assert len(rows(tmp_path / "root" / "manifest.csv")) == 2
    assert "Traceback" not in capfd.readouterr().err
