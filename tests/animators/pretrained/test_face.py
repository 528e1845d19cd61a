import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from animators.pretrained import Face, FaceDetector, WeightsNotFound
from animators.pretrained.face import anchors, cut, decode, iou, levels, merge


@pytest.fixture(scope="module")
def detector(package_weights):
    package_weights("face_detector")
    return FaceDetector()


def edges(face):
    return np.array([face.left, face.top, face.right, face.bottom])


def same(found, expected):
    return iou(np.asarray(expected, float), np.asarray(found, float)[None])[0]


# The arithmetic, against numbers worked out by hand.


def test_anchors_are_the_centres_of_the_cells():
    found = anchors()
    assert found.shape == (16 * 16 * 2 + 8 * 8 * 6, 2)
    np.testing.assert_allclose(found[:4], [[1 / 32, 1 / 32]] * 2 + [[3 / 32, 1 / 32]] * 2)
    np.testing.assert_allclose(found[511], [31 / 32, 31 / 32])
    np.testing.assert_allclose(found[512:518], [[1 / 16, 1 / 16]] * 6)
    np.testing.assert_allclose(found[518], [3 / 16, 1 / 16])
    np.testing.assert_allclose(found[512 + 8 * 6], [1 / 16, 3 / 16])


def test_decode():
    regressions, logits = np.zeros((896, 16)), np.full((896, 1), -100.0)
    regressions[0, :4] = [12, 28, 64, 32]  # anchor (4, 4) pixels: centre (16, 32)
    logits[0] = np.log(3)
    regressions[512, :4] = [-8, 0, 16, 8]  # anchor (8, 8) pixels: centre (0, 8)
    logits[512] = 0
    logits[7] = -0.01
    boxes, scores = decode(regressions, logits)
    np.testing.assert_allclose(scores, [0.75, 0.5])
    expected = np.array([[-16, 16, 48, 48], [-8, 4, 8, 12]]) / 128
    np.testing.assert_allclose(boxes, expected, atol=1e-12)
    assert decode(regressions, logits, threshold=0.8)[0].shape == (0, 4)


def test_decode_of_huge_values():
    _, scores = decode(np.zeros((896, 16)), np.full(896, 1e9))
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ([0, 0, 2, 2], 1.0),
        ([1, 0, 3, 2], 1 / 3),
        ([1, 1, 3, 3], 1 / 7),
        ([0, 0, 1, 2], 0.5),
        ([2, 0, 4, 2], 0.0),
        ([5, 5, 6, 6], 0.0),
        ([1, 1, 1, 1], 0.0),
    ],
)
def test_iou(other, expected):
    got = iou(np.array([0.0, 0, 2, 2]), np.array([other], float))
    np.testing.assert_allclose(got, [expected])


def test_iou_of_nothing_with_nothing():
    assert iou(np.zeros(4), np.zeros((1, 4))).tolist() == [0.0]


def test_merge_weights_by_score_and_keeps_the_best_score():
    boxes = np.array([[10.0, 0, 20, 10], [0, 0, 10, 10], [0, 2, 10, 12]])
    found, scores = merge(boxes, np.array([0.6, 0.9, 0.3]))
    # the second and third share 8/12 and become one, a quarter of the way to the third
    np.testing.assert_allclose(found, [[0, 0.5, 10, 10.5], [10, 0, 20, 10]])
    np.testing.assert_allclose(scores, [0.9, 0.6])


def test_merge_of_none():
    found, scores = merge(np.zeros((0, 4)), np.zeros(0))
    assert found.shape == (0, 4)
    assert scores.shape == (0,)


@pytest.mark.parametrize(("width", "height"), [(640, 360), (360, 640), (256, 256), (300, 301)])
def test_tiles(width, height):
    whole, *finer = levels(width, height)
    long, short = max(width, height), min(width, height)
    assert whole == [((width - long) / 2, (height - long) / 2, long)]
    sides = [level[0][2] for level in finer]
    assert sides == [s for s in (short, short / 2, short / 4) if s < long]
    for level in finer:
        left, top, side = np.array(level).T
        assert left.min() == 0
        assert top.min() == 0
        assert (left + side).max() == pytest.approx(width)
        assert (top + side).max() == pytest.approx(height)
        size = side[0] / 3  # of a face that must lie whole in a tile wherever it is
        for x in np.linspace(0, width - size, 23):
            for y in np.linspace(0, height - size, 23):
                inside = (left <= x + 1e-6) & (x + size <= left + side + 1e-6)
                assert (inside & (top <= y + 1e-6) & (y + size <= top + side + 1e-6)).any()


