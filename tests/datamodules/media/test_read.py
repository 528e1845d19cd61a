"""Every kind of clip gives the frames that were put in, by number and in order."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from datamodules import media

SIDE = 32


def frame(i, size=(SIDE, SIDE)):
    """A frame whose number can be read off its grey level even after compression."""
    return np.full((*size, 3), 8 * i, np.uint8)


def number(picture):
    """The number of a frame, from its mean."""
    return round(float(picture.mean()) / 8)


def video(path, frames, codec="libx264", rate=Fraction(25), gop=12, **options):
    """Write frames with a codec of one's choice, B-frames included."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = gop
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


KINDS = {
    "clip.mp4": {},
    "clip.mov": {},
    "clip.mkv": {"codec": "libx264", "bf": "3"},
    "clip.webm": {"codec": "libvpx-vp9", "lag-in-frames": "16"},
    "clip.avi": {"codec": "mpeg4"},
}


@pytest.fixture(params=[*KINDS, "clip.gif", "folder", "folder.mp4", "strip.png"])
def clip(request, tmp_path):
    """The same 30 frames in every kind."""
    path = tmp_path / request.param
    frames = [frame(i) for i in range(30)]
    if request.param in KINDS:
        return video(path, frames, **KINDS[request.param])
    if request.param == "clip.gif":
        first, *rest = [Image.fromarray(f) for f in frames]
        first.save(path, save_all=True, append_images=rest, duration=40, loop=0)
    elif request.param == "strip.png":
        Image.fromarray(np.concatenate(frames, axis=1)).save(path)
    else:
        path.mkdir()
        for i, f in enumerate(frames):  # 10 sorts after 9, not after 1
            Image.fromarray(f).save(path / f"{i}.png")
    return path


def test_frames_by_number_are_exact(clip):
    with media.open_clip(clip, strips=True) as opened:
        assert (opened.num_frames, opened.size) == (30, (SIDE, SIDE))
        wanted = [29, 0, 13, 13, 12, 1, 28, 11, 24]
        assert [number(f) for f in opened.read(wanted)] == wanted
        assert opened.read([5]).dtype == np.uint8


def test_frames_in_order_are_the_same(clip):
    with media.open_clip(clip, strips=True) as opened:
        assert [number(f) for f in opened] == list(range(30))
        assert opened.fps == 25


def test_a_number_outside_is_an_error(clip):
    with media.open_clip(clip, strips=True) as opened, pytest.raises(IndexError, match="30 frames"):
        opened.read([30])


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(25), Fraction(50), Fraction(12)])
def test_rates_are_exact(tmp_path, rate):
    path = video(tmp_path / "a.mp4", [frame(i) for i in range(20)], rate=rate)
    assert media.open_clip(path).fps == rate


def test_a_truncated_video_gives_what_is_left_or_says_so(tmp_path):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (64, 64, 3), dtype=np.uint8) for _ in range(40)]
    path = video(tmp_path / "a.mkv", frames)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with media.open_clip(path) as opened:
        assert 5 < opened.num_frames < 40
        assert len(list(opened)) == opened.num_frames
    path.write_bytes(data[:200])
    with pytest.raises(ValueError, match=r"a\.mkv"):
        media.open_clip(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.mp4", b""),
        ("a.mp4", b"no video at all" * 100),
        ("a.gif", b"GIF89a"),
        ("a.png", b"\x89PNG\r\n\x1a\n"),
        ("a.txt", b"words"),
        ("a.webm", b"\x00" * 5000),
    ],
)
def test_what_is_no_clip_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        media.open_clip(tmp_path / name)


def test_what_is_missing_or_empty_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        media.open_clip(tmp_path / "nothing.mp4")
    (tmp_path / "hollow").mkdir()
    with pytest.raises(ValueError, match="hollow"):
        media.open_clip(tmp_path / "hollow")


def test_sound_alone_is_no_clip(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), "fltp", "mono")
        sound.sample_rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(ValueError, match=r"a\.mp4"):
        media.open_clip(tmp_path / "a.mp4")


def test_pictures_are_turned_and_flattened(tmp_path):
    wide = np.zeros((10, 20, 3), np.uint8)
    wide[:, :10] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to show
    Image.fromarray(wide).save(tmp_path / "turned.png", exif=exif)
    turned = media.read_image(tmp_path / "turned.png")
    assert turned.shape == (20, 10, 3)
    assert turned[0, 0, 0] == 200
    assert turned[-1, 0, 0] == 0
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "clear.webp", lossless=True)
    assert media.read_image(tmp_path / "clear.webp").min() == 255
    Image.new("L", (4, 4), 7).save(tmp_path / "grey.png")
    assert (media.read_image(tmp_path / "grey.png") == 7).all()


def test_real_clips_are_read_whole(shared_dir):
    path = next((shared_dir / "data/test/bodies").glob("*.mp4"))
    with media.open_clip(path) as opened:
        streamed = [f.copy() for f in opened]
        picks = [len(streamed) - 1, 0, len(streamed) // 2]
        for got, i in zip(opened.read(picks), picks, strict=True):
            assert np.array_equal(got, streamed[i])
