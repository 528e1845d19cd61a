"""Which metrics a group holds, by their names."""

import pytest

from animators.metrics import Averaging
from benchmarks import groups, protocols


class Fake:
    """A network of every kind."""

    version, points, size, higher_is_better = "1", 468, 4, False

    def __init__(self, name):
        self.name = name

    def features(self, images):
        raise AssertionError("nothing is measured here")


@pytest.fixture
def networks():
    found = groups.Networks()
    for kind in ("mesh", "dlib", "blazepose", "mobilenet", "brisque"):
        found.__dict__[kind] = Fake(kind)
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


def test_the_papers_networks_are_asked_for_by_file(monkeypatch):
    monkeypatch.setattr("animators.pretrained.files._places", lambda weight: iter(["nowhere"]))
    monkeypatch.setenv("ANIMATORS_OFFLINE", "1")
    with pytest.raises(OSError, match="fid_inception"):
        groups.build(["papers"], Averaging.VIDEO, groups.Networks(), cross=True)
