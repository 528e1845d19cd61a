"""Pairs among many clips, against comparing each with each."""

import numpy as np
import pytest

from datamodules.check import leaks
from datamodules.check.fingerprint import cells_of, compare, make_track, reduced
from datamodules.check.leaks import find_pairs


def track(film):
    return make_track([cells_of(reduced(frame)) for frame in film], 25.0)


@pytest.fixture(scope="module")
def tracks(films, waving):
    """Six toy clips, six in one scene, then copies: of 0, of 3 mirrored, of 7 cut; one broken."""
    made = [*films.values(), *(waving(seed) for seed in range(6))]
    made += [made[0], made[3][:, :, ::-1], made[7][5:33]]
    return [track(film) for film in made[:4]] + [None] + [track(film) for film in made[4:]]


# numbers behind the broken one are one higher
PLANTED = [(0, 13, False), (3, 14, True), (8, 15, False)]


@pytest.mark.parametrize("block", [4096, 7])
def test_planted_pairs_are_found_and_no_others(monkeypatch, tracks, block):
    monkeypatch.setattr(leaks, "BLOCK", block)
    assert [(p.a, p.b, p.mirrored) for p in find_pairs(tracks)] == PLANTED


def test_they_are_those_of_comparing_each_with_each(tracks):
    slow = [
        (a, b, mirrored)
        for a in range(len(tracks))
        for b in range(a + 1, len(tracks))
        for mirrored in (False, True)
        if tracks[a] and tracks[b] and compare(tracks[a], tracks[b], mirrored=mirrored)
    ]
    assert slow == PLANTED


def test_near_frames_are_those_of_all_distances(tracks):
    seen = []

    def watch(pairs):
        seen.extend(pairs)
        return pairs

    find_pairs(tracks, watch)
    near = set()
    for a, first in enumerate(tracks):
        for b, second in enumerate(tracks[a + 1 :], a + 1):
            if first is None or second is None:
                continue
            y = second.flat()[list(second.scenes)]
            for mirrored in (False, True):
                x = first.flat(mirrored=mirrored)[list(first.scenes)]
                if np.square(x[:, None] - y[None]).mean(2).min() <= leaks.NEAR**2:
                    near.add((a, b))
    assert seen == sorted(near)
    assert len(near) < len(tracks) * (len(tracks) - 1) / 2


def test_a_clip_that_is_its_own_mirror_image_is_a_plain_copy(films):
    film = np.concatenate([films["train0"], films["train0"][:, :, ::-1]], axis=2)
    (pair,) = find_pairs([track(film), track(film)])
    assert not pair.mirrored


def test_nothing_to_compare():
    assert find_pairs([]) == []
    assert find_pairs([None, None]) == []


def test_the_shared_mirrored_twins_are_all_found_and_nothing_else(shared_dir):
    import csv

    from datamodules.check.look import look_at

    data = shared_dir / "data"
    with (data / "MANIFEST.csv").open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["set"] == "actions"]
    rows = [r for r in rows if (data / r["path"]).exists()]
    names = [r["path"].rsplit("/", 1)[1].removesuffix(".mp4") for r in rows]
    twins = {
        (min(i, names.index(r["mirror_of"])), max(i, names.index(r["mirror_of"])), True)
        for i, r in enumerate(rows)
        if r["mirror_of"] in names
    }
    assert len(twins) >= 10
    found = find_pairs([look_at(data / r["path"]).track for r in rows])
    assert {(p.a, p.b, p.mirrored) for p in found} == twins
