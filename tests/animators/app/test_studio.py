"""What the page makes is what the commands make."""

from pathlib import Path

import numpy as np
import pytest

from animators.app.studio import Studio, find_checkpoints
from animators.commands import animate, edit
from animators.lia_x import LiaX
from datamodules import media


@pytest.fixture
def studio(tmp_path):
    return Studio("cpu", tmp_path / "results")


@pytest.fixture(scope="module")
def lia_x(runs):
    return runs / "lia_x/checkpoints/best.ckpt"


def frames(path):
    with media.open_clip(path) as clip:
        return clip.read(range(clip.num_frames))


def words(checkpoint, source, output, *more):
    given = {"--checkpoint": checkpoint, "--source": source, "--output": output, "--device": "cpu"}
    return [str(word) for pair in given.items() for word in pair] + [str(word) for word in more]


def test_runs_are_offered_by_name_and_the_given_checkpoint_comes_first(runs, uploads):
    found = find_checkpoints(runs)
    assert list(found) == ["dime.ckpt", "fomm", "lia", "lia_x"]
    assert found["fomm"] == runs / "fomm/checkpoints/last.ckpt"
    assert found["lia"] == runs / "lia/checkpoints/best.ckpt"
    first = find_checkpoints(runs, found["lia_x"])
    assert list(first) == ["lia_x", "dime.ckpt", "fomm", "lia"]
    elsewhere = uploads.folder / "mine.ckpt"
    assert next(iter(find_checkpoints(runs, elsewhere).values())) == elsewhere
    assert find_checkpoints(uploads.folder / "nothing") == {}


@pytest.mark.parametrize("crop", ["square", "stretch", "3,5,50"])
def test_the_edited_picture_is_that_of_the_command_bit_for_bit(studio, lia_x, uploads, crop):
    box = (3, 5, 50) if crop == "3,5,50" else crop
    views = studio.preview(lia_x, uploads.me, box, {"yaw": 0.3, "d4": -0.25})
    made = uploads.folder / "out.png"
    given = ["--set", "yaw=0.3", "4=-0.25", "--crop", crop]
    assert edit.main(words(lia_x, uploads.me, made, *given, "--side-by-side")) == 0
    np.testing.assert_array_equal(np.concatenate(views, 1), frames(made)[0])


def test_of_a_clip_the_first_frame_is_shown(studio, lia_x, uploads):
    views = studio.preview(lia_x, uploads.clip, "square", {"mouth": 0.2})
    film = studio.edit_clip(lia_x, uploads.clip, "square", {"mouth": 0.2})
    shown = frames(film)[0].astype(int)
    # the mp4 is not exact
    assert np.abs(shown - np.concatenate(views, 1)).mean() < 5
    assert np.abs(views.before.astype(int) - views.after).mean() > 5


def test_a_source_is_encoded_once_however_often_its_slider_moves(
    studio, lia_x, runs, uploads, monkeypatch
):
    calls = []

    def counting(self, source):
        calls.append(source)
        return encode(self, source)

    encode = LiaX.encode_source
    monkeypatch.setattr(LiaX, "encode_source", counting)
    for amount in (0.1, 0.2, 0.0):
        studio.preview(lia_x, uploads.me, "square", {"yaw": amount})
    assert len(calls) == 1
    studio.preview(lia_x, uploads.you, "square", {"yaw": 0.1})
    studio.preview(lia_x, uploads.me, "stretch", {"yaw": 0.1})
    assert len(calls) == 3
    # the encoding belongs to the animator that made it
    studio.open(runs / "lia/checkpoints/best.ckpt")
    studio.preview(lia_x, uploads.me, "square", {"yaw": 0.1})
    assert len(calls) == 4


@pytest.fixture
def written(monkeypatch):
    """Frames as they go to the encoder, whose own rounding is not the same every time."""
    write = media.ClipWriter.write
    taken = []

    def writing(self, frame):
        taken.append(frame.copy())
        write(self, frame)

    monkeypatch.setattr(media.ClipWriter, "write", writing)

    def take():
        found = np.stack(taken)
        taken.clear()
        return found

    return take


