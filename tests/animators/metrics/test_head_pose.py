import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from animators.metrics.head_pose import (
    MIDDLE,
    PAIRS,
    RIGID,
    decompose,
    head_turn,
    rotation_between,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def turned(points, yaw=0.0, pitch=0.0, roll=0.0):
    """Turn points about the axes right, down, away; scipy knows nothing of our signs."""
    return Rotation.from_euler("YXZ", [-yaw, -pitch, roll], degrees=True).apply(points)


def test_rotation_is_that_of_scipy_also_with_noise(rng):
    for _ in range(20):
        before, after = rng.normal(size=(2, 30, 3))
        expected, _ = Rotation.align_vectors(after - after.mean(0), before - before.mean(0))
        np.testing.assert_allclose(rotation_between(before, after), expected.as_matrix(), atol=1e-9)


def test_place_and_size_make_no_difference(rng):
    points, turn = rng.normal(size=(10, 3)), Rotation.random(rng=1)
    moved = 3.7 * turn.apply(points) + [5, -2, 9]
    np.testing.assert_allclose(rotation_between(points, moved), turn.as_matrix(), atol=1e-12)


def test_mirrored_points_give_a_rotation_and_no_mirroring(rng):
    points = rng.normal(size=(10, 3))
    found = rotation_between(points, points * [-1, 1, 1])
    assert np.linalg.det(found) == pytest.approx(1)
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-12)


def test_a_plane_is_enough_and_a_line_is_not(rng):
    plane = rng.normal(size=(10, 3)) * [1, 1, 0]
    turn = Rotation.from_euler("y", 30, degrees=True)
    np.testing.assert_allclose(
        rotation_between(plane, turn.apply(plane)), turn.as_matrix(), atol=1e-12
    )
    line = np.outer(np.arange(5.0), [1, 2, 3])
    with pytest.raises(ValueError, match="on one line"):
        rotation_between(line, line)
    with pytest.raises(ValueError, match="on one line"):
        rotation_between(np.ones((5, 3)), np.ones((5, 3)))


@pytest.mark.parametrize("bad", [np.zeros((5, 2)), np.zeros((4, 3)), np.full((5, 3), np.nan)])
def test_other_arrays_are_refused(rng, bad):
    with pytest.raises(ValueError, match="points"):
        rotation_between(rng.normal(size=(5, 3)), bad)


@pytest.mark.parametrize(
    "angles", [(20, 0, 0), (0, 15, 0), (0, 0, -40), (35, -25, 60), (-170, 80, 170)]
)
def test_known_angles_come_back(rng, angles):
    points = rng.normal(size=(12, 3))
    pose = decompose(rotation_between(points, turned(points, *angles)))
    np.testing.assert_allclose(pose[:3], angles, atol=1e-9)
    whole = Rotation.from_euler("YXZ", [-angles[0], -angles[1], angles[2]], degrees=True)
    assert pose.angle == pytest.approx(np.degrees(whole.magnitude()), abs=1e-9)


def test_tiny_and_half_turns_have_their_exact_angle():
    assert decompose(Rotation.from_rotvec([1e-9, 0, 0]).as_matrix()).angle == pytest.approx(
        np.degrees(1e-9)
    )
    assert decompose(np.diag([1.0, -1.0, -1.0])).angle == pytest.approx(180)
    assert decompose(np.eye(3)) == pytest.approx((0, 0, 0, 0))


def test_signs_are_those_of_someone_before_the_picture():
    """The nose points at the camera, (0, 0, -1); x is to the right, y down."""
    nose, crown = np.array([0.0, 0, -1]), np.array([0.0, -1, 0])
    points = np.stack([nose, crown, [1, 0, 0], [0, 0, 0]])

    def bend(matrix):
        moved = points @ np.asarray(matrix, float).T
        return moved, decompose(rotation_between(points, moved))

    cosine, sine = np.cos(0.3), np.sin(0.3)
    moved, pose = bend([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
    assert moved[0, 0] > 0
    assert pose.yaw == pytest.approx(np.degrees(0.3))
    moved, pose = bend([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]])
    assert moved[0, 1] < 0
    assert pose.pitch == pytest.approx(np.degrees(0.3))
    moved, pose = bend([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    assert moved[1, 0] > 0
    assert pose.roll == pytest.approx(np.degrees(0.3))


def test_mirrored_heads_turn_and_lean_the_other_way(rng):
    """Through the mesh's own pairs: a point that is in no pair, or in a wrong one, shows here."""
    before = rng.normal(size=(468, 3))
    after = turned(before, 25, 10, -15)
    swap = np.arange(468)
    for left, right in PAIRS:
        swap[left], swap[right] = right, left
    pose = head_turn(before, after)
    mirrored = head_turn(before[swap] * [-1, 1, 1], after[swap] * [-1, 1, 1])
    np.testing.assert_allclose(pose[:3], (25, 10, -15), atol=1e-9)
    np.testing.assert_allclose(mirrored[:3], (-25, 10, 15), atol=1e-9)
    assert len(set(RIGID)) == len(RIGID) == len(MIDDLE) + 2 * len(PAIRS)


def test_what_an_expression_moves_makes_no_difference(rng):
    before = rng.normal(size=(468, 3))
    after = turned(before, 12)
    after[[13, 14, 17, 152, 159, 145]] += 5  # lips, chin, eyelids
    assert head_turn(before, after).yaw == pytest.approx(12)
