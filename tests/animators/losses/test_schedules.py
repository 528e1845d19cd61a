import pytest

from animators.losses.schedules import SplineDropout, background_trains


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, {0: 0.1, 3: 0.19, 6: 0.28, 7: 0.3, 34: 0.3, 35: None, 99: None}),  # vox
        ({"start": 0.0, "most": 0.7}, {0: 0.0, 1: 0.07, 5: 0.35, 10: 0.7, 34: 0.7}),  # taichi
        ({"start": 0.0, "most": 0.5}, {4: 0.2, 10: 0.5}),  # ted
        ({"start": 0.2, "most": 0.5}, {0: 0.2, 2: 0.3, 6: 0.5}),  # mgif
        ({"until": 0}, {0: None}),
    ],
)
def test_the_published_schedules(settings, wanted):
    dropout = SplineDropout(**settings)
    for epoch, probability in wanted.items():
        expected = None if probability is None else pytest.approx(probability)
        assert dropout.probability(epoch) == expected


@pytest.mark.parametrize(
    "settings",
    [{"start": 0.4}, {"start": -0.1}, {"most": 1.0}, {"rise": 0}, {"until": -1}],
)
def test_what_is_no_schedule_is_refused(settings):
    with pytest.raises(ValueError, match="dropout needs"):
        SplineDropout(**settings)


def test_the_background_begins_at_its_epoch():
    assert [background_trains(epoch, 10) for epoch in (0, 9, 10, 11)] == [False, False, True, True]
    assert background_trains(0, 0)
