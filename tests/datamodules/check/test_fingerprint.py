"""Clips known again after encoding, resizing, cutting and mirroring; like scenes told apart."""

import numpy as np
import pytest

from datamodules.check import fingerprint
from datamodules.check.fingerprint import Track, cells_of, compare, make_track, reduced
from datamodules.check.look import look_at


def track(film, fps=25.0):
    return make_track([cells_of(reduced(frame)) for frame in film], fps)


def noise(seed, frames, spread=20.0):
    """Cells that move independently about one ground."""
    ground = np.random.default_rng(5).uniform(60, 190, (1, 8, 8))
    moved = ground + np.random.default_rng(seed).normal(0, spread, (frames, 8, 8))
    return Track(np.clip(moved, 0, 255).astype(np.uint8), 25.0, 1, (0,))


CHANGES = {
    "coarse": (lambda film: film, False, 35),
    "middle half": (lambda film: film[10:30], False, 18),
    "first part": (lambda film: film[:27], False, 23),
    "mirrored": (lambda film: film[:, :, ::-1], True, 18),
    "mirrored, cut and coarse": (lambda film: film[7:35, :, ::-1], True, 35),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["train0", "train1", "test2"])
def test_changed_copies_are_known_again(films, save, tmp_path, name, change):
    altered, mirrored, crf = CHANGES[change]
    film = films[name]
    copy = look_at(save(tmp_path / "copy.mp4", altered(film), crf=crf)).track
    found = compare(track(film), copy, mirrored=mirrored)
    assert found is not None
    assert found.frames == len(altered(film))
    assert compare(track(film), copy, mirrored=not mirrored) is None


def test_a_smaller_and_coarser_copy_is_known_again(films, save, halved, tmp_path):
    for name, film in films.items():
        copy = look_at(save(tmp_path / f"{name}.mp4", halved(film), crf=35)).track
        assert compare(track(film), copy) is not None, name


def test_the_shift_says_where_the_cut_lies(films):
    found = compare(track(films["train0"]), track(films["train0"][9:36]))
    assert (found.shift, found.frames) == (-9, 27)


@pytest.mark.parametrize("rates", [(25.0, 12.5), (30.0, 10.0)])
def test_a_copy_at_a_lower_rate_is_known_again(films, rates):
    step = round(rates[0] / rates[1])
    film = films["train1"]
    assert compare(track(film, rates[0]), track(film[::step], rates[1])) is not None


def test_a_copy_that_claims_another_rate_is_known_again(films):
    film = films["train1"]
    assert compare(track(film, 25.0), track(film, 10.0)).ratio == 0


def test_different_clips_are_told_apart(films):
    tracks = [track(film) for film in films.values()]
    for i, a in enumerate(tracks):
        for b in tracks[i + 1 :]:
            assert compare(a, b) is None
            assert compare(a, b, mirrored=True) is None


def test_other_motion_in_the_same_scene_is_told_apart(waving):
    tracks = [track(waving(seed)) for seed in range(8)]
    for i, a in enumerate(tracks):
        for b in tracks[i + 1 :]:
            # frame by frame they are alike, so that motion alone decides
            near = np.abs(a.cells[:, None].astype(float) - b.cells[None]).mean((2, 3)).min()
            assert near < fingerprint.LARGEST_ERROR
            assert compare(a, b) is None
        assert compare(a, track(waving(i)[8:34])) is not None


def test_faint_motion_in_the_same_scene_is_told_apart():
    a, b = noise(1, 60, 4.0), noise(2, 60, 4.0)
    difference = a.cells.astype(float) - b.cells
    assert np.sqrt(np.square(difference).mean()) < fingerprint.LARGEST_ERROR
    assert compare(a, b) is None
    assert compare(a, a) is not None


def test_the_measure_is_one_of_independent_motions_and_nothing_of_copies(monkeypatch):
    a, b = noise(1, 60), noise(2, 60)
    assert compare(a, b) is None
    monkeypatch.setattr(fingerprint, "LARGEST_ERROR", 100)
    monkeypatch.setattr(fingerprint, "LARGEST_RATIO", 2.0)
    assert compare(a, b).ratio == pytest.approx(1, abs=0.1)
    assert compare(a, a).ratio == 0


def test_the_measure_is_that_of_a_plain_loop(monkeypatch):
    monkeypatch.setattr(fingerprint, "LARGEST_ERROR", 100)
    monkeypatch.setattr(fingerprint, "LARGEST_RATIO", 2.0)
    a, b = noise(1, 37), noise(2, 29)
    found = compare(a, b)
    ratios = {}
    for shift in range(24 - 37, 29 - 24 + 1):
        x = np.array([a.cells[i] for i in range(37) if 0 <= i + shift < 29], float).reshape(-1, 64)
        y = np.array([b.cells[i + shift] for i in range(37) if 0 <= i + shift < 29], float)
        y = y.reshape(-1, 64)
        motion = x.var(0).mean() + y.var(0).mean()
        ratios[shift] = (np.square(x - y).mean() - fingerprint.NOISE**2) / motion
    assert found.ratio == pytest.approx(min(ratios.values()), abs=1e-3)
    assert ratios[found.shift] == pytest.approx(found.ratio, abs=1e-6)


def test_still_pictures_are_known_by_what_they_show(films):
    one, other = films["train0"][:1], films["test0"][:1]
    assert compare(track(one), track(one)) is not None
    assert compare(track(one), track(other)) is None


def test_black_clips_are_not_all_one_clip():
    black = np.zeros((30, 32, 32, 3), np.uint8)
    assert track(black).scenes == ()
    assert compare(track(black), track(black)) is None


def test_every_frame_is_near_a_frame_that_stands_for_it(films):
    for film in films.values():
        made = track(film)
        assert len(made.scenes) < fingerprint.MOST_SCENES
        flat = made.flat()
        away = np.square(flat[:, None] - flat[list(made.scenes)][None]).mean(2).min(1)
        assert away.max() <= 8**2


def test_long_clips_are_thinned_out(monkeypatch, films):
    monkeypatch.setattr(fingerprint, "LONGEST", 16)
    film = films["train0"]
    thin = track(film)
    assert (len(thin.cells), thin.step, thin.rate) == (14, 3, 25 / 3)
    monkeypatch.setattr(fingerprint, "LONGEST", 2048)
    assert compare(thin, track(film)) is not None
