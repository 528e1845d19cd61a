from dataclasses import replace

import numpy as np
import pytest

from animators.metrics import Averaging, Protocol, Scored
from benchmarks.report.statistics import Standing
from benchmarks.report.tables import build_table, group, label, title

BEST, NEAR, BEHIND, NONE = Standing.BEST, Standing.NEAR, Standing.BEHIND, Standing.NONE
CLIPS = np.random.default_rng(0).uniform(0.05, 0.1, 8)


def near(shift, noise=0.002, seed=1):
    return list(CLIPS + shift + np.random.default_rng(seed).normal(0, noise, 8))


def rows(table):
    return {row.name: row for row in table.rows}


def test_copy_source_comes_first_and_rows_by_name(record):
    table = build_table([record("zeta"), record("fomm")])
    assert [row.name for row in table.rows] == ["copy-source", "fomm", "zeta"]


def test_standings_come_from_the_clips(record):
    table = build_table([
        record("a", l1=list(CLIPS)), record("b", l1=near(0.0)), record("c", l1=near(0.03)),
    ])  # fmt: skip
    found = {name: row.standings["l1"] for name, row in rows(table).items()}
    assert found == {"copy-source": BEHIND, "a": NEAR, "b": NEAR, "c": BEHIND}
    clear = build_table([record("a", l1=list(CLIPS)), record("c", l1=near(0.03))])
    assert rows(clear)["a"].standings["l1"] is BEST
    low, high = rows(clear)["a"].intervals["l1"]
    assert low < CLIPS.mean() < high


def test_old_records_are_shown_and_not_judged(record):
    table = build_table([record("old", metrics={"l1": 0.3}), record("new", l1=list(CLIPS))])
    old = rows(table)["old"]
    assert old.clips is None
    assert old.standings["l1"] is NONE
    assert not old.intervals
    assert rows(table)["new"].standings["l1"] is BEST
    alone = build_table([record("old"), record("older")])
    assert {s for row in alone.rows for s in row.standings.values()} == {NONE}


def test_copy_source_has_its_clips_too(record):
    """On clips without motion nothing is better."""
    table = build_table([record("a", l1=list(CLIPS), copied=0.001)])
    assert rows(table)["copy-source"].standings["l1"] is BEST
    assert rows(table)["copy-source"].values["l1"] == 0.001


def test_clips_that_do_not_add_up_are_no_basis(record):
    wrong = record("a", l1=list(CLIPS), metrics={"l1": float(CLIPS.mean()) * 1.01})
    table = build_table([wrong, record("b", l1=near(0.03))])
    assert rows(table)["a"].column("l1") is None
    assert rows(table)["a"].standings["l1"] is NONE


def test_where_one_row_has_no_basis_nobody_is_judged(record):
    """The best row's clips do not add up: those whose do are not compared among themselves."""
    best = record("a", l1=list(CLIPS), metrics={"l1": float(CLIPS.mean()) * 0.9})
    table = build_table([best, record("b", l1=near(0.03)), record("c", l1=near(0.05))])
    assert not table.compared("l1")
    assert {row.standings["l1"] for row in table.rows} == {NONE}
    assert rows(table)["b"].intervals  # its own is right all the same


def test_means_over_frames_weigh_clips_by_their_frames(record):
    """FOMM's way; the mean of the clips' means is another number."""
    name = Protocol(64, averaging=Averaging.FRAME, scored=Scored.ALL).name
    lengths = np.arange(2, 10)
    made = record("a", l1=list(CLIPS), protocol={"name": name}, copy_source={})
    pooled = float(np.average(CLIPS, weights=lengths))
    assert pooled != pytest.approx(CLIPS.mean(), rel=1e-3)
    made["metrics"] = {"l1": pooled}
    assert rows(build_table([made]))["a"].column("l1") is None  # the frames are not known
    for clip, length in zip(made["per_clip"], lengths, strict=True):
        clip["l1"] = [clip["metrics"]["l1"]] * int(length)
    row = rows(build_table([made]))["a"]
    low, high = row.intervals["l1"]
    assert low < pooled < high
    assert list(row.column("l1")[1]) == list(lengths)


def test_clips_are_paired_by_name_not_by_place(record):
    turned = record("b", l1=list(CLIPS + 0.001))
    turned["per_clip"] = turned["per_clip"][::-1]
    table = build_table([record("a", l1=list(CLIPS)), turned])
    assert rows(table)["a"].standings["l1"] is BEST  # by place the difference is noise
    assert rows(table)["b"].standings["l1"] is BEHIND


