from dataclasses import replace

import pytest

from animators.metrics import Averaging, Protocol, Scored


def test_name_says_all():
    assert Protocol(64).name == "reconstruction-64px-32frames-source0-remaining-0ref-pervideo"
    assert Protocol.fomm(256).name == "reconstruction-256px-full-source0-all-0ref-perframe"
    assert Protocol.lia().name == "reconstruction-256px-full-source0-remaining-0ref-pervideo"


def test_every_difference_changes_the_name():
    base = Protocol(64)
    others = [
        replace(base, image_size=128),
        replace(base, frames=None),
        replace(base, frames=16),
        replace(base, averaging=Averaging.FRAME),
        replace(base, scored=Scored.ALL),
        replace(base, references=3),
    ]
    assert len({one.name for one in [base, *others]}) == 7
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
    ],
)
def test_what_is_not_measured_is_refused(wrong):
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        Protocol(**{"image_size": 64, **wrong})


def test_other_names_are_refused():
    with pytest.raises(ValueError, match="'l1' is not the name of a protocol"):
        Protocol.from_name("l1")
