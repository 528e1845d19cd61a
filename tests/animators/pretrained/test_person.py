from itertools import combinations

import av
import numpy as np
import pytest
import torch

from animators.metrics.networks import Embedder
from animators.pretrained import MobileNetIdentity
from animators.pretrained.person import mobilenet_features, normalised


@pytest.fixture(scope="module")
def identity(package_weights):
    package_weights("mobilenet")
    return MobileNetIdentity()


def test_one_clip_is_nearer_than_two(identity, shared_dir):
    assert isinstance(identity, Embedder)
    people = []
    for name in ("lia_taichi_driving1", "lia_ted_driving2", "uva_ted3"):
        with av.open(shared_dir / "data" / "test" / "bodies" / f"{name}.mp4") as clip:
            frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
        people.append([identity.describe(frames[0]), identity.describe(frames[-1])])
    assert all(np.linalg.norm(one) == pytest.approx(1) for pair in people for one in pair)
    same = [first @ last for first, last in people]
    other = [a[0] @ b[0] for a, b in combinations(people, 2)]
    assert min(same) > max(other) + 0.1


def test_it_tells_what_imagenet_holds(package_weights):
    """The layers are in their places: scrambled, the features of all pictures would be alike."""
    features = mobilenet_features(package_weights("mobilenet")["mobilenet"])
    y, x = np.mgrid[:224, :224]
    stripes = np.stack([(x // 8) % 2, (y // 8) % 2, (x // 16 + y // 16) % 2])[:, None] * np.ones(
        (1, 3, 1, 1)
    )
    with torch.no_grad():
        found = features(normalised(torch.from_numpy(stripes).float()))
    assert found.shape == (3, 1280, 7, 7)
    vectors = torch.nn.functional.normalize(found.mean((2, 3)))
    assert float((vectors @ vectors.T).triu(1).max()) < 0.9


def test_building_leaves_the_random_numbers_alone(package_weights):
    path = package_weights("mobilenet")["mobilenet"]
    before = torch.get_rng_state()
    mobilenet_features(path)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("content", [{"a": torch.zeros(3)}, [1, 2], {"a": 1}])
def test_another_file_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other\.pt"):
        mobilenet_features(tmp_path / "other.pt")


def test_another_array_is_refused(identity):
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
        identity.describe(np.zeros((8, 8, 3), np.float32))
