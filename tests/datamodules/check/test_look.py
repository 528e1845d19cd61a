"""One clip: what it holds, or why it cannot be read."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from datamodules.check.files import Packed
from datamodules.check.look import look_at
from datamodules.media import ClipWriter, stream
from datamodules.prepare.digest import digest_of


def frames_folder(folder, shades, size=(20, 32)):
    folder.mkdir(parents=True)
    for t, shade in enumerate(shades):
        Image.fromarray(np.full((*size, 3), shade, np.uint8)).save(folder / f"{t}.png")
    return folder


def test_a_video_is_decoded_and_hashed(films, save, tmp_path):
    path = save(tmp_path / "a.mp4", films["train0"], fps=30)
    seen = look_at(path, hashed=True)
    assert (seen.frames, seen.fps, seen.width, seen.height) == (40, 30, 96, 96)
    assert seen.sha256 == digest_of(path)
    assert len(seen.track.cells) == 40
    assert not seen.still
    assert look_at(path).sha256 == ""


def test_motion_is_the_largest_mean_difference_to_the_first_frame(tmp_path):
    seen = look_at(frames_folder(tmp_path / "a", [10, 60, 31]))
    assert seen.motion == pytest.approx(50 / 255)
    assert (seen.frames, seen.width, seen.height) == (3, 32, 20)


@pytest.mark.parametrize(("shades", "still"), [([90] * 5, True), ([90, 90, 99], False)])
def test_clips_in_which_nothing_moves(tmp_path, shades, still):
    assert look_at(frames_folder(tmp_path / "a", shades)).still is still


def test_a_still_film_stays_still_when_encoded(films, save, tmp_path):
    path = save(tmp_path / "a.mp4", np.repeat(films["train0"][:1], 30, 0), crf=30)
    assert look_at(path).still


def test_a_small_thing_that_moves_is_motion(films, save, tmp_path):
    film = np.repeat(films["train0"][:1], 30, 0)
    film[15:, 40:46, 40:46] = 255 - film[15:, 40:46, 40:46]
    assert not look_at(save(tmp_path / "a.mp4", film)).still


def test_a_quick_look_decodes_three_frames(films, save, tmp_path, monkeypatch):
    path = save(tmp_path / "a.mp4", films["train0"])
    seen = look_at(path, quick=True)
    assert seen.frames == 40
    assert len(seen.track.cells) == 3
    full = look_at(path)
    assert np.array_equal(seen.track.cells, full.track.cells[[0, 20, 39]])


def test_strips_are_cut_by_the_given_width(tmp_path):
    strip = np.repeat(np.arange(6, dtype=np.uint8) * 20, 10)
    picture = np.broadcast_to(strip[None, :, None], (20, 60, 3))
    Image.fromarray(np.ascontiguousarray(picture)).save(tmp_path / "a.png")
    assert look_at(tmp_path / "a.png").frames == 3
    assert look_at(tmp_path / "a.png", frame_width=10).frames == 6


def test_a_file_that_breaks_off_before_its_index_is_refused(films, save, tmp_path):
    path = save(tmp_path / "a.mp4", films["train0"])
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="truncated"):
        look_at(path)


def early(path, film):
    """Encode a film with its index in front, so that what is left of a cut file opens."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "5"})
        stream.height = stream.width = 96
        stream.pix_fmt = "yuv420p"
        for frame in film:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_an_indexed_file_that_breaks_off_is_refused(films, tmp_path):
    path = early(tmp_path / "early.mp4", films["train1"])
    assert look_at(path).frames == 40
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 7 // 10])
    with pytest.raises(ValueError, match=r"breaks off: \d+ of 40 frames decode"):
        look_at(path)


def test_a_gif_that_breaks_off_is_refused(films, tmp_path):
    with ClipWriter(tmp_path / "a.gif", Fraction(10)) as writer:
        for frame in films["train0"][:8]:
            writer.write(frame)
    assert look_at(tmp_path / "a.gif").frames == 8
    content = (tmp_path / "a.gif").read_bytes()
    (tmp_path / "a.gif").write_bytes(content[: len(content) * 6 // 10])
    with pytest.raises(ValueError, match=r"of 8|decode|damaged"):
        look_at(tmp_path / "a.gif")


@pytest.mark.parametrize("quick", [False, True])
def test_a_video_that_claims_giant_frames_is_refused(films, save, tmp_path, monkeypatch, quick):
    path = save(tmp_path / "a.mp4", films["train0"])
    monkeypatch.setattr(stream, "MOST_PIXELS", 96 * 96 - 1)
    with pytest.raises(ValueError, match="96x96 pixels"):
        look_at(path, quick=quick)


def test_a_playlist_is_not_followed(films, save, tmp_path):
    save(tmp_path / "secret.mp4", films["train0"])
    path = tmp_path / "a.mp4"
    path.write_text("ffconcat version 1.0\nfile 'secret.mp4'\n")
    with pytest.raises(ValueError, match="not a video that can be read"):
        look_at(path)


@pytest.mark.parametrize("name", ["10:30 talk.mp4", "data:x.mp4", "file:a.mp4"])
def test_names_with_colons_are_names(films, save, tmp_path, monkeypatch, name):
    save(tmp_path / "plain.mp4", films["train0"]).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert look_at(Path(name)).frames == 40


def test_a_clip_in_a_shard_is_what_its_bytes_are(films, save, tmp_path):
    path = save(tmp_path / "a.mp4", films["train0"])
    shard = tmp_path / "0.tar"
    content = path.read_bytes()
    shard.write_bytes(bytes(700) + content + bytes(300))
    piece = Packed(shard, 700, len(content), 40, "anna")
    called = shard / "a.mp4"
    for quick in (False, True):
        inside, outside = look_at(called, piece, quick=quick), look_at(path, quick=quick)
        assert (inside.frames, inside.fps, inside.motion) == (40, 25, outside.motion)
        assert np.array_equal(inside.track.cells, outside.track.cells)
    assert look_at(called, piece, hashed=True).sha256 == digest_of(path)
    with pytest.raises(ValueError, match=r"0\.tar.*a\.mp4 is not a video"):
        look_at(called, Packed(shard, 900, len(content) - 500, 40, "anna"))


def test_a_clip_in_a_shard_that_breaks_off_inside_is_refused(films, tmp_path):
    path = early(tmp_path / "early.mp4", films["train1"])
    content = path.read_bytes()
    cut = content[: len(content) * 7 // 10]
    (tmp_path / "0.tar").write_bytes(cut)
    with pytest.raises(ValueError, match=r"breaks off: \d+ of 40 frames decode"):
        look_at(tmp_path / "0.tar" / "x.mp4", Packed(tmp_path / "0.tar", 0, len(cut), 40, "a"))


def test_a_pipe_is_no_clip(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(ValueError, match="neither a file nor a folder"):
        look_at(tmp_path / "a.mp4")
