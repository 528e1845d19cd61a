import hashlib
import os
import socket
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from datamodules.prepare.jobs import Made
from datamodules.prepare.sources import LONGEST, find_sources, plan_folder


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def found(folder, pictures="auto"):
    return [path.as_posix() for path in find_sources(folder, pictures).clips]


def planned(folder, *paths, **how):
    return plan_folder(folder, [Path(path) for path in paths], **how)


def made(job):
    """What a job becomes in the journal."""
    return Made(
        path=f"{job.split}/{job.name}.mp4", split=job.split, identity=job.identity,
        source=job.label, frames=9, fps="25", width=64, height=64, crop="square", box="0,0,9,9",
        without_head=0, sha256="",
    )  # fmt: skip


# What is found.


def test_nested_hidden_and_upper_case(tmp_path):
    touch(tmp_path, "b/deep/er/X.MP4", "a10.mov", "a9.WebM", "ä ö.GIF", ".hidden.mp4", "b/._x.mp4")
    touch(tmp_path, ".cache/y.mp4", "notes.txt", "b/list.TXT", "b/README", "b/Makefile", "s.heic")
    result = find_sources(tmp_path)
    assert [p.as_posix() for p in result.clips] == ["a9.WebM", "a10.mov", "b/deep/er/X.MP4",
                                                    "ä ö.GIF"]  # fmt: skip
    assert result.others == {".txt": 2, "no ending": 2, ".heic": 1}


@pytest.mark.parametrize("kind", ["missing", "file", "empty", "texts"])
def test_no_clip_is_said(tmp_path, kind):
    folder = touch(tmp_path, "a.txt") / {"missing": "nope", "file": "a.txt"}.get(kind, "")
    if kind == "empty":
        (tmp_path / "a.txt").unlink()
    error = FileNotFoundError if kind in ("missing", "file") else ValueError
    with pytest.raises(error, match=str(folder)) as caught:
        find_sources(folder)
    assert "\n" not in str(caught.value)


def test_links_are_followed_once(tmp_path):
    touch(tmp_path, "src/a/x.mp4", "outside/y.mp4")
    (tmp_path / "src/a/up").symlink_to("..")
    (tmp_path / "src/self").symlink_to(".")
    (tmp_path / "src/more").symlink_to(tmp_path / "outside")
    (tmp_path / "src/z.mp4").symlink_to(tmp_path / "outside/y.mp4")
    assert found(tmp_path / "src") == ["a/x.mp4", "more/y.mp4", "z.mp4"]


def test_special_files_are_never_opened(tmp_path):
    touch(tmp_path, "a.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "gone.mp4").symlink_to("nowhere")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "s"))
        # a pipe would be waited for; what cannot be read is named by the engine later
        assert found(tmp_path) == ["a.mp4", "gone.mp4", "pipe.mp4", "zero.mp4"]
    assert planned(tmp_path, *found(tmp_path))


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    touch(tmp_path, "a.mp4", "locked/b.mp4")
    scan = os.scandir

    def scandir(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    result = find_sources(tmp_path)
    assert result.clips == [Path("a.mp4")]
    assert result.others == {"locked/ (Permission denied)": 1}
    with pytest.raises(PermissionError):
        find_sources(tmp_path / "locked")


@pytest.mark.parametrize(
    ("names", "auto"),
    [
        (["f1.png", "f2.png", "f10.png"], ["."]),
        (["0001.jpg", "0002.jpg"], ["."]),
        (["cam1_0001_left.png", "cam1_0002_left.png"], ["."]),
        (["anna.png", "bob.png"], ["anna.png", "bob.png"]),
        (["f1.png", "g2.png"], ["f1.png", "g2.png"]),
        (["f1.png", "f2.jpg"], ["f1.png", "f2.jpg"]),
        (["one.png"], ["one.png"]),
        # photos of a phone are no film, though its counter runs on
        (["IMG_1.jpg", "IMG_2.mov", "IMG_3.jpg"], ["IMG_1.jpg", "IMG_2.mov", "IMG_3.jpg"]),
        (["f1.png", "f2.png", "x.gif"], [".", "x.gif"]),
    ],
)
def test_folders_of_frames_and_stills(tmp_path, names, auto):
    touch(tmp_path, *[f"d/{name}" for name in names])

    def below(paths):
        return sorted("d" if path == "." else f"d/{path}" for path in paths)

    assert sorted(found(tmp_path)) == below(auto)
    assert sorted(found(tmp_path, "stills")) == below(names)
    pictures = [n for n in names if n.endswith((".png", ".jpg"))]
    assert sorted(found(tmp_path, "frames")) == below([".", *(set(names) - set(pictures))])


def test_a_root_prepared_once_more_leaves_out_its_sheet(tmp_path):
    touch(tmp_path, "train/a.mp4", "test/b.mp4", "contact_sheet.png", ".prepare/made.jsonl")
    assert found(tmp_path) == ["test/b.mp4", "train/a.mp4"]
    (tmp_path / ".prepare/made.jsonl").unlink()
    (tmp_path / ".prepare").rmdir()
    assert "contact_sheet.png" in found(tmp_path)


# What it is called.


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.mp4", "a"),
        ("x/y/a.b.c.MP4", "x#y#a_b_c"),
        ("x y/ü ñ.mov", "x_y#ü_ñ"),
        ('we"ird?*<>|:\\.mp4', "we_ird_"),
        ("line\nbreak\t.mp4", "line_break_"),
        ("--help.mp4", "help"),
        ("...mp4", "_"),
        ("日本語/🎬.mp4", "日本語#🎬"),
    ],
)
def test_names_suit_every_file_system(tmp_path, path, name):
    (job,) = planned(tmp_path, path)
    assert job.name == name
    assert job.source == tmp_path / path


