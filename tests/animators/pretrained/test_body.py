import math

import av
import numpy as np
import pytest
from PIL import Image, ImageFilter

from animators.metrics.keypoints import average_keypoint_distance, missing_keypoint_rate
from animators.metrics.networks import Landmarks
from animators.pretrained import BodyLandmarks
from animators.pretrained.body import DETECTOR_SIDE, KEPT, SIDE, around, decode, refine
from animators.pretrained.face import anchors

CLIPS = ("lia_taichi_driving1", "lia_ted_driving2", "uva_ted3")
SHOWN = (0, 11, 12, 23, 24)  # nose, shoulders, hips
# Of the same frames, by another program on the same files.
ELSEWHERE = [
    [[116.3, 39.7], [142.4, 72.4], [97.6, 72.4], [139.7, 138.9], [111.2, 141.8]],
    [[171.5, 48.7], [211.2, 90.0], [126.6, 90.7], [193.8, 197.3], [142.2, 196.3]],
    [[105.3, 68.3], [164.2, 108.9], [88.1, 105.0], [144.3, 224.1], [99.6, 222.2]],
]


@pytest.fixture(scope="module")
def body(package_weights):
    package_weights("pose_detector", "pose_landmarks")
    return BodyLandmarks()


@pytest.fixture(scope="module")
def bodies(shared_dir):
    """The first frames of three clips, 256x256."""
    found = []
    for name in CLIPS:
        with av.open(shared_dir / "data" / "test" / "bodies" / f"{name}.mp4") as clip:
            found.append(next(clip.decode(video=0)).to_ndarray(format="rgb24"))
    return found


def blurred(picture, radius=1.0):
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


# The arithmetic, against numbers worked out by hand.


def test_detections_that_overlap_are_averaged_by_score():
    regressions, logits = np.zeros((2254, 12)), np.full(2254, -9.0)
    origin = anchors(DETECTOR_SIDE, ((8, 2), (16, 2), (32, 6))) * DETECTOR_SIDE
    assert len(origin) == 2254
    np.testing.assert_allclose(origin[[0, 1, 2, -1]], [[4, 4], [4, 4], [12, 4], [208, 208]])
    for index, hips, logit in ((0, 100, 3.0), (1, 112, 0.0), (2253, 50, 1.0)):
        logits[index] = logit
        regressions[index, 2:4] = 40
        regressions[index, 4:6] = hips - origin[index]
        regressions[index, 6:8] = [hips, hips - 30] - origin[index]
    hips, reach = decode(regressions, logits)
    sure = 1 / (1 + math.exp(-3))
    expected = (100 * sure + 112 * 0.5) / (sure + 0.5) / DETECTOR_SIDE
    np.testing.assert_allclose(hips, expected)
    np.testing.assert_allclose(reach - hips, [0, -30 / DETECTOR_SIDE], atol=1e-12)
    assert decode(regressions, np.full(2254, -0.1)) is None


def test_the_square_stands_as_the_body_does():
    straight = around(np.array([50.0, 60.0]), np.array([50.0, 20.0]))
    assert straight == pytest.approx((50, 60, 100, 0))
    lying = around(np.array([50.0, 60.0]), np.array([90.0, 60.0]))
    assert lying == pytest.approx((50, 60, 100, math.pi / 2))
    # what is above the hips in the network's input lies on the body's circle in the picture
    np.testing.assert_allclose(lying.matrix(SIDE) @ [128, 128 - SIDE * 0.4, 1], [90, 60])


def test_points_move_to_the_middle_of_their_heat():
    maps = np.full((64, 64, 3), -80.0)
    maps[10, 20, 0] = maps[10, 22, 0] = 80.0
    maps[40, 40, 1] = -0.1  # less sure than 0.5
    points = np.array([[81.0, 41.0], [160.0, 160.0], [-5.0, 300.0]])
    expected = [[84, 40], [160, 160], [-5, 300]]
    np.testing.assert_allclose(refine(points, maps), expected, atol=1e-6)


# The networks.


def test_bodies_are_where_another_program_finds_them(body, bodies):
    assert isinstance(body, Landmarks)
    for picture, expected in zip(bodies, ELSEWHERE, strict=True):
        points = body.find(picture)
        assert points.shape == (33, 2)
        away = np.linalg.norm(points[list(SHOWN)] - expected, axis=1)
        assert np.nanmax(away) < 4


def test_a_shared_region_keeps_every_point_of_a_mildly_blurred_frame(body, bodies):
    for picture in bodies:
        real, made = body.find(picture), body.find(blurred(picture), shared=picture)
        assert missing_keypoint_rate(real, made) == 0
        assert average_keypoint_distance(real, made) < 4
        np.testing.assert_array_equal(body.find(picture, shared=picture), real)


def test_the_region_is_the_real_frames(body, bodies, monkeypatch):
    """A frame in which nobody can be detected is still looked at where the real one has a body."""
    fresh = BodyLandmarks()
    asked = []
    detect = fresh._detect
    monkeypatch.setattr(
        fresh, "_detect", lambda picture: (asked.append(picture), detect(picture))[1]
    )
    fresh.find(bodies[0])
    fresh.find(blurred(bodies[0]), shared=bodies[0])
    fresh.find(blurred(bodies[0], 2), shared=bodies[0])
    assert len(asked) == 1
    noise = np.random.default_rng(0).integers(0, 256, (KEPT, 8, 8, 3), np.uint8)
    for frame in noise:
        fresh.region(frame)
    fresh.find(bodies[0])
    assert len(asked) == KEPT + 2
    assert len(fresh._regions) == KEPT


def test_nobody(body, bodies):
    noise = np.random.default_rng(0).integers(0, 256, (180, 320, 3), np.uint8)
    assert body.find(noise) is None
    # the presence gate: a region there is, but no body in it
    assert body.find(np.zeros_like(bodies[0]), shared=bodies[0]) is None


def test_hidden_points_are_missing(body, bodies):
    """Speakers are filmed from the hips up: no feet."""
    feet = body.find(bodies[1])[27:33]
    assert np.isnan(feet).all()
    assert not np.isnan(body.find(bodies[0])).any()


def test_a_small_picture_has_the_same_points(body, bodies):
    small = np.asarray(Image.fromarray(bodies[1]).resize((64, 64), Image.Resampling.LANCZOS))
    assert average_keypoint_distance(4 * body.find(small), body.find(bodies[1])) < 15


def test_a_wide_picture_moves_its_points_along(body, bodies):
    wide = np.pad(bodies[0], ((0, 0), (100, 40), (0, 0)))
    moved = body.find(wide) - [100, 0]
    assert average_keypoint_distance(moved, body.find(bodies[0])) < 6


@pytest.mark.parametrize("other", [np.zeros((8, 8, 3)), np.zeros((9, 9, 3), np.uint8)])
def test_other_frames_are_refused(body, other):
    with pytest.raises(ValueError, match=r"uint8|share no region"):
        body.find(np.zeros((8, 8, 3), np.uint8), shared=other)