def test_seeds_are_averaged_clip_by_clip(record):
    means = []
    seeds = []
    for seed, shift in enumerate((0.0, 0.003, 0.009)):
        values = near(shift, seed=seed)
        means.append(np.mean(values))
        trained = {"pairs_seen": 1000 + 100 * seed}
        seeds.append(
            record(
                "a", l1=values, seed_trained=seed, checkpoint={"trained": trained, "init_args": {}}
            )
        )
    table = build_table([*seeds, record("b", l1=near(0.2))])
    assert [row.name for row in table.rows] == ["copy-source", "a", "b"]
    row = rows(table)["a"]
    assert row.seeds == 3
    assert row.values["l1"] == pytest.approx(sum(means) / 3)
    squares = sum((m - sum(means) / 3) ** 2 for m in means)
    assert row.spread["l1"] == pytest.approx((squares / 2) ** 0.5)
    per_clip = np.mean([[c["metrics"]["l1"] for c in one["per_clip"]] for one in seeds], axis=0)
    assert row.column("l1")[0] == pytest.approx(per_clip)
    assert row.budget == "1,000 / 1,100 / 1,200"
    assert row.standings["l1"] is BEST


def test_a_seed_without_clips_leaves_the_row_without(record):
    one = record("a", l1=list(CLIPS), seed_trained=0)
    table = build_table([one, record("a", metrics={"l1": 0.1}, seed_trained=1)])
    row = rows(table)["a"]
    assert row.seeds == 2
    assert row.clips is None
    assert row.values["l1"] == pytest.approx((CLIPS.mean() + 0.1) / 2)


def test_a_metric_that_one_seed_lacks_the_row_lacks(record):
    one = record("a", l1=list(CLIPS), psnr=[20.0] * 8, seed_trained=0)
    row = rows(build_table([one, record("a", l1=list(CLIPS), seed_trained=1)]))["a"]
    assert row.values["psnr"] is None
    assert row.column("psnr") is None
    assert row.column("l1") is not None


def test_what_is_no_other_seed_has_a_row_of_its_own(record):
    """Old records say no seed; networks of other sizes, or trained elsewhere, are others."""
    larger = {"checkpoint": {"init_args": {"size": 2}}}
    made = [
        *(record(), record()),
        *(record(seed_trained=0), record(seed_trained=0, device="GPU")),
        record(seed_trained=1, **larger),
        record(seed_trained=1, trained_on="faces"),
    ]
    names = [row.name for row in build_table(made).rows]
    assert names == ["copy-source", *["lia"] * 5, "lia (trained on faces)"]
    with pytest.raises(ValueError, match=r"trained with one seed of \[0, 0\], on Some CPU"):
        build_table([record(seed_trained=0), record(seed_trained=0)])


def test_numbers_of_the_whole_set_are_not_judged(record):
    fid = {"l1": 0.1, "fid": 30.0}
    more = {"higher_is_better": {"l1": False, "fid": False}, "samples": {"fid": 93}}
    made = [
        record(name, l1=[0.1] * 8) | more | {"metrics": fid | {"fid": value}}
        for name, value in (("a", 30.0), ("b", 300.0))
    ]
    table = build_table(made)
    assert rows(table)["a"].standings["fid"] is NONE
    assert rows(table)["a"].samples == {"fid": 93}


def test_empty_columns_give_way_to_a_line(record):
    made = [record(metrics={"l1": 0.1, "akd": None}), record("b", metrics={"l1": 0.2})]
    table = build_table(made)
    assert table.metrics == ["l1"]
    assert table.notes[0] == "Not measured: `akd`."
    kept = build_table([*made, record("c", metrics={"akd": 1.0})])
    assert kept.metrics == ["l1", "akd"]


def test_few_clips_are_not_judged(record):
    table = build_table([record("a", l1=[0.1] * 4), record("b", l1=[0.5] * 4)])
    assert {row.standings["l1"] for row in table.rows} == {NONE}
    assert not rows(table)["a"].intervals


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": {"name": Protocol(64, frames=None).name}}, "different protocols"),
        ({"protocol": {"name": Protocol(64, references=3).name}}, "different protocols"),
        ({"data": "faces"}, "different sets"),
        ({"clips": {"sha256": "other"}}, "different clips"),
        ({"copy_source": {"l1": 0.21}}, "copy-source has l1"),
        ({"detectors": {"akd": "OpenPose"}}, r"'akd' would mix detectors: mesh 1 \(lia\), OpenP"),
    ],
)
def test_what_cannot_be_compared_is_refused(record, changes, message):
    first = record(detectors={"akd": "mesh 1"})
    build_table([first, record("old")])
    with pytest.raises(ValueError, match=message):
        build_table([first, record("other", **changes)])


