"""Pairs of a source and a driving clip."""

import itertools
from collections import Counter

import pytest
from PIL import Image

from datamodules import FramePairs, ToyClips, ToySettings
from datamodules.clips import VideoFolder
from datamodules.cross import dealt_pairs, drawn_pairs, listed_pairs, pairs_of_each
from datamodules.splits import list_clips


def test_drawn_pairs_are_of_different_identities(small_root):
    clips = VideoFolder(list_clips(small_root / "train"), [0, 0, 1], 16)
    every = drawn_pairs(clips, 4, 0)
    assert set(every) == {(0, 2), (1, 2), (2, 0), (2, 1)}
    assert drawn_pairs(clips, 2, 0) == every[:2]
    assert any(drawn_pairs(clips, 4, seed) != every for seed in range(1, 4))
    with pytest.raises(ValueError, match=r"cross_pairs=5.* only 4"):
        drawn_pairs(clips, 5, 0)


def test_listed_pairs(tmp_path):
    toy = ToyClips(ToySettings(test_clips=4, test_identities=2), "test", 16)
    names = [toy.name(i) for i in range(4)]
    table = tmp_path / "pairs.csv"
    table.write_text(f"distance,source,driving\n1,{names[2]},{names[1]}\n2,{names[0]},{names[3]}\n")
    assert listed_pairs(toy, toy, table) == [(2, 1), (0, 3)]
    table.write_text(f"source,driving\n{names[0]},nobody\n")
    with pytest.raises(ValueError, match=r"pairs.csv names the clip 'nobody'"):
        listed_pairs(toy, toy, table)
    table.write_text("from,to\na,b\n")
    with pytest.raises(ValueError, match="no column source, driving"):
        listed_pairs(toy, toy, table)
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        listed_pairs(toy, toy, tmp_path / "none.csv")


def test_sources_of_a_set_of_their_own_may_have_other_names(tmp_path):
    sources, driving = (
        ToyClips(ToySettings(test_clips=2, test_identities=2, seed=seed), split, 16)
        for seed, split in ((1, "train"), (0, "test"))
    )
    table = tmp_path / "pairs.csv"
    table.write_text(f"source,driving\n{sources.name(1)},{driving.name(0)}\n")
    assert listed_pairs(sources, driving, table) == [(1, 0)]
    table.write_text(f"source,driving\n{driving.name(0)}x,{driving.name(0)}\n")
    with pytest.raises(ValueError, match=r"not in the folder of sources"):
        listed_pairs(sources, driving, table)


@pytest.mark.parametrize(("sources", "driving"), [(1, 1), (4, 6), (6, 4), (3, 5), (7, 2), (6, 6)])
def test_every_pair_can_be_dealt_once(sources, driving):
    pairs = dealt_pairs(sources, driving, sources * driving, 0)
    assert set(pairs) == set(itertools.product(range(sources), range(driving)))
    for count in range(1, sources * driving + 1):
        part = pairs[:count]
        assert dealt_pairs(sources, driving, count, 0) == part
        for side, number in ((0, sources), (1, driving)):
            uses = Counter(pair[side] for pair in part)
            assert max(uses.values()) - min(uses[i] for i in range(number)) <= 1
    with pytest.raises(ValueError, match=f"{sources} sources and {driving} test clips make only"):
        dealt_pairs(sources, driving, sources * driving + 1, 0)


def test_two_pictures_for_each_clip_as_lia_x_has_them():
    """Its cross-reenactment: 70 clips, 2 random pictures each."""
    pairs = dealt_pairs(25_000, 70, 140, 0)
    assert set(Counter(driving for _, driving in pairs).values()) == {2}
    assert len({source for source, _ in pairs}) == 140
    assert pairs != dealt_pairs(25_000, 70, 140, 1)


@pytest.mark.parametrize("listed", [False, True])
def test_pictures_of_another_set_are_animated(small_root, listed):
    for number in range(3):
        picture = Image.new("RGB", (24, 24), (200 + number, 0, 0))
        (small_root / "pictures").mkdir(exist_ok=True)
        picture.save(small_root / "pictures" / f"p{number}.png")
    table = small_root / "pairs.csv"
    table.write_text("source,driving\np2,c#1\np0.png,b#2\n")
    pairs = str(table) if listed else 6
    data = FramePairs(str(small_root), image_size=16, sources="pictures", cross_pairs=pairs)
    data.setup("predict")
    batches = list(data.predict_dataloader())
    if listed:
        shown = [(b["source_name"], b["driving_name"]) for b in batches]
        assert shown == [(["p2.png"], ["c#1"]), (["p0.png"], ["b#2"])]
    assert len(batches) == (2 if listed else 6)
    for batch in batches:
        number = int(batch["source_name"][0][1])
        assert batch["source"][0, 0].unique().tolist() == [200 + number]
        assert batch["driving"].shape[1] == {"b#2": 9, "c#1": 7}[batch["driving_name"][0]]


def test_missing_sources_are_named(small_root):
    data = FramePairs(str(small_root), image_size=16, sources="nowhere", cross_pairs=1)
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist"):
        data.predict_dataloader()


def test_each_clip_gets_as_many_sources_of_other_identities(small_root):
    toy = ToyClips(ToySettings(test_clips=6, test_identities=3), "test", 16)
    pairs = pairs_of_each(toy, 2, 0)
    assert Counter(driving for _, driving in pairs) == dict.fromkeys(range(6), 2)
    assert len(set(pairs)) == 12
    assert all(toy.identity(a) != toy.identity(b) for a, b in pairs)
    assert pairs_of_each(toy, 2, 0) == pairs != pairs_of_each(toy, 2, 1)
    clips = VideoFolder(list_clips(small_root / "train"), [0, 0, 1], 16)
    every = {(0, 2), (1, 2), (2, 0), (2, 1)}
    assert set(pairs_of_each(clips, 2, 0)) == set(pairs_of_each(clips, 9, 0)) == every
    alone = VideoFolder(list_clips(small_root / "train"), [0, 0, 0], 16)
    with pytest.raises(ValueError, match="3 test clips show one identity"):
        pairs_of_each(alone, 2, 0)


def test_each_clip_gets_as_many_pictures_of_another_set(small_root):
    for number in range(3):
        (small_root / "pictures").mkdir(exist_ok=True)
        Image.new("RGB", (24, 24)).save(small_root / "pictures" / f"p{number}.png")
    for count, dealt in ((2, 2), (5, 3)):
        how = {"sources": "pictures", "cross_pairs": f"each({count})"}
        pairs = FramePairs(str(small_root), image_size=16, **how).pairs
        assert set(Counter(driving for _, driving in pairs).values()) == {dealt}
        assert len(set(pairs)) == len(pairs)


def test_toy_has_no_sources_of_another_set():
    with pytest.raises(ValueError, match=r"'pictures' is a folder below data\.root"):
        FramePairs(image_size=16, sources="pictures", cross_pairs=2).predict_dataloader()
