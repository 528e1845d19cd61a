import json

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from animators.animator import Direction
from animators.weights import save_animator
from benchmarks import records, study
from benchmarks.records import read_study_record
from benchmarks.studies import directions, directions_figures, directions_table
from datamodules import media
from tests.animators.tiny import tiny_animator
from tests.benchmarks.conftest import TOY

FACE = np.random.default_rng(0).normal(size=(468, 3))


class Gauge:
    """Stands for the estimators: the mean red turns the head, the mean green is who it is.

    Where the picture is nearly white there is no face.
    """

    def see(self, frame):
        red, green, _ = frame.reshape(-1, 3).mean(0) / 255
        if red > 0.9:
            return directions_figures.Seen(frame, None, None)
        turn = Rotation.from_euler("y", -90 * red, degrees=True)
        vector = np.zeros(128)
        vector[0] = green
        return directions_figures.Seen(frame, turn.apply(FACE), vector)


class Painter:
    """An editable animator whose first direction adds red and whose second adds green."""

    image_size, device = 4, torch.device("cpu")
    modes = ("relative",)

    def __init__(self):
        self.directions = {"red": Direction(0, -0.2, 0.4), "d1": Direction(1, -0.1, 0.1)}

    def encode_source(self, source):
        return source

    def edit(self, state, amounts):
        state = state.clone()
        for name, amount in amounts.items():
            state[:, self.directions[name].index] += amount
        return state

    def pose(self, state):
        return state * 0

    def render(self, state, motion):
        return (state + motion).clamp(0, 1)

    def encode_motion(self, frames, pair=None):
        return frames

    def prepare_reference(self, source, reference):
        return reference

    def transfer(self, source, driving, reference, mode):
        return driving - reference


def flat(*colours):
    return torch.tensor(colours)[:, :, None, None].expand(-1, -1, 4, 4)


@pytest.fixture
def painted(monkeypatch):
    """The painter's figures of a picture, and of a clip that turns green."""
    from animators import inference

    monkeypatch.setattr(inference, "repeat_frames", lambda state, count: state)
    monkeypatch.setattr(inference, "take_first", lambda motion, batch: motion[:batch])
    amounts = {"red": [-0.2, 0.2, 0.4], "d1": [0.1]}
    found = directions_figures.Study(Painter(), Gauge(), amounts)
    picture, clip = flat([0.2, 0.2, 0.2]), flat([0.2, 0.2, 0.2], [0.2, 0.6, 0.2])
    for video in (picture, clip):
        found.look(video)
    assert list(found.add(picture)) == ["red", "d1"]
    list(found.add(clip))
    return found


def test_a_direction_that_turns_the_head_shows_as_yaw_and_nothing_else(painted):
    red, green = painted.results()
    assert (red["name"], red["index"]) == ("red", 0)
    assert [point["amount"] for point in red["picture"]] == [-0.2, 0.2, 0.4]
    for point in red["picture"]:
        assert point["yaw"] == pytest.approx(90 * point["amount"], abs=0.3)
        assert point["angle"] == pytest.approx(90 * abs(point["amount"]), abs=0.3)
        assert point["pitch"] == pytest.approx(0, abs=1e-6)
        assert point["identity"] == pytest.approx(0, abs=1e-6)
        assert point["pixels"] == pytest.approx(abs(point["amount"]) / 3, abs=2e-3)
        assert (point["pairs"], point["found"]) == (2, 2)
    (point,) = green["picture"]
    assert point["identity"] == pytest.approx(0.1, abs=3e-3)
    assert point["angle"] == pytest.approx(0, abs=1e-4)


def test_clips_are_held_frame_by_frame_against_the_unedited_clip(painted):
    """Their own motion, here green, is in both and so in no figure."""
    red, green = painted.results()
    assert [point["amount"] for point in red["clip"]] == [-0.2, 0.4]  # both ends only
    for point in red["clip"]:
        assert point["pairs"] == 2
        assert point["yaw"] == pytest.approx(90 * point["amount"], abs=0.3)
        assert point["identity"] == pytest.approx(0, abs=1e-6)
    assert green["clip"][0]["identity"] == pytest.approx(0.1, abs=3e-3)


