import hashlib
import os
import sys
import types
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from datamodules import media
from datamodules.prepare import head
from datamodules.prepare.convert import convert, source_key
from datamodules.prepare.jobs import Box, Job, Settings, Span

NTSC = Fraction(30000, 1001)


def numbered(count, size=(64, 96), step=8):
    """Frames whose number is their brightness; in the first, every place has its colour."""
    for t in range(count):
        frame = np.full((*size, 3), t * step % 256, np.uint8)
        if t == 0:
            frame[..., 1] = np.linspace(0, 255, size[1]).astype(np.uint8)
            frame[..., 2] = np.linspace(0, 255, size[0]).astype(np.uint8)[:, None]
        yield frame


def film(path, count=24, fps=Fraction(24), size=(64, 96)):
    with media.ClipWriter(path, fps, encoding=media.Encoding(crf=4)) as writer:
        for frame in numbered(count, size):
            writer.write(frame)
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return film(tmp_path_factory.mktemp("src") / "film.mp4")


@pytest.fixture
def go(tmp_path):
    """`go(source, Job's more, **settings)` converts, and gives what was made and its clip."""

    def run(source, more=None, **settings):
        settings = {"size": 32, "crf": 4} | settings
        job = Job(source, source.name, "out", "train", "me", **(more or {}))
        made = convert(job, Settings(**settings), tmp_path / "root")
        path = tmp_path / "root" / made.path
        with media.open_clip(path) as clip:
            frames = clip.read(range(clip.num_frames))
            assert (clip.num_frames, clip.size) == (made.frames, (made.height, made.width))
            if path.suffix == ".mp4":
                assert str(clip.fps) == made.fps
        # nothing else is there
        assert [p.name for p in (tmp_path / "root/train").iterdir()] == [path.name]
        return made, frames

    return run


