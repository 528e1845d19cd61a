import json

import numpy as np
import pytest
import torch
from scipy.stats import bootstrap

from animators.weights import save_animator
from benchmarks import records, study
from benchmarks.records import read_study_record
from benchmarks.studies import directions_figures, leakage, leakage_figures
from datamodules import media
from tests.animators.tiny import tiny_animator
from tests.benchmarks.conftest import TOY


class Gauge:
    """Stands for the estimators: the mean green is who it is; where there is none, no face."""

    def see(self, frame):
        green = frame[..., 1].mean() / 255
        vector = None if green < 0.02 else np.array([green, 0.0])
        return directions_figures.Seen(frame, None, vector)


def flat(*greens):
    """Clips of one colour a frame: red 0.2, blue 0.6."""
    colours = [[0.2, green, 0.6] for green in greens]
    return torch.tensor(colours)[:, :, None, None].expand(-1, -1, 4, 4)


def person(*greens, name="a"):
    return leakage_figures.person(Gauge(), name, media.to_uint8(flat(*greens)))


def test_a_person_is_the_mean_of_the_frames_with_a_face():
    assert person(0.2, 0.6, 0.0).vector == pytest.approx([0.4, 0], abs=2e-3)
    assert person(0.0).vector is None


def test_figures_of_a_known_mixture():
    """Frames a quarter of the way, then all the way, to the driving person; one without a face."""
    source, driving = person(0.2, 0.2, 0.2), person(0.6, 0.6, 0.6, name="b")
    told = leakage_figures.judge(flat(0.3, 0.6, 0.0), source, driving, Gauge())
    assert told["faces"] == pytest.approx(2 / 3)
    assert told["to_source"] == pytest.approx((0.1 + 0.4) / 2, abs=3e-3)
    assert told["to_driving"] == pytest.approx((0.3 + 0) / 2, abs=3e-3)
    assert told["identity_lean"] == pytest.approx((0.25 + 1) / 2, abs=1e-2)
    assert told["nearer_driving"] == 0.5
    # green alone differs; the frames lie 0.1, 0.4 and 0.2 from the source's, of 0.4
    assert told["pixels_to_source"] == pytest.approx(0.7 / 1.2, abs=1e-2)
    assert told["pixels_to_driving"] == pytest.approx((0.3 + 0 + 0.6) / 1.2, abs=1e-2)
    assert told["pixel_lean"] == pytest.approx(0.7 / 1.6, abs=1e-2)


def test_the_two_copies_stand_at_both_ends():
    source, driving = person(0.2, 0.2), person(0.6, 0.6, name="b")
    ends = []
    for copy in leakage_figures.COPIES:
        result = leakage_figures.draw(copy, source, driving, "absolute")
        told = leakage_figures.judge(result, source, driving, Gauge())
        ends.append([told[name] for name in ("identity_lean", "nearer_driving", "pixel_lean")])
    np.testing.assert_allclose(ends, [[0, 0, 0], [1, 1, 1]], atol=1e-6)


def test_without_faces_pixels_are_left():
    source, driving = person(0.2), person(0.6, name="b")
    for told in (
        leakage_figures.judge(flat(0.0), source, driving, Gauge()),
        leakage_figures.judge(flat(0.3), source, person(0.0), Gauge()),
        leakage_figures.judge(flat(0.3), source, driving, None),
    ):
        assert told["identity_lean"] is None
        assert told["pixel_lean"] is not None
    with pytest.raises(ValueError, match="same pixels"):
        leakage_figures.judge(flat(0.3), source, person(0.2, name="twin"), None)


def pairs(**figures):
    """Two pairs driven by x, one by each of y and z."""
    blank = dict.fromkeys((*leakage_figures.FIGURES, "faces"))
    columns = zip("xxyz", *figures.values(), strict=True)
    return [blank | {"driving": d} | dict(zip(figures, v, strict=True)) for d, *v in columns]


