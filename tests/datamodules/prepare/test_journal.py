import json
import multiprocessing
import os
import re

import pytest

from datamodules.prepare.jobs import Job, Made
from datamodules.prepare.journal import HIDDEN, Journal

OPTIONS = {"size": 64, "crop": "square", "fps": None}


def made(name="a", split="train", source="a.mp4", key="k", path=None):
    return Made(path or f"{split}/{name}.mp4", split, "me", source, 5, "25", 64, 64, "square",
                "0,0,64,64", 0, "00", key)  # fmt: skip


def job(name="a", split="train", label="a.mp4"):
    return Job(None, label, name, split, "me")


@pytest.fixture
def root(tmp_path):
    """A root with one clip, noted down."""
    journal = Journal(tmp_path / "root", OPTIONS)
    put(journal.root, "train/a.mp4")
    journal.note(made())
    return journal.root


def put(root, name, content=b"clip"):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(content)


def test_what_is_noted_is_done_in_the_next_run(root):
    journal = Journal(root, OPTIONS)
    assert journal.made == {"train/a": made()}
    assert journal.made["train/a"].key == "k"
    assert journal.done(job(), "k")
    assert not journal.done(job(), "other")  # the source changed
    assert not journal.done(job("b"), "k")
    assert not journal.done(job(split="test"), "k")
    with pytest.raises(ValueError, match=r"b\.mp4 would become train/a\.mp4.*made from a\.mp4"):
        journal.done(job(label="b.mp4"), "k")


def test_an_option_that_came_later_had_its_default(root):
    assert Journal(root, {**OPTIONS, "crf": 18, "min_head": 0.5}).made
    with pytest.raises(ValueError, match=r"other options \(crf: 18, now 20\)"):
        Journal(root, {**OPTIONS, "crf": 20})


def test_a_root_without_a_clip_may_begin_with_other_options(tmp_path):
    Journal(tmp_path, OPTIONS)
    put(tmp_path, "skipped.csv")
    assert not Journal(tmp_path, {**OPTIONS, "size": 128}).made
    put(tmp_path, "train/a.mp4")
    Journal(tmp_path, {**OPTIONS, "size": 128}).note(made())
    with pytest.raises(ValueError, match="size: 128, now 64"):
        Journal(tmp_path, OPTIONS)


@pytest.mark.parametrize("loss", ["gone", "empty"])
def test_a_clip_without_its_file_is_not_done(root, loss):
    (root / "train/a.mp4").unlink()
    if loss == "empty":  # a power failure leaves such
        put(root, "train/a.mp4", b"")
    journal = Journal(root, OPTIONS)
    assert not journal.made
    assert not journal.done(job(), "k")


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("path", ["train/00003.tar/a.mp4", "train/a", "train/a.png"])
def test_clips_of_every_form_are_found(root, path, there):
    journal = Journal(root, OPTIONS)
    journal.note(made(path=path))
    if there:
        put(root, {"train/a": "train/a/1.png"}.get(path, re.sub(r"(tar)/.*", r"\1", path)))
    assert Journal(root, OPTIONS).done(job(), "k") is there


def test_the_last_note_counts(root):
    journal = Journal(root, OPTIONS)
    journal.note(made(key="new"))
    assert journal.done(job(), "new")
    assert Journal(root, OPTIONS).done(job(), "new")


def test_a_torn_last_line_costs_its_clip_only(root):
    text = json.dumps(made("b", source="b.mp4").as_dict()).encode()
    file = root / HIDDEN / "made.jsonl"
    whole = file.read_bytes()
    put(root, "train/b.mp4")
    put(root, "train/c.mp4")
    for cut in range(len(text)):
        file.write_bytes(whole + text[:cut])
        journal = Journal(root, OPTIONS)
        assert list(journal.made) == ["train/a"]
    # what is noted after it stands in a line of its own
    journal.note(made("c", source="c.mp4"))
    assert sorted(Journal(root, OPTIONS).made) == ["train/a", "train/c"]


@pytest.mark.parametrize("torn", [b"\xc3", b"\xff\xfe{", b"\x00" * 4096, b"[]\n", b"3\n"])
def test_a_line_that_is_no_text_is_passed_over(root, torn):
    with (root / HIDDEN / "made.jsonl").open("ab") as file:
        file.write(torn)
    assert list(Journal(root, OPTIONS).made) == ["train/a"]


@pytest.mark.parametrize("name", ["é\u2028x", "日本\x85", "\udcff", "a\nb", '"\\'])
def test_any_name_comes_back(root, name):
    journal = Journal(root, OPTIONS)
    put(root, "train/n.mp4")
    journal.note(made("n", source=name))
    assert Journal(root, OPTIONS).made["train/n"].source == name


def test_other_options_are_refused_with_both_values(root):
    before = sorted(root.rglob("*"))
    with pytest.raises(ValueError, match=r"fps: None, now 12; size: 64, now 128") as caught:
        Journal(root, OPTIONS | {"size": 128, "fps": 12})
    assert "another folder" in str(caught.value)
    with pytest.raises(ValueError, match="new: None, now 1"):
        Journal(root, OPTIONS | {"new": 1})
    assert sorted(root.rglob("*")) == before
    assert Journal(root, OPTIONS).made


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match=f"{tmp_path} holds files that prepare did not make"):
        Journal(tmp_path, OPTIONS)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(ValueError, match="is a file"):
        Journal(tmp_path / "thesis.tex", OPTIONS)


def test_a_folder_of_hidden_files_is_empty(tmp_path):
    (tmp_path / ".DS_Store").touch()
    assert not Journal(tmp_path, OPTIONS).made


def test_what_killed_processes_left_is_swept_away(root):
    parts = ["train/.b.mp4.123.part", "test/.c.png.9.part/0000001.png", ".manifest.csv.7.part",
             f"{HIDDEN}/.options.json.8.part"]  # fmt: skip
    for part in parts:
        put(root, part)
    kept = ["train/b.part", "train/.b.part", "train/.x.mp4"]
    for name in kept:
        put(root, name)
    journal = Journal(root, OPTIONS)
    with journal.lock():
        assert not any((root / part).exists() for part in parts)
        put(root, parts[0])
    assert not (root / parts[0]).exists()
    assert all((root / name).exists() for name in [*kept, "train/a.mp4"])
    assert not list((root / "test").iterdir())


def hold(root, ready, go):
    with Journal(root, OPTIONS).lock():
        ready.set()
        go.wait(30)


def test_two_processes_at_once_are_refused(root):
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    ready, go = context.Event(), context.Event()
    other = context.Process(target=hold, args=(root, ready, go))
    other.start()
    try:
        assert ready.wait(30)
        put(root, "train/.b.mp4.123.part")
        journal = Journal(root, OPTIONS)
        with pytest.raises(ValueError, match="another process prepares"), journal.lock():
            pytest.fail("both have it")
        assert (root / "train/.b.mp4.123.part").exists()  # the other may be writing it
    finally:
        go.set()
        other.join(30)
    with journal.lock():
        pass


def test_what_another_process_noted_meanwhile_is_seen(root):
    late = Journal(root, OPTIONS)
    put(root, "train/b.mp4")
    Journal(root, OPTIONS).note(made("b", source="b.mp4"))
    assert "train/b" not in late.made
    with late.lock():
        assert "train/b" in late.made