def numbers(frames, step=8):
    """Which frames these are, by their brightness in the middle."""
    shades = frames[:, frames.shape[1] // 2, frames.shape[2] // 2, 0].astype(float)
    found = np.round(shades / step).astype(int)
    assert np.abs(shades - found * step).max() < step / 2 - 0.5
    return found.tolist()


# Which frames.


@pytest.mark.parametrize(
    ("fps", "rate", "wanted"),
    [
        (None, "24", [*range(24)]),
        (12, "12", [*range(0, 24, 2)]),
        (16, "16", [0, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, 20, 21, 23]),
        (9.6, "48/5", [0, 3, 5, 8, 10, 13, 15, 18, 20, 23]),
        (23.976, "2997/125", [*range(24)]),
        (24, "24", [*range(24)]),
        (60, "24", [*range(24)]),  # never raised
        (0.5, "1/2", [0]),  # one frame is a picture
    ],
)
def test_frames_at_a_lower_rate(go, source, fps, rate, wanted):
    made, frames = go(source, fps=fps, min_frames=1)
    assert numbers(frames) == wanted
    assert made.fps == rate


@pytest.mark.parametrize("rate", [NTSC, Fraction(24000, 1001), Fraction(50), Fraction(25, 2)])
def test_the_exact_rate_is_kept(go, tmp_path, rate):
    made, _ = go(film(tmp_path / "x.mp4", 5, rate))
    assert made.fps == str(rate)


def test_least_and_most_frames(go, source, tmp_path):
    assert numbers(go(source, max_frames=5)[1]) == [0, 1, 2, 3, 4]
    assert numbers(go(source, max_frames=3, fps=8)[1]) == [0, 3, 6]
    assert go(source, min_frames=24)[0].frames == 24
    with pytest.raises(ValueError, match="24 frames, at least 25"):
        go(source, min_frames=25)
    with pytest.raises(ValueError, match="12 frames, at least 13"):
        go(source, min_frames=13, fps=12)


def test_spans_and_rates_together(go, source):
    span = Span(4, 12, fps=12.0)  # counted at half the file's rate
    made, frames = go(source, {"span": span}, fps=8, size=64)
    assert numbers(frames) == [8, 11, 14, 17, 20, 23]
    assert "Span(first=4, stop=12, fps=12.0)" in made.key


# Which pixels.


def gradient(frames):
    """Mean position of the columns and rows that are shown, as shares of the source's."""
    shown = frames[0].astype(float)
    return shown[..., 1].mean() / 255, shown[..., 2].mean() / 255


@pytest.mark.parametrize(
    ("size", "crop", "target", "box"),
    [
        ((64, 96), "square", (32, 32), "16,0,80,64"),
        ((96, 64), "square", (32, 32), "0,16,64,80"),
        ((64, 96), "none", (32, 48), "0,0,96,64"),
        ((96, 64), "none", (48, 32), "0,0,64,96"),
        ((50, 70), "none", (32, 44), "0,0,70,50"),
        ((16, 16), "square", (32, 32), "0,0,16,16"),
    ],
)
def test_crops(go, tmp_path, size, crop, target, box):
    made, frames = go(film(tmp_path / "x.mp4", 3, size=size), crop=crop)
    assert frames.shape[1:3] == target
    assert (made.crop, made.box, made.without_head) == (crop, box, 0)
    assert gradient(frames) == pytest.approx((0.5, 0.5), abs=0.03)
    left, top, right, bottom = map(int, box.split(","))
    across, down = frames[0, 16, :, 1].astype(int), frames[0, :, 16, 2].astype(int)
    assert across[-1] - across[0] == pytest.approx(255 * (right - left) / size[1], abs=25)
    assert down[-1] - down[0] == pytest.approx(255 * (bottom - top) / size[0], abs=25)


@pytest.mark.parametrize(("keep", "box"), [(False, "0,0,24,64"), (True, "0,0,64,64")])
def test_boxes(go, source, keep, box):
    made, frames = go(source, {"box": Box(0, 0, 48, 128, 192, 128)}, keep_aspect=keep)
    assert (made.crop, made.box, frames.shape[1:3]) == ("box", box, (32, 32))
    assert gradient(frames)[0] == pytest.approx(int(box.split(",")[2]) / 2 / 96, abs=0.02)


class Faces:
    """Finds the face that the frame's number asks for."""

    def __init__(self, boxes):
        self.boxes = iter(boxes)

    def detect(self, frame):
        box = next(self.boxes)
        return [] if box is None else [types.SimpleNamespace(**box)]


def test_the_head_is_cut_out_and_frames_without_one_are_counted(go, source, monkeypatch):
    face = {"left": 60, "right": 70, "top": 40, "bottom": 50}
    monkeypatch.setattr(head, "detector", lambda: Faces([face, None, face, face] * 6))
    made, frames = go(source, crop="head")
    left, top, right, bottom = map(int, made.box.split(","))
    assert (made.crop, made.without_head) == ("head", 6)
    assert right - left == bottom - top < 40
    assert left <= 60 < 70 <= right <= 96
    assert top <= 40 < 50 <= bottom <= 64
    assert gradient(frames) == pytest.approx(((left + right) / 192, (top + bottom) / 128), abs=0.03)
    assert numbers(frames) == [*range(24)]


def test_no_head_is_no_clip(go, source, monkeypatch, tmp_path):
    monkeypatch.setattr(head, "detector", lambda: Faces([None] * 24))
    with pytest.raises(ValueError, match="no head"):
        go(source, crop="head")
    assert not list(tmp_path.glob("root/**/*.mp4"))


def test_a_head_that_seldom_shows_is_no_crop(go, source, monkeypatch, tmp_path):
    face = {"left": 60, "right": 70, "top": 40, "bottom": 50}
    monkeypatch.setattr(head, "detector", lambda: Faces([face, None, None, face] * 6))
    with pytest.raises(ValueError, match="in only 12 of 24 frames"):
        go(source, crop="head", min_head=0.6)
    assert not list(tmp_path.glob("root/**/*.mp4"))
    monkeypatch.setattr(head, "detector", lambda: Faces([face, None, None, face] * 6))
    assert go(source, crop="head", min_head=0.5)[0].without_head == 12


# What is written.


@pytest.mark.parametrize("interval", [1, 5, 12, 100])
def test_key_frames_are_where_they_should(go, source, tmp_path, interval):
    go(source, key_interval=interval)
    with av.open(str(tmp_path / "root/train/out.mp4")) as container:
        stream = container.streams.video[0]
        packets = [p for p in container.demux(stream) if p.size]
        keys = [round(p.pts * p.time_base * 24) for p in packets if p.is_keyframe]
    assert keys == [*range(0, 24, interval)]


def test_hash_and_facts_are_the_files(go, source, tmp_path):
    made, _ = go(source)
    content = (tmp_path / "root" / made.path).read_bytes()
    assert made.sha256 == hashlib.sha256(content).hexdigest()
    assert (made.path, made.source, made.identity) == ("train/out.mp4", "film.mp4", "me")
    again, _ = go(source)
    assert again == made
    assert again.sha256 != go(source, crf=30)[0].sha256


def test_folders_of_frames_are_lossless_and_hashed_file_by_file(go, source, tmp_path):
    made, frames = go(source, form="frames", max_frames=12)
    folder = tmp_path / "root/train/out"
    files = sorted(folder.iterdir())
    assert (made.path, len(files)) == ("train/out", 12)
    digests = [hashlib.sha256(f.read_bytes()).hexdigest() for f in files]
    assert made.sha256 == hashlib.sha256("\n".join(digests).encode()).hexdigest()
    with media.open_clip(source) as clip:
        wanted = media.resize(media.crop_square(clip.read(range(12))), 32)
    assert np.array_equal(frames, wanted)


def rotated(path, source):
    """Write the film with a display matrix that turns it."""
    data = source.read_bytes()
    plain = b"".join(n.to_bytes(4, "big") for n in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
    turned = b"".join(
        (n & 0xFFFFFFFF).to_bytes(4, "big") for n in (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    )
    at = data.index(plain, data.index(b"tkhd"))
    path.write_bytes(data[:at] + turned + data[at + 36 :])
    return path


def picture(path, array, **how):
    Image.fromarray(array).save(path, **how)
    return path


def sixteen(count, step=8):
    return np.full((33, 47), count * step * 257, np.uint16)


SOURCES = {
    "turned": (lambda d, s: rotated(d / "x.mp4", s), 24, (48, 32)),
    "png": (lambda d, s: picture(d / "x.png", next(numbered(1))), 1, (32, 48)),
    "16 bit": (lambda d, s: picture(d / "x.png", sixteen(9)), 1, (32, 46)),
    "odd": (lambda d, s: picture(d / "x.jpg", np.zeros((33, 47, 3), np.uint8)), 1, (32, 46)),
    "gif": (
        lambda d, s: picture(
            d / "x.gif", sixteen(0).astype(np.uint8), save_all=True, duration=40,
            append_images=[Image.fromarray((sixteen(k) // 257).astype(np.uint8)) for k in (1, 2)],
        ), 3, (32, 46),
    ),
    "frames": (
        lambda d, s: [picture(d / f"{k}.png", f) for k, f in enumerate(numbered(3))].pop().parent,
        3, (32, 48),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("form", ["mp4", "frames"])
def test_kinds_of_sources(go, source, tmp_path, kind, form):
    place = tmp_path / "src"
    place.mkdir()
    make, count, size = SOURCES[kind]
    made, frames = go(make(place, source), crop="none", min_frames=1, form=form, size=32)
    assert (len(frames), frames.shape[1:3]) == (count, size)
    assert made.path == "train/out" + (".png" if count == 1 else {"mp4": ".mp4"}.get(form, ""))
    start = 9 if kind == "16 bit" else 0
    assert numbers(frames) == [*range(start, start + count)]


# Sources that break, change or are none.


def leftovers(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


@pytest.mark.parametrize("form", ["mp4", "frames"])
def test_nothing_is_left_of_a_source_that_breaks(go, tmp_path, form):
    place = tmp_path / "broken"
    place.mkdir()
    for t, frame in enumerate(numbered(12)):
        picture(place / f"{t}.png", frame)
    (place / "9.png").write_bytes((place / "9.png").read_bytes()[:99])
    with pytest.raises(ValueError, match=r"9\.png"):
        go(place, form=form)
    assert leftovers(tmp_path / "root") == []


def test_a_broken_source_does_not_harm_the_clip_that_was_there(go, source, tmp_path):
    made, _ = go(source)
    before = (tmp_path / "root" / made.path).read_bytes()
    (tmp_path / "film.mp4").write_bytes(source.read_bytes()[:500])
    with pytest.raises(ValueError, match="damaged"):
        go(tmp_path / "film.mp4")
    assert (tmp_path / "root" / made.path).read_bytes() == before
    assert leftovers(tmp_path / "root") == ["train", "train/out.mp4"]


def test_a_source_that_is_still_being_copied_is_no_clip(go, tmp_path, monkeypatch):
    path = film(tmp_path / "film.mp4")
    resize = media.resize

    def meanwhile(*given):
        with path.open("ab") as file:
            file.write(b"\0" * 8)
        return resize(*given)

    monkeypatch.setattr(media, "resize", meanwhile)
    with pytest.raises(ValueError, match="changed while it was read"):
        go(path)
    assert leftovers(tmp_path / "root") == []


@pytest.mark.parametrize("form", ["mp4", "frames"])
def test_a_source_that_shrinks_or_grows_leaves_one_clip(go, tmp_path, form):
    place = tmp_path / "frames"
    for count in (3, 1, 2, 3):
        place.mkdir(exist_ok=True)
        for old in place.iterdir():
            old.unlink()
        for t, frame in enumerate(numbered(count)):
            picture(place / f"{t}.png", frame)
        made, frames = go(place, min_frames=1, form=form)  # which finds no second file
        assert (made.frames, len(frames)) == (count, count)


def test_the_key_follows_what_is_in_a_source(tmp_path):
    place = tmp_path / "frames"
    place.mkdir()
    job = Job(place, "frames", "out", "train", "me")
    for t in range(3):
        picture(place / f"{t}.png", np.full((8, 8, 3), t, np.uint8))
    keys = [source_key(job)]
    (place / ".DS_Store").touch()
    assert source_key(job) == keys[0]
    with (place / "1.png").open("r+b") as file:  # in place: the folder's own time stays
        file.write(b"\x00")
    os.utime(place / "1.png", ns=(0, 2_000_000_000_000_000_000))
    keys.append(source_key(job))
    (place / "2.png").unlink()
    keys.append(source_key(job))
    keys.append(source_key(Job(place, "frames", "out", "train", "me", span=Span(0, 2))))
    keys.append(source_key(Job(place, "frames", "out", "train", "me", box=Box(0, 0, 1, 1, 8, 8))))
    assert len(set(keys)) == 5


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes in folders")
@pytest.mark.timeout(20)
def test_pipes_and_devices_are_not_waited_for(go, tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    (tmp_path / "frames").mkdir()
    picture(tmp_path / "frames/0.png", np.zeros((8, 8, 3), np.uint8))
    os.mkfifo(tmp_path / "frames/1.png")
    for name in ("pipe.mp4", "zero.mp4", "frames"):
        with pytest.raises(ValueError, match="pipe, socket or device"):
            go(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        go(Path(tmp_path / "gone.mp4"))
