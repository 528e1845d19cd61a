import numpy as np
import pytest

from animators.metrics import (
    AverageEuclideanDistance,
    Averaging,
    CosineIdentity,
    IdentityDistance,
    IdentityMissing,
)
from animators.metrics.identity import cosine, distance, squared_distance
from tests.animators.metrics.faces import SHOWN, Ground, clip

VECTORS = {1: [3.0, 4.0, 0.0], 2: [0.0, 4.0, 0.0], 3: [-4.0, 3.0, 0.0]}
NAN = float("nan")
KINDS = (AverageEuclideanDistance, CosineIdentity, IdentityDistance, IdentityMissing)


def people(*persons):
    return clip(*([SHOWN, person] for person in persons))


def values(kind, prediction, target, source):
    metric = kind(Averaging.VIDEO, Ground(VECTORS))
    return metric.frame_values(people(*prediction), people(*target), people(source)[0]).tolist()


def test_functions_against_numbers_by_hand():
    one, other = np.array([1.0, 2, 2]), np.array([3.0, 2, 1])
    assert squared_distance(one, other) == pytest.approx(5)
    assert distance(one, other) == pytest.approx(5**0.5)
    assert cosine(one, other) == pytest.approx(9 / (3 * 14**0.5))
    assert cosine(one, -2 * one) == pytest.approx(-1)
    assert np.isnan(cosine(one, 0 * one))


def test_aed_is_the_square_to_the_target_and_not_to_the_source():
    assert values(AverageEuclideanDistance, [1, 2, 3], [1, 1, 1], 2) == [0, 9, 50]


def test_csim_and_id_distance_are_to_the_source_and_not_to_the_target():
    assert values(CosineIdentity, [1, 2, 3], [3, 3, 3], 1) == pytest.approx([1, 0.8, 0])
    assert values(IdentityDistance, [1, 2, 3], [3, 3, 3], 1) == pytest.approx([0, 3, 50**0.5])


def test_no_face_is_no_value():
    np.testing.assert_equal(
        values(AverageEuclideanDistance, [0, 1, 0], [1, 0, 0], 1), [NAN, NAN, NAN]
    )
    for kind in (CosineIdentity, IdentityDistance):
        np.testing.assert_equal(values(kind, [0, 1], [1, 0], 1)[0], NAN)
        assert not np.isnan(values(kind, [0, 1], [1, 0], 1)[1])
        np.testing.assert_equal(values(kind, [1, 1], [1, 1], 0), [NAN, NAN])


def test_missing_counts_faces_that_were_there():
    found = values(IdentityMissing, [0, 1, 0, 2, 1], [1, 2, 0, 1, 0], 0)
    np.testing.assert_equal(found, [1, 0, NAN, 0, NAN])


def test_a_picture_animated_by_others_has_its_own_face_to_lose():
    made, driving = people(0, 2, 0), people(0, 0, 1)
    metric = IdentityMissing(Averaging.VIDEO, Ground(VECTORS), of_source=True)
    found = metric.frame_values(made, driving, people(1)[0])
    assert found.tolist() == [1, 0, 1]
    np.testing.assert_equal(metric.frame_values(made, driving, people(0)[0]).tolist(), [NAN] * 3)


def test_destroying_faces_wins_nothing():
    """Without the missing share, a model that shows its best frame alone would be ahead."""
    target, source = people(1, 1, 1, 1), people(1)[0]
    scores = {}
    for name, made in (("honest", people(1, 2, 2, 2)), ("destroyer", people(1, 0, 0, 0))):
        metrics = [kind(Averaging.VIDEO, Ground(VECTORS)) for kind in KINDS]
        for metric in metrics:
            metric.update(made, target, source)
        scores[name] = {metric.name: float(metric.compute()) for metric in metrics}
    assert scores["destroyer"]["aed_ground"] < scores["honest"]["aed_ground"]
    assert scores["destroyer"]["id_missing_ground"] == 0.75
    assert scores["honest"]["id_missing_ground"] == 0


def test_the_source_is_described_once():
    network = Ground(VECTORS)
    CosineIdentity(network=network).update(people(1, 1, 1), people(1, 1, 1), people(1)[0])
    assert network.asked == 1 + 3


def test_averaging_by_clip_and_by_frame():
    for averaging, expected in ((Averaging.VIDEO, 9 / 2), (Averaging.FRAME, 9 / 4)):
        metric = AverageEuclideanDistance(averaging, Ground(VECTORS))
        metric.update(people(2, 0), people(1, 1), people(1)[0])
        metric.update(people(1, 1, 1), people(1, 1, 1), people(1)[0])
        assert float(metric.compute()) == pytest.approx(expected)


def test_names_and_directions():
    metrics = [kind(network=Ground(VECTORS)) for kind in KINDS]
    assert [metric.name for metric in metrics] == [
        "aed_ground",
        "csim_ground",
        "id_distance_ground",
        "id_missing_ground",
    ]
    assert [metric.higher_is_better for metric in metrics] == [False, True, False, False]
    assert {metric.detector for metric in metrics} == {"ground 1"}
