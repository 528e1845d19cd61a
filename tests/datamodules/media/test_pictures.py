"""Pictures in every mode and state, animated ones, folders and strips."""

import random

import numpy as np
import pytest
from PIL import Image

from datamodules import media

RED, WHITE = (255, 0, 0), (255, 255, 255)


@pytest.mark.parametrize(
    ("kind", "ending"), [("uint16", "png"), ("uint16", "tif"), ("int32", "tif")]
)
def test_deep_grey_is_scaled_not_cut(tmp_path, kind, ending):
    ramp = (np.arange(256) * 257).reshape(16, 16).astype(kind)
    path = tmp_path / f"deep.{ending}"
    Image.fromarray(ramp).save(path)
    assert np.array_equal(media.read_image(path)[..., 1], np.arange(256).reshape(16, 16))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_lies_on_white(tmp_path, mode):
    picture = Image.new("RGBA", (8, 4), (*RED, 255))
    picture.paste((*RED, 0), (0, 0, 4, 4))
    path = tmp_path / "clear.png"
    if mode == "P":
        paletted = Image.new("P", (8, 4), 1)
        paletted.putpalette([0, 0, 0, *RED])
        paletted.paste(0, (0, 0, 4, 4))
        paletted.save(path, transparency=0)
    else:
        picture.convert(mode).save(path)
    shown = media.read_image(path)
    assert tuple(shown[0, 0]) == WHITE
    assert tuple(shown[0, 7]) == (RED if mode != "LA" else (76, 76, 76))


def test_half_transparent_is_half_white(tmp_path):
    Image.new("RGBA", (4, 4), (0, 0, 0, 128)).save(tmp_path / "half.png")
    assert abs(int(media.read_image(tmp_path / "half.png")[0, 0, 0]) - 127) <= 1


@pytest.mark.parametrize(
    ("mode", "ending"),
    [
        ("L", "png"),
        ("L", "jpg"),
        ("1", "png"),
        ("CMYK", "jpg"),
        ("CMYK", "tif"),
        ("YCbCr", "jpg"),
        ("F", "tif"),
    ],
)
def test_other_modes(tmp_path, mode, ending):
    Image.new("RGB", (16, 16), WHITE).convert(mode).save(tmp_path / f"a.{ending}")
    shown = media.read_image(tmp_path / f"a.{ending}")
    assert shown.shape == (16, 16, 3)
    assert shown.dtype == np.uint8
    assert shown.min() >= 253


@pytest.mark.parametrize("turn", range(1, 9))
def test_all_turns_of_exif(tmp_path, turn):
    """Whatever way the camera was held, the picture is shown as it was seen."""
    seen = np.zeros((6, 10, 3), np.uint8)
    seen[:3, :5] = (200, 0, 0)
    seen[3:, 5:] = (0, 0, 200)
    undo = {
        1: seen, 2: seen[:, ::-1], 3: seen[::-1, ::-1], 4: seen[::-1],
        5: seen.swapaxes(0, 1), 6: np.rot90(seen), 7: np.rot90(seen, 2).swapaxes(0, 1),
        8: np.rot90(seen, -1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(np.ascontiguousarray(undo[turn])).save(tmp_path / "held.png", exif=exif)
    assert np.array_equal(media.read_image(tmp_path / "held.png"), seen)


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "gif"])
def test_damaged_pictures_are_named_wherever_they_break(tmp_path, ending):
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    path = tmp_path / f"whole.{ending}"
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    broken = tmp_path / f"broken.{ending}"
    for share in (0.0, 0.01, 0.1, 0.5, 0.8):
        broken.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(ValueError, match=rf"broken\.{ending} .*(again|use|copy)"):
            media.read_image(broken)
        with pytest.raises(ValueError, match=rf"broken\.{ending}"):
            media.open_clip(broken)


def test_a_folder_or_nothing_is_no_picture(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        media.read_image(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no\.png does not exist"):
        media.read_image(tmp_path / "no.png")


def test_a_bomb_is_refused_and_a_good_camera_is_not(tmp_path, monkeypatch):
    Image.new("L", (60, 60)).save(tmp_path / "big.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    assert media.read_image(tmp_path / "big.png").shape == (60, 60, 3)  # Pillow's warning only
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match="too many pixels"):
        media.read_image(tmp_path / "big.png")


def dots(count):
    """Frames with one dot each, so that what is left over from the frame before would show."""
    frames = []
    for i in range(count):
        frame = Image.new("RGBA", (20, 10), (0, 0, 0, 0))
        frame.paste((*RED, 255), (2 * i, 2, 2 * i + 2, 4))
        frames.append(frame)
    return frames


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_animated_pictures_clear_each_frame(tmp_path, ending):
    first, *rest = dots(8)
    path = tmp_path / f"a.{ending}"
    options = {
        "gif": {"disposal": 2},
        "webp": {"lossless": True, "kmin": 1, "kmax": 1},  # else the encoder drops the alpha
        "png": {"disposal": 1},
    }[ending]
    first.save(path, save_all=True, append_images=rest, duration=50, loop=0, **options)
    with media.open_clip(path) as clip:
        assert (clip.num_frames, clip.size, clip.fps) == (8, (10, 20), 20)
        streamed = list(clip)
        for i, frame in enumerate(streamed):
            reddish = (frame[..., 0] > 200) & (frame[..., 1] < 60)
            assert set(np.flatnonzero(reddish.any(axis=0))) == {2 * i, 2 * i + 1}
            assert reddish.sum() == 4
            assert (frame[~reddish] == 255).all()
        order = [7, 0, 3, 3, 1]
        for i, got in zip(order, clip.read(order), strict=True):
            assert np.array_equal(got, streamed[i])


def test_a_gif_without_durations_moves_as_in_a_browser(tmp_path):
    frames = [Image.new("L", (8, 8), 20 * i) for i in range(6)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=0)
    assert media.open_clip(tmp_path / "a.gif").fps == 10


def test_a_cut_gif_gives_the_frames_before_the_cut(tmp_path):
    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 255, (30, 30), dtype=np.uint8)) for _ in range(10)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=40)
    data = (tmp_path / "a.gif").read_bytes()
    for share in (0.35, 0.6, 0.85):
        path = tmp_path / f"cut{share}.gif"
        path.write_bytes(data[: int(len(data) * share)])
        with media.open_clip(path) as clip:
            assert 10 * share - 2 <= clip.num_frames <= 10 * share + 1
            assert len(list(clip)) == clip.num_frames
            assert clip.read(range(clip.num_frames)).shape[0] == clip.num_frames


