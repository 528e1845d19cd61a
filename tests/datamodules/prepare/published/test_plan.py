"""From lists and originals to jobs."""

import pytest

from datamodules.prepare.published.plan import Missing, plan, refuse_moved
from datamodules.prepare.published.report import report, split_digest
from datamodules.prepare.published.sets import PUBLISHED
from tests.datamodules.prepare.published.lists import HEADER, film, made, numbers, write


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


def test_a_list_that_marks_test_clips_keeps_them(tmp_path):
    lines = [f"t{i},5,15,0-0-9-9,25,9,9,{'test' if i % 2 else 'train'}" for i in range(6)]
    (tmp_path / "films").mkdir()
    got = plan("ted", write(tmp_path / "t.csv", *lines), tmp_path / "films")
    assert [m.split for m in got.missing] == ["train", "test"] * 3


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