def test_names_that_are_no_utf8_can_be_written_down(tmp_path):
    path = os.fsdecode(b"d\xe9/b\xff.mp4")
    (job,) = planned(tmp_path, path)
    assert (job.label, job.name, job.identity) == ("d\\xe9/b\\xff.mp4", "d_xe9#b_xff",
                                                   "d\\xe9")  # fmt: skip
    assert job.source == tmp_path / path


@pytest.mark.parametrize(
    "paths",
    [
        ["a.mp4", "A.mp4", "a.mov"],
        ["a b.mp4", "a_b.mp4", "a.b.mp4"],
        ["x/y.mp4", "x#y.mp4", "x#y.mov", "x#y-mp4.avi"],
        ["é.mp4", "e\u0301.mp4", "É.mp4"],
        ["\u00e9.mp4", "e\u0301.mp4"],
        ["straße.mp4", "STRASSE.mp4"],
        [f"{'n' * 240}{i}.mp4" for i in range(5)],
        [f"{'ü' * 120}{i}.mp4" for i in range(5)],
        ["/".join(["deep" * 20] * 5) + f"/{i}.mp4" for i in range(3)],
    ],
)
def test_clashing_and_long_names(tmp_path, paths):
    jobs = planned(tmp_path, *paths)
    assert len({unicodedata.normalize("NFD", job.name.casefold()) for job in jobs}) == len(paths)
    assert all(len(job.name.encode()) <= LONGEST + 20 for job in jobs)
    # each can lie beside its temporary file
    for job in jobs:
        (tmp_path / f".{job.name}.mp4.4194304.part").touch()
    assert jobs == planned(tmp_path, *reversed(paths))[::-1]


def test_the_folder_itself_can_be_frames(tmp_path, monkeypatch):
    touch(tmp_path, "walk/f1.png", "walk/f2.png")
    for folder in (tmp_path / "walk", Path()):
        monkeypatch.chdir(tmp_path / "walk")
        clips = find_sources(folder).clips
        (job,) = plan_folder(folder, clips)
        assert (job.label, job.name, job.identity, job.split) == (".", "walk", "walk", "train")


# Which split.


def many(count):
    return [f"p{i % 7}/clip{i}.mp4" for i in range(count)]


def test_folders_train_and_test_are_the_splits(tmp_path):
    paths = ["train/anna/a.mp4", "test/a.mp4", "train/b.mp4"]
    jobs = {job.label: job for job in planned(tmp_path, *paths)}
    assert [jobs[p].split for p in paths] == ["train", "test", "train"]
    assert [jobs[p].identity for p in paths] == ["anna", "a", "b"]
    assert jobs["train/anna/a.mp4"].name == "anna#a"
    # a share asked for, or a clip beside them, and they are folders like any other
    assert {job.identity for job in planned(tmp_path, *paths, share=0.5)} == {"train", "test"}
    assert "train#b" in {job.name for job in planned(tmp_path, *paths, "c.mp4")}


def test_frames_in_a_folder_called_train_are_one_clip(tmp_path):
    (job,) = planned(touch(tmp_path, "train/f1.png", "train/f2.png"), *found(tmp_path))
    assert (job.name, job.identity) == ("train", "train")


@pytest.mark.parametrize(
    ("share", "count", "train"),
    [(None, 20, 18), (0.5, 20, 10), (0.9, 1, 1), (0.9, 2, 1), (0.01, 20, 1), (1, 20, 20),
     (0, 20, 0), (0.99, 20, 19)],
)  # fmt: skip
def test_share(tmp_path, share, count, train):
    jobs = planned(tmp_path, *many(count), share=share)
    assert sum(job.split == "train" for job in jobs) == train


