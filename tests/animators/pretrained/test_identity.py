import sys
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from animators.pretrained import FaceIdentity, FaceMesh, WeightsNotFound
from animators.pretrained.identity import SIDE, closeup

LIMIT = 0.6  # dlib's own: two faces nearer than this are one person's


@pytest.fixture(scope="module")
def identity(package_weights):
    package_weights("face_detector", "face_mesh", "face_identity")
    pytest.importorskip("dlib")
    return FaceIdentity()


@pytest.fixture(scope="module")
def people(identity, portrait_clips):
    """Two vectors of each clip."""
    return [[identity.describe(frame) for frame in clip] for clip in portrait_clips]


def linear(height, width):
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, 0 * x], -1).astype(np.uint8)


# The arithmetic.


@pytest.mark.parametrize("size", [10, 40, 100])
def test_closeup_carries_the_points_along(size):
    """The colour at a point says where it came from."""
    points = np.array([[80.5, 90.5], [80.5 + size, 90.5], [80.5, 90.5 + size]])
    near, moved = closeup(linear(220, 200), points)
    assert near.shape[0] == near.shape[1]
    extent = np.ptp(moved, axis=0)
    np.testing.assert_allclose(extent, SIDE, atol=SIDE / size)
    for (x, y), place in zip(points, moved, strict=True):
        column, row = np.floor(place).astype(int)
        np.testing.assert_allclose(near[row, column, :2], [x - 0.5, y - 0.5], atol=1)


def test_a_large_face_is_not_blown_up():
    points = np.array([[100.5, 100.5, 7.0], [500.5, 400.5, 7.0]])
    near, moved = closeup(np.zeros((600, 700, 3), np.uint8), points)
    assert near.shape == (800, 800, 3)
    np.testing.assert_allclose(moved[1] - moved[0], [400, 300])


def test_closeup_is_black_outside_of_the_picture():
    white = np.full((300, 300, 3), 255, np.uint8)
    near, moved = closeup(white, np.array([[0.0, 0.0], [260.0, 260.0]]))
    np.testing.assert_allclose(moved, [[130, 130], [390, 390]])
    assert (near[:130] == 0).all()
    assert (near[131:429, 131:429] == 255).all()


# The network.


def test_one_person_is_nearer_than_two(people):
    same = [np.linalg.norm(first - later) for first, later in people]
    other = [np.linalg.norm(a[0] - b[0]) for a, b in combinations(people, 2)]
    assert max(same) < 0.45
    assert min(other) > LIMIT
    assert all(vector.shape == (128,) for clip in people for vector in clip)


def test_dlibs_own_way_to_the_face_gives_nearly_the_same(identity, portraits, people):
    """Its HOG detector and its own five points, whose file lies beside the network's."""
    dlib = pytest.importorskip("dlib")
    from animators.pretrained import resolve

    path = resolve("face_identity")["face_identity"]
    points = path.with_name("shape_predictor_5_face_landmarks.dat")
    if not points.is_file():
        pytest.skip(f"{points} is not installed: only the network's file was put there")
    detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(points))
    network = dlib.face_recognition_model_v1(str(path))
    compared = 0
    for picture, (vector, _) in zip(portraits, people, strict=True):
        for box in detector(picture, 0):
            other = np.array(network.compute_face_descriptor(picture, predictor(picture, box)))
            assert np.linalg.norm(vector - other) < 0.25
            compared += 1
    assert compared >= 4


def test_a_small_picture_and_a_mirrored_one_are_still_the_same_person(identity, portraits, people):
    for picture, (vector, _) in zip(portraits, people, strict=True):
        small = Image.fromarray(picture).resize((64, 64), Image.Resampling.LANCZOS)
        mirrored = np.ascontiguousarray(picture[:, ::-1])
        assert np.linalg.norm(identity.describe(np.asarray(small)) - vector) < 0.4
        assert np.linalg.norm(identity.describe(mirrored) - vector) < 0.4


def test_points_that_are_known_are_not_sought_again(identity, portraits, people, monkeypatch):
    points = FaceMesh().find(portraits[0])
    monkeypatch.setattr(FaceMesh, "find", lambda *_: pytest.fail("sought again"))
    np.testing.assert_array_equal(identity.describe(portraits[0], points), people[0][0])


def test_no_face(identity):
    assert identity.describe(np.zeros((64, 64, 3), np.uint8)) is None


def test_another_array_is_refused(identity):
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
        identity.describe(np.zeros((8, 8), np.uint8))


def test_without_dlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(ValueError, match=r"pip install 'animator-zoo\[identity\]'"):
        FaceIdentity()


def test_a_wrong_file_is_refused(tmp_path):
    pytest.importorskip("dlib")
    (tmp_path / "mine.dat").write_bytes(b"no network")
    with pytest.raises(WeightsNotFound, match=r"mine\.dat"):
        FaceIdentity({"face_identity": tmp_path / "mine.dat"})
