"""Indexes are made once, stay few, and make reading cheap; encodings keep what they promise."""

import itertools
import pickle
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from datamodules import media
from datamodules.media import ClipWriter, Encoding, index
from datamodules.media.stream import MOST_PIXELS


def films(count=60, size=(48, 64), cut=7):
    """Noise of its own for every few frames: cuts, at which x264 would set key frames."""
    for t in range(count):
        rng = np.random.default_rng(t // cut)
        picture = np.kron(rng.integers(0, 200, (size[0] // 8, size[1] // 8, 3)), np.ones((8, 8, 1)))
        yield (picture + t % cut).astype(np.uint8)


def write(path, encoding=None, **how):
    more = {} if encoding is None else {"encoding": encoding}
    with ClipWriter(path, Fraction(25), **more) as writer:
        for frame in films(**how):
            writer.write(frame)
    return path


@pytest.fixture
def surveys(monkeypatch):
    """Which files were looked through, in order; nothing is remembered at first."""
    seen, real = [], index._survey

    def counting(file, *more):
        seen.append(file.path.name)
        return real(file, *more)

    monkeypatch.setattr(index, "_survey", counting)
    monkeypatch.setattr(index, "_indexes", type(index._indexes)())
    return seen


def test_a_file_is_looked_through_once(tmp_path, surveys):
    path = write(tmp_path / "a.mp4")
    for _ in range(3):
        media.open_clip(path).read([5])
    assert surveys == ["a.mp4"]
    write(path, count=20)
    assert media.open_clip(path).num_frames == 20
    assert surveys == ["a.mp4"] * 2


def test_few_indexes_are_kept_those_used_last(tmp_path, surveys, monkeypatch):
    monkeypatch.setattr(index, "INDEXES_KEPT", 3)
    paths = [write(tmp_path / f"{n}.mp4", count=3 + n) for n in range(5)]
    for n in (0, 1, 2, 0, 3, 4):
        assert media.open_clip(paths[n]).num_frames == 3 + n
        assert len(index._indexes) <= 3
    assert surveys == [f"{n}.mp4" for n in range(5)]
    media.open_clip(paths[0])  # was used again before 3 and 4 came
    assert len(surveys) == 5
    media.open_clip(paths[1])
    assert surveys[5:] == ["1.mp4"]


def test_an_index_is_as_small_as_is_said(tmp_path):
    clip = media.open_clip(write(tmp_path / "a.mp4", Encoding(key_interval=12), count=300))
    assert clip.num_frames == 300
    assert len(pickle.dumps(clip.index)) < 3000


def test_what_is_in_memory_is_known_by_its_content(tmp_path, surveys):
    """One name and one length, as where a set was packed again."""
    one, other = (write(tmp_path / f"{n}.mp4", count=n).read_bytes() for n in (20, 21))
    length = max(len(one), len(other)) + 8
    one, other = (
        data + struct.pack(">I4s", length - len(data), b"free") + bytes(length - len(data) - 8)
        for data in (one, other)
    )
    assert len(one) == len(other)
    name = Path("shard/a.mp4")
    assert [media.VideoClip(name, data).num_frames for data in (one, other, one)] == [20, 21, 20]
    assert surveys == ["a.mp4"] * 2


@pytest.mark.parametrize("data", [True, False])
def test_few_frames_are_decoded(tmp_path, data):
    """Key frames every 12: two frames, wherever they lie, cost two runs at most."""
    path = write(tmp_path / "a.mp4", Encoding(key_interval=12))
    whole = list(media.open_clip(path))
    worst = 0
    for i, j in itertools.combinations(range(0, 60, 5), 2):
        with media.VideoClip(path, path.read_bytes() if data else None) as clip:
            frames = clip.read([j, i])
            assert np.array_equal(frames, np.stack([whole[j], whole[i]]))
            assert 2 <= clip.decoded <= 24
            worst = max(worst, clip.decoded)
    assert worst > 2  # it counts what is passed over
    with media.open_clip(path) as clip:
        clip.read([0])
        assert clip.decoded == 1
        clip.read([30, 24, 35])  # one run
        assert 1 + 3 < clip.decoded <= 1 + 12


def test_decoded_frames_of_pictures_are_those_read(tmp_path):
    write(tmp_path / "a.png", count=12)
    with media.open_clip(tmp_path / "a") as clip:
        clip.read([3, 9, 3])
        assert clip.decoded == 2


def test_a_stream_gives_what_read_gives(tmp_path):
    path = write(tmp_path / "a.mp4", Encoding(key_interval=12))
    with media.open_clip(path) as clip:
        wanted = [0, 3, 4, 30, 59]
        for got, frame in zip(clip.stream(wanted), clip.read(wanted), strict=True):
            assert np.array_equal(got, frame)
        assert list(clip.stream([])) == []
        for outside in ([60], [-1, 3], [5, 70]):
            with pytest.raises(IndexError, match="60 frames"):
                list(clip.stream(outside))
    with media.open_clip(path) as clip:
        list(clip.stream(range(60)))
        assert clip.decoded == 60


def keys(path):
    with av.open(str(path)) as container:
        shown = sorted((f.pts, f.key_frame) for f in container.decode(video=0))
    return [n for n, (_, key) in enumerate(shown) if key]


@pytest.mark.parametrize("interval", [1, 5, 12, 250])
def test_key_frames_come_exactly_so_often(tmp_path, interval):
    path = write(tmp_path / "a.mp4", Encoding(key_interval=interval))
    assert keys(path) == list(range(0, 60, interval))


def test_left_to_itself_x264_sets_them_at_cuts(tmp_path):
    assert set(keys(write(tmp_path / "a.mp4"))) != {0}


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (72, 96), (128, 128)])
def test_steady_encodings_are_equal(tmp_path, size):
    encoding = Encoding(18, 12, threads=1, steady=True)
    first = write(tmp_path / "0.mp4", encoding, size=size, count=30).read_bytes()
    for turn in range(1, 5):
        litter = [np.full(1 << 20, turn, np.uint8) for _ in range(8)]  # memory as others left it
        del litter
        assert write(tmp_path / f"{turn}.mp4", encoding, size=size, count=30).read_bytes() == first


def test_quality_is_what_was_asked_for(tmp_path):
    sizes, errors = [], []
    for crf in (0, 18, 40):
        path = write(tmp_path / f"{crf}.mp4", Encoding(crf))
        sizes.append(path.stat().st_size)
        pairs = zip(media.open_clip(path), films(), strict=True)
        errors.append(np.mean([np.abs(a.astype(int) - b).mean() for a, b in pairs]))
    assert sizes == sorted(sizes, reverse=True)
    assert errors == sorted(errors)


@pytest.mark.parametrize("rate", [Fraction(1200), Fraction(30_000), Fraction(1_000_000, 1001)])
@pytest.mark.parametrize("count", [1, 4, 7])
def test_rates_of_many_thousand_hide_no_frame(tmp_path, rate, count):
    """Four frames at 30000 a second last less than the milliseconds of an edit list can say."""
    with ClipWriter(tmp_path / "a.mp4", rate) as writer:
        for _ in range(count):
            writer.write(np.full((32, 32, 3), 100, np.uint8))
    with media.open_clip(tmp_path / "a.mp4") as clip:
        assert (clip.num_frames, clip.fps) == (count, rate)


def test_a_frame_too_large_to_be_true_is_refused(tmp_path):
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.pix_fmt, stream.width, stream.height = "bgr24", 16, 16
        for picture in films(4, (16, 16)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    place = data.index(b"strf") + 8 + 4
    assert struct.unpack("<i", data[place : place + 4]) == (16,)
    data[place : place + 8] = struct.pack("<ii", 10_000, -10_000)
    path.write_bytes(data)
    assert MOST_PIXELS < 10_000 * 10_000
    with pytest.raises(ValueError, match=r"a\.avi claims frames of 10000x10000 pixels"):
        media.open_clip(path)


def test_names_with_colons_are_names(tmp_path, monkeypatch):
    """FFmpeg takes what stands before a colon for a protocol."""
    monkeypatch.chdir(tmp_path)
    for name in ("10:30 talk.mp4", "data:x.mp4", "concat:a|b.mp4"):
        write(Path(name), count=3)
        assert media.open_clip(name).num_frames == 3


def test_titles_may_be_in_any_encoding(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "zoe___"
        stream = container.add_stream("libx264", rate=25)
        stream.pix_fmt, stream.width, stream.height = "yuv420p", 32, 32
        for picture in films(5, (32, 32)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes().replace(b"zoe___", b"zo\xeb\xff\xfe_"))
    assert media.open_clip(path).num_frames == 5