@pytest.mark.parametrize("share", [-0.1, 1.1, 90, float("nan")])
def test_share_outside_is_refused(tmp_path, share):
    with pytest.raises(ValueError, match="--split"):
        planned(tmp_path, "a.mp4", share=share)


def test_the_split_depends_on_names_alone(tmp_path):
    paths = many(50)
    first = {job.label: job.split for job in planned(tmp_path, *paths, share=0.5)}
    other = {job.label: job.split for job in planned(tmp_path / "x", *paths[::-1], share=0.5)}
    assert first == other
    order = sorted(paths, key=lambda path: hashlib.sha256(path.encode()).digest())
    assert {path for path, split in first.items() if split == "train"} == set(order[:25])


def test_identities_stay_together(tmp_path):
    jobs = planned(tmp_path, *many(70), share=0.6, by_identity=True)
    where = {job.identity: set() for job in jobs}
    for job in jobs:
        where[job.identity].add(job.split)
    assert all(len(splits) == 1 for splits in where.values())
    assert sum(splits == {"train"} for splits in where.values()) == 4  # of 7
    # clip by clip they would not
    assert any(
        len({job.split for job in planned(tmp_path, *many(70), share=0.6) if job.identity == who})
        == 2
        for who in where
    )


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("folder", ["d", "d", "e", "anna", "solo"]),
        ("clip", ["d#bob_1", "d#_1", "e#bob_1", "anna#9", "solo"]),
        ("prefix(_)", ["bob", "d#_1", "bob", "anna#9.mp4", "solo.mp4"]),
        ("csv(who.csv,person)", ["B", "C", "B", "A", "S"]),
    ],
)
def test_rules_of_identities(tmp_path, rule, expected):
    rows = "d/bob_1.mp4,B\n_1,C\ne/bob_1.mp4,B\nanna#9.mp4,A\nsolo,S\n"
    (tmp_path / "who.csv").write_text(f"name,person\n{rows}")
    paths = ["d/bob_1.mp4", "d/_1.mp4", "e/bob_1.mp4", "anna#9.mp4", "solo.mp4"]
    assert [job.identity for job in planned(tmp_path, *paths, identities=rule)] == expected


@pytest.mark.parametrize(
    ("rule", "error", "says"),
    [
        ("nonsense", ValueError, "nonsense"),
        ("csv(no.csv,person)", FileNotFoundError, "no.csv"),
        ("csv(who.csv,age)", ValueError, "age"),
        ("csv(who.csv,person)", ValueError, "b.mp4"),
    ],
)
def test_rules_that_do_not_fit(tmp_path, rule, error, says):
    (tmp_path / "who.csv").write_text("name,person\na,A\n")
    with pytest.raises(error, match=says):
        planned(tmp_path, "a.mp4", "b.mp4", identities=rule)


# A folder that grows.


@pytest.mark.parametrize("by_identity", [False, True])
def test_what_was_made_keeps_name_and_split(tmp_path, by_identity):
    how = {"share": 0.5, "by_identity": by_identity}
    old = ["q/a b.mp4", *many(10)]
    before = planned(tmp_path, *old, **how)
    more = [f"new{i}/x.mp4" for i in range(40)] + ["q/a_b.mp4", "Q/A B.mov", "p1/late.mp4"]
    after = planned(tmp_path, *more, *old, **how, settled=[made(job) for job in before])
    assert after[-len(old) :] == before
    assert len({job.name.casefold() for job in after}) == len(after)
    if by_identity:  # also of someone who was dealt before, whatever the deal would be now
        splits = {job.identity: job.split for job in before}
        assert all(job.split == splits.get(job.identity, job.split) for job in after)
        moved = [replace(made(job), split={"train": "test", "test": "train"}[job.split])
                 for job in before]  # fmt: skip
        again = planned(tmp_path, "p1/late.mp4", **how, settled=moved)
        assert again[0].split != splits["p1"]


def test_a_name_is_not_given_twice_after_its_source_is_gone(tmp_path):
    (gone,) = planned(tmp_path, "a b.mp4")
    (now,) = planned(tmp_path, "a_b.mp4", settled=[made(gone)])
    assert now.name == "a_b-mp4"


def test_links_to_frames_are_called_as_the_link(tmp_path):
    for t in range(2):
        (tmp_path / "real").mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / f"real/{t}.png")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/link").symlink_to(tmp_path / "real")
    (job,) = planned(tmp_path / "src", *found(tmp_path / "src"))
    assert (job.name, job.label) == ("link", "link")
