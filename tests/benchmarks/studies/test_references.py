import json
import math
import re

import numpy as np
import pytest
import torch

from animators import load_animator
from animators.metrics import Protocol, ReconstructionSuite
from animators.weights import save_animator
from benchmarks import few_shot, records
from benchmarks.__main__ import main as door
from benchmarks.data import TestClips, build_data, data_file, read_options
from benchmarks.report.statistics import Standing, mean
from benchmarks.studies import references as study
from benchmarks.table import BEGIN, END
from benchmarks.table import main as table
from benchmarks.views import ClipScore, Score
from tests.animators.tiny import tiny_animator

TOY = [
    *("--data.init_args.toy.test_clips=3", "--data.init_args.toy.test_identities=3"),
    *("--data.init_args.toy.train_clips=2", "--data.init_args.toy.identities=2"),
    "--data.init_args.toy.frames=10",
]
FRAMES = 4


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Checkpoints of one that takes references, of one that does not, of one of another size."""
    folder = tmp_path_factory.mktemp("runs")
    for name, kind, size in (("dime", "dime", 32), ("mraa", "mraa", 32), ("large", "dime", 64)):
        save_animator(tiny_animator(kind, image_size=size), folder / f"{name}.ckpt")
    return folder


def words(files, *rows):
    named = [row.replace("=", f"={files}/") for row in rows]
    data = ["--data", "toy", "--device", "cpu", "--frames", str(FRAMES), *TOY]
    return ["--name", "trial", "--rows", *named, *data]


@pytest.fixture(scope="module")
def made(files, tmp_path_factory):
    """A study of dime with 0 to 2 references and mraa with and without, and what it says."""
    out = tmp_path_factory.mktemp("out")
    rows = words(files, "dime=dime.ckpt@0-2", "mraa=mraa.ckpt@best1", "mraa=mraa.ckpt@0")
    options = ["--no-lpips", "--output", str(out)]
    assert door(["study", "references", *rows, *options]) == 0
    (path,) = out.glob("*.json")
    return path, json.loads(path.read_text())


def test_record_and_curve_are_there(made):
    path, record = made
    assert path.name.startswith("references_trial_toy_")
    assert (record["kind"], record["data"]) == ("references", "toy")
    assert record["protocol"]["references"] == 2
    shown = [(row["row"], row["references"]) for row in record["rows"]]
    assert shown == [
        *(("copy-source", 0), ("copy-source (best of 2)", 1)),
        *(("dime", 0), ("dime", 1), ("dime", 2), ("mraa (best of 2)", 1), ("mraa", 0)),
    ]
    assert [bool(row["checkpoint"]) for row in record["rows"]] == [False] * 2 + [True] * 5
    assert record["clips"]["count"] == 3
    assert record["clips"]["frames"] == 3 * (FRAMES - 1) == sum(record["motion"]["frames"])
    assert {"git", "torch", "device", "config", "seed"} <= record.keys()
    assert (path.parent / "references-trial-toy.png").read_bytes().startswith(b"\x89PNG")
    assert not [p for p in path.parent.iterdir() if p.name.startswith(".")]


def test_rows_are_what_a_loop_of_ones_own_measures_on_the_same_frames(made, files):
    """Two references are set aside for every row; the row with one gets the second of them."""
    settings = read_options(data_file("toy"), TOY)
    settings |= {"image_size": 32, "frames": FRAMES, "references": 2}
    clips = TestClips(build_data(settings), torch.device("cpu"), "own")
    rows = {(row["row"], row["references"]): row for row in made[1]["rows"]}
    dime, mraa = (load_animator(files / f"{name}.ckpt", "cpu") for name in ("dime", "mraa"))
    for given, row in (
        ([], rows["dime", 0]), ([1], rows["dime", 1]), ([0, 1], rows["dime", 2]),
        (None, rows["mraa", 0]),
    ):  # fmt: skip
        suite = ReconstructionSuite(Protocol(32, frames=FRAMES, references=2), lpips=False)
        for clip in clips:
            animator, part = (mraa, []) if given is None else (dime, given)
            rebuilt = animator.reconstruct(clip["video"], clip["references"][:, part])
            suite.update_clip(rebuilt, clip["video"])
            own = (rebuilt - clip["video"])[0, 1:].abs().mean().item()
            assert row["clips"][clip["name"][0]]["l1"] == pytest.approx(own, rel=1e-5)
        assert row["metrics"] == pytest.approx(suite.summary(), rel=1e-9)
    assert clips.digest == made[1]["clips"]["sha256"]


def test_the_mean_of_the_quarters_is_the_row(made):
    """Clips have as many frames each, so that pooling them changes no mean."""
    counts = made[1]["motion"]["frames"]
    for row in made[1]["rows"]:
        pooled = sum(n * x for n, x in zip(counts, row["l1_by_motion"], strict=True)) / sum(counts)
        assert pooled == pytest.approx(row["metrics"]["l1"], rel=1e-6)


def scored(l1, motion):
    clips = [
        ClipScore("", {}, 0, torch.tensor(a).double(), torch.tensor(b).double())
        for a, b in zip(l1, motion, strict=True)
    ]
    return Score({}, {}, clips)


def test_quartiles_pool_the_frames_of_all_clips_and_go_by_copy_source():
    motion = [[0.9, 0.1, 0.5, 0.3], [0.2, 0.4, 0.8, 0.6]]
    l1 = [[9.0, 1.0, 5.0, 3.0], [2.0, 4.0, 8.0, 6.0]]
    found = study.by_motion([scored(motion, motion), scored(l1, motion)])
    assert found["bounds"] == pytest.approx(np.quantile(np.ravel(motion), [0.25, 0.5, 0.75]))
    assert found["frames"] == [2, 2, 2, 2]
    assert found["l1"][1] == [1.5, 3.5, 5.5, 8.5]


def test_clips_that_never_move_leave_quarters_empty():
    still = [[0.0, 0.0]]
    found = study.by_motion([scored(still, still)])
    assert found["frames"] == [2, 0, 0, 0]
    assert [math.isnan(x) for x in found["l1"][0]] == [False, True, True, True]


def doubled(record, clips=8):
    """The record as if it had more clips, so that rows can be judged."""
    made = json.loads(json.dumps(record))
    for row in made["rows"]:
        for part in ("clips", "l1_frames"):
            first = list(row[part].values())
            row[part] = {f"{i}.mp4": first[i % len(first)] for i in range(clips)}
        for name in row["metrics"]:
            values = [clip[name] for clip in row["clips"].values()]
            row["metrics"][name] = None if None in values else float(np.mean(values))
    return made


def test_only_rows_of_equal_references_are_compared(made):
    """Each number of references has its own best."""
    metrics, motion = few_shot.tables(doubled(made[1]))
    for found, column in ((metrics, "l1"), (motion, motion.metrics[3])):
        for given in (0, 1, 2):
            equals = [row for row in found.rows if row.given == given]
            best = min(equals, key=lambda row: row.values[column])
            standings = [row.standings[column] for row in equals]
            if given == 2:  # nothing to compare it with
                assert standings == [Standing.NONE]
            else:
                assert best.standings[column] in (Standing.BEST, Standing.NEAR)
                assert standings.count(Standing.BEST) <= 1
                assert Standing.NONE not in standings


def test_three_clips_are_not_judged(made):
    text = few_shot.markdown(records.read_few_shot_record(made[0]))
    assert "3 clips are too few" in text
    assert not re.search(r"\*\*|≈", text)
    assert "| N | l1 ↓ |" in text
    assert "l1 with references ↓" in text
    assert "most motion" in text
    for row in made[1]["rows"]:
        l1 = row["metrics"]["l1"]
        assert f"| {row['row']} | {row['references']} | {l1:.4f} |" in text


def test_clips_have_the_numbers_of_the_quarters(made):
    """What the quartiles of single clips add up to is what the study pooled."""
    _, motion = few_shot.tables(made[1])
    for row, own in zip(motion.rows, made[1]["rows"], strict=True):
        found = [mean(*row.column(name)) for name in motion.metrics]
        assert found == pytest.approx(own["l1_by_motion"], rel=1e-6)


def test_older_studies_have_quarters_without_clips(made):
    old = json.loads(json.dumps(made[1]))
    for row in old["rows"]:
        del row["l1_frames"]
    _, motion = few_shot.tables(old)
    assert all(row.clips is None for row in motion.rows)
    assert f"| dime† | 2 | {old['rows'][4]['l1_by_motion'][0]:.4f} |" in few_shot.markdown(old)


def test_rows_without_references_are_called_one_shot(made):
    record = json.loads(made[0].read_text())
    assert "number of references" in few_shot.markdown(record)
    record["protocol"]["references"] = 0
    text = few_shot.markdown(record)
    assert text.startswith("### toy, one shot (trial), recon-few: 3 clips")
    assert "number of references" not in text


def test_the_page_shows_the_study_beside_the_tables(made, tmp_path, capsys):
    quality = {
        "format": 1, "kind": "quality", "model": "lia", "data": "toy", "device": "CPU",
        "protocol": {"name": Protocol(64).name}, "metrics": {"l1": 0.1}, "date": "2026-01-01",
        "copy_source": {"l1": 0.2}, "higher_is_better": {"l1": False}, "checkpoint": {},
        "clips": {},
    }  # fmt: skip
    results, page = tmp_path / "results", tmp_path / "page.md"
    records.write_record(quality, results, "lia", "toy")
    (results / made[0].name).write_bytes(made[0].read_bytes())
    page.write_text(f"{BEGIN}\n{END}\n")
    assert table(["--results", str(results), "--page", str(page)]) == 0
    assert "### toy, few shots (trial), recon-few: 3 clips, 9 frames" in page.read_text()
    assert "| lia† | 0.1000 |" in page.read_text()


def test_studies_of_two_names_stand_beside_each_other(made, files, tmp_path):
    """Of equal first rows on the same clips; of one name the newest counts."""
    rows = words(files, "dime=dime.ckpt@0-1")
    for name in ("few-shot", "ablation"):
        assert study.main([*rows, "--no-lpips", "--name", name, "--output", str(tmp_path)]) == 0
    curves = sorted(path.name for path in tmp_path.glob("*.png"))
    assert curves == ["references-ablation-toy.png", "references-few-shot-toy.png"]
    (path,) = tmp_path.glob("references_ablation_toy_*.json")
    older = json.loads(path.read_text()) | {"date": "2001-01-01T00:00:00+00:00"}
    records.write_record(older, tmp_path, "references", "ablation", "toy")
    elsewhere = older | {"device": "another"}
    records.write_record(elsewhere, tmp_path, "references", "ablation", "toy")
    assert len(list(tmp_path.glob("*.json"))) == 4
    found = [(one["name"], one["date"]) for one in records.read_few_shot_records(tmp_path)]
    assert sorted(name for name, _ in found) == ["ablation", "ablation", "few-shot"]
    assert [date for _, date in found].count(older["date"]) == 1  # that of the other device


def test_a_study_needs_a_name(files, tmp_path, capsys, fails):
    rows = words(files, "dime=dime.ckpt@0")
    assert study.main(rows[2:]) == 2
    assert "required: --name" in capsys.readouterr().err
    for name in ("Few shot", ""):
        assert "small letters" in fails(study.main, *rows, "--name", name, "--output", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": [{"row": "x"}]}, "a row that is none"),
        ({"rows": []}, "lacks rows"),
        ({"motion": {}}, "lacks rows or quartiles"),
        ({"rows": "x"}, "'rows' is bad"),
    ],
)
def test_damaged_records_are_named(change, message, made, tmp_path):
    path = tmp_path / "references_bad.json"
    path.write_text(json.dumps(made[1] | change))
    with pytest.raises(ValueError, match=message) as caught:
        records.read_few_shot_records(tmp_path)
    assert "references_bad.json" in str(caught.value)


def test_a_study_without_several_numbers_draws_no_curve(files, tmp_path, capsys):
    rows = words(files, "dime=dime.ckpt@1")
    assert study.main([*rows, "--no-lpips", "--output", str(tmp_path)]) == 0
    assert "no curve" in capsys.readouterr().out
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["dime"], "is not NAME=CHECKPOINT@VIEWS"),
        (["dime=dime.ckpt"], "is not NAME=CHECKPOINT@VIEWS"),
        (["dime=dime.ckpt@some"], "is not NAME=CHECKPOINT@VIEWS"),
        (["dime=dime.ckpt@3-1"], "asks for no row"),
        (["mraa=mraa.ckpt@best0"], "asks for no row"),
        (["dime=absent.ckpt@3"], "there is no checkpoint"),
        (["dime=dime.ckpt@0-2", "dime=dime.ckpt@1"], "two rows are called 'dime'"),
        (["copy-source=dime.ckpt@0"], "is a row already"),
        (["mraa=mraa.ckpt@3"], "mraa takes one picture and no references: @best3"),
        (["dime=dime.ckpt@best3"], "dime takes all references at once"),
        (["dime=dime.ckpt@0", "large=large.ckpt@0"], "work at [32, 64] pixels"),
        (["dime=dime.ckpt@9"], "10 frames, 11 are needed"),
    ],
)
def test_what_cannot_be_measured_is_one_line(rows, message, files, tmp_path, fails):
    out = tmp_path / "out"
    options = ["--no-lpips", "--output", out]
    assert message in fails(study.main, *words(files, *rows), *options)
    assert not out.exists()
