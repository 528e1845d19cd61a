import numpy as np
import pytest

from animators.metrics import (
    AverageKeypointDistance,
    IdentityMissing,
    MissingKeypointRate,
    RememberedEmbedder,
    RememberedLandmarks,
)
from animators.metrics.networks import Embedder, Landmarks
from animators.metrics.pictures import pictures
from animators.metrics.remembered import digest
from tests.animators.metrics.faces import SHOWN, Dots, Ground, clip

VECTORS = {number: [number, 1.0] for number in range(1, 9)}


def faces(*persons):
    return pictures(clip(*([SHOWN + person, person] for person in persons)))


def test_they_are_networks_of_the_same_name():
    points, people = RememberedLandmarks(Dots()), RememberedEmbedder(Ground(VECTORS))
    assert isinstance(points, Landmarks)
    assert isinstance(people, Embedder)
    assert not isinstance(points, Embedder)
    assert (points.name, points.version, points.points) == ("dots", "dots 1", 4)
    assert (people.name, people.version) == ("ground", "ground 1")


def test_each_frame_is_looked_at_once_whatever_asks():
    network = Dots()
    points = RememberedLandmarks(network)
    metrics = [AverageKeypointDistance(network=points), MissingKeypointRate(network=points)]
    real = clip([SHOWN], [SHOWN + 1], [SHOWN + 3])
    for made in (clip([SHOWN + 2], [SHOWN + 4], [SHOWN + 5]), clip([SHOWN + 6], [SHOWN], [SHOWN])):
        for metric in metrics:
            metric.update(made, real, real[0])
    assert len(network.asked) == points.looks == 3 + 2 * 3  # the real ones once for both models
    plain = AverageKeypointDistance(network=Dots())
    for made in (clip([SHOWN + 2], [SHOWN + 4], [SHOWN + 5]), clip([SHOWN + 6], [SHOWN], [SHOWN])):
        plain.update(made, real, real[0])
    assert metrics[0].compute() == plain.compute()


def test_nobody_is_remembered_too():
    people = RememberedEmbedder(Ground(VECTORS))
    nobody = clip([SHOWN, 0], [SHOWN, 0])
    metric = IdentityMissing(network=people)
    metric.update(nobody, clip([SHOWN, 1], [SHOWN, 1]), nobody[0])
    assert people.looks == 2
    assert float(metric.compute()) == 1


def test_after_eviction_the_answers_are_right_and_the_last_used_are_kept():
    network = Ground(VECTORS)
    people = RememberedEmbedder(network, kept=2)
    one, two, three = faces(1, 2, 3)
    for frame, person in ((one, 1), (two, 2), (one, 1), (three, 3)):
        np.testing.assert_array_equal(people.describe(frame), VECTORS[person])
    assert network.asked == 3
    people.describe(one)  # used after two, so it is still there
    assert network.asked == 3
    np.testing.assert_array_equal(people.describe(two), VECTORS[2])
    assert network.asked == 4
    np.testing.assert_array_equal(people.describe(three), VECTORS[3])


def test_a_frame_shared_with_another_is_another_question():
    frame, other = faces(1, 2)
    points = RememberedLandmarks(Dots(adds=1.0))
    alone, shared = points.find(frame), points.find(frame, other)
    np.testing.assert_array_equal(shared, alone + 1)
    np.testing.assert_array_equal(points.find(frame), alone)
    points.find(frame, frame)
    assert points.looks == 3


def test_where_sharing_changes_nothing_it_costs_nothing():
    frame, other = faces(1, 2)
    points = RememberedLandmarks(Dots(), shares=False)
    np.testing.assert_array_equal(points.find(frame), points.find(frame, other))
    assert points.looks == 1


def test_shape_is_part_of_a_frame():
    frame = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    assert digest(frame) != digest(frame.reshape(6, 4, 3))
    assert digest(frame) == digest(frame.copy())
    assert digest(frame.transpose(1, 0, 2)) != digest(frame)


def test_answers_cannot_be_changed_by_who_asked():
    people = RememberedEmbedder(Ground(VECTORS))
    frame = faces(1)[0]
    with pytest.raises(ValueError, match="read-only"):
        people.describe(frame)[0] = 9
    np.testing.assert_array_equal(people.describe(frame), VECTORS[1])


def test_none_kept_is_refused():
    with pytest.raises(ValueError, match="kept must be 1 or more, not 0"):
        RememberedLandmarks(Dots(), kept=0)
