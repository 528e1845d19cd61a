"""Sound goes with the pictures it was recorded with, and no further."""

from fractions import Fraction

import av
import numpy as np
import pytest

from datamodules import media
from datamodules.media import ClipWriter
from datamodules.media.sound import Sound

FPS = Fraction(25)
GREY = np.full((32, 32, 3), 90, np.uint8)


def clip(
    path, pictures=50, seconds=3.0, rate=48000, layout="stereo", beep=1.0, lag=0.0, codec="aac"
):
    """Pictures with silence, in which one beep of 0.1 s is heard `beep` seconds after the first."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        sound = container.add_stream(codec, rate=rate)
        sound.layout = layout
        for i in range(pictures):
            frame = av.VideoFrame.from_ndarray(GREY, format="rgb24")
            frame.pts, frame.time_base = i + 25, Fraction(1, 25)  # room for sound before them
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        time = np.arange(int(seconds * rate)) / rate + lag
        wave = np.where((time > beep) & (time < beep + 0.1), 0.6 * np.sin(time * 5000), 0)
        channels = len(av.AudioLayout(layout).channels)
        data = np.ascontiguousarray(np.repeat(wave[None].astype(np.float32), channels, axis=0))
        piece = av.AudioFrame.from_ndarray(data, "fltp", layout)
        piece.sample_rate = rate
        piece.pts, piece.time_base = int((1 + lag) * rate), Fraction(1, rate)
        container.mux(sound.encode(piece))
        container.mux(sound.encode(None))
    return path


def write(path, source, frames=50, fps=FPS):
    with ClipWriter(path, fps, audio_from=source) as writer:
        for _ in range(frames):
            writer.write(GREY)
    return path


def heard(path):
    """Samples of the first channel, their rate and number of channels."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
        rate, channels = frames[0].sample_rate, frames[0].layout.nb_channels
        assert all(f.pts is not None for f in frames)
        shift = float(frames[0].pts * frames[0].time_base)
    wave = np.concatenate([f.to_ndarray()[0] for f in frames])
    return np.concatenate([np.zeros(max(round(shift * rate), 0), wave.dtype), wave]), rate, channels


def beep_at(path):
    wave, rate, _ = heard(path)
    return np.flatnonzero(np.abs(wave) > 0.2)[0] / rate


@pytest.mark.parametrize("lag", [0.0, 0.4, -0.4])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_beep_stays_where_it_was(tmp_path, lag, name):
    """Sound may begin after the first picture, or before it."""
    source = clip(tmp_path / name, lag=lag)
    made = write(tmp_path / "made.mp4", source)
    assert beep_at(made) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("frames", [10, 37, 50])
def test_sound_is_no_longer_than_the_pictures(tmp_path, frames):
    made = write(tmp_path / "made.mp4", clip(tmp_path / "a.mp4"), frames)
    with av.open(str(made)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert video.duration * video.time_base == frames / FPS
        assert audio.duration * audio.time_base <= frames / FPS
        assert audio.duration * audio.time_base > frames / FPS - Fraction(3, 100)


def test_short_sound_ends_and_the_pictures_go_on(tmp_path):
    made = write(tmp_path / "made.mp4", clip(tmp_path / "a.mp4", seconds=1.2))
    with av.open(str(made)) as container:
        audio = container.streams.audio[0]
        assert float(audio.duration * audio.time_base) == pytest.approx(1.2, abs=0.05)
    assert media.open_clip(made).num_frames == 50


@pytest.mark.parametrize(
    ("rate", "layout", "codec", "then"),
    [
        (44100, "mono", "aac", (44100, 1)),
        (16000, "stereo", "aac", (16000, 2)),
        (48000, "5.1", "aac", (48000, 2)),
        (37800, "mono", "pcm_s16le", (48000, 1)),
    ],
)
def test_kinds_of_sound(tmp_path, rate, layout, codec, then):
    name = "a.mp4" if codec == "aac" else "a.mkv"
    source = tmp_path / name
    if codec == "aac":
        clip(source, rate=rate, layout=layout)
    else:
        pcm(source, rate)
    made = write(tmp_path / "made.mp4", source)
    wave, got_rate, channels = heard(made)
    assert (got_rate, channels) == then
    assert np.abs(wave).max() > 0.2
    with av.open(str(made)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"


def pcm(path, rate):
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=rate)
        sound.layout = "mono"
        for _ in range(50):
            container.mux(video.encode(av.VideoFrame.from_ndarray(GREY, format="rgb24")))
        container.mux(video.encode(None))
        wave = (9000 * np.sin(np.arange(3 * rate) * 0.06)).astype(np.int16)
        piece = av.AudioFrame.from_ndarray(wave[None], "s16", "mono")
        piece.sample_rate = rate
        container.mux(sound.encode(piece))
        container.mux(sound.encode(None))


def test_damaged_sound_costs_no_pictures(tmp_path):
    source = clip(tmp_path / "a.mkv", seconds=2.0)
    data = source.read_bytes()
    source.write_bytes(data[: len(data) * 2 // 3])
    made = write(tmp_path / "made.mp4", source)
    assert media.open_clip(made).num_frames == 50


@pytest.mark.parametrize("kind", ["folder", "png", "silent"])
def test_what_has_no_sound(tmp_path, kind):
    path = tmp_path / "frames"
    if kind == "folder":
        path.mkdir()
    elif kind == "png":
        path = tmp_path / "frames.png"
        with ClipWriter(path, FPS) as writer:
            writer.write(GREY)
    else:
        path = write(tmp_path / "frames.mp4", None)
    assert Sound.of(path) is None
    with av.open(str(write(tmp_path / "made.mp4", path, 3))) as container:
        assert not container.streams.audio


def test_sound_in_pieces_is_the_sound_in_one(tmp_path):
    """Exactly as many samples as the time asks for, none twice and none lost."""
    source = clip(tmp_path / "a.mp4")
    whole, pieces = Sound.of(source), Sound.of(source)
    (wanted,) = [p.to_ndarray() for p in whole.until(Fraction(2))]
    got = [
        p.to_ndarray() for i in range(60) for p in pieces.until(Fraction(i + 1) * Fraction(1, 30))
    ]
    assert np.array_equal(np.concatenate(got, axis=1), wanted)
    assert wanted.shape == (2, 96000)
    whole.close()
    pieces.close()
