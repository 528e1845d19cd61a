"""Pictures moved by clips of somebody else: which pairs, edited how, scored against what."""

from collections import Counter

import imageio.v2 as imageio
import pytest
import torch
from PIL import Image

from animators.metrics import Averaging, FrameAverage
from benchmarks.cross import (
    CrossClips,
    edited_animate,
    evaluate,
    hold_still,
    pairs_of_way,
    parse_edit,
    protocol_of,
)
from benchmarks.data import build_data, data_file, read_options
from benchmarks.extras import Extras
from tests.animators.tiny import tiny_animator

TOY = [
    *("--data.init_args.toy.test_clips=4", "--data.init_args.toy.test_identities=2"),
    *("--data.init_args.toy.train_clips=2", "--data.init_args.toy.identities=2"),
    "--data.init_args.toy.frames=6",
]
CPU = torch.device("cpu")


class FromSource(FrameAverage):
    """Mean absolute difference of what is made from the source, and not from the driving frames."""

    name = "from_source"
    higher_is_better = False

    def frame_values(self, prediction, target, source):
        return (prediction - source).abs().mean(dim=(1, 2, 3))


def toy(**changes):
    settings = read_options(data_file("toy"), TOY)
    return build_data(settings | {"image_size": 64, "frames": 4} | changes)


@pytest.fixture(scope="module")
def lia():
    return tiny_animator("lia", image_size=64).eval()


def test_as_many_pairs_as_the_paper_has_or_as_there_are():
    data = toy()
    who = [data.test_clips.identity(i) for i in range(4)]
    every = sum(a != b for a in who for b in who)
    assert 0 < every < 12
    assert pairs_of_way("cross-dime", data, None) == every  # of DiME's 200
    assert pairs_of_way("cross-dime", data, 3) == 3


def test_lia_x_has_two_pictures_for_each_clip(lia):
    settings = {"toy": {"test_clips": 6, "test_identities": 3, "frames": 6}}
    data = toy(**settings, cross_pairs=pairs_of_way("cross-liax", toy(**settings), None))
    assert Counter(driving for _, driving in data.pairs) == dict.fromkeys(range(6), 2)
    named = protocol_of("cross-liax", lia, data, mode="relative", references=0)
    assert named.pairs == 12


@pytest.fixture
def pictures(tmp_path):
    """Three clips to be moved by, and a folder of three pictures."""
    shown = torch.arange(3 * 5 * 64 * 64 * 3, dtype=torch.uint8).reshape(3, 5, 64, 64, 3).numpy()
    for place in ("train", "test", "other_set/pictures"):
        (tmp_path / place).mkdir(parents=True)
    for i in range(3):
        imageio.mimwrite(tmp_path / f"test/c{i}.gif", shown[i])
        Image.fromarray(shown[i, 0]).save(tmp_path / f"other_set/pictures/p{i}.png")
    Image.fromarray(shown[0, 0]).save(tmp_path / "train/p.png")
    return tmp_path


def test_pictures_of_another_folder_are_named_by_what_is_in_it(lia, pictures):
    where = {"root": str(pictures), "toy": None, "sources": "other_set/pictures"}
    data = toy(**where, cross_pairs=4)
    how = {"mode": "relative", "references": 0}
    first = protocol_of("cross-dime", lia, data, **how)
    assert first.sources.startswith("other.set.pictures.3-")
    clips = list(CrossClips(data, CPU, "test"))
    assert {name[0] for name in (pair["source_name"] for pair in clips)} <= {
        *("p0.png", "p1.png", "p2.png"),
    }
    (pictures / "other_set/pictures/p2.png").rename(pictures / "other_set/pictures/q.png")
    assert protocol_of("cross-dime", lia, toy(**where, cross_pairs=4), **how).name != first.name


@pytest.mark.parametrize(
    ("changes", "wanted", "said"),
    [
        ({"toy": {"test_clips": 3, "test_identities": 1, "frames": 6}}, None, "one identity"),
        ({"toy": {"test_clips": 3, "test_identities": 1, "frames": 6}}, 2, "one identity"),
        ({}, "list.csv", "say --pairs N"),
    ],
)
def test_pairs_that_cannot_be(changes, wanted, said):
    with pytest.raises(ValueError, match=said):
        pairs_of_way("cross-dime", toy(**changes), wanted)


