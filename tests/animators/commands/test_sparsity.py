"""The map of a clip's magnitudes, and its numbers."""

import csv
import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from animators.commands import heat_map
from animators.commands.sparsity import main
from animators.lia_x import LiaX
from animators.metrics.sparsity import sparsity
from animators.weights import load_animator, save_animator
from datamodules import media
from tests.animators.tiny import tiny_animator

FRAMES = 6
NAMES = {"yaw": (3, -1.0, 0.5), "mouth": (1, -0.4, 0.4)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("given")
    save_animator(tiny_animator("lia_x", named_directions=NAMES), made / "x.ckpt")
    save_animator(tiny_animator("fomm"), made / "fomm.ckpt")
    save_animator(tiny_animator("lia", dictionary=False), made / "plain.ckpt")
    rng = np.random.default_rng(0)
    with media.ClipWriter(made / "clip.mp4", Fraction(25)) as writer:
        for _ in range(FRAMES):
            small = Image.fromarray(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8))
            writer.write(np.asarray(small.resize((96, 80), Image.Resampling.BICUBIC)))
    return made


@pytest.fixture
def words(folder, tmp_path):
    def make(*extra, checkpoint="x.ckpt", driving="clip.mp4", output="map.png"):
        given = ["--checkpoint", folder / checkpoint, "--driving", folder / driving]
        given += ["--output", tmp_path / "made" / output, "--device", "cpu"]
        return [str(word) for word in (*given, *extra)]

    return make


@torch.no_grad()
def magnitudes(folder):
    model = load_animator(folder / "x.ckpt", "cpu")
    with media.open_clip(folder / "clip.mp4") as clip:
        frames = media.resize(media.crop_square(clip.read(range(FRAMES))), 64)
    return model.encode_motion(media.to_float(media.to_tensor(frames))).magnitudes


def test_numbers_are_the_clips_magnitudes_by_index(folder, words, tmp_path, capsys):
    numbers = [tmp_path / "made" / name for name in ("n.json", "n.csv")]
    assert main(words("--threshold", "0.3", "--chunk", "4", "--numbers", *numbers)) == 0
    wanted = magnitudes(folder)
    found = json.loads(numbers[0].read_text())
    torch.testing.assert_close(torch.tensor(found["magnitudes"]), wanted)
    shares = sparsity(wanted, 0.3)
    assert found["active"] == pytest.approx(shares.active)
    assert found["used"] == pytest.approx(shares.used)
    assert found["l1"] == pytest.approx(shares.l1, rel=1e-5)
    assert (found["frames"], found["threshold"]) == (FRAMES, 0.3)
    by_direction = found["active_by_direction"]
    assert list(by_direction) == ["d0", "mouth", "d2", "yaw", "d4"]  # in order of the index
    assert sum(by_direction.values()) / 5 == pytest.approx(shares.active)
    with numbers[1].open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["frame", "d0", "mouth", "d2", "yaw", "d4"]
    assert [int(row[0]) for row in rows] == list(range(FRAMES))
    torch.testing.assert_close(torch.tensor([[float(x) for x in r[1:]] for r in rows]), wanted)
    said = capsys.readouterr().out
    assert f"active: {100 * shares.active:.1f} % of 5 directions" in said
    assert "|A_i(t)| > 0.3 max_j |A_j(t)|" in said


def test_each_frame_is_encoded_once_and_nothing_is_rendered(words, monkeypatch):
    seen = []
    encode = LiaX.encode_motion
    monkeypatch.setattr(
        LiaX, "encode_motion", lambda self, x: (seen.append(len(x)), encode(self, x))[1]
    )
    monkeypatch.setattr(LiaX, "render", lambda *_: seen.append(1000))
    assert main(words()) == 0
    assert sum(seen) == FRAMES


def test_the_map_is_red_above_zero_and_blue_below_and_white_at_it(tmp_path):
    """The scale is symmetrical, so that one positive extreme leaves zero white."""
    values = torch.zeros(4, 3)
    values[:, 0], values[:, 2] = 5.0, -2.5
    one = heat_map.Map(values, ["up", "rest", "down"], "a title")
    heat_map.draw([one, one], tmp_path / "new" / "map.png")
    shown = np.asarray(Image.open(tmp_path / "new" / "map.png").convert("RGB")).astype(int)
    colours, counts = np.unique(shown.reshape(-1, 3), axis=0, return_counts=True)
    large = [tuple(c) for c, n in zip(colours, counts, strict=True) if n > 5000]
    assert any(r > b + 60 for r, _, b in large)
    assert any(b > r + 60 for r, _, b in large)
    assert any(240 < min(c) <= max(c) < 252 for c in large)  # the page is 255
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["map.png"]


@pytest.mark.parametrize(
    ("extra", "given", "said"),
    [
        ([], {"output": "map.mp4"}, "must end in .png"),
        (["--numbers", "n.txt"], {}, "must end in .json or .csv"),
        (["--threshold", "1"], {}, "--threshold must be"),
        (["--threshold", "nan"], {}, "--threshold must be"),
        (["--chunk", "0"], {}, "at least 1"),
        (["--crop", "none"], {}, "(--crop square"),
        ([], {"checkpoint": "fomm.ckpt"}, "without motion directions"),
        ([], {"checkpoint": "plain.ckpt"}, "without motion directions"),
        ([], {"driving": "gone.mp4"}, "gone.mp4"),
        ([], {"checkpoint": "gone.ckpt"}, "gone.ckpt"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(extra, given, said, words, tmp_path, capsys):
    assert main(words(*extra, **given)) == 2
    lines = [x for x in capsys.readouterr().err.splitlines() if "error: " in x]
    assert len(lines) == 1
    assert said in lines[0]
    assert not (tmp_path / "made").exists()