def test_differences_are_averaged_over_a_clips_pairs_and_clips_are_resampled():
    first = pairs(pixel_lean=[0.1, 0.3, 0.2, 0.2], to_source=[None, 0.5, None, None])
    other = pairs(pixel_lean=[0.2, 0.6, 0.5, 0.3], to_source=[0.1, 0.4, 0.1, 0.1])
    told = leakage_figures.compare(first, other, seed=3)
    assert set(told) == {"pixel_lean", "to_source"}
    lean = told["pixel_lean"]
    clips = np.array([0.2, 0.3, 0.1])
    assert lean["difference"] == pytest.approx(clips.mean())
    wanted = bootstrap(
        (clips,), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(3)
    ).confidence_interval
    assert (lean["low"], lean["high"]) == pytest.approx((wanted.low, wanted.high))
    assert lean["separable"] is True
    assert lean["clips"] == 3
    one = told["to_source"]
    assert (one["low"], one["separable"], one["clips"]) == (None, False, 1)
    assert one["difference"] == pytest.approx(-0.1)
    swapped = pairs(pixel_lean=[0.0, 0.4, 0.5, 0.0])
    assert leakage_figures.compare(first, swapped, seed=0)["pixel_lean"]["separable"] is False


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A LIA with and one without a dictionary, and one of another size."""
    folder = tmp_path_factory.mktemp("runs")
    save_animator(tiny_animator("lia"), folder / "with.ckpt")
    save_animator(tiny_animator("lia", dictionary=False), folder / "without.ckpt")
    save_animator(tiny_animator("lia", image_size=128), folder / "large.ckpt")
    return folder


def words(files, *rows, out, **changes):
    given = {"data": "toy", "frames": "3", "device": "cpu", "output": out, "name": "tiny"}
    given |= {"picture": out / "pairs.png"} | changes
    options = [str(word) for key, value in given.items() for word in (f"--{key}", value)]
    named = (f"{row}={files / row}.ckpt" for row in rows)
    return ["leakage", *options, *TOY, "--checkpoints", *named]


def test_the_command_measures_every_pair_with_every_row(files, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(directions_figures, "Eye", Gauge)
    assert study.main(words(files, "with", "without", out=tmp_path)) == 0
    (path,) = tmp_path.glob("*.json")
    assert path.name.startswith("leakage_tiny_toy_")
    assert path.name.startswith(records.OTHERS)
    record = read_study_record(path, "leakage")
    assert record["mode"] == "absolute"
    assert [row["row"] for row in record["rows"]] == [*leakage_figures.COPIES, "with", "without"]
    # three clips, three persons: all six pairs
    assert record["clips"] | {"sha256": ""} == {"count": 3, "pairs": 6, "frames": 9, "sha256": ""}
    named = {(pair["source"], pair["driving"]) for pair in record["rows"][2]["pairs"]}
    assert len(named) == 6
    assert all(a != b for a, b in named)
    for row in record["rows"]:
        leans = [pair["pixel_lean"] for pair in row["pairs"]]
        assert row["figures"]["pixel_lean"] == pytest.approx(sum(leans) / 6)
    assert record["rows"][0]["figures"]["nearer_driving"] < 0.5
    assert record["rows"][1]["figures"]["nearer_driving"] == 1
    (held,) = record["comparisons"]
    assert (held["row"], held["against"]) == ("without", "with")
    gap = [record["rows"][n]["figures"]["pixel_lean"] for n in (3, 2)]
    assert held["figures"]["pixel_lean"]["difference"] == pytest.approx(gap[0] - gap[1])
    assert record["rows"][2]["checkpoint"]["init_args"]["dictionary"] is True
    text = leakage.report(record)
    assert text in capsys.readouterr().out
    assert "| without | " in text
    assert "without against with: identity lean" in text
    assert (tmp_path / "pairs.png").stat().st_size > 1000


def test_pairs_follow_from_the_seed(files, tmp_path):
    drawn = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        out = tmp_path / name
        argv = words(files, "with", out=out, pairs="3")
        assert study.main([*argv, "--no-identity", f"--data.init_args.seed={seed}"]) == 0
        (path,) = out.glob("*.json")
        record = json.loads(path.read_text())
        assert record["estimator"] is None
        drawn.append([(p["source"], p["driving"]) for p in record["rows"][0]["pairs"]])
    assert drawn[0] == drawn[1] != drawn[2]


def test_mistakes_are_one_line_and_leave_nothing(files, tmp_path, fails, monkeypatch):
    monkeypatch.setattr(directions_figures, "Eye", Gauge)
    out = tmp_path / "out"

    def said(*rows, **changes):
        return fails(study.main, *words(files, *rows, out=out, **changes))

    assert "gone.ckpt" in said("gone")
    assert "a row 'with' already" in said("with", "with")
    assert "[64, 128] pixels" in said("with", "large")
    assert "--pairs must be 1 to 6" in said("with", pairs="7")
    assert "mode 'avd' is not one of" in said("with", mode="avd")
    assert "small letters" in said("with", name="Two Words")
    assert "must end in .png" in said("with", picture=out / "pairs.jpg")
    assert "copy-source is a row" in fails(
        study.main, *words(files, out=out), f"copy-source={files / 'with.ckpt'}"
    )
    blind = type("Blind", (), {"see": lambda self, x: directions_figures.Seen(x, None, None)})
    monkeypatch.setattr(directions_figures, "Eye", blind)
    # only the work's progress may stand before the line
    argv = words(files, "with", out=out)
    assert "no face was found" in fails(study.main, *argv)
    alone = ["--data.init_args.toy.test_identities=1"]
    assert "one identity only" in fails(study.main, *argv, *alone)
    assert not out.exists()