def test_unedited_drawings_are_held_against_the_sources(painted):
    told = directions_figures.average(painted.unedited)
    assert (told["pairs"], told["found"]) == (2, 2)
    assert told["angle"] == pytest.approx(0, abs=1e-4)


def test_pairs_without_a_face_are_counted_and_left_out():
    eye = Gauge()
    here, gone, other = (eye.see(np.full((4, 4, 3), value, np.uint8)) for value in (0, 255, 51))
    pairs = [directions_figures.compare(here, x) for x in (gone, other)]
    assert pairs[0]["yaw"] is None
    told = directions_figures.average(pairs)
    assert (told["pairs"], told["found"]) == (2, 1)
    assert told["yaw"] == pytest.approx(18)
    assert told["pixels"] == pytest.approx((1 + 0.2) / 2)
    none = directions_figures.average(pairs[:1])
    assert (none["found"], none["yaw"], none["identity"]) == (0, None, None)


def test_amounts_are_each_directions_own_or_those_given():
    known = {"yaw1": Direction(7, -0.5, 0.5), "d3": Direction(3, 0.0, 2.0)}
    assert directions.plan(known, ["all"], None, 3) == {"yaw1": [-0.5, 0.5], "d3": [1, 2]}
    assert directions.plan(known, ["7"], [3, -1, 3], 9) == {"yaw1": [-1, 3]}
    with pytest.raises(ValueError, match="other than 0"):
        directions.plan(known, ["all"], [0.0], 2)
    with pytest.raises(ValueError, match="no motion direction 'nod'"):
        directions.plan(known, ["nod"], None, 2)


def test_the_table_names_the_direction_that_turns_the_head_most():
    def point(amount, yaw, roll):
        figures = dict(yaw=yaw, pitch=0.0, roll=roll, angle=abs(yaw), identity=0.1, pixels=0.01)
        return {"amount": amount, "pairs": 2, "found": 1, **figures}

    small = [point(-1, -2.0, 9.0), point(1, 2.0, -9.0)]
    large = [point(-1, -20.0, 0.0), point(1, 20.0, 1.0)]
    assert directions_table.span(large, "yaw") == 40
    assert directions_table.span(large[1:], "yaw") == 20
    assert directions_table.span([{**large[0], "yaw": None}, large[1]], "yaw") == 0
    row = {
        "row": "with",
        "unedited": {**point(0, 1.0, 0.0), "amount": 0},
        "directions": [
            {"name": "d0", "index": 0, "picture": small, "clip": []},
            {"name": "yaw1", "index": 4, "picture": large, "clip": large},
        ],
    }
    record = {"name": "n", "data": "d", "rows": [row], "estimators": directions.ESTIMATORS}
    text = directions_table.report(record | {"clips": {"count": 2, "frames": 2}})
    assert "| with | yaw | yaw1 (d4) | -1 to 1 | picture | -20.0 to 20.0 |" in text
    assert "| with | yaw | yaw1 (d4) | -1 to 1 | clip | -20.0 to 20.0 |" in text
    assert "| with | roll | d0 | -1 to 1 | picture | -2.0 to 2.0 |" in text
    assert "| with | 2 | picture | 11.0 | 0.100 | 0.0100 | 4 of 8 |" in text


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name in ("lia_x", "lia", "fomm"):
        save_animator(tiny_animator(name), folder / f"{name}.ckpt")
    return folder


def words(out, *more):
    given = ["--device", "cpu", "--output", out, "--curve", out / "c.png", "--steps", "2", *more]
    return ["directions", *(str(word) for word in given)]


