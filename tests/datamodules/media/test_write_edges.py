"""Writing: colours, gifs as they come, memory, and what is left after a failure."""

import tracemalloc
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from datamodules import media
from datamodules.media import ClipWriter

FPS = Fraction(25)
PATCHES = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 120, 90)]


def patches(side=64):
    picture = np.zeros((side, side * len(PATCHES), 3), np.uint8)
    for i, colour in enumerate(PATCHES):
        picture[:, i * side : (i + 1) * side] = colour
    return picture


def middles(picture, side=64):
    return np.array([picture[32, i * side + 32] for i in range(len(PATCHES))]).astype(int)


def write(path, frames, fps=FPS):
    with ClipWriter(path, fps) as writer:
        for frame in frames:
            writer.write(frame)
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.png"])
def test_colours_survive(tmp_path, name):
    """Neither stretched nor shifted: pure colours, black and white come back."""
    path = write(tmp_path / name, [patches()])
    with media.open_clip(path) as clip:
        shown = clip.read([0])[0]
    assert np.abs(middles(shown) - np.array(PATCHES)).max() <= (6 if name == "a.mp4" else 2)


def test_an_mp4_says_how_its_colours_are_meant(tmp_path):
    path = write(tmp_path / "a.mp4", [patches()] * 3)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    # Rec. 601 in either of its names, limited range
    assert int(frame.colorspace) in (5, 6)
    assert int(frame.color_range) == 1


@pytest.mark.parametrize("fps", [Fraction(30000, 1001), Fraction(10), Fraction(50), Fraction(60)])
def test_a_gif_lasts_as_long_as_the_clip(tmp_path, fps):
    frames = [np.full((16, 16, 3), 4 * i, np.uint8) for i in range(48)]
    path = write(tmp_path / "a.gif", frames, fps)
    with Image.open(path) as gif:
        pauses = []
        for i in range(gif.n_frames):
            gif.seek(i)
            pauses.append(gif.info["duration"])
        assert gif.info["loop"] == 0
        assert gif.n_frames == 48 if fps <= 50 else 30 < gif.n_frames < 48
    assert sum(pauses) == pytest.approx(48000 / fps, abs=20)
    assert min(pauses[:-1]) >= 20


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_memory_stays_flat(tmp_path, name):
    peaks = []
    for count in (5, 60):
        tracemalloc.start()
        write(tmp_path / name, (np.full((64, 64, 3), i, np.uint8) for i in range(count)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 3 * 64 * 64 * 3


def test_folders_made_for_nothing_are_removed(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError, match="no frame"):
        write(tmp_path / "there" / "new" / "newer" / "a.mp4", [])
    assert [p.name for p in tmp_path.rglob("*")] == ["there"]
    write(tmp_path / "there" / "new" / "a.gif", [patches()])
    assert media.open_clip(tmp_path / "there" / "new" / "a.gif").num_frames == 1


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "file").write_text("words")
    with pytest.raises(ValueError, match="file, not a folder"):
        media.check_output(tmp_path / "file" / "deeper" / "a.mp4")


def test_frames_that_change_their_size(tmp_path):
    small, large = np.zeros((16, 16, 3), np.uint8), np.zeros((32, 32, 3), np.uint8)
    for name in ("a.mp4", "a.gif", "a.png"):
        with pytest.raises(ValueError, match="32x32"):
            write(tmp_path / name, [small, large])
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    """What FFmpeg says of the place aside is told of the file that was asked for."""
    with pytest.raises(OSError, match=r"a\.mp4 cannot be written") as caught:
        failing(tmp_path / "a.mp4", monkeypatch)
    assert ".part" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def failing(path, monkeypatch):
    with ClipWriter(path, FPS) as writer:
        writer.write(patches())

        def refuse(_frame):
            raise av.FFmpegError(28, "No space left on device")

        monkeypatch.setattr(writer._sink, "write", refuse)
        writer.write(patches())
