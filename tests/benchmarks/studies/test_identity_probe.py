import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from animators.weights import load_animator, save_animator
from benchmarks import study
from benchmarks.data import build_data, data_file, read_options
from benchmarks.studies import identity_probe, probe_data, probe_table
from datamodules import media
from tests.animators.tiny import tiny_animator

TOY = [
    *("--data.init_args.toy.train_clips=12", "--data.init_args.toy.identities=4"),
    *("--data.init_args.toy.test_clips=2", "--data.init_args.toy.test_identities=1"),
    "--data.init_args.toy.frames=6",
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Tiny animators of 32 pixels, and some of 64."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("swin_tps", "tpsmm"):
        save_animator(tiny_animator(name, image_size=32), folder / f"{name}.ckpt")
    for name in ("fomm", "mraa", "dime", "lia"):
        save_animator(tiny_animator(name), folder / f"{name}.ckpt")
    save_animator(tiny_animator("swin_tps", image_size=64), folder / "large.ckpt")
    return folder


@pytest.fixture(scope="module")
def made(files, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    swin = files / "swin_tps.ckpt"
    rows = [f"with={swin}", f"identity={swin}@F_id", f"tpsmm={files / 'tpsmm.ckpt'}@points"]
    words = ["--data", "toy", "--device", "cpu", "--frames", "3", "--output", str(out), *TOY]
    assert study.main(["identity_probe", "--checkpoints", *rows, *words, "--seeds", "2"]) == 0
    (path,) = out.iterdir()
    return path, json.loads(path.read_text())


def toy(*more):
    return build_data(read_options(data_file("toy"), [*TOY, *more]) | {"image_size": 32})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Persons a (three recordings, one of them with a mirrored copy), b (two), c (one, twice)."""
    root = tmp_path_factory.mktemp("set")
    table = ["path,group,action,mirror_of"]
    clips = [
        *("a0,a,wave,a1", "a1,a,wave,a0", "a2,a,bend,", "a3,a,jack,"),
        *("b0,b,wave,", "b1,b,jack,", "c0,c,wave,c1", "c1,c,wave,c0"),
    ]
    for number, line in enumerate([*clips, "t0,b,bend,"]):
        split = "test" if line.startswith("t") else "train"
        place = root / split / line.split(",")[0]
        place.mkdir(parents=True)
        for k in range(4):
            picture = np.full((32, 32, 3), 20 * number + k, dtype=np.uint8)
            Image.fromarray(picture).save(place / f"{k}.png")
        table.append(f"{split}/{line}")
    (root / "list.csv").write_text("\n".join(table) + "\n")
    return root


def settings(folder, **changes):
    found = read_options(data_file("folder"))
    found |= {"root": str(folder), "identities": "csv(list.csv,group)", "image_size": 32}
    return found | changes


def test_mirrored_copies_are_one_recording_and_single_ones_are_left_out(folder):
    found = probe_data.read(build_data(settings(folder)), 2, "action", everything=False)
    assert (found.clips, found.persons, found.left_out) == (6, [0, 0, 0, 1, 1], 1)
    assert found.images.shape == (12, 3, 32, 32)
    # of a0, its copy a1, a2, a3, b0, b1: first and last frame
    assert found.images[:, 0, 0, 0].tolist() == [0, 3, 20, 23, 40, 43, 60, 63, 80, 83, 100, 103]
    assert found.recordings.tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert found.labels.tolist() == [0] * 8 + [1] * 4
    (target,) = found.motion
    words = [["bend", "jack", "wave"][k] for k in target.values[::2]]
    assert words == ["wave", "wave", "bend", "jack", "wave", "jack"]
    assert target.among.all()


def test_test_clips_come_in_when_asked_for(folder):
    found = probe_data.read(build_data(settings(folder)), 2, "none", everything=True)
    assert (found.clips, found.persons) == (7, [0, 0, 0, 1, 1, 1])
    assert found.motion == []


def test_the_shared_clips_of_actions_come_in_twins(shared_dir):
    data = build_data(read_options(data_file("actions")) | {"root": str(shared_dir / "data")})
    found = probe_data.read(data, 2, "action", everything=False)
    assert (found.clips, len(found.persons), found.left_out) == (24, 12, 1)


def test_the_toys_keypoints_are_read_for_each_kind_by_itself():
    data = toy()
    found = probe_data.read(data, 3, "action", everything=False)
    assert [target.name for target in found.motion] == ["head keypoints", "puppet keypoints"]
    assert found.labels.tolist() == [i % 4 for i in range(12) for _ in range(3)]
    assert len(found.persons) == len(set(found.recordings.tolist())) == 12
    for target, odd in zip(found.motion, (1, 0), strict=True):
        for i in range(12):
            own = slice(3 * i, 3 * i + 3)
            assert target.among[own].tolist() == [i % 2 == odd] * 3
            wanted = data.train_clips.keypoints(i, [0, 3, 5]).flatten(1)
            torch.testing.assert_close(target.values[own], wanted)
            assert torch.equal(found.images[own], data.train_clips.read(i, [0, 3, 5]))


def test_small_pictures_keep_the_mean():
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    found = probe_data.pixels(images)
    assert found.shape == (2, 768)
    torch.testing.assert_close(
        found.mean(1), media.to_float(images).flatten(1).mean(1), atol=2e-3, rtol=0
    )


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("swin_tps", ["F_m", "F_id", "points"]),
        ("tpsmm", ["points"]),
        ("fomm", ["keypoints"]),
        ("dime", ["keypoints"]),
        ("mraa", ["regions"]),
        ("lia", ["magnitudes"]),
    ],
)
def test_an_animator_offers_the_features_that_it_has(name, features, files):
    animator = load_animator(files / f"{name}.ckpt", "cpu")
    assert list(probe_data.available(animator)) == features
    size = animator.image_size
    images = torch.randint(0, 256, (3, 3, size, size), dtype=torch.uint8)
    for feature in features:
        code = probe_data.encode(animator, images, feature)
        assert code.shape[0] == 3
        assert code.std(dim=0).max() > 0
    with pytest.raises(ValueError, match=f"has no nothing: it has {', '.join(features)}"):
        probe_data.encode(animator, images, "nothing")


def test_the_motion_feature_is_the_one_that_draws(files, monkeypatch):
    monkeypatch.setattr(probe_data, "BATCH", 2)
    animator = load_animator(files / "swin_tps.ckpt", "cpu")
    images = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        wanted = animator.network.motion_feature(animator.encode_motion(media.to_float(images)))
    torch.testing.assert_close(probe_data.encode(animator, images, "F_m"), wanted)


def test_codes_with_known_answers():
    """True keypoints and a code of the person, as if an animator had made them."""
    many = toy("--data.init_args.toy.train_clips=64")
    probed = probe_data.read(many, 6, "", everything=False)
    planned = identity_probe.plan(probed, 2)
    assert planned.folds == []
    points = sum(target.values * target.among[:, None] for target in probed.motion)
    moves = identity_probe.probe(points, probed, planned)
    assert min(moves["motion_figure"]) > 0.95
    who = identity_probe.probe(torch.nn.functional.one_hot(probed.labels), probed, planned)
    assert who["identity"] == [1, 1]
    assert max(who["motion_figure"]) < min(moves["motion_figure"])
    nothing = identity_probe.probe(torch.zeros(384, 5), probed, planned)
    chance = identity_probe.guesses(probed, planned)
    assert nothing["identity"] == chance["identity"] == [0.25, 0.25]
    assert max(nothing["motion_figure"]) <= 0


def test_labels_of_the_motion_are_tested_on_persons_left_out():
    """Three persons wave, bend and jump once each: no split that shares persons could tell."""
    recordings = torch.arange(9).repeat_interleave(4)
    persons = [i // 3 for i in range(9)]
    actions = (recordings % 3).long()
    everyone = torch.ones(36, dtype=torch.bool)
    probed = probe_data.Probed(
        images=torch.zeros(36, 3, 2, 2, dtype=torch.uint8),
        recordings=recordings,
        persons=persons,
        motion=[probe_data.Target("action", actions, everyone)],
        clips=9,
        left_out=0,
        digest="",
    )
    planned = identity_probe.plan(probed, 2)
    one_hot = torch.nn.functional.one_hot
    code = torch.cat([3 * one_hot(probed.labels), one_hot(actions)], dim=1)
    found = identity_probe.probe(code, probed, planned)
    assert found["motion"]["action"] == found["motion_figure"] == [1, 1]
    assert found["identity"] == [1, 1]
    assert identity_probe.guesses(probed, planned)["motion"] == {"action": pytest.approx(1 / 3)}
    who = identity_probe.probe(one_hot(probed.labels), probed, planned)
    assert max(who["motion_figure"]) <= 1 / 3


def test_the_record_has_a_row_for_each_code_and_the_pixels(made):
    path, record = made
    assert path.name.startswith("identity-probe_with_toy_")
    rows = record["rows"]
    assert [(r["row"], r["feature"]) for r in rows] == [
        ("with", "F_m"), ("identity", "F_id"), ("tpsmm", "points"), ("pixels", "pixels"),
    ]  # fmt: skip
    assert [row["dimensions"] for row in rows] == [16, 16, 24, 768]
    for row in rows:
        assert len(row["identity"]) == len(row["motion_figure"]) == 2
        assert set(row["motion"]) == {"head keypoints", "puppet keypoints"}
        for k, value in enumerate(row["motion_figure"]):
            assert value == pytest.approx(np.mean([own[k] for own in row["motion"].values()]))
    assert record["chance"]["identity"] == [0.25, 0.25]
    assert record["clips"]["count"] == record["clips"]["recordings"] == 12
    assert record["clips"]["frames"] == 36
    assert record["clips"]["tested_recordings"] == [4, 4]
    assert {"git", "torch", "device", "config"} <= record.keys()
    assert record["comparison"]["identity_lower_in"] in (0, 1, 2)
    text = probe_table.report(record)
    assert text.count("\n| ") == 5 - 1 + 1
    assert "with against identity" in text


def row(identity, motion):
    return {"row": "x", "identity": identity, "motion_figure": motion}


@pytest.mark.parametrize(
    ("first", "second", "fall", "fell"),
    [
        ([0.45, 0.45], [0.5, 0.5], 0.1, False),
        ([0.4, 0.48], [0.5, 0.5], 0.12, True),
        ([0.6, 0.6], [0.5, 0.5], -0.2, False),
        ([0.1, 0.1], [-0.1, 0.0], None, None),
        (None, None, None, None),
    ],
)
def test_the_first_two_rows_are_compared(first, second, fall, fell):
    found = probe_table.compare(row([0.2, 0.5], first), row([0.3, 0.5], second))
    assert found["identity_lower_in"] == 1
    assert found["motion_fall"] == (None if fall is None else pytest.approx(fall))
    assert found["motion_fell"] is fell


@pytest.mark.parametrize(
    ("fall", "fell", "words"),
    [
        (0.3, True, "30.0 % lower: it FELL by more than 10 %"),
        (0.05, False, "5.0 % lower: it did not fall by more"),
        (-0.05, False, "5.0 % higher: it did not fall by more"),
        (None, None, "no motion figure"),
    ],
)
def test_the_page_says_whether_the_motion_fell(fall, fell, words, made):
    comparison = {"identity_lower_in": 2, "motion_fall": fall, "motion_fell": fell}
    text = probe_table.report(made[1] | {"comparison": comparison})
    assert words in text
    assert "in 2 of 2 splits" in text


@pytest.mark.parametrize(
    ("rows", "words", "message"),
    [
        (["swin_tps"], [], "is not NAME=CHECKPOINT"),
        (["a=absent.ckpt"], [], "there is no checkpoint"),
        (["a=swin_tps.ckpt@F_n"], [], "(features: F_m, F_id, points"),
        (["a=swin_tps.ckpt", "a=tpsmm.ckpt@points"], [], "a row 'a' already"),
        (["pixels=swin_tps.ckpt"], [], "a row 'pixels' already"),
        (["a=swin_tps.ckpt", "b=large.ckpt"], [], "work at [32, 64] pixels"),
        (["a=tpsmm.ckpt"], [], "Tpsmm has no F_m: it has points"),
        (["a=swin_tps.ckpt"], ["--seeds", "0"], "--seeds must be at least 1"),
        (["a=swin_tps.ckpt"], ["--data.init_args.toy.train_clips=4"], "has two recordings"),
        (["a=swin_tps.ckpt"], ["--data.init_args.toy.train_clips=8"], "nobody has three"),
    ],
)
def test_mistakes_are_one_line(rows, words, message, files, tmp_path, fails):
    named = [text.replace("=", f"={files}/") for text in rows]
    options = ["--data", "toy", "--device", "cpu", "--output", tmp_path / "out", *TOY, *words]
    assert message in fails(identity_probe.main, "--checkpoints", *named, *options)
    assert not (tmp_path / "out").exists()


def test_sets_that_do_not_say_how_clips_move(folder):
    def read(motion, **changes):
        probe_data.read(build_data(settings(folder, **changes)), 2, motion, everything=False)

    with pytest.raises(ValueError, match=r"has no column absent.* name another column by --motion"):
        read("absent")
    for clip in sorted((folder / "train").iterdir()):
        shutil.copytree(clip, folder / "named" / f"{clip.name[0]}#{clip.name}")
    with pytest.raises(ValueError, match=r"this set has none .identities: prefix.#..: give"):
        read("action", identities="prefix(#)", train="named")
