"""What is said of a published set, and hashed."""

import hashlib

from datamodules.prepare.published.plan import plan
from datamodules.prepare.published.report import report, split_digest, write_ids
from datamodules.prepare.published.rows import read_metadata
from datamodules.prepare.published.sets import PUBLISHED
from tests.datamodules.prepare.published.lists import film, made, write


def test_the_report_tells_clips_not_made_short_and_strange(tmp_path):
    for name in "abc":
        film(tmp_path / "films" / f"{name}.mp4", 2)
    lines = [f"{name},5,105,24-8-56-40,25,64,48,train" for name in "abc"]
    got = plan("taichi", write(tmp_path / "t.csv", *lines), tmp_path / "films")
    a, b, _ = got.jobs
    clips = [made(a, frames=100), made(b, frames=60), made(a, path="train/x.mp4", split="train")]
    text = report(got, clips, PUBLISHED["taichi"])
    assert "train: made 2 of 3 clips (66.7 %)" in text
    assert "original there, clip not made: 1: train/c#000005#000105" in text
    assert "shorter than their rows say: 1: train/b#000005#000105 (60 frames)" in text
    assert "clips that are not in the list: 1: train/x" in text
    assert "test: made 0 of 0 clips (nothing listed)" in text


def test_the_split_hash_is_of_sorted_names(tmp_path):
    film(tmp_path / "films" / "a.mp4", 2)
    lines = [f"a,{i},{i + 1},24-8-56-40,25,64,48,{'test' if i else 'train'}" for i in range(2)]
    jobs = plan("taichi", write(tmp_path / "t.csv", *lines), tmp_path / "films").jobs
    clips = [made(job) for job in jobs]
    expected = hashlib.sha256(b"test/a#000001#000002\ntrain/a#000000#000001\n").hexdigest()
    assert split_digest(clips) == split_digest(clips[::-1]) == expected
    frames = [made(job, path=f"{job.split}/{job.name}") for job in jobs]
    assert split_digest(frames) == expected
    moved = [made(job, split="train", path=f"train/{job.name}.mp4") for job in jobs]
    assert len({split_digest(c) for c in (clips, moved, clips[:1], [])}) == 4


def test_the_list_for_the_downloader(tmp_path):
    lines = [f"{name},5,15,24-8-56-40,25,64,48,train" for name in ("b", "-a", "b")]
    table, ids = write(tmp_path / "t.csv", *lines), tmp_path / "new" / "ids.txt"
    (tmp_path / "films").mkdir()
    address = "https://www.youtube.com/watch?v="
    assert write_ids(plan("taichi", table, tmp_path / "films").missing, ids) == 2
    assert ids.read_text() == f"{address}-a\n{address}b\n"
    assert write_ids(read_metadata(table), ids) == 2
    assert write_ids([], ids) == 0
    assert ids.read_text() == ""
    assert [path.name for path in ids.parent.iterdir()] == ["ids.txt"]
