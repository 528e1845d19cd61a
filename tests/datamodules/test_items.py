import itertools

import pytest
import torch

from animators.nn.draws import generator
from datamodules.clips import VideoFolder
from datamodules.items import (
    ClipDataset,
    CrossDataset,
    PairDataset,
    collate,
    scored_frames,
)
from datamodules.splits import list_clips


@pytest.fixture
def clips(small_root):
    """Clips a#1, a#2 (identity 0) and b#1 (identity 1), of 8, 10 and 12 frames."""
    return VideoFolder(list_clips(small_root / "train"), [0, 0, 1], 16, cache=True)


def number(frame):
    """The number that conftest painted into a frame's green."""
    return round(float(frame[1].float().mean()) / 10)


def test_frames_are_those_the_item_names(clips):
    for index in range(9):
        item = PairDataset(clips, 0, references=3, repeats=3)[2, index]
        assert item["name"] == clips.name(index % 3)
        assert [number(item["source"]), number(item["driving"])] == item["frame_index"].tolist()
        assert [number(f) for f in item["references"]] == item["reference_index"].tolist()
        assert item["key"].tolist() == [0, 2, index]


@pytest.mark.parametrize("reverse", [None, 0.5])
def test_frames_of_a_pair_differ_and_references_differ_from_driving(clips, reverse):
    dataset = PairDataset(clips, 0, references=7, repeats=40, reverse=reverse)
    seen = set()
    for index in range(len(dataset)):
        item = dataset[0, index]
        source, driving = item["frame_index"].tolist()
        references = item["reference_index"].tolist()
        assert source != driving
        assert driving not in references
        assert len(set(references)) == 7
        if index % 3 == 0:
            seen |= {(source, driving)}
            assert set(references) == set(range(8)) - {driving}
    assert len(seen) > 20  # of 56 pairs in 40 draws
    assert {s for s, _ in seen} == {d for _, d in seen} == set(range(8))


def test_draws_depend_on_seed_epoch_and_index_alone(clips):
    first = PairDataset(clips, 0, repeats=2)
    first[5, 1]
    again = PairDataset(clips, 0, repeats=2)
    assert torch.equal(first[3, 4]["frame_index"], again[3, 4]["frame_index"])

    def drawn(seed, epoch, offset):
        dataset = PairDataset(clips, seed, repeats=4)
        return [dataset[epoch, 3 * n + offset]["frame_index"].tolist() for n in range(4)]

    assert drawn(0, 0, 2) != drawn(1, 0, 2)
    assert drawn(0, 0, 2) != drawn(0, 1, 2)


@pytest.mark.parametrize(("reverse", "backwards"), [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)])
def test_reversed_pairs(clips, reverse, backwards):
    dataset = PairDataset(clips, 0, repeats=80, reverse=reverse)
    pairs = [dataset[0, index]["frame_index"] for index in range(len(dataset))]
    share = sum(bool(s > d) for s, d in pairs) / len(pairs)
    assert share == pytest.approx(backwards, abs=0.08 if reverse == 0.5 else 0)


def test_identity_sampling_passes_over_identities(clips):
    dataset = PairDataset(clips, 0, identity_sampling=True, repeats=20)
    assert len(dataset) == 40
    names = {0: set(), 1: set()}
    for index in range(40):
        item = dataset[0, index]
        assert int(item["identity"]) == index % 2
        names[index % 2].add(item["name"])
    assert names == {0: {"a#1", "a#2"}, 1: {"b#1"}}


def test_a_batch_is_fetched_at_once(clips, monkeypatch):
    """Its clips are asked for together, then read; the items are those fetched one by one."""
    events = []
    real = clips.read
    monkeypatch.setattr(clips, "fetch", lambda numbers: events.append(list(numbers)))
    monkeypatch.setattr(clips, "read", lambda i, n: (events.append(i), real(i, n))[1])
    dataset = PairDataset(clips, 0, references=2, repeats=4, identity_sampling=True)
    keys = [(1, 6), (0, 1), (0, 0), (2, 3)]
    batch = dataset.__getitems__(keys)
    assert events[0] == events[1:]
    assert len(events) == 5
    for item, key in zip(batch, keys, strict=True):
        for name, value in dataset[key].items():
            same = (
                torch.equal(value, item[name]) if hasattr(value, "shape") else value == item[name]
            )
            assert same, name