def test_rows_on_other_clips_are_refused(record):
    other = record("b", l1=list(CLIPS))
    other["per_clip"][0]["name"] = "elsewhere.mp4"
    with pytest.raises(ValueError, match=r"different clips \(clip0.mp4, elsewhere.mp4\)"):
        build_table([record("a", l1=list(CLIPS)), other])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda clips: clips[0].pop("name"), "a clip without a name"),
        (lambda clips: clips.append(clips[0]), "has the clips clip0.mp4 twice"),
        (lambda clips: clips[0].update(metrics=3), "has no metrics of clip0.mp4"),
        (lambda clips: clips[0]["metrics"].update(l1="x"), "metrics.l1 of a clip is no number"),
    ],
)
def test_bad_clips_are_named(record, change, message):
    made = record("a", l1=list(CLIPS))
    change(made["per_clip"])
    with pytest.raises(ValueError, match=message) as caught:
        build_table([made])
    assert "the record of a on toy" in str(caught.value)


def test_groups_hold_what_can_be_compared(record):
    full = {"name": Protocol(64, frames=None).name}
    made = [record(), record("b"), record(protocol=full), record(data="faces")]
    groups = group(made)
    assert sorted(len(one) for one in groups) == [1, 1, 2]
    for one in groups:
        build_table(one)


def test_leftovers_of_a_set_do_not_share_a_table(record):
    """Two people with the same split's name and different clips of it."""
    one, other = (
        record(name, protocol={"name": Protocol(64, split="vox", clips=f"3-{digest}").name})
        for name, digest in (("a", "01234567"), ("b", "89abcdef"))
    )
    assert len(group([one, other])) == 2
    with pytest.raises(ValueError, match="different protocols"):
        build_table([one, other])


def test_titles_carry_the_short_name(record):
    base = Protocol(64)
    every = replace(base, scored=Scored.ALL)
    for protocol, short in (
        (base, "recon-lia"),
        (replace(every, averaging=Averaging.FRAME), "recon-fomm"),
        (every, "recon-liax"),
        (replace(base, references=3), "recon-few"),
        (replace(base, averaging=Averaging.FRAME), ""),
    ):
        assert label({"protocol": {"name": protocol.name}}) == short
    assert label({"protocol": {"name": base.name, "label": "cross-lia"}}) == "cross-lia"
    told = build_table([record()]).title
    assert told == f"toy, recon-lia: 3 clips, 93 frames, `{base.name}`"
    pairs = record(protocol={"name": "cross-x", "label": "cross-lia"})
    assert title(pairs) == "toy, cross-lia: 3 pairs, 93 frames, `cross-x`"


def test_reported_numbers_are_not_those_of_another_training_set(record):
    protocol = {"name": replace(Protocol.lia(256, "lia-vox-17928-495"), clips="495-0123abcd").name}
    numbers = {"metrics": {"l1": 0.045}, "data": "vox", "protocol": protocol}
    assert rows(build_table([record(**numbers)]))["lia"].reported == {"l1": 0.041}
    away = build_table([record(**numbers, trained_on="taichi")])
    assert rows(away)["lia (trained on taichi)"].reported == {}


def test_rows_of_few_shots_are_compared_with_those_given_as_many(record):
    """A plain row has the reference frames set aside like the others, and is given none."""
    few = {"name": replace(Protocol(64), references=3).name, "references": 3}
    beside = {f"{part}_with_references": {"l1": 0.1} for part in ("metrics", "copy_source")}
    words = {"protocol": few, **beside}
    table = build_table([
        record("dime", l1=list(CLIPS), **words),
        record("fomm (best of 4)", l1=near(0.02), **words),
        record("fomm", l1=near(0.03), asked={"plain": True}, **words),
    ])  # fmt: skip
    found = {name: (row.given, row.standings["l1"]) for name, row in rows(table).items()}
    assert found == {
        "copy-source": (0, BEHIND), "dime": (3, BEST), "fomm (best of 4)": (3, BEHIND),
        "fomm": (0, BEST),
    }  # fmt: skip
    assert any("equal N" in note for note in table.notes)
