import numpy as np
import pytest

from animators.metrics.networks import Embedder, Landmarks
from animators.pretrained import DlibIdentity, FaceIdentity, FaceMesh, MeshLandmarks


@pytest.fixture(scope="module")
def mesh(package_weights):
    package_weights("face_detector", "face_mesh")
    return FaceMesh()


def test_the_mesh_gives_its_points_without_depth(mesh, portraits):
    network = MeshLandmarks(mesh=mesh)
    assert isinstance(network, Landmarks)
    assert (network.name, network.points) == ("mesh", 468)
    assert network.version == "face_mesh 1055cb9d, face_detector bbff11ce"
    found = network.find(portraits[0])
    assert found.shape == (468, 2)
    np.testing.assert_array_equal(found, mesh.find(portraits[0])[:, :2])
    # a shared frame with a face does not lend it to one that lost its own
    assert network.find(np.zeros_like(portraits[0]), portraits[0]) is None


def test_dlib_gives_what_the_network_gives(package_weights, mesh, portraits):
    package_weights("face_identity")
    pytest.importorskip("dlib")
    network = DlibIdentity(mesh=MeshLandmarks(mesh=mesh))
    assert isinstance(network, Embedder)
    assert network.name == "dlib"
    assert network.version.startswith("face_identity 55533b28, face_mesh 1055cb9d")
    expected = FaceIdentity(mesh=mesh).describe(portraits[1])
    np.testing.assert_array_equal(network.describe(portraits[1]), expected)
    assert network.describe(np.zeros((64, 64, 3), np.uint8)) is None
