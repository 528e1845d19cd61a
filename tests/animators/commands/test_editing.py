"""Pictures and clips moved along motion directions: `edit`, `animate --edit`, `manipulate`."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from animators.animator import Mode
from animators.commands import animate, edit, manipulate
from animators.commands.directions import mosaic, table
from animators.lia_x import LiaX
from animators.weights import load_animator, save_animator
from datamodules import media
from tests.animators.tiny import tiny_animator
from tests.datamodules.media.test_sound import clip as clip_with_sound
from tests.datamodules.media.test_sound import heard

SIZE = 64
FRAMES = 5
RATE = Fraction(30000, 1001)
NAMES = {"yaw": (3, -1.0, 0.5), "mouth": (1, -0.4, 0.4)}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """A LIA-X with two names, a LIA without any, and animators that cannot be edited."""
    folder = tmp_path_factory.mktemp("models")
    for name, changes in (("lia", {}), ("lia_x", {"named_directions": NAMES}), ("fomm", {})):
        save_animator(tiny_animator(name, **changes), folder / f"{name}.ckpt")
    save_animator(tiny_animator("lia", dictionary=False), folder / "plain.ckpt")
    return folder


@pytest.fixture
def files(tmp_path):
    """A picture and a clip; `words` makes a command line of them."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((90, 60), Image.Resampling.BICUBIC).save(tmp_path / "me.png")
    with media.ClipWriter(tmp_path / "clip.mp4", RATE) as writer:
        for _ in range(FRAMES):
            small = Image.fromarray(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8))
            writer.write(np.asarray(small.resize((96, 80), Image.Resampling.BICUBIC)))
    with media.open_clip(tmp_path / "clip.mp4") as clip:
        Image.fromarray(clip.read([0])[0]).save(tmp_path / "first.png")
    return tmp_path


@pytest.fixture
def words(files, checkpoints):
    def make(*extra, source="me.png", output="out.png", checkpoint="lia_x", driving=None):
        given = ["--checkpoint", checkpoints / f"{checkpoint}.ckpt", "--source", files / source]
        given += ["--output", files / "made" / output, "--device", "cpu"]
        given += [] if driving is None else ["--driving", files / driving]
        return [str(word) for word in (*given, *extra)]

    return make


@pytest.fixture
def made(files):
    """Read a picture, or all frames of a clip, that a command wrote."""

    def read(name):
        with media.open_clip(files / "made" / name) as clip:
            return clip.read(range(clip.num_frames))

    return read


def error(capsys):
    lines = [x for x in capsys.readouterr().err.splitlines() if "error: " in x]
    assert len(lines) == 1
    return lines[0]


def square(path):
    """What a command shows the animator of a clip or picture: (T, 3, S, S)."""
    with media.open_clip(path) as clip:
        frames = clip.read(range(clip.num_frames))
    return media.to_float(media.to_tensor(media.resize(media.crop_square(frames), SIZE)))


def counted(monkeypatch, *names):
    """Count calls of methods, by pictures that they are given."""
    calls = dict.fromkeys(names, 0)

    def count(name, method):
        def counting(self, first, *rest):
            calls[name] += len(first if isinstance(first, torch.Tensor) else first.magnitudes)
            return method(self, first, *rest)

        return counting

    for name in names:
        monkeypatch.setattr(LiaX, name, count(name, getattr(LiaX, name)))
    return calls


def test_no_amount_is_the_picture_itself_bit_for_bit(words, made, checkpoints, files):
    model = load_animator(checkpoints / "lia_x.ckpt", "cpu")
    source = square(files / "me.png")
    with torch.no_grad():
        state, motion = model.encode_source(source), model.encode_motion(source)
        own = model.render(state, model.transfer(state, motion, motion, Mode.RELATIVE))
    assert edit.main(words("--set", "yaw=0", "4=0", "--set", "mouth=-0.0")) == 0
    np.testing.assert_array_equal(made("out.png"), media.to_frames(media.to_uint8(own)))


def test_amounts_of_one_direction_add_up_by_name_and_by_index(words, made, capsys):
    for i, given in enumerate((["yaw=0.3"], ["yaw=0.5", "3=-0.4", "--set", "d3=0.2"], ["yaw=0.5"])):
        assert edit.main(words("--set", *given, output=f"{i}.png")) == 0
    np.testing.assert_array_equal(made("0.png"), made("1.png"))
    assert np.abs(made("0.png").astype(int) - made("2.png")).max() > 1
    assert "note" not in capsys.readouterr().err


