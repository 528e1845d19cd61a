import sys
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from animators.metrics.networks import Landmarks
from animators.pretrained import REGISTRY, FanLandmarks, WeightsNotFound
from animators.pretrained.files import sha256_of


class Net(torch.nn.Linear):
    """Stands for FAN's network."""

    def __init__(self, size):
        super().__init__(size, 2)


class FaceAlignment:
    """Stands for the package's class: its steps, with a face wherever a frame is not black."""

    def __init__(self, kind, device, flip_input, compile, face_detector, face_detector_kwargs):
        assert (kind, flip_input, compile, face_detector) == (1, False, False, "sfd")
        self.detector = face_detector_kwargs["path_to_detector"]
        self.face_alignment_net = self._load_native("2DFAN-4", 4, device, torch.float32)

    def _load_native(self, name, size, device, dtype):
        raise AssertionError("the library's own loader downloads")

    def get_landmarks_from_image(self, frame):
        self.seen = frame.shape
        y, x = np.nonzero(frame.any(-1))
        if not len(x):
            warnings.warn("No faces were detected.", stacklevel=1)
            return None
        first = np.tile([[x.min(), y.min()]], (68, 1)).astype(np.float32)
        return [first, first + 100]


@pytest.fixture
def package(monkeypatch):
    fake = SimpleNamespace(
        FaceAlignment=FaceAlignment,
        LandmarksType=SimpleNamespace(TWO_D=1),
        api=SimpleNamespace(FAN=Net),
    )
    monkeypatch.setitem(sys.modules, "face_alignment", fake)
    return fake


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """Stand-ins of both files, known under their hashes."""
    torch.save(Net(4).state_dict(), tmp_path / "fan.pth")
    (tmp_path / "detector.pth").write_bytes(b"detector")
    found = {"fan": tmp_path / "fan.pth", "fan_detector": tmp_path / "detector.pth"}
    for name, path in found.items():
        known = replace(REGISTRY[name], sha256=sha256_of(path))
        monkeypatch.setitem(REGISTRY, name, known)
    return found


def test_both_networks_come_from_the_files_that_were_given(package, paths):
    network = FanLandmarks(paths)
    assert isinstance(network, Landmarks)
    assert (network.name, network.points) == ("fan", 68)
    assert network.version == ", ".join(
        f"{name} {sha256_of(path)[:8]}" for name, path in paths.items()
    )
    inner = network._network
    assert inner.detector == str(paths["fan_detector"])
    assert not inner.face_alignment_net.training
    expected = torch.load(paths["fan"], weights_only=True)
    torch.testing.assert_close(inner.face_alignment_net.state_dict(), expected)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 96), (256, 256), (300, 400)])
def test_small_pictures_are_blown_up_and_their_points_brought_back(package, paths, height, width):
    frame = np.zeros((height, width, 3), np.uint8)
    frame[height // 4 :, width // 2 :] = 200
    network = FanLandmarks(paths)
    points = network.find(frame, shared=frame)
    assert min(network._network.seen[:2]) == max(256, min(height, width))
    assert points.shape == (68, 2)
    np.testing.assert_allclose(points, np.tile([width / 2, height / 4], (68, 1)), atol=1)


def test_no_face_is_none_without_a_warning(package, paths):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert FanLandmarks(paths).find(np.zeros((64, 64, 3), np.uint8)) is None


def test_another_array_is_refused(package, paths):
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
        FanLandmarks(paths).find(np.zeros((64, 64, 3)))


def test_a_version_that_loads_otherwise_is_refused(package, paths, monkeypatch):
    monkeypatch.delattr(FaceAlignment, "_load_native")
    with pytest.raises(ValueError, match=r"another way: pip install 'animator-zoo\[fan\]'"):
        FanLandmarks(paths)


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(ValueError, match=r"pip install 'animator-zoo\[fan\]'"):
        FanLandmarks()


def test_missing_files_are_named_in_one_error(package, tmp_path, monkeypatch):
    monkeypatch.setenv("ANIMATORS_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsNotFound, match=r"2DFAN4-11f355bf06\.pth\.tar.*s3fd-619a316812"):
        FanLandmarks()
