import hashlib
import io
import pickle

import numpy as np
import pytest
import torch
from torchvision.models import alexnet, vgg16, vgg19

from animators.pretrained import WeightFile, alexnet_state, files, vgg16_state, vgg19_state
from animators.pretrained.trunks import features_of, read_arrays


@pytest.mark.parametrize(
    ("name", "state", "network", "surplus"),
    [
        ("alexnet_trunk", alexnet_state, alexnet, "0.weight"),
        ("vgg16_trunk", vgg16_state, vgg16, "28.bias"),
    ],
)
def test_fits_torchvision(package_weights, name, state, network, surplus):
    package_weights(name)
    weights = state()
    with torch.random.fork_rng():
        features = network(weights=None).features
    features.load_state_dict(weights)  # strict: names and shapes are torchvision's
    assert surplus in weights
    assert all(value.dtype == torch.float32 and value.is_contiguous() for value in weights.values())


def test_first_filters_are_ordered_as_torch_wants(package_weights):
    """AlexNet's first filters answer to edges: neighbours in space agree, not channel with row."""
    package_weights("alexnet_trunk")
    kernel = alexnet_state()["0.weight"]
    along = (kernel[..., 1:] * kernel[..., :-1]).mean()
    assert along > 0.5 * kernel.square().mean()


class Hostile:
    def __reduce__(self):
        return (print, ("this ran",))


def test_hostile_pickle_is_refused(tmp_path, capsys):
    path = tmp_path / "hostile.ckpt"
    path.write_bytes(pickle.dumps({"VGG16_0": Hostile()}))
    with pytest.raises(ValueError, match=r"hostile\.ckpt.*builtins\.print"):
        read_arrays(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"hello", pickle.dumps([1, 2])])
def test_damaged_pickle_is_refused(tmp_path, content):
    path = tmp_path / "damaged.ckpt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged\.ckpt"):
        read_arrays(path)


def test_another_network_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "other.ckpt"
    path.write_bytes(pickle.dumps({"AlexNet_0": {"Conv_0": {"kernel": np.zeros((3, 3, 3, 64))}}}))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(files.REGISTRY, "vgg16_trunk", WeightFile("x", digest, 1, "MIT"))
    with pytest.raises(ValueError, match=r"other\.ckpt has no layer 'VGG16_0'"):
        vgg16_state(path)


def test_vgg19_takes_the_features_only(tmp_path, monkeypatch):
    kept = {name: torch.rand(1) for name in ("0.weight", "34.bias")}
    state = {f"features.{name}": value for name, value in kept.items()}
    path = tmp_path / "vgg19.pth"
    torch.save(state | {"classifier.0.weight": torch.rand(2)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    weight = WeightFile("vgg19.pth", digest, 1, "BSD-3-Clause")
    monkeypatch.setitem(files.REGISTRY, "vgg19", weight)
    assert vgg19_state(path) == kept
    with torch.device("meta"):
        names = set(vgg19(weights=None).features.state_dict())
    assert kept.keys() <= names


def saved(value):
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"hello", saved([1]), saved({"a": torch.ones(1)})]
)
def test_damaged_classifier_is_refused(tmp_path, content):
    path = tmp_path / "damaged.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged\.pth"):
        features_of(path)


def test_hostile_classifier_is_refused(tmp_path, capsys):
    path = tmp_path / "hostile.pth"
    torch.save({"features.0.weight": Hostile()}, path)
    with pytest.raises(ValueError, match=r"hostile\.pth"):
        features_of(path)
    assert capsys.readouterr().out == ""