def test_the_record_and_the_curves_of_two_rows_on_test_clips(files, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(directions_figures, "Eye", Gauge)
    rows = ["--rows", f"a={files / 'lia_x.ckpt'}", f"b={files / 'lia.ckpt'}"]
    out = tmp_path / "out"
    more = ["--data", "toy", "--frames", "2", "--limit", "2", "--direction", "0", "d3", *TOY, *rows]
    assert study.main(words(out, *more)) == 0
    (path,) = out.glob("*.json")
    record = read_study_record(path, "directions")
    assert path.name.startswith("directions_directions_toy_")
    assert path.name.startswith(records.OTHERS)
    assert [row["row"] for row in record["rows"]] == ["a", "b"]
    assert (record["clips"]["count"], record["clips"]["frames"]) == (2, 4)
    for row in record["rows"]:
        assert [each["index"] for each in row["directions"]] == [0, 3]
        for each in row["directions"]:
            assert [point["pairs"] for point in each["picture"]] == [2, 2]
            assert [point["pairs"] for point in each["clip"]] == [4, 4]
            assert all(point["pixels"] > 0 for point in each["picture"])
    assert directions.report(json.loads(path.read_text())) in capsys.readouterr().out
    assert (out / "c.png").stat().st_size > 1000


def test_a_picture_of_ones_own_has_no_clip(files, tmp_path, monkeypatch):
    monkeypatch.setattr(directions_figures, "Eye", Gauge)
    picture = tmp_path / "face.png"
    with media.ClipWriter(picture, media.PICTURE_RATE) as writer:
        writer.write(np.full((80, 64, 3), 90, np.uint8))
    out = tmp_path / "out"
    more = ["--checkpoint", files / "lia.ckpt", "--source", picture, "--direction", "1"]
    assert study.main(words(out, *more)) == 0
    (path,) = out.glob("directions_lia_files_*.json")
    (row,) = read_study_record(path, "directions")["rows"]
    (direction,) = row["directions"]
    assert row["row"] == "lia"
    assert [point["pairs"] for point in direction["picture"]] == [1, 1]
    assert direction["clip"] == []


def test_mistakes_are_one_line_and_leave_nothing(files, tmp_path, monkeypatch, fails):
    monkeypatch.setattr(directions_figures, "Eye", Gauge)
    out, lia = tmp_path / "out", ["--checkpoint", files / "lia.ckpt"]
    toy = ["--data", "toy", *TOY]

    def said(*more):
        return fails(study.main, *words(out, *more))

    assert "either --data or --source" in said(*lia)
    assert "either --data or --source" in said(*lia, *toy, "--source", "a.png")
    assert "gone.png" in said(*lia, "--source", files / "gone.png")
    assert "without motion directions" in said("--checkpoint", files / "fomm.ckpt", *toy)
    assert "no motion direction 'nod'" in said(*lia, *toy, "--direction", "nod")
    assert "--limit must be" in said(*lia, *toy, "--limit", "0")
    assert "--steps must be" in said(*lia, *toy, "--steps", "1")
    assert "small letters" in said(*lia, *toy, "--name", "Two Words")
    assert "must end in .png or .svg" in said(*lia, *toy, "--curve", out / "c.jpg")
    assert not out.exists()


def test_sources_without_a_face_are_refused_before_anything_is_edited(
    files, tmp_path, monkeypatch, capsys
):
    class Blind(Gauge):
        def see(self, frame):
            return directions_figures.Seen(frame, None, None)

    monkeypatch.setattr(directions_figures, "Eye", Blind)
    monkeypatch.setattr(directions_figures.Study, "add", None)
    more = ["--checkpoint", files / "lia.ckpt", "--data", "toy", *TOY, "--limit", "1"]
    assert study.main(words(tmp_path / "out", *more, "--direction", "0")) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("error: lia: no face was found in any of the 1 source")
    assert not (tmp_path / "out").exists()


def test_real_estimators_see_no_face_in_toy_pictures_and_one_in_a_portrait(
    package_weights, shared_dir
):
    package_weights("face_detector", "face_mesh", "face_identity")
    pytest.importorskip("dlib")
    path = next(iter(sorted((shared_dir / "data" / "test" / "faces").glob("*.mp4"))))
    with media.open_clip(path) as clip:
        frame = media.resize(clip.read([0]), 64)[0]
    eye = directions_figures.Eye()
    seen = eye.see(frame)
    pair = directions_figures.compare(seen, eye.see(np.ascontiguousarray(frame[:, ::-1])))
    assert 0 < pair["identity"] < 0.6
    assert directions_figures.compare(seen, seen) == pytest.approx(
        dict.fromkeys((*directions_figures.FIGURES, "pixels"), 0), abs=1e-4
    )
    assert eye.see(np.zeros((64, 64, 3), np.uint8)).vector is None