def test_an_amount_beyond_the_range_is_noted_and_taken(words, made, capsys):
    assert edit.main(words("--set", "yaw=0.4", "3=0.4", output="far.png")) == 0
    assert "note: yaw=0.8 is beyond what is shown of it, -1 to 0.5" in capsys.readouterr().err
    assert edit.main(words("--set", "yaw=0.5", output="near.png")) == 0
    assert not np.array_equal(made("far.png"), made("near.png"))
    assert edit.main(words("--set", "2=-2", checkpoint="lia", output="lia.png")) == 0
    assert "note" not in capsys.readouterr().err


def test_an_edited_clip_begins_with_the_edited_first_frame_and_keeps_its_rate(words, made, files):
    """The other frames are z_1 + w(A_t) - w(A_1) + w(A_1 + v)."""
    given = ["--set", "mouth=0.3", "yaw=-0.5"]
    assert edit.main(words(*given, source="clip.mp4")) == 0
    assert edit.main(words(*given, source="first.png", output="first.png")) == 0
    frames = made("out")
    np.testing.assert_array_equal(frames[0], made("first.png")[0])
    assert len(frames) == FRAMES
    assert edit.main(words(*given, source="clip.mp4", output="out.mp4")) == 0
    with media.open_clip(files / "made" / "out.mp4") as clip:
        assert (clip.num_frames, clip.fps) == (FRAMES, RATE)


def test_an_edited_clip_keeps_its_sound(words, files):
    clip_with_sound(files / "talk.mp4", pictures=4, seconds=0.3, beep=0.05)
    assert edit.main(words("--set", "yaw=0.2", source="talk.mp4", output="t.mp4")) == 0
    wave, rate, _ = heard(files / "made" / "t.mp4")
    assert np.abs(wave[int(0.05 * rate) : int(0.15 * rate)]).max() > 0.3


@torch.no_grad()
def by_hand(model, source, driving, shift, reference=0):
    """Eq. 10 on latents, in the animator's own pictures as uint8."""
    w, state = model.network.displacement, model.encode_source(source)
    own = [model.encode_motion(frame[None]).magnitudes for frame in driving]
    moved = state.magnitudes + torch.tensor(shift)
    pictures = [
        model.network.decode(state.latent + w(moved) + (w(a) - w(own[reference])), state.features)
        for a in own
    ]
    return media.to_frames(media.to_uint8(torch.cat(pictures).clamp(0, 1)))


def test_edit_then_transfer_is_equation_10(words, made, checkpoints, files):
    shift = [0.0, 0.3, 0.0, -0.5, 0.0]
    clip = square(files / "clip.mp4")
    model = load_animator(checkpoints / "lia_x.ckpt", "cpu")
    given = ["mouth=0.3", "3=-0.5"]
    assert animate.main(words("--edit", *given, driving="clip.mp4")) == 0
    wanted = by_hand(model, square(files / "me.png"), clip, shift)
    assert np.abs(made("out").astype(int) - wanted).max() <= 1
    other = [*given, "--reference-frame", "2", "--chunk", "3"]
    assert animate.main(words("--edit", *other, driving="clip.mp4", output="b.png")) == 0
    wanted = by_hand(model, square(files / "me.png"), clip, shift, reference=2)
    assert np.abs(made("b").astype(int) - wanted).max() <= 1
    assert edit.main(words("--set", *given, source="clip.mp4", output="c.png")) == 0
    wanted = by_hand(model, clip[:1], clip, shift)
    assert np.abs(made("c").astype(int) - wanted).max() <= 1


def test_the_best_frame_is_nearest_to_the_edited_source(words, checkpoints, files, capsys):
    model = load_animator(checkpoints / "lia_x.ckpt", "cpu")
    clip = square(files / "clip.mp4")
    with torch.no_grad():
        own = model.encode_source(square(files / "me.png")).magnitudes
        frames = model.encode_motion(clip).magnitudes
        plain = int((frames - own).norm(dim=1).argmin())
        aim = next(i for i in range(FRAMES) if i != plain)
        shift = (frames[aim] - own[0]).tolist()
    amounts = [f"{i}={value}" for i, value in enumerate(shift)]
    given = ["--reference-frame", "best"]
    assert animate.main(words(*given, driving="clip.mp4", output="a.gif")) == 0
    assert f"best reference frame: {plain}" in capsys.readouterr().out
    assert animate.main(words(*given, "--edit", *amounts, driving="clip.mp4")) == 0
    assert f"best reference frame: {aim}" in capsys.readouterr().out


def test_without_edits_animate_is_as_before(words, made):
    assert animate.main(words(driving="clip.mp4", output="a.png")) == 0
    assert animate.main(words("--edit", "yaw=0", driving="clip.mp4", output="b.png")) == 0
    np.testing.assert_array_equal(made("a"), made("b"))