def test_items_are_identities_in_order_and_clips_of_each_in_order(clips, monkeypatch):
    """However labels lie: drawn from the lists that a plain reader would make."""
    labels = [7, 0, 7, 3, 0, 7, 9, 3]
    monkeypatch.setattr(type(clips), "__len__", lambda self: len(labels))
    monkeypatch.setattr(clips, "identity", lambda i: labels[i])
    monkeypatch.setattr(clips, "num_frames", lambda i: 8)
    monkeypatch.setattr(clips, "name", str)
    dataset = PairDataset(clips, 0, identity_sampling=True, repeats=50)
    lists = {
        label: [i for i, x in enumerate(labels) if x == label] for label in sorted(set(labels))
    }
    assert len(dataset) == 50 * len(lists)
    for place, (label, members) in enumerate(lists.items()):
        drawn = []
        for turn in range(50):
            key = (0, place + turn * len(lists))
            i, item = dataset._draw(key)
            draw = generator(0, *key, "pair")
            assert i == members[int(torch.randint(len(members), (), generator=draw))]
            assert int(item["identity"]) == label
            drawn.append(i)
        assert set(drawn) == set(members)


def test_a_clip_too_short_is_named(clips):
    with pytest.raises(ValueError, match=r"clip a#1 has 8 frames, 9 are needed"):
        PairDataset(clips, 0, references=8)[0, 0]
    with pytest.raises(ValueError, match=r"clip a#1 has 8 frames, 9 are needed"):
        ClipDataset(clips, 32, 7)[0, True]
    with pytest.raises(ValueError, match=r"clip a#1 has 8 frames, 9 are needed"):
        CrossDataset(clips, clips, [(0, 1)], 32, 8)[0, True]


@pytest.mark.parametrize(
    ("total", "frames", "references"),
    [
        (t, f, n)
        for t, f, n in itertools.product((2, 3, 10, 33, 35, 400), (2, 32, None), (0, 1, 3))
        if t >= n + 2
    ],
)
def test_scored_frames(total, frames, references):
    scored, aside = scored_frames(total, frames, references)
    assert scored[0] == 0
    assert scored == sorted(set(scored))
    assert aside == sorted(set(aside))
    assert not set(scored) & set(aside)
    assert len(aside) == references
    assert len(scored) == min(frames or total, total - references)
    assert max(scored + aside) < total
    if references == 0:
        assert scored[-1] == total - 1
        gaps = [b - a for a, b in itertools.pairwise(scored)]
        assert max(gaps) - min(gaps) <= 1
    elif total >= 33:
        # spread over the clip, not huddled
        assert all(abs(n - total * (k + 0.5) / references) < 3 for k, n in enumerate(aside))


def test_clips_to_score(clips):
    item = ClipDataset(clips, 4, 2)[2, False]
    assert [number(f) for f in item["video"]] == item["frame_index"].tolist() == [0, 4, 7, 11]
    assert [number(f) for f in item["references"]] == item["reference_index"].tolist()
    assert item["counts"].item() is False
    assert (item["name"], item["fps"]) == ("b#1", 25.0)


def test_cross_items(clips):
    item = CrossDataset(clips, clips, [(0, 2)], 3, 2)[0, True]
    assert number(item["source"]) == 0
    assert item["source"][0, 0, 0] != item["driving"][0, 0, 0, 0]
    assert [number(f) for f in item["driving"]] == item["frame_index"].tolist() == [0, 6, 11]
    assert [number(f) for f in item["references"]] == item["reference_index"].tolist()
    assert 0 not in item["reference_index"]
    assert (item["source_name"], item["driving_name"]) == ("a#1", "b#1")


def test_collate_stacks_tensors_and_lists_the_rest():
    items = [{"a": torch.tensor([n]), "b": f"{n}", "c": n / 2} for n in range(2)]
    batch = collate(items)
    assert batch["a"].tolist() == [[0], [1]]
    assert batch["b"] == ["0", "1"]
    assert batch["c"] == [0.0, 0.5]
