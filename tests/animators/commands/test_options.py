"""What the commands share: one line for every mistake, crops of both sides, notes."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from animators.commands import animate, edit, following, manipulate, sparsity
from animators.commands.options import Parser, run
from animators.lia import Lia
from animators.weights import save_animator
from datamodules import media

SIZE = 64


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    arguments = {"image_size": SIZE, "latent_dim": 16, "channel_multiplier": 1 / 32}
    path = tmp_path_factory.mktemp("model") / "tiny.ckpt"
    save_animator(Lia.for_inference({**arguments, "motion_dim": 4, "dictionary": True}), path)
    return path


@pytest.fixture
def words(checkpoint, tmp_path):
    """A square picture, a wide clip of 3 frames, and the command line to begin with."""
    Image.new("RGB", (70, 70), (200, 10, 10)).save(tmp_path / "me.png")
    with media.ClipWriter(tmp_path / "clip.mp4", Fraction(25)) as writer:
        for i in range(3):
            writer.write(np.full((64, 80, 3), 50 * i, np.uint8))
    given = {
        "--checkpoint": checkpoint,
        "--source": tmp_path / "me.png",
        "--driving": tmp_path / "clip.mp4",
        "--output": tmp_path / "out" / "made.mp4",
        "--device": "cpu",
    }
    return [str(word) for pair in given.items() for word in pair]


def only_line(capsys):
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("command", [animate, edit, manipulate, sparsity])
def test_a_wrong_command_line_is_one_line(command, capsys):
    for argv in ([], ["--sauce", "a.png"], ["--crop"]):
        assert command.main(argv) == 2
        line = only_line(capsys)
        assert line.startswith("error: ")
        assert "--help" in line


@pytest.mark.parametrize("command", [animate, edit, manipulate, sparsity])
def test_help_is_no_error(command, capsys):
    assert command.main(["--help"]) == 0
    assert "--checkpoint" in capsys.readouterr().out


@pytest.mark.parametrize("value", ["5", "5=", "=1", "5=nan", "5=inf", "5=much"])
def test_settings_that_are_none(words, value, capsys):
    place = words.index("--driving")
    for main, argv in (
        (edit.main, [*words[:place], *words[place + 2 :], "--set", "1=0.5", value]),
        (animate.main, [*words, "--edit", value]),
    ):
        assert main(argv) == 2
        assert "DIRECTION=AMOUNT" in only_line(capsys)


@pytest.mark.parametrize("value", ["3", "a,b", "-1,nan", "1,2,3"])
def test_ranges_that_are_none(words, value, capsys):
    place = words.index("--driving")
    argv = [*words[:place], *words[place + 2 :], "--range", value]
    assert manipulate.main(argv) == 2
    assert "LOW,HIGH" in only_line(capsys)


def test_the_driving_clip_is_cropped_as_the_source_unless_told(words, tmp_path, capsys):
    assert animate.main([*words, "--crop", "none"]) == 2
    said = capsys.readouterr().err
    assert "clip.mp4 is 80x64, not square" in said
    assert "--driving-crop square" in said
    assert not (tmp_path / "out").exists()
    assert animate.main([*words, "--crop", "none", "--driving-crop", "stretch"]) == 0
    assert animate.main([*words, "--crop", "2,3,60"]) == 0  # a place in the source alone
    assert animate.main([*words, "--driving-crop", "0,0,65"]) == 2
    assert "clip.mp4: the square 0,0,65" in capsys.readouterr().err


def test_crops_reach_the_animator(words, tmp_path):
    """Side by side shows what it was given: the left half of the clip is dark, the right light."""
    halves = np.zeros((64, 128, 3), np.uint8)
    halves[:, 64:] = 240
    Image.fromarray(halves).save(tmp_path / "halves.png")
    for crop, mean in (("0,0,64", 0), ("64,0,64", 240), ("square", 120)):
        out = tmp_path / "row.png"
        argv = [*words, "--driving", str(tmp_path / "halves.png"), "--driving-crop", crop]
        assert animate.main([*argv, "--output", str(out), "--side-by-side"]) == 0
        shown = media.read_image(out)[:, SIZE : 2 * SIZE]
        assert abs(float(shown.mean()) - mean) < 3


def test_a_single_driving_frame_is_pointed_out(words, tmp_path, capsys):
    still = [*words, "--driving", str(tmp_path / "me.png"), "--output", str(tmp_path / "a.png")]
    assert animate.main(still) == 0
    assert "--mode absolute" in capsys.readouterr().err
    assert animate.main([*still, "--mode", "absolute"]) == 0
    assert "note" not in capsys.readouterr().err


def test_a_folder_of_frames_is_named_and_never_overwritten(words, tmp_path, capsys):
    out = [*words, "--output", str(tmp_path / "frames.png")]
    assert animate.main(out) == 0
    assert f"{tmp_path / 'frames'}: 3 frames" in capsys.readouterr().out
    before = sorted(p.stat().st_mtime_ns for p in (tmp_path / "frames").iterdir())
    assert animate.main(out) == 2
    assert "which exists" in capsys.readouterr().err
    assert sorted(p.stat().st_mtime_ns for p in (tmp_path / "frames").iterdir()) == before
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (torch.OutOfMemoryError("no room"), 2, "--chunk"),
        (ValueError("two\nlines"), 2, "error: two lines"),
        (FileNotFoundError("gone"), 2, "error: gone"),
    ],
)
def test_errors_are_one_line(error, status, said, capsys):
    def work(_options):
        raise error

    assert run(Parser(), work, []) == status
    assert said in only_line(capsys)


def test_our_own_mistakes_keep_their_traceback():
    def work(_options):
        raise RuntimeError("a fault of ours")

    with pytest.raises(RuntimeError, match="of ours"):
        run(Parser(), work, [])


@pytest.mark.parametrize("when", [0, 2])
def test_an_interruption_leaves_the_old_output(words, tmp_path, monkeypatch, capsys, when):
    out = tmp_path / "out" / "made.mp4"
    out.parent.mkdir()
    out.write_bytes(b"old")
    pixels, calls = following.pictures.pixels, []

    def stop(result):
        calls.append(1)
        if len(calls) > when:
            raise KeyboardInterrupt
        return pixels(result)

    monkeypatch.setattr(following.pictures, "pixels", stop)
    assert animate.main(words) == 130
    assert "interrupted" in capsys.readouterr().err
    assert out.read_bytes() == b"old"
    assert [p.name for p in out.parent.iterdir()] == ["made.mp4"]


def test_nan_from_the_animator_is_told_before_anything_is_written(
    words, tmp_path, monkeypatch, capsys
):
    def broken(_self, source, _motion):
        return torch.full((len(source.latent), 3, SIZE, SIZE), torch.nan)

    monkeypatch.setattr(Lia, "render", broken)
    assert animate.main(words) == 2
    assert "NaN" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