def test_nothing_is_encoded_or_rendered_twice(words, monkeypatch):
    calls = counted(monkeypatch, "encode_source", "encode_motion", "render")

    def took(main, argv):
        calls.update(dict.fromkeys(calls, 0))
        assert main(argv) == 0
        return tuple(calls.values())

    assert took(edit.main, words("--set", "yaw=0.1")) == (1, 0, 1)
    assert took(edit.main, words("--set", "yaw=0.1", source="clip.mp4", output="c.mp4")) == (
        *(1, FRAMES, FRAMES),
    )
    assert took(animate.main, words("--edit", "yaw=0.1", driving="clip.mp4", output="d.mp4")) == (
        1,
        FRAMES,
        FRAMES,
    )
    # amount 0 is the same picture for each of 5 directions
    assert took(manipulate.main, words(output="e.png")) == (1, 0, 5 * 10 + 1)


def test_side_by_side_of_an_edit_is_source_and_result(words, made, files):
    for source, name in (("me.png", "a.png"), ("clip.mp4", "b")):
        given = words("--set", "yaw=0.3", "--side-by-side", source=source, output=f"{name[0]}.png")
        assert edit.main(given) == 0
        shown = made(name)
        assert shown.shape[1:] == (SIZE, 2 * SIZE, 3)
        left = media.to_frames(media.to_uint8(square(files / source)))
        np.testing.assert_array_equal(shown[:, :, :SIZE], left)


def test_side_by_side_of_an_edited_animation_begins_with_the_unedited_source(words, made, files):
    given = ["--edit", "yaw=0.3"]
    assert animate.main(words(*given, "--side-by-side", driving="clip.mp4", output="a.png")) == 0
    assert animate.main(words(*given, driving="clip.mp4", output="b.png")) == 0
    shown = made("a")
    assert shown.shape == (FRAMES, SIZE, 3 * SIZE, 3)
    unedited, driving = (
        media.to_frames(media.to_uint8(square(files / name))) for name in ("me.png", "clip.mp4")
    )
    np.testing.assert_array_equal(shown[:, :, :SIZE], np.repeat(unedited, FRAMES, axis=0))
    np.testing.assert_array_equal(shown[:, :, SIZE : 2 * SIZE], driving)
    np.testing.assert_array_equal(shown[:, :, 2 * SIZE :], made("b"))
    assert np.abs(made("b")[0].astype(int) - unedited[0]).max() > 1


def test_a_clip_is_cropped_as_it_is_told(words, made):
    given = ["--set", "yaw=0.3", "--side-by-side", "--crop"]
    assert edit.main(words(*given, "3,5,70", source="clip.mp4", output="a.png")) == 0
    assert edit.main(words(*given, "3,5,70", source="first.png", output="b.png")) == 0
    np.testing.assert_array_equal(made("a")[0], made("b.png")[0])


def test_manipulate_shows_the_amounts_of_the_paper(words, made, monkeypatch):
    shown = []

    def keep(rows, names, amounts):
        shown.append((rows.shape, names, amounts))
        return table(rows, names, amounts)

    monkeypatch.setattr("animators.commands.editing.table", keep)
    assert manipulate.main(words(output="x.png")) == 0
    assert manipulate.main(words(output="l.png", checkpoint="lia")) == 0
    (x, x_names, x_amounts), (l_shape, l_names, l_amounts) = shown
    assert x == (5, 11, SIZE, SIZE, 3)
    assert x_names == ["yaw (3)", "mouth (1)", "d0", "d2", "d4"]
    assert " ".join(x_amounts) == "-0.5 -0.4 -0.3 -0.2 -0.1 0 0.1 0.2 0.3 0.4 0.5"
    assert l_shape == (5, 16, SIZE, SIZE, 3)
    assert l_names == [f"d{i}" for i in range(5)]
    assert (l_amounts[0], l_amounts[1], l_amounts[-1]) == ("-3", "-2.6", "3")
    assert made("x.png").shape[2] > 11 * SIZE


def test_a_swept_direction_is_found_by_index_too_and_its_tiles_are_edits(words, made):
    given = ["--range", "-0.4,0.4", "--steps", "3", "--direction"]
    for name, wanted in (("a", "mouth"), ("b", "1"), ("c", "d1")):
        assert manipulate.main(words(*given, wanted, output=f"{name}.png")) == 0
    shown = made("a.png")[0]
    np.testing.assert_array_equal(made("b.png")[0], shown)
    np.testing.assert_array_equal(made("c.png")[0], shown)
    assert edit.main(words("--set", "mouth=0.4")) == 0
    np.testing.assert_array_equal(shown[-SIZE:, -SIZE:], made("out.png")[0])
    assert manipulate.main(words("--direction", "yaw", "4", output="d.mp4")) == 0
    assert made("d.mp4").shape[0] == 11
    assert made("d.mp4").shape[2] == 2 * SIZE
    assert manipulate.main(words("--steps", "4", output="e.gif", checkpoint="lia")) == 0
    assert made("e.gif").shape[0] == 4
    assert manipulate.main(words("--reference", output="r.png")) == 0
    assert made("r.png").shape[1:] == (SIZE, 3 * SIZE, 3)


