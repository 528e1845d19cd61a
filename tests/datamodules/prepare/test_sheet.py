import tarfile
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from datamodules import media
from datamodules.prepare.jobs import Made
from datamodules.prepare.sheet import ACROSS, LABEL, TILE, draw_sheet

CELL = (3 * TILE + 8, TILE + LABEL + 6)


def write_clip(folder, shades, size=(32, 32)):
    folder.mkdir(parents=True)
    for t, shade in enumerate(shades):
        Image.fromarray(np.full((*size, 3), shade, np.uint8)).save(folder / f"{t}.png")


def item(path, frames, **how):
    values = {"split": "train", "identity": "x", "source": path, "fps": "25", "width": 32}
    values |= {"height": 32, "crop": "square", "box": "", "without_head": 0, "sha256": ""}
    return Made(path=path, frames=frames, **(values | how))


def tiles(sheet, place):
    """The three frames of one cell."""
    left, top = place % ACROSS * CELL[0], place // ACROSS * CELL[1] + LABEL
    strip = np.asarray(sheet)[top : top + TILE, left : left + 3 * TILE]
    return strip[:, :TILE], strip[:, TILE : 2 * TILE], strip[:, 2 * TILE :]


def test_first_middle_and_last_frame_of_each(tmp_path):
    made = []
    for k in range(6):
        shades = [10 * k + 2, 99, 10 * k + 100, 99, 10 * k + 200]
        write_clip(tmp_path / f"train/c{k}", shades)
        made.append(item(f"train/c{k}", 5))
    assert draw_sheet(tmp_path, made, tmp_path / "sheet.png") == 6
    sheet = Image.open(tmp_path / "sheet.png")
    assert sheet.size == (4 * CELL[0], 2 * CELL[1])
    for k in range(6):
        shown = [int(tile[TILE // 2, TILE // 2, 0]) for tile in tiles(sheet, k)]
        assert shown == [10 * k + 2, 10 * k + 100, 10 * k + 200]
    # a name stands above each
    for k in range(6):
        left, top = k % ACROSS * CELL[0], k // ACROSS * CELL[1]
        assert np.asarray(sheet)[top : top + LABEL, left : left + CELL[0]].min() < 100
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("clips", [1, 3, 4, 5, 41, 1000])
def test_clips_are_spread_and_few(tmp_path, clips):
    write_clip(tmp_path / "train/c", [10, 200])
    made = [item("train/c", 2, identity=str(k)) for k in range(clips)]
    shown = min(clips, 40)
    assert draw_sheet(tmp_path, made, tmp_path / "s.png") == shown
    rows = -(-shown // 4)
    assert Image.open(tmp_path / "s.png").size == (min(shown, 4) * CELL[0], rows * CELL[1])


def test_both_ends_of_the_list_are_near(tmp_path):
    made = []
    for k in range(10):
        write_clip(tmp_path / f"train/c{k}", [20 * k, 20 * k])
        made.append(item(f"train/c{k}", 2))
    draw_sheet(tmp_path, made, tmp_path / "s.png", clips=2)
    sheet = Image.open(tmp_path / "s.png")
    assert [int(tiles(sheet, place)[0][9, 9, 0]) for place in range(2)] == [40, 140]


@pytest.mark.parametrize(("size", "inner"), [((16, 64), (24, 96)), ((64, 16), (96, 24))])
def test_aspect_is_kept(tmp_path, size, inner):
    write_clip(tmp_path / "train/c", [0, 0], size)
    draw_sheet(tmp_path, [item("train/c", 2)], tmp_path / "s.png")
    dark = tiles(Image.open(tmp_path / "s.png"), 0)[0][..., 0] < 100
    assert (int(dark.any(1).sum()), int(dark.any(0).sum())) == inner


def test_one_frame_odd_names_and_shards(tmp_path, small_mp4):
    Image.new("RGB", (20, 20), (7, 7, 7)).save(tmp_path / "日本 🎬 é.png")
    with tarfile.open(tmp_path / "00000.tar", "w") as tar:
        tar.add(small_mp4, "in.mp4")
    names = ["日本 🎬 é.png", "00000.tar/in.mp4", "long" * 40]
    write_clip(tmp_path / names[2], [50])
    made = [item(names[0], 1), item(names[1], 3), item(names[2], 1)]
    assert draw_sheet(tmp_path, made, tmp_path / "s.png") == 3
    sheet = Image.open(tmp_path / "s.png")
    assert int(tiles(sheet, 0)[2][9, 9, 0]) == 7
    assert [int(t[48, 48, 0]) for t in tiles(sheet, 1)] == pytest.approx([0, 100, 200], abs=2)


@pytest.fixture
def small_mp4(tmp_path):
    with media.ClipWriter(tmp_path / "made.mp4", Fraction(25)) as writer:
        for shade in (0, 100, 200):
            writer.write(np.full((32, 32, 3), shade, np.uint8))
    return tmp_path / "made.mp4"


@pytest.mark.parametrize("what", ["none", "gone", "damaged"])
def test_what_cannot_be_shown_leaves_no_sheet(tmp_path, what):
    (tmp_path / "bad.mp4").write_bytes(b"no video" * 9)
    made = {"none": [], "gone": [item("gone.mp4", 2)], "damaged": [item("bad.mp4", 2)]}[what]
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        draw_sheet(tmp_path, made, tmp_path / "s.png")
    assert {"none": "no clip", "gone": "gone.mp4", "damaged": "bad.mp4"}[what] in str(caught.value)
    assert not list(tmp_path.glob("*s.png*"))
