import hashlib
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from skimage.transform import SimilarityTransform

from animators.metrics.networks import Embedder
from animators.pretrained import REGISTRY, ArcFaceIdentity, WeightsNotFound
from animators.pretrained.arcface import FIVE, PLACES, SIDE, aligned, similarity


def face(matrix):
    """468 points of which the five lie where a map (2, 3) of ArcFace's places brings them."""
    points = np.zeros((468, 3))
    five = np.concatenate([PLACES + 0.5, np.ones((5, 1))], axis=1) @ np.asarray(matrix).T
    for group, place in zip(FIVE, five, strict=True):
        for number, index in enumerate(group):
            points[index, :2] = place + (number - (len(group) - 1) / 2) * np.array([6, 2])
    return points


class Told:
    def __init__(self, points):
        self.points = points

    def find(self, frame):
        return self.points


class Session:
    """Stands for onnxruntime's: three numbers of the pixels that it is given."""

    given = None

    def __init__(self, path, options, providers):
        assert providers == ["CPUExecutionProvider"]
        assert options.intra_op_num_threads == 1

    def get_inputs(self):
        return [SimpleNamespace(name="pixels")]

    def run(self, outputs, given):
        Session.given = given["pixels"]
        return [given["pixels"].mean((2, 3)) + 2]


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A stand-in of the file, known under its hash."""
    path = tmp_path / "stand_in.onnx"
    path.write_bytes(b"stand-in")
    known = replace(REGISTRY["arcface"], sha256=hashlib.sha256(b"stand-in").hexdigest())
    monkeypatch.setitem(REGISTRY, "arcface", known)
    return path


@pytest.fixture
def runtime(monkeypatch):
    fake = SimpleNamespace(InferenceSession=Session, SessionOptions=SimpleNamespace)
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)


def test_similarity_is_that_of_scikit_image_also_with_noise():
    rng = np.random.default_rng(0)
    for _ in range(10):
        before, after = rng.normal(size=(2, 5, 2)) * 30 + 50
        # where a mirrored fit is better, the best without mirroring is another question
        product = (after - after.mean(0)).T @ (before - before.mean(0))
        if np.linalg.det(product) < 0:
            after = after * [-1, 1]
        expected = SimilarityTransform.from_estimate(before, after).params[:2]
        np.testing.assert_allclose(similarity(before, after), expected, atol=1e-9)


def test_the_face_is_cut_out_upright_at_its_places():
    """A picture of linear colours says where each pixel came from."""
    y, x = np.mgrid[:200, :240]
    frame = np.stack([x, y, 0 * x], -1).astype(np.uint8)
    matrix = SimilarityTransform(scale=1.2, rotation=0.3, translation=(70, 20)).params[:2]
    part = aligned(frame, face(matrix))
    assert part.shape == (SIDE, SIDE, 3)
    for column, row in ((0, 0), (38, 52), (111, 111)):
        place = matrix @ [column + 0.5, row + 0.5, 1] - 0.5
        np.testing.assert_allclose(part[row, column, :2], place, atol=1.01)


def test_pixels_range_order_and_length(file, runtime):
    frame = np.zeros((SIDE, SIDE, 3), np.uint8)
    frame[:] = [255, 0, 51]
    network = ArcFaceIdentity({"arcface": file}, Told(face(np.eye(2, 3))))
    assert isinstance(network, Embedder)
    vector = network.describe(frame)
    assert Session.given.shape == (1, 3, SIDE, SIDE)
    assert Session.given.dtype == np.float32
    inner = np.median(Session.given[0], axis=(1, 2))
    np.testing.assert_allclose(inner, [1, -1, 51 / 127.5 - 1], atol=1e-6)
    assert np.linalg.norm(vector) == pytest.approx(1)
    assert network.name == "arcface"
    digest = hashlib.sha256(b"stand-in").hexdigest()[:8]
    assert network.version.startswith(f"arcface {digest}, face_mesh 1055cb9d")


def test_no_face(file, runtime):
    network = ArcFaceIdentity({"arcface": file}, Told(None))
    assert network.describe(np.zeros((64, 64, 3), np.uint8)) is None


def test_small_pictures_of_real_faces(file, runtime, package_weights, portraits):
    package_weights("face_detector", "face_mesh")
    network = ArcFaceIdentity({"arcface": file})
    for picture in portraits:
        network.describe(picture)
        large = Session.given
        small = Image.fromarray(picture).resize((64, 64), Image.Resampling.LANCZOS)
        network.describe(np.asarray(small))
        assert np.abs(large - Session.given).mean() < 0.15  # the same view, less sharp


def test_a_real_session_on_a_real_file(tmp_path, monkeypatch):
    """A tiny network in the real format: the means of the three colours, plus 2."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("GlobalAveragePool", ["data"], ["means"]),
            onnx.helper.make_node("Flatten", ["means"], ["flat"]),
            onnx.helper.make_node("Add", ["flat", "two"], ["vector"]),
        ],
        "means",
        [onnx.helper.make_tensor_value_info("data", kind, [None, 3, SIDE, SIDE])],
        [onnx.helper.make_tensor_value_info("vector", kind, [None, 3])],
        [onnx.helper.make_tensor("two", kind, [1], [2.0])],
    )
    opset = [onnx.helper.make_opsetid("", 13)]
    path = tmp_path / "tiny.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(REGISTRY, "arcface", replace(REGISTRY["arcface"], sha256=digest))
    frame = np.full((SIDE, SIDE, 3), [255, 0, 51], np.uint8)
    # a face whose square lies well inside of the picture
    inside = face([[0.5, 0, 20], [0, 0.5, 20]])
    vector = ArcFaceIdentity({"arcface": path}, Told(inside)).describe(frame)
    expected = np.array([3, 1, 51 / 127.5 + 1])
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-5)


def test_without_the_runtime_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ValueError, match=r"pip install 'animator-zoo\[arcface\]'"):
        ArcFaceIdentity()


def test_without_the_file_one_error_says_where_to_put_it(tmp_path, monkeypatch, runtime):
    monkeypatch.setenv("ANIMATORS_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsNotFound, match=r"arcface = w600k_r50\.onnx.*non-commercial"):
        ArcFaceIdentity()
