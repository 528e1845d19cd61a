from dataclasses import replace

import pytest

from animators.metrics import Averaging, Protocol, Scored


def test_name_says_all():
    assert Protocol(64).name == "reconstruction-64px-32frames-source0-remaining-0ref-pervideo@own"
    assert Protocol.fomm(256).name == "reconstruction-256px-full-source0-all-0ref-perframe@own"
    assert Protocol.lia().name == "reconstruction-256px-full-source0-remaining-0ref-pervideo@own"
    vox = Protocol.lia(256, "lia-vox-17928-495").name
    assert vox == "reconstruction-256px-full-source0-remaining-0ref-pervideo@lia-vox-17928-495"
    assert Protocol(64, clips="12-7985d13b").name.endswith("pervideo@own@12-7985d13b")


def test_every_difference_changes_the_name():
    base = Protocol(64)
    others = [
        replace(base, image_size=128),
        replace(base, frames=None),
        replace(base, frames=16),
        replace(base, averaging=Averaging.FRAME),
        replace(base, scored=Scored.ALL),
        replace(base, references=3),
        replace(base, split="lia-vox-17928-495"),
        replace(base, split="dime-vox-18314-507"),
        replace(base, clips="12-7985d13b"),
        replace(base, clips="12-7985d13c"),
        replace(base, split="v1.2", clips="12-7985d13b"),
    ]
    assert len({one.name for one in [base, *others]}) == 12
    for one in others:
        assert Protocol.from_name(one.name) == one


def test_record_is_plain():
    record = Protocol(64).as_dict()
    assert record["averaging"] == "video"
    assert type(record["averaging"]) is str
    assert record["name"] == Protocol(64).name
    assert "not scored" in record["reference_rule"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"image_size": 0},
        {"frames": 1},
        {"references": -1},
        {"averaging": "clip"},
        {"scored": "some"},
        {"source_frame": 3},
        {"task": "animation"},
        {"split": "two words"},
        {"split": "a@b"},
        {"clips": "12"},
    ],
)
def test_what_is_not_measured_is_refused(wrong):
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        Protocol(**{"image_size": 64, **wrong})


def test_other_names_are_refused():
    with pytest.raises(ValueError, match="'l1' is not the name of a protocol"):
        Protocol.from_name("l1")


def test_a_name_from_before_splits_is_of_an_own_one():
    name = "reconstruction-64px-32frames-source0-remaining-0ref-pervideo"
    assert Protocol.from_name(name) == Protocol(64)


def test_a_measurement_is_of_a_papers_protocol_with_as_many_clips_only():
    paper = Protocol.lia(256, "lia-vox-17928-495")
    assert replace(paper, clips="495-0123abcd").is_that_of(paper)
    assert not replace(paper, clips="480-0123abcd").is_that_of(paper)
    assert not replace(paper, clips="495-0123abcd", split="own").is_that_of(paper)
    assert not replace(paper, clips="495-0123abcd", image_size=512).is_that_of(paper)
    assert not replace(paper, clips="495-0123abcd", frames=32).is_that_of(paper)
    assert not replace(Protocol.fomm(256, paper.split), clips="495-0123abcd").is_that_of(paper)


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({}, "recon-lia"),
        ({"scored": "all", "averaging": "frame"}, "recon-fomm"),
        ({"scored": "all"}, "recon-liax"),
        ({"references": 3}, "recon-few"),
        ({"averaging": "frame"}, "reconstruction"),
    ],
)
def test_the_label_says_whose_way_it_is(changes, label):
    protocol = Protocol(64, **changes)
    assert protocol.label == label
    assert protocol.as_dict()["label"] == label


def test_the_papers_protocols_have_their_labels():
    assert (Protocol.lia().label, Protocol.fomm().label) == ("recon-lia", "recon-fomm")
