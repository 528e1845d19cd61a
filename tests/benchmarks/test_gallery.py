from fractions import Fraction

import pytest
import torch

from animators.lia import Lia
from animators.weights import save_animator
from benchmarks.gallery import main, panels, rate, strip
from datamodules import media


def test_panels_from_left_to_right():
    video = torch.rand(3, 3, 4, 4)
    prediction = torch.rand(3, 3, 4, 4)
    source, driving, made, difference = panels(video, [prediction]).chunk(4, dim=3)
    assert torch.equal(source, video[:1].expand_as(video))
    assert torch.equal(driving, video)
    assert torch.equal(made, prediction)
    assert torch.equal(difference, (prediction - video).abs())


def test_strip_takes_equally_spaced_frames():
    frames = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 3, 2, 2)
    assert strip(frames, 3)[0, :, 0].tolist() == [0, 0, 2, 2, 4, 4]
    assert strip(frames, 9).shape == (3, 10, 2)


def test_chosen_frames_play_as_long_as_the_clip():
    assert rate(25.0, [0, 1, 2, 3]) == 25
    assert rate(25.0, [0, 5, 10]) == 5
    assert rate(30000 / 1001, [0, 2]) == Fraction(15000, 1001)


def test_files(toy, checkpoint, tmp_path):
    second = ["--checkpoint", str(checkpoint), str(checkpoint)]
    words = [*second, *toy[2:], "--frames", "4", "--clips", "2", "--output", str(tmp_path)]
    assert main(words) == 0
    films = sorted(tmp_path.glob("*.mp4"))
    assert len(films) == 2
    assert sorted(tmp_path.iterdir()) == sorted([*films, *[f.with_suffix(".png") for f in films]])
    with media.open_clip(films[0]) as film:
        assert film.size == (64, 6 * 64)
        assert film.num_frames == 4
    assert media.read_image(films[0].with_suffix(".png")).shape == (4 * 64, 6 * 64, 3)


def test_bad_inputs(toy, checkpoint, tmp_path, fails):
    out = tmp_path / "out"
    other = tmp_path / "other.ckpt"
    save_animator(
        Lia.for_inference(
            {"image_size": 128, "latent_dim": 32, "motion_dim": 5, "channel_multiplier": 0.0625}
        ),
        other,
    )
    error = fails(main, "--checkpoint", checkpoint, other, *toy[2:], "--output", out)
    assert "different sizes [64, 128]" in error
    assert "absent.ckpt" in fails(main, "--checkpoint", "absent.ckpt", *toy[2:], "--output", out)
    assert "--clips must be at least 1" in fails(main, *toy, "--clips", "0", "--output", out)
    assert not out.exists()


def test_interrupted_film_leaves_nothing(toy, tmp_path, monkeypatch, capsys):
    def fail(*arguments):
        raise ValueError("NaN in a frame")

    monkeypatch.setattr("datamodules.media.to_frames", fail)
    assert main([*toy, "--frames", "3", "--output", str(tmp_path)]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "error: NaN in a frame"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["--clips", "--strip"])
def test_counts(toy, what, fails):
    assert what in fails(main, *toy, what, "-1")
