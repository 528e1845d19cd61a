"""What names a number of cross-identity animation."""

import pytest

from animators.metrics import CROSS_WAYS, Averaging, CrossProtocol


def test_the_name_holds_all_that_changes_the_number():
    plain = CrossProtocol("cross-dime", 64, 200, clips="9-acbd5eed")
    assert plain.name == (
        "cross-dime-64px-full-200pairs-seed0-relative-0ref-perframe@own@9-acbd5eed"
    )
    changes = [
        {"label": "cross-liax"}, {"image_size": 32}, {"pairs": 3}, {"frames": 6}, {"mode": "avd"},
        {"references": 2}, {"sources": "test.animals"}, {"seed": 1}, {"split": "vox"},
        {"clips": "9-00000000"},
    ]  # fmt: skip
    values = {
        "label": "cross-dime", "image_size": 64, "pairs": 200, "clips": "9-acbd5eed",
    }  # fmt: skip
    names = {plain.name} | {CrossProtocol(**(values | change)).name for change in changes}
    assert len(names) == len(changes) + 1


def test_lia_takes_the_first_hundred_frames_and_dime_the_mean_of_all_frames():
    assert "-first100-" in CrossProtocol("cross-lia", 64, 2).name
    assert "-6frames-" in CrossProtocol("cross-lia", 64, 2, frames=6).name
    way = CROSS_WAYS["cross-lia"]  # a hundred and fifty of a whole clip are what their name says
    assert (way.taken(None), way.taken(150), way.taken(6)) == (100, None, None)
    assert CROSS_WAYS["cross-dime"].taken(None) is None
    assert CrossProtocol("cross-dime", 64, 2).averaging is Averaging.FRAME
    assert CROSS_WAYS["cross-dime"].pairs == 200


def test_a_record_has_its_fields_as_plain_values():
    fields = CrossProtocol("cross-liax", 64, 18, sources="test.faces").as_dict()
    assert (fields["label"], fields["averaging"], fields["pairs"]) == ("cross-liax", "video", 18)
    assert type(fields["averaging"]) is str


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": "cross-fomm"}, "none of cross-dime"),
        ({"pairs": 0}, "too few"),
        ({"sources": "a/b"}, "letters, digits"),
    ],
)
def test_what_is_not_measured_is_refused(change, said):
    values = {"label": "cross-dime", "image_size": 64, "pairs": 2} | change
    with pytest.raises(ValueError, match=said):
        CrossProtocol(**values)
