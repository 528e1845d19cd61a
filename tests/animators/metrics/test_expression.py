import numpy as np
import pytest
import torch

from animators.metrics import Averaging, EyesError, MouthError
from animators.metrics.expression import eye_openness, mouth_openness
from animators.metrics.head_pose import PAIRS
from tests.animators.metrics.faces import Dots


def face(eyes=(6.0, 6.0), mouth=10.0):
    """Points of a drawn face: eyes 30 wide and mouth 50, opened by so many pixels."""
    points = np.zeros((468, 2))
    for (p1, p2, p3, p4, p5, p6), left, lids in zip(
        ((33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380)), (20, 80), eyes, strict=True
    ):
        points[p1], points[p4] = [left, 40], [left + 30, 40]
        for upper, lower, x in ((p2, p6, left + 10), (p3, p5, left + 20)):
            points[upper], points[lower] = [x, 40 - lids / 2], [x, 40 + lids / 2]
    points[61], points[291] = [40, 100], [90, 100]
    points[13], points[14] = [65, 100 - mouth / 2], [65, 100 + mouth / 2]
    return points


class Faces:
    """Finds the faces that it is told to, by the frame's first byte."""

    name, version, points = "mesh", "told", 468

    def __init__(self, *faces):
        self.faces = faces

    def find(self, frame, shared=None):
        return self.faces[int(frame[0, 0, 0])]


def frames(*numbers):
    return torch.tensor(numbers).reshape(-1, 1, 1, 1).expand(-1, 3, 8, 8) / 255


def test_openness_by_hand():
    assert eye_openness(face(eyes=(6, 12))) == pytest.approx((6 / 30 + 12 / 30) / 2)
    assert mouth_openness(face(mouth=10)) == pytest.approx(10 / 50)
    assert mouth_openness(face(mouth=0)) == 0
    assert np.isnan(mouth_openness(np.zeros((468, 2))))


@pytest.mark.parametrize("measure", [eye_openness, mouth_openness])
def test_size_place_and_lean_make_no_difference(measure):
    points = face((5, 8), 13)
    cosine, sine = np.cos(0.5), np.sin(0.5)
    moved = 2.5 * points @ np.array([[cosine, sine], [-sine, cosine]]) + [7, -3]
    assert measure(moved) == pytest.approx(measure(points))


def test_each_sees_its_own_part():
    assert eye_openness(face(mouth=0)) == eye_openness(face(mouth=30))
    assert mouth_openness(face((0, 0))) == mouth_openness(face((9, 9)))


def test_errors_are_absolute_and_nan_without_a_face():
    network = Faces(face(), face((3, 3), 20), face((9, 9), 5), None)
    made, real = frames(0, 1, 2, 3, 0), frames(0, 0, 0, 0, 3)
    nan = float("nan")
    for kind, expected in (
        (EyesError, [0, 0.1, 0.1, nan, nan]),
        (MouthError, [0, 0.2, 0.1, nan, nan]),
    ):
        found = kind(network=network).frame_values(made, real, real[0])
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_names_averages_and_directions():
    network = Faces(face(), face((3, 3), 20))
    eyes, mouth = EyesError(Averaging.FRAME, network), MouthError(Averaging.FRAME, network)
    for metric in (eyes, mouth):
        metric.update(frames(0, 1), frames(0, 0), frames(0)[0])
        assert metric.higher_is_better is False
    assert (eyes.name, mouth.name) == ("eyes_mesh", "mouth_mesh")
    assert float(eyes.compute()) == pytest.approx(0.05)
    assert float(mouth.compute()) == pytest.approx(0.1)


def test_other_points_are_refused():
    with pytest.raises(ValueError, match=r"468 points.*dots finds 4"):
        EyesError(network=Dots())


def test_corners_are_mirror_images():
    """The eyes' corners are pairs of the mesh: the same points of either eye."""
    pairs = {frozenset(pair) for pair in PAIRS}
    assert frozenset((33, 263)) in pairs
    assert frozenset((133, 362)) in pairs
