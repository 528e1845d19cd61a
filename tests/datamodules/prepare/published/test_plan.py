"""Plans and reports of published sets, on originals whose frames carry their number."""

import hashlib
import itertools
import shlex
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from datamodules import media
from datamodules.prepare.jobs import Made
from datamodules.prepare.published.plan import Missing, plan, refuse_moved
from datamodules.prepare.published.report import report, split_digest, write_ids
from datamodules.prepare.published.rows import read_metadata
from datamodules.prepare.published.sets import PUBLISHED, fetch_command
from datamodules.prepare.spans import resolve_box, resolve_span

HEADER = "video_id,start,end,bbox,fps,width,height,partition"
TED = [f"talk{t}#{1000 * c:06d}#{1000 * c + 200:06d}" for t in range(11) for c in range(6)]


def write(path, *lines, header=HEADER):
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


def film(path, frames, fps=25, size=(48, 64)):
    """A clip whose frame t is grey, 8 t bright, but for its left third: black."""
    with media.ClipWriter(path, Fraction(fps)) as writer:
        for t in range(frames):
            picture = np.full((*size, 3), 8 * t, np.uint8)
            picture[:, : size[1] // 4] = 0
            writer.write(picture)
    return path


def numbers(job, keep_aspect=False):
    """The numbers that the frames of a job carry, and the size of what its box cuts."""
    with media.open_clip(job.source) as clip:
        span = resolve_span(job.span, clip.fps, clip.num_frames)
        left, top, right, bottom = resolve_box(job.box, clip.size, keep_aspect)
        cut = clip.read(span)[:, top:bottom, left:right]
    assert abs(int(cut.max()) - int(cut.min())) <= 8 * len(span)  # nothing of the black third
    return [round(float(frame.mean()) / 8) for frame in cut], (right - left, bottom - top)


def made(job, **changes):
    facts = dict(
        path=f"{job.split}/{job.name}.mp4", split=job.split, identity=job.identity,
        source=job.label, frames=10, fps="25", width=64, height=64, crop="square", box="",
        without_head=0, sha256="0",
    )  # fmt: skip
    return Made(**{**facts, **changes})


@pytest.mark.parametrize(
    ("fps", "shown"), [(25, range(5, 15)), (30, range(6, 18)), (50, range(10, 30))]
)
@pytest.mark.parametrize("scale", [1, 2])
def test_frames_and_box_of_another_copy(tmp_path, fps, shown, scale):
    film(tmp_path / "films" / "-v_.mp4", 30, fps, (48 // scale, 64 // scale))
    table = write(tmp_path / "t.csv", "-v_,5,15,24-8-56-40,25.0,64,48,test")
    (job,) = plan("taichi", table, tmp_path / "films").jobs
    assert (job.name, job.split, job.identity) == ("-v_#000005#000015", "test", "-v_")
    assert job.label == "-v_"
    assert numbers(job) == (list(shown), (32 // scale, 32 // scale))


@pytest.mark.parametrize(("keep", "cut"), [(False, (20, 32)), (True, (32, 32))])
def test_a_box_that_is_not_square_under_both_policies(tmp_path, keep, cut):
    film(tmp_path / "films" / "v.mp4", 20)
    lines = ["v,5,15,30-8-50-40,25,64,48,train", "v,2,9,24-8-56-40,25,64,48,test"]
    got = plan("taichi", write(tmp_path / "t.csv", *lines), tmp_path / "films")
    assert got.not_square == 1
    assert numbers(got.jobs[0], keep) == (list(range(5, 15)), cut)
    assert "boxes that are not square: 1;" in report(got, [], PUBLISHED["taichi"])


def test_vox_is_named_by_person(tmp_path):
    film(tmp_path / "films" / "id1" / "v.mp4", 20)
    header = HEADER + ",person_id"
    lines = [
        "v,3,9,24-8-56-40,25,64,48,train,id1",
        "v,3,9,24-8-56-40,25,64,48,train,",
        "v,4,9,24-8-56-60,25,64,48,test,id1",
    ]
    got = plan("vox", write(tmp_path / "t.csv", *lines, header=header), tmp_path / "films")
    job, other = got.jobs
    assert (job.name, job.identity) == ("id1#v#000003#000009", "id1")
    assert job.name.split("#", 1)[0] == job.identity
    assert numbers(job)[0] == list(range(3, 9))
    assert other.split == "test"
    assert [(one.row, one.reason) for one in got.refused] == [
        (3, "no person_id: the set's identities are persons")
    ]
    assert got.beyond == 1
    assert any("1 identities are in train and in test: id1" in note for note in got.notes)


def test_the_ids_of_old_vox_lists_hold_the_person_behind(tmp_path):
    film(tmp_path / "films" / "v.mp4", 20)
    table = write(tmp_path / "t.csv", "v#id1,3,9,24-8-56-40,25,64,48,train")
    (job,) = plan("vox", table, tmp_path / "films").jobs
    assert (job.name, job.identity) == ("id1#v#000003#000009", "id1")


def test_teds_ranges_are_of_the_file_and_its_identity_is_the_video(tmp_path):
    film(tmp_path / "films" / "talk.mp4", 20, 30)
    table = write(tmp_path / "t.csv", "talk#000004#000009,0,0,24-8-56-40,10.0,64,48,train")
    got = plan("ted", table, tmp_path / "films")
    (job,) = got.jobs
    assert (job.name, job.identity) == ("talk#000004#000009", "talk")
    assert numbers(job)[0] == list(range(4, 9))
    assert any("range in the id: taken as the originals' own frames" in n for n in got.notes)
    (job,) = plan("ted", table, tmp_path / "films", range_fps=15).jobs
    assert numbers(job)[0] == list(range(8, 18))


def test_teds_boxes_belong_to_square_cuts(tmp_path):
    film(tmp_path / "films" / "talk.mp4", 20)
    table = write(tmp_path / "t.csv", "talk#000004#000009,0,0,24-8-56-40,10.0,64,64,train")
    got = plan("ted", table, tmp_path / "films")
    assert any("1 boxes were measured in square pictures" in note for note in got.notes)
    with pytest.raises(ValueError, match="another aspect"):
        numbers(got.jobs[0])
    (job,) = plan("ted", table, tmp_path / "films", boxes=False).jobs
    assert job.box is None
    # the cut itself: all of its frames, and the box as it is
    film(tmp_path / "films" / "talk#000004#000009.mp4", 5, size=(64, 64))
    (job,) = plan("ted", table, tmp_path / "films").jobs
    assert numbers(job) == ([0, 1, 2, 3, 4], (32, 32))


def ted_split(path, ids, **options):
    table = write(path / "t.csv", *(f"{name},0,0,0-0-9-9,10.0,9,9,train" for name in ids))
    (path / "films").mkdir(exist_ok=True)
    for name in ids:
        (path / "films" / f"{name.split('#')[0]}.mp4").write_bytes(b"film")
    return {job.name: job.split for job in plan("ted", table, path / "films", **options).jobs}


def test_teds_own_split_is_by_identity_and_the_same_for_any_order(tmp_path):
    split = ted_split(tmp_path, TED)
    assert ted_split(tmp_path, TED[::-1]) == split
    sides = {
        side: {n.split("#")[0] for n, s in split.items() if s == side} for side in ("train", "test")
    }
    assert not sides["train"] & sides["test"]
    # 66 * 120 / 1320 = 6 clips: one talk, the first by its hash
    order = sorted(
        {n.split("#")[0] for n in TED}, key=lambda n: hashlib.sha256(n.encode()).digest()
    )
    assert sides["test"] == {order[0]}
    assert Counter(split.values()) == {"train": 60, "test": 6}


def test_teds_split_does_not_depend_on_what_was_downloaded(tmp_path):
    whole = ted_split(tmp_path, TED)
    for talk in range(0, 11, 2):
        (tmp_path / "films" / f"talk{talk}.mp4").unlink()
    got = plan("ted", tmp_path / "t.csv", tmp_path / "films")
    assert {job.name: job.split for job in got.jobs}.items() <= whole.items()
    assert sum(lack.clips for lack in got.missing) == 36


def test_a_list_that_marks_test_clips_keeps_them(tmp_path):
    lines = [f"t{i},5,15,0-0-9-9,25,9,9,{'test' if i % 2 else 'train'}" for i in range(6)]
    (tmp_path / "films").mkdir()
    got = plan("ted", write(tmp_path / "t.csv", *lines), tmp_path / "films")
    assert [m.split for m in got.missing] == ["train", "test"] * 3


@pytest.mark.parametrize("line", ["talk3#002000#002200", "talk3#002000#002200.mp4", "talk3"])
def test_the_users_own_test_list(tmp_path, line):
    listed = tmp_path / "test.txt"
    listed.write_text(f"# of the paper\n\n{line}\nnobody\n", encoding="utf-8-sig")
    split = ted_split(tmp_path, TED, test=listed)
    test = {name for name, side in split.items() if side == "test"}
    assert test == {n for n in TED if n.startswith(line.removesuffix(".mp4"))}
    notes = plan("ted", tmp_path / "t.csv", tmp_path / "films", test=listed).notes
    assert any(note == "1 lines of test.txt name no clip: nobody" for note in notes)


@pytest.mark.parametrize(
    ("lines", "says"), [("nobody", "no clip for test"), ("talk0", "for train")]
)
def test_a_test_list_that_does_not_fit(tmp_path, lines, says):
    listed = tmp_path / "test.txt"
    listed.write_text(lines)
    with pytest.raises(ValueError, match=says):
        ted_split(tmp_path, TED[:6], test=listed)
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        ted_split(tmp_path, TED[:6], test=tmp_path / "none.txt")


def test_what_is_missing_refused_or_double_is_said(tmp_path):
    film(tmp_path / "films" / "é_1.mp4", 4)
    lines = [
        "é_1,0,3,24-8-56-40,25,64,48,train",
        "gone,5,15,24-8-56-40,25,64,48,train",
        "gone,20,30,24-8-56-40,25,64,48,train",
        "-out,5,15,24-8-56-40,25,64,48,test",
        "é_1,0,3,24-8-56-40,25,64,48,train",
        " é_1 ,00,3.0,24-8-56-40,25,64,48,test",
        "a#b,0,3,24-8-56-40,25,64,48,train",
        "é_1,3,0,24-8-56-40,25,64,48,train",
    ]
    got = plan("taichi", write(tmp_path / "t.csv", *lines), tmp_path / "films")
    assert [job.name for job in got.jobs] == ["é_1#000000#000003"]
    assert got.missing == [Missing("-out", 1, "test"), Missing("gone", 2, "train")]
    assert [(one.row, one.reason) for one in got.refused] == [
        (6, "the same clip as in line 2"),
        (7, "the same clip as in line 2, with another box or partition"),
        (8, "a # in an id: it parts the names of clips"),
        (9, "end 0 is not after start 3"),
    ]
    assert (got.rows, got.not_square) == (8, 0)

    text = report(got, [made(got.jobs[0])], PUBLISHED["taichi"])
    assert "train: made 1 of 3 clips (33.3 %), 1 identities" in text
    assert "test: made 0 of 1 clips (0.0 %)" in text
    assert "original missing: 2 clips of 1 videos: gone" in text
    assert "line 9: end 0 is not after start 3 | é_1,3,0," in text
    assert "LIA 1,096, DiME 682, Swin/TPS 2,867" in text
    assert "LIA 115, DiME 87, Swin/TPS 253" in text
    assert split_digest([made(got.jobs[0])]) in text


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


def test_what_is_known_of_the_sets():
    assert set(PUBLISHED) == {"taichi", "vox", "ted"}
    assert [PUBLISHED[name].size for name in ("taichi", "vox", "ted")] == [256, 256, 384]
    assert [PUBLISHED[name].fps for name in ("taichi", "vox", "ted")] == [None, 25, None]
    for (name, one), word in itertools.product(PUBLISHED.items(), ("github.com", "youtube.com")):
        assert one.name == name
        assert word in one.where


def test_an_unknown_set_is_said(tmp_path):
    with pytest.raises(ValueError, match="'bair': there are taichi, vox, ted"):
        plan("bair", tmp_path / "t.csv", tmp_path)


def test_a_clip_that_changed_sides_is_refused(tmp_path):
    film(tmp_path / "films" / "a.mp4", 2)
    lines = [f"a,{i},{i + 1},24-8-56-40,25,64,48,train" for i in range(2)]
    table = write(tmp_path / "t.csv", *lines)
    jobs = plan("taichi", table, tmp_path / "films").jobs
    clips = [made(job) for job in jobs] + [made(jobs[0], path="test/other.mp4", split="test")]
    refuse_moved(jobs, clips, table)
    clips[1] = made(jobs[1], path="test/a#000001#000002.mp4", split="test")
    with pytest.raises(ValueError, match=r"t\.csv deals 1 clips .* test/a#000001#000002\.mp4"):
        refuse_moved(jobs, clips, table)


def test_the_download_command_survives_odd_folders(tmp_path):
    folder = tmp_path / "50 % off's"
    words = shlex.split(fetch_command(folder, folder / "ids.txt"))
    assert words[0] == "yt-dlp"
    template = words[words.index("-o") + 1]
    assert template % {"id": "-a_b", "ext": "mp4"} == f"{folder}/-a_b.mp4"
    assert words[words.index("-a") + 1] == f"{folder}/ids.txt"
