import numpy as np
import pytest

from benchmarks.report.motion import QUARTERS, motion_table, quarters
from benchmarks.report.statistics import Standing

MOTION = [np.array([0.9, 0.1, 0.5, 0.3]), np.array([0.2, 0.4, 0.8, 0.6, 0.7])]


def framed(record, model="lia", *, clips=6, gain=1.0, **content):
    """A record whose L1 is `gain` times the frame's motion, clips of growing length."""
    draws = np.random.default_rng(0)
    made = record(model, l1=[0.1] * clips, **content)
    for i, clip in enumerate(made["per_clip"]):
        clip["motion_frames"] = list(draws.uniform(0, 0.4, 4 + i))
        noise = np.random.default_rng(i + len(model)).normal(0, 1e-3, 4 + i)
        clip["l1"] = list(np.abs(gain * np.array(clip["motion_frames"]) + noise))
    return made


def pooled(made, part):
    return np.concatenate([clip[part] for clip in made["per_clip"]])


def test_quartiles_are_numpys_and_every_frame_is_somewhere():
    split = quarters(MOTION)
    assert split.bounds == pytest.approx(np.quantile(np.concatenate(MOTION), [0.25, 0.5, 0.75]))
    # 0.1 0.2 0.3 | 0.4 0.5 | 0.6 0.7 | 0.8 0.9: a frame on a quartile belongs below it
    assert split.frames == [3, 2, 2, 2]
    assert [list(one) for one in split.clips] == [[3, 0, 1, 0], [0, 1, 3, 2, 2]]
    assert split.pooled(MOTION) == pytest.approx([0.2, 0.45, 0.65, 0.85])


def test_frames_weigh_clips_in_a_quarter():
    split = quarters(MOTION)
    found = split.columns(("a", "b"), MOTION).columns
    means, frames = found["least motion"]
    assert means == pytest.approx([0.2, 0.2])
    assert list(frames) == [2, 1]
    means, frames = found["third"]
    assert np.isnan(means[0])
    assert (means[1], list(frames)) == (pytest.approx(0.65), [0, 2])
    assert list(found) == list(QUARTERS)


def test_still_clips_leave_quarters_empty():
    split = quarters([np.zeros(3)])
    assert split.frames == [3, 0, 0, 0]
    assert [bool(np.isnan(x)) for x in split.pooled([np.ones(3)])] == [False, True, True, True]


def test_table_of_frames(record):
    made = [framed(record, "a", gain=0.5), framed(record, "bb", gain=0.8)]
    table = motion_table(made)
    assert [row.name for row in table.rows] == ["copy-source", "a", "bb"]
    motion, l1 = pooled(made[0], "motion_frames"), pooled(made[0], "l1")
    bounds = np.quantile(motion, [0.25, 0.5, 0.75])
    expected = l1[motion > bounds[2]].mean()
    most = table.metrics[3]
    assert most == f"most motion ({(motion > bounds[2]).sum()})"
    assert table.rows[1].values[most] == pytest.approx(expected)
    assert table.rows[0].values[most] == pytest.approx(motion[motion > bounds[2]].mean())
    standings = [row.standings[most] for row in table.rows]
    assert standings == [Standing.BEHIND, Standing.BEST, Standing.BEHIND]
    low, high = table.rows[1].intervals[most]
    assert low < expected < high
    assert "0.2" in table.notes[0]


def test_seeds_share_a_row(record):
    made = [framed(record, "a", gain=0.5, seed_trained=0)]
    made += [framed(record, "a", gain=0.7, seed_trained=1)]
    table = motion_table(made)
    motion = pooled(made[0], "motion_frames")
    least = motion <= np.quantile(motion, 0.25)
    both = [pooled(one, "l1")[least].mean() for one in made]
    row = table.rows[1]
    assert row.seeds == 2
    assert row.values[table.metrics[0]] == pytest.approx(np.mean(both))
    assert row.spread[table.metrics[0]] == pytest.approx(abs(both[0] - both[1]) / 2**0.5)


def test_records_without_frames_are_named(record):
    assert motion_table([record("old"), record("older")]) is None
    table = motion_table([framed(record, "a"), record("old")])
    assert [row.name for row in table.rows] == ["copy-source", "a"]
    assert "Without values of frames: old." in table.notes


def test_what_does_not_fit_is_refused(record):
    moved = framed(record, "b")
    moved["per_clip"][2]["motion_frames"][0] += 0.1
    with pytest.raises(ValueError, match="a and b on toy tell different motions"):
        motion_table([framed(record, "a"), moved])
    short = framed(record, "b")
    short["per_clip"][2]["l1"].pop()
    with pytest.raises(ValueError, match=r"5 frames' L1 and 6 motions of clip2.mp4"):
        motion_table([short])
    bad = framed(record, "b")
    bad["per_clip"][1]["l1"][0] = None
    with pytest.raises(ValueError, match=r"bad l1 of clip1.mp4"):
        motion_table([bad])