@pytest.mark.parametrize("folder", ["/other", "../other", "test", "test/"])
def test_sources_are_another_folder_below_the_root(pictures, folder):
    (pictures / "other").mkdir()
    folder = str(pictures / "other_set/pictures") if folder == "/other" else folder
    place = pictures / "deep"
    place.mkdir()
    if folder == "../other":
        Image.new("RGB", (64, 64)).save(pictures / "other/p.png")
        (pictures / "test").rename(place / "test")
        (pictures / "train").rename(place / "train")
    else:
        place = pictures
    data = toy(root=str(place), toy=None, sources=folder)
    with pytest.raises(ValueError, match="--sources"):
        pairs_of_way("cross-dime", data, None)


def test_pairs_are_of_different_identities_and_the_same_each_time():
    data = toy(cross_pairs=5)
    clips = CrossClips(data, CPU, "test")
    who = {data.test_clips.name(i): data.test_clips.identity(i) for i in range(4)}
    first = list(clips)
    assert all(who[p["source_name"][0]] != who[p["driving_name"][0]] for p in first)
    digest = clips.digest
    assert (clips.count, clips.frames) == (5, 20)
    again = list(clips)
    assert clips.digest == digest
    assert all(torch.equal(a["source"], b["source"]) for a, b in zip(first, again, strict=True))
    list(CrossClips(toy(cross_pairs=5, seed=1), CPU, "test"))
    assert first[0]["source"].max() <= 1


def test_the_first_frames_only_where_a_protocol_says_so():
    (pair, *_) = list(CrossClips(toy(cross_pairs=1), CPU, "test", first=2))
    assert pair["driving"].shape == (1, 2, 3, 64, 64)


def test_what_is_made_is_scored_against_the_picture(lia):
    extras = Extras([FromSource(Averaging.FRAME)])
    clips = CrossClips(toy(cross_pairs=3), CPU, "test")
    still = evaluate(hold_still, clips, extras)
    assert still.metrics["from_source"] == 0
    assert [clip.motion.shape for clip in still.clips] == [(4,)] * 3
    assert all(clip.motion[0] == 0 and clip.motion[1:].min() > 0 for clip in still.clips)
    moved = evaluate(edited_animate(lia, "relative", {}), clips, extras)
    wanted = []
    for pair in clips:
        made = lia.animate(pair["source"], pair["driving"])[0]
        wanted.append((made - pair["source"][0]).abs().mean())
    assert moved.metrics["from_source"] == pytest.approx(float(torch.stack(wanted).mean()))
    assert [c.metrics["from_source"] for c in moved.clips] == pytest.approx(
        [float(x) for x in wanted]
    )


def test_an_edit_moves_the_source_before_it_is_animated(lia):
    (pair, *_) = list(CrossClips(toy(cross_pairs=1), CPU, "test"))
    source, driving, none = pair["source"], pair["driving"], pair["references"]
    plain = edited_animate(lia, "relative", {})(source, driving, none)
    zero = edited_animate(lia, "relative", parse_edit(["d1=0"]))(source, driving, none)
    moved = edited_animate(lia, "relative", parse_edit(["d1=2", "d1=1"]))(source, driving, none)
    assert torch.allclose(plain, zero, atol=1e-6)
    assert not torch.allclose(plain, moved, atol=1e-4)
    with torch.no_grad():
        state = lia.edit(lia.encode_source(source), {"d1": 3.0})
        frame = lia.render(
            state,
            lia.transfer(
                state,
                lia.encode_motion(driving[:, 2]),
                lia.encode_motion(driving[:, 0]),
                "relative",
            ),
        )
    assert torch.allclose(moved[:, 2], frame.clamp(0, 1), atol=1e-5)


@pytest.mark.parametrize(
    ("words", "mode", "model", "said"),
    [
        (["d1"], "relative", "lia", "DIRECTION=AMOUNT"),
        (["d1=x"], "relative", "lia", "DIRECTION=AMOUNT"),
        (["d99=1"], "relative", "lia", "no motion direction 'd99'"),
        (["d1=1"], "absolute", "lia", "replaces the edited pose"),
        (["d1=1"], "relative", "fomm", "no motion directions"),
    ],
)
def test_edits_that_cannot_be(words, mode, model, said):
    animator = tiny_animator(model, image_size=64).eval()
    with pytest.raises(ValueError, match=said):
        edited_animate(animator, mode, parse_edit(words))


def test_the_protocol_says_where_pictures_come_from(lia):
    named = protocol_of("cross-dime", lia, toy(cross_pairs=3), mode="absolute", references=0)
    assert named.name.startswith(
        "cross-dime-64px-4frames-3pairs-seed0-absolute-0ref-perframe@own@4"
    )
    assert named.sources == ""
