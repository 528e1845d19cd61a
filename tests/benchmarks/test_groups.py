"""Which metrics a group holds, by their names."""

import numpy as np
import pytest

from animators.metrics import Averaging
from animators.pretrained import WeightsNotFound
from benchmarks import groups, protocols


class Fake:
    """A network of every kind."""

    version, points, size, higher_is_better = "1", 468, 4, False

    def __init__(self, name):
        self.name = name

    def features(self, images):
        raise AssertionError("nothing is measured here")


class Looking(Fake):
    """It finds nothing."""

    def __init__(self, mesh=None):
        assert mesh is None or mesh.name == "mesh"
        super().__init__("looking")

    def describe(self, frame):
        return None

    def find(self, frame, shared=None):
        return None


@pytest.fixture
def networks():
    found = groups.Networks()
    for kind in ("mesh", "dlib", "blazepose", "mobilenet", "brisque"):
        found.__dict__[kind] = Fake(kind)
    for kind in ("resnext", "hyperiqa", "arcface", "fan"):
        found.__dict__[kind] = Fake(kind)
    found.__dict__["inception"] = Fake("inception_2015")
    found.__dict__["frames"] = found.__dict__["videos"] = Fake("vgg16")
    return found


IDENTITY = ["csim_dlib", "id_distance_dlib", "id_missing_dlib"]
MESH = ["akd_mesh", "mkr_mesh", "eyes_mesh", "mouth_mesh", "aed_dlib"]
BODIES = ["akd_blazepose", "mkr_blazepose", "jitter_blazepose", "aed_mobilenet"]


@pytest.mark.parametrize(
    ("group", "cross", "names"),
    [
        ("pixels", False, []),
        ("pixels", True, []),
        ("faces", False, [*MESH, *IDENTITY]),
        ("faces", True, IDENTITY),
        ("bodies", False, BODIES),
        ("bodies", True, ["csim_mobilenet"]),
        ("distances", False, ["fd_vgg16", "video_fd_vgg16"]),
        ("distances", True, ["fd_vgg16", "video_fd_vgg16"]),
        ("quality", False, ["quality_brisque"]),
        ("quality", True, ["quality_brisque"]),
    ],
)
@pytest.mark.parametrize("how", list(Averaging))
def test_names_and_averages(networks, group, cross, names, how):
    extras = groups.build([group], how, networks, cross=cross)
    assert list(extras.metrics) == ["flicker", *names]
    kept = [one.averaging for one in extras.metrics.values() if hasattr(one, "averaging")]
    assert set(kept) == {how}


def test_frames_are_held_against_sources_only_where_there_are_no_right_frames(networks):
    for cross, side in ((False, "target"), (True, "source")):
        extras = groups.build(["distances"], Averaging.VIDEO, networks, cross=cross)
        assert extras.metrics["fd_vgg16"].against == side
        assert extras.metrics["video_fd_vgg16"].against == "target"


def test_all_groups_stand_together_and_one_named_twice_is_taken_once(networks):
    every = [name for name in groups.BUILD if name != "papers"]
    extras = groups.build([*every, "faces"], Averaging.VIDEO, networks, cross=False)
    assert len(extras.metrics) == 1 + len(MESH) + len(IDENTITY) + len(BODIES) + 3
    assert groups.BUILD.keys() == {*protocols.GROUPS, "pixels"}


@pytest.mark.parametrize("cross", [False, True])
def test_the_papers_files_are_missed_all_at_once(monkeypatch, cross):
    monkeypatch.setattr("animators.pretrained.files._places", lambda weight: iter(["nowhere"]))
    monkeypatch.setenv("ANIMATORS_OFFLINE", "1")
    with pytest.raises(WeightsNotFound) as caught:
        groups.build(["papers"], Averaging.VIDEO, groups.Networks(), cross=cross)
    wanted = ["fid_inception", "resnext3d_kinetics", "hyperiqa", "arcface"]
    assert caught.value.missing == [*wanted, *([] if cross else ["fan", "fan_detector"])]


def test_the_papers_metrics_share_their_networks(networks, monkeypatch):
    monkeypatch.setattr("animators.pretrained.files.resolve", lambda *names: {})
    shown = ["fid", "video_fd_resnext", "quality_hyperiqa"]
    arcface = ["csim_arcface", "id_distance_arcface", "id_missing_arcface"]
    for cross, points in ((False, ["akd_fan", "mkr_fan"]), (True, [])):
        found = groups.build(["papers"], Averaging.FRAME, networks, cross=cross).metrics
        assert list(found) == ["flicker", *shown, *arcface, *points]
        assert all(found[name].network is networks.arcface for name in arcface)
        assert all(found[name].network is networks.fan for name in points)
        assert found["id_missing_arcface"].of_source is cross
        assert found["fid"].against == ("source" if cross else "target")


def test_the_papers_networks_look_once_at_a_frame(monkeypatch):
    """They are the slow ones; 2D-FAN needs no region from the real frame."""
    monkeypatch.setattr("animators.pretrained.arcface.ArcFaceIdentity", Looking)
    monkeypatch.setattr("animators.pretrained.fan.FanLandmarks", Looking)
    networks, frame = groups.Networks(), np.zeros((8, 8, 3), np.uint8)
    networks.__dict__["mesh"] = Fake("mesh")
    for _ in range(2):
        networks.arcface.describe(frame)
        networks.fan.find(frame)
        networks.fan.find(frame, frame + 1)
    assert (networks.arcface.looks, networks.fan.looks) == (1, 1)
