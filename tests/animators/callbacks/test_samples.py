"""Strips lay driving frames over the reconstruction; curves are drawn from metrics.csv."""

import pytest
import torch
from PIL import Image

from animators.callbacks.curves import draw_curves, read_curves
from animators.callbacks.samples import strip


def test_a_strip_shows_source_and_equally_spaced_frames():
    video = (torch.arange(11) / 10)[:, None, None, None].expand(-1, 3, 2, 2)
    picture = strip(video, 1 - video, frames=2)
    assert (picture.shape, picture.dtype) == ((3, 4, 6), torch.uint8)
    assert picture[0, 0, ::2].tolist() == [0, 128, 255]
    assert picture[0, 2, ::2].tolist() == [0, 128, 0]  # the source, then 1 - 0.5 and 1 - 1


def test_a_short_clip_gives_a_short_strip():
    video = torch.zeros(3, 3, 2, 2)
    assert strip(video, video, frames=6).shape == (3, 4, 6)


ROWS = """pairs_seen,step,train/total,val/copy_source_l1,val/l1
8.0,1,2.5,,
16.0,2,2.0,,
16.0,2,,0.04,0.05
"""


def test_curves_are_read_and_drawn(tmp_path):
    file = tmp_path / "metrics.csv"
    file.write_text(ROWS)
    curves = read_curves(file)
    assert curves["train/total"] == ([8.0, 16.0], [2.5, 2.0])
    assert curves["val/l1"] == ([16.0], [0.05])
    draw_curves(file, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.width > picture.height
    assert sorted(p.name for p in tmp_path.iterdir()) == ["curves.png", "metrics.csv"]


def test_another_csv_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"a\.csv"):
        read_curves(tmp_path / "a.csv")