def test_films_are_those_of_the_commands(studio, lia_x, uploads, written):
    film = studio.animate(lia_x, uploads.me, uploads.clip, "square", {"yaw": -0.125})
    own = written()
    assert frames(film).shape == own.shape
    made = uploads.folder / "a.mp4"
    given = ["--driving", uploads.clip, "--edit", "yaw=-0.125", "--side-by-side"]
    assert animate.main(words(lia_x, uploads.me, made, *given)) == 0
    np.testing.assert_array_equal(own, written())
    studio.edit_clip(lia_x, uploads.clip, "stretch", {"yaw": 0.5}, side_by_side=False)
    own = written()
    made = uploads.folder / "b.mp4"
    assert edit.main(words(lia_x, uploads.clip, made, "--set", "yaw=0.5", "--crop=stretch")) == 0
    np.testing.assert_array_equal(own, written())


def test_any_animator_animates_in_its_modes_and_with_its_references(studio, runs, uploads):
    plain, several = runs / "fomm/checkpoints/last.ckpt", runs / "dime.ckpt"
    for checkpoint, width, options in (
        (plain, 3 * 64, {"mode": "absolute"}),
        (plain, 64, {"reference_frame": "2", "side_by_side": False}),
        (several, 4 * 32, {"references": [uploads.you]}),
    ):
        film = studio.animate(checkpoint, uploads.me, uploads.clip, "square", {}, **options)
        size = studio.open(checkpoint).image_size
        assert frames(film).shape[1:] == (size, width, 3)


def test_what_cannot_be_is_refused_as_by_the_commands(studio, runs, lia_x, uploads):
    plain = runs / "fomm/checkpoints/last.ckpt"
    for said, call in (
        ("without motion directions", lambda: studio.preview(plain, uploads.me, "square", {})),
        (
            "without motion directions",
            lambda: studio.edit_clip(plain, uploads.clip, "square", {"0": 1.0}),
        ),
        ("move a slider", lambda: studio.edit_clip(lia_x, uploads.clip, "square", {})),
        ("is empty", lambda: studio.preview(lia_x, uploads.empty_png, "square", {})),
        (
            "0 to 23",
            lambda: studio.animate(
                lia_x, uploads.me, uploads.clip, "square", {}, reference_frame="99"
            ),
        ),
        ("no checkpoint of this project", lambda: studio.open(runs / "foreign.pth")),
        ("holds code", lambda: studio.open(runs / "code.pth")),
    ):
        with pytest.raises(ValueError, match=said):
            call()
    assert not [path for path in studio.folder.rglob("*") if path.is_file()]
    assert not studio.busy


def test_where_others_come_in_only_the_listed_checkpoints_are_opened(tmp_path, runs, uploads):
    listed = find_checkpoints(runs)
    studio = Studio("cpu", tmp_path / "results", listed.values())
    for path in (*listed.values(), runs / "lia/../fomm/checkpoints/last.ckpt"):
        assert studio.describe(path)
    copy = uploads.folder / "best.ckpt"
    copy.write_bytes(listed["lia"].read_bytes())
    for path in (copy, runs / "foreign.pth", runs / "gone.ckpt", Path("/etc/passwd")):
        for call in (
            lambda path=path: studio.open(path),
            lambda path=path: studio.preview(path, uploads.me, "square", {}),
            lambda path=path: studio.edit_clip(path, uploads.clip, "square", {"0": 1.0}),
            lambda path=path: studio.animate(path, uploads.me, uploads.clip, "square", {}),
        ):
            # the same of a file that is there and of one that is not
            with pytest.raises(ValueError, match="not among the checkpoints of this page"):
                call()


def test_a_checkpoint_that_was_replaced_is_opened_again(studio, runs, uploads):
    path = uploads.folder / "mine.ckpt"
    path.write_bytes((runs / "lia/checkpoints/best.ckpt").read_bytes())
    model = studio.open(path)
    assert studio.open(path) is model
    path.write_bytes((runs / "lia_x/checkpoints/best.ckpt").read_bytes())
    assert type(studio.open(path)) is LiaX