def test_names_are_ordered_as_people_do():
    names = [*(f"frame{i}.png" for i in range(12)), "Frame3b.png", "frame003.png", "a.png"]
    ordered = sorted(names, key=media.natural_key)
    assert ordered[0] == "a.png"
    assert [n for n in ordered if n in {"frame2.png", "frame10.png", "frame9.png"}] == [
        "frame2.png", "frame9.png", "frame10.png",
    ]  # fmt: skip
    shuffled = names[::-1]
    assert sorted(shuffled, key=media.natural_key) == ordered


def test_a_folder_of_frames_takes_pictures_only(tmp_path):
    for i in (11, 2, 1):
        Image.new("RGB", (6, 4), (i, i, i)).save(tmp_path / f"{i}.png")
    (tmp_path / "notes.txt").write_text("words")
    (tmp_path / ".hidden.png").write_bytes(b"")
    with media.open_clip(tmp_path) as clip:
        assert [int(f[0, 0, 0]) for f in clip] == [1, 2, 11]
        assert clip.fps == media.PICTURE_RATE


def test_frames_of_two_sizes_are_named(tmp_path):
    Image.new("RGB", (6, 4)).save(tmp_path / "0.png")
    Image.new("RGB", (6, 5)).save(tmp_path / "1.png")
    with media.open_clip(tmp_path) as clip, pytest.raises(ValueError, match="frame 1 is 6x5"):
        clip.read([1])
    with media.open_clip(tmp_path) as clip, pytest.raises(ValueError, match="one size"):
        list(clip)


def test_strips(tmp_path):
    strip = np.concatenate([np.full((4, 6, 3), 10 * i, np.uint8) for i in range(4)], axis=1)
    Image.fromarray(strip).save(tmp_path / "s.png")
    with media.open_clip(tmp_path / "s.png", strips=True, frame_width=6) as clip:
        assert (clip.num_frames, clip.size) == (4, (4, 6))
        assert [int(f[0, 0, 0]) for f in clip] == [0, 10, 20, 30]
    with media.open_clip(tmp_path / "s.png", strips=True) as clip:
        assert clip.num_frames == 6  # squares of 4
    with media.open_clip(tmp_path / "s.png") as clip:
        assert (clip.num_frames, clip.size) == (1, (4, 24))
    with pytest.raises(
        ValueError, match="24 pixels wide, which is no multiple of its frame width 7"
    ):
        media.open_clip(tmp_path / "s.png", frame_width=7)


def test_conversion_between_bytes_and_unit_range():
    import torch

    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(media.to_uint8(media.to_float(every)), every)
    assert media.to_float(every)[255] == 1
    beyond = media.to_uint8(torch.tensor([-0.5, 0.5, 1.7, 0.4999 / 255, 0.501 / 255]))
    assert beyond.tolist() == [0, 128, 255, 0, 1]
    assert media.to_float(every, torch.float64).dtype == torch.float64
    with pytest.raises(ValueError, match="uint8"):
        media.to_float(torch.zeros(3))
    with pytest.raises(ValueError, match="NaN"):
        media.to_uint8(torch.tensor([torch.nan]))
    with pytest.raises(ValueError, match="float"):
        media.to_uint8(every)


def test_sizes_and_crops():
    frames = np.zeros((2, 10, 20, 3), np.uint8)
    frames[:, :, 5:15] = 100
    assert (media.crop_square(frames) == 100).all()
    assert media.crop_square(frames).shape == (2, 10, 10, 3)
    assert media.crop_box(frames, (4, 2, 8)).shape == (2, 8, 8, 3)
    for box in ((13, 0, 8), (-1, 0, 4), (0, 3, 8), (0, 0, 0)):
        with pytest.raises(ValueError, match="20x10"):
            media.crop_box(frames, box)
    small = media.resize(np.full((1, 40, 40, 3), 77, np.uint8), (5, 8))
    assert small.shape == (1, 5, 8, 3)
    assert (small == 77).all()
    checker = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    even = media.resize(np.repeat(checker[None, ..., None], 3, axis=3), 16)
    assert abs(float(even.mean()) - 127.5) < 2  # anti-aliased: grey, not black or white
    assert even.std() < 8


def test_reading_does_not_depend_on_the_listing(tmp_path, monkeypatch):
    """Folders list in no particular order."""
    from pathlib import Path

    for i in range(12):
        Image.new("RGB", (4, 4), (i, i, i)).save(tmp_path / f"f{i}.png")
    listing = Path.iterdir

    def shuffled(self):
        entries = list(listing(self))
        random.Random(0).shuffle(entries)
        return iter(entries)

    monkeypatch.setattr(Path, "iterdir", shuffled)
    assert [int(f[0, 0, 0]) for f in media.open_clip(tmp_path)] == list(range(12))