def test_tiny_pictures_have_no_tiny_tiles():
    assert [level[0][2] for level in levels(100, 64)] == [100, 64, 32]
    assert [level[0][2] for level in levels(20, 20)] == [20]


def test_cut():
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:, 100:] = 255, 0, 0
    whole = cut(Image.fromarray(picture), (0, -50, 200))
    assert whole.shape == (128, 128, 3)
    assert whole.dtype == np.float32
    assert (whole[:32] == -1).all()
    assert (whole[96:] == -1).all()
    assert (whole[32:96, 70:, 0] == 1).all()
    assert (whole[32:96, :58] == -1).all()
    part = cut(Image.fromarray(picture), (101, 10, 64))
    assert (part[..., 0] == 1).all()
    assert (part[..., 1:] == -1).all()
    corner = cut(Image.fromarray(picture), (168, -32, 64))
    assert (corner[64:, :64, 0] == 1).all()
    assert (corner[:64] == -1).all()
    assert (corner[:, 64:] == -1).all()


# The network.


def test_a_face_fills_the_middle_of_a_portrait(detector, portraits):
    for picture in portraits:
        (face,) = detector.detect(picture)
        assert face.score > 0.7
        assert 0.3 * 256 < face.right - face.left < 0.9 * 256
        assert 0.7 < (face.right - face.left) / (face.bottom - face.top) < 1.4
        assert 64 < (face.left + face.right) / 2 < 192


def test_mirrored_picture_mirrored_face(detector, portraits):
    picture = portraits[0]
    (face,) = detector.detect(picture)
    (turned,) = detector.detect(np.ascontiguousarray(picture[:, ::-1]))
    expected = [256 - face.right, face.top, 256 - face.left, face.bottom]
    assert same(edges(turned), expected) > 0.85


@pytest.mark.parametrize("side", [256, 120, 60])
@pytest.mark.parametrize("place", [(0, 0), (371, 97)])
def test_a_small_face_in_a_wide_frame(detector, portraits, side, place):
    x, y = place
    for picture in portraits[:3]:
        (face,) = detector.detect(picture)
        wide = Image.new("RGB", (640, 360), (90, 110, 100))
        wide.paste(Image.fromarray(picture).resize((side, side)), (x, y))
        found = detector.detect(np.asarray(wide))
        expected = edges(face) * side / 256 + [x, y, x, y]
        assert same(edges(found[0]), expected) > 0.6


def test_all_faces_best_first(detector, portraits):
    row = np.concatenate(portraits[:3], axis=1)
    found = detector.detect(row)
    assert sorted(int(face.left + face.right) // 512 for face in found) == [0, 1, 2]
    scores = [face.score for face in found]
    assert scores == sorted(scores, reverse=True)


def test_no_face(detector):
    noise = np.random.default_rng(0).integers(0, 256, (180, 320, 3), np.uint8)
    assert detector.detect(noise) == []
    assert detector.detect(np.zeros((64, 64, 3), np.uint8)) == []
    assert detector.detect(np.full((1, 1, 3), 255, np.uint8)) == []


def test_the_same_again(detector, portraits):
    first = detector.detect(portraits[1])
    detector.detect(portraits[2])
    assert detector.detect(portraits[1]) == first
    assert isinstance(first[0], Face)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_another_array_is_refused(detector, frame):
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
        detector.detect(frame)


def test_missing_file(tmp_path, monkeypatch):
    monkeypatch.setenv("ANIMATORS_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsNotFound, match=r"face_detection_short_range\.tflite.*make weights"):
        FaceDetector()
    with pytest.raises(WeightsNotFound, match=r"mine\.tflite"):
        FaceDetector({"face_detector": tmp_path / "mine.tflite"})


def test_the_runtime_is_loaded_late_and_keeps_quiet(package_weights):
    package_weights("face_detector")
    code = (
        "import sys, os; from animators.pretrained import FaceDetector;"
        "assert 'ai_edge_litert' not in sys.modules; d = FaceDetector();"
        "assert 'lightning' not in sys.modules;"
        "import numpy; d.detect(numpy.zeros((64, 64, 3), 'uint8')); os.write(2, b'still here')"
    )
    done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ), capture_output=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b"still here"
