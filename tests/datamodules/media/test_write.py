"""Clips are written whole or not at all, at the exact rate, with their sound."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from datamodules import media
from datamodules.media import ClipWriter

NTSC = Fraction(30000, 1001)


def ramp(count=24, side=32):
    """Frames that change smoothly in place and time."""
    y, x = np.mgrid[:side, :side]
    return [
        np.stack([x * 7, y * 7, np.full_like(x, 9 * i)], axis=2).astype(np.uint8)
        for i in range(count)
    ]


def write(path, frames, fps=Fraction(25), **options):
    with ClipWriter(path, fps, **options) as writer:
        for frame in frames:
            writer.write(frame)


@pytest.fixture
def loud(tmp_path):
    """Two seconds of pictures with three seconds of sound."""
    path = tmp_path / "loud.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=NTSC)
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        sound = container.add_stream("aac", rate=48000)
        sound.layout = "stereo"
        for frame in ramp(60):
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame % 250, format="rgb24")))
        container.mux(video.encode(None))
        wave = (9000 * np.sin(np.arange(144000) * 0.06)).astype(np.int16)
        piece = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], "s16", "stereo")
        piece.sample_rate = 48000
        container.mux(sound.encode(piece))
        container.mux(sound.encode(None))
    return path


@pytest.mark.parametrize("fps", [NTSC, Fraction(25), Fraction(12), Fraction(24000, 1001)])
def test_an_mp4_keeps_rate_count_and_colours(tmp_path, fps):
    frames = ramp()
    write(tmp_path / "a.mp4", frames, fps)
    with media.open_clip(tmp_path / "a.mp4") as clip:
        assert (clip.fps, clip.num_frames) == (fps, len(frames))
        for got, frame in zip(clip, frames, strict=True):
            assert np.abs(got.astype(int) - frame).mean() < 4
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].pix_fmt == "yuv420p"


def test_sound_is_taken_along_and_cut(loud, tmp_path):
    write(tmp_path / "a.mp4", ramp(30), NTSC, audio_from=loud)
    with av.open(str(tmp_path / "a.mp4")) as container:
        seconds = sum(f.samples for f in container.decode(audio=0)) / 48000
        assert seconds == pytest.approx(30 / NTSC, abs=0.05)
    with av.open(str(tmp_path / "a.mp4")) as container:
        heard = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
        assert np.abs(heard).max() > 0.2


def test_a_silent_clip_gives_no_sound(tmp_path):
    write(tmp_path / "silent.mp4", ramp())
    write(tmp_path / "a.mp4", ramp(), audio_from=tmp_path / "silent.mp4")
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert not container.streams.audio


def test_a_gif_keeps_count_and_time(tmp_path):
    write(tmp_path / "a.gif", ramp(), NTSC)
    with Image.open(tmp_path / "a.gif") as gif:
        total = 0
        for i in range(gif.n_frames):
            gif.seek(i)
            total += gif.info["duration"]
        assert gif.n_frames == 24
    assert total == pytest.approx(1000 * 24 / NTSC, abs=10)


def test_png_is_a_picture_or_a_folder_of_pictures(tmp_path):
    write(tmp_path / "one.png", ramp(1))
    assert np.array_equal(media.read_image(tmp_path / "one.png"), ramp(1)[0])
    write(tmp_path / "many.png", ramp(11))
    with media.open_clip(tmp_path / "many") as clip:
        assert np.array_equal(clip.read([10])[0], ramp(11)[10])
    with pytest.raises(ValueError, match="exists"):
        write(tmp_path / "many.png", ramp(3))
    assert media.open_clip(tmp_path / "many").num_frames == 11


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.png"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_an_error_the_old_file_is_there_and_nothing_else(tmp_path, name, error):
    (tmp_path / name).write_bytes(b"old")

    def interrupted():
        with ClipWriter(tmp_path / name, Fraction(25)) as writer:
            writer.write(ramp(1)[0])
            raise error

    with pytest.raises(error):
        interrupted()
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"old"


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.png"])
def test_a_clip_without_frames_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="no frame"):
        write(tmp_path / name, [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (np.zeros((31, 32, 3), np.uint8), "32x31"),
        (np.zeros((32, 32, 3), np.float32), "uint8"),
        (np.zeros((32, 32), np.uint8), "uint8"),
    ],
)
def test_frames_that_do_not_fit(tmp_path, frame, said):
    with pytest.raises(ValueError, match=said):
        write(tmp_path / "a.mp4", [frame])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.avi", "a", "a.jpg"])
def test_unknown_endings(tmp_path, name):
    with pytest.raises(ValueError, match="must end in"):
        ClipWriter(tmp_path / name, Fraction(25))


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(ValueError, match="folder"):
        ClipWriter(tmp_path / "a.mp4", Fraction(25))