def test_labels_are_written_beside_the_tiles_and_leave_them_as_they_are():
    tiles = np.random.default_rng(0).integers(0, 255, (2, 3, 64, 64, 3), dtype=np.uint8)
    shown = table(tiles, ["yaw (37)", "d5"], ["-0.5", "0", "0.5"])
    for row in range(2):
        for column in range(3):
            top, left = shown.shape[0] - 64 * (2 - row), shown.shape[1] - 64 * (3 - column)
            np.testing.assert_array_equal(
                shown[top : top + 64, left : left + 64], tiles[row, column]
            )
    head, side = shown[: -2 * 64], shown[-2 * 64 :, : -3 * 64]
    margin = shown.shape[1] - 3 * 64
    assert (head[:, :margin] == 255).all()
    assert all((head[:, margin + 64 * i : margin + 64 * (i + 1)] < 128).any() for i in range(3))
    assert all((side[64 * i : 64 * (i + 1)] < 128).any() for i in range(2))
    film = mosaic(tiles[0], ["a 1", "b 1", "c 1"], 2)
    height = film.shape[0] // 2
    assert height % 2 == 0
    np.testing.assert_array_equal(film[height - 64 : height, 64:], tiles[0, 1])
    assert (film[height:, 64:] == 255).all()


@pytest.mark.parametrize(
    ("main", "extra", "said"),
    [
        (edit.main, ["--set", "nod=1"], "'nod'; this animator has yaw, mouth, and d0 to d4"),
        (edit.main, ["--set", "5=1"], "'5'; this animator has yaw, mouth, and d0 to d4"),
        (edit.main, ["--set", "yaw=nan"], "DIRECTION=AMOUNT"),
        (edit.main, ["--set", "yaw=1e308", "3=1e308"], "smaller amounts"),
        (edit.main, ["--set", "yaw=0.1", "--chunk", "0"], "at least 1"),
        (edit.main, ["--set", "yaw=0.1", "--mode", "absolute"], "unrecognized"),
        (edit.main, ["--set"], "--set"),
        (edit.main, [], "--set"),
        (manipulate.main, ["--direction", "nod"], "yaw, mouth, and d0 to d4"),
        (manipulate.main, ["--direction", "all", "yaw"], "'all'"),
        (manipulate.main, ["--steps", "1"], "at least 2"),
        (manipulate.main, ["--range", "0,inf"], "LOW,HIGH"),
        (animate.main, ["--edit", "nod=1", "--driving", "clip.mp4"], "yaw, mouth, and d0 to d4"),
        *[
            (
                animate.main,
                ["--edit", "yaw=0.1", "--driving", "clip.mp4", "--mode", mode],
                "in relative mode only",
            )
            for mode in ("absolute", "avd")
        ],
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(main, extra, said, words, files, capsys):
    extra = [str(files / word) if word == "clip.mp4" else word for word in extra]
    assert main(words(*extra)) == 2
    assert said in error(capsys)
    assert not (files / "made").exists()


def test_inputs_that_do_not_fit_are_one_line_and_leave_nothing(words, files, capsys):
    for source, output, said in (
        ("gone.png", "out.png", "gone.png"),
        ("clip.mp4", "../clip.mp4", "is an input"),
        ("me.png", "out.avi", "must end in"),
    ):
        (files / "made").mkdir(exist_ok=True)
        assert edit.main(words("--set", "yaw=0.1", source=source, output=output)) == 2
        assert said in error(capsys)
    for crop, source, said in (
        ("none", "clip.mp4", "96x80, not square: crop it (--crop square"),
        ("0,0,90", "clip.mp4", "clip.mp4: the square"),
    ):
        assert edit.main(words("--set", "yaw=0.1", "--crop", crop, source=source)) == 2
        assert said in error(capsys)
    assert not list((files / "made").iterdir())


@pytest.mark.parametrize("name", ["plain", "fomm"])
def test_an_animator_without_directions_is_not_editable(name, words, files, capsys):
    for main, argv in (
        (edit.main, words("--set", "0=1", checkpoint=name)),
        (manipulate.main, words(checkpoint=name)),
        (animate.main, words("--edit", "0=1", checkpoint=name, driving="clip.mp4")),
    ):
        assert main(argv) == 2
        assert "without motion directions" in error(capsys)
    assert not (files / "made").exists()
