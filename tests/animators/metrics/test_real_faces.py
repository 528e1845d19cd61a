"""Metrics of faces with the networks that packages ship, on real clips."""

from itertools import permutations

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from animators.metrics import (
    AverageEuclideanDistance,
    AverageKeypointDistance,
    CosineIdentity,
    EyesError,
    IdentityDistance,
    IdentityMissing,
    MissingKeypointRate,
    MouthError,
    RememberedEmbedder,
    RememberedLandmarks,
)
from animators.metrics.expression import CORNERS, EYES, LIPS, eye_openness, mouth_openness
from animators.pretrained import DlibIdentity, MeshLandmarks

LIMIT = 0.6  # dlib's own: two faces nearer than this are one person's
BY_POINTS = (AverageKeypointDistance, MissingKeypointRate, EyesError, MouthError)
BY_PERSON = (AverageEuclideanDistance, CosineIdentity, IdentityDistance, IdentityMissing)


@pytest.fixture(scope="module")
def mesh(package_weights):
    package_weights("face_detector", "face_mesh")
    return RememberedLandmarks(MeshLandmarks(), shares=False)


@pytest.fixture(scope="module")
def people(package_weights, mesh):
    package_weights("face_identity")
    pytest.importorskip("dlib")
    return RememberedEmbedder(DlibIdentity(mesh=mesh))


@pytest.fixture(scope="module")
def first(portraits):
    return frames(portraits)


def frames(pictures):
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255


def values(kind, network, prediction, target, source=None):
    metric = kind(network=network)
    return metric.frame_values(prediction, target, target[0] if source is None else source).numpy()


def resized(pictures, side):
    return frames(
        [
            np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS))
            for picture in pictures
        ]
    )


def test_equal_frames(mesh, people, first):
    for kind in BY_POINTS:
        np.testing.assert_array_equal(values(kind, mesh, first, first), 0)
    for frame in first:
        for kind in BY_PERSON:
            expected = 1 if kind is CosineIdentity else 0
            found = values(kind, people, frame[None], frame[None])
            np.testing.assert_allclose(found, expected, atol=1e-12)


def test_every_frame_was_looked_at_once(portraits):
    mesh = RememberedLandmarks(MeshLandmarks(), shares=False)
    people = RememberedEmbedder(DlibIdentity(mesh=mesh))
    pair = frames(portraits[:2])
    for kind in BY_POINTS:
        values(kind, mesh, pair[:1], pair[1:])
    for kind in BY_PERSON:
        values(kind, people, pair[:1], pair[1:])
    assert (mesh.looks, people.looks) == (2, 2)


def test_a_shift_of_the_picture_is_its_pixels(mesh, first):
    """The face is cut out anew after the shift, so the network's own noise is all that differs."""
    shifted = first.roll((4, 3), (-1, -2))
    np.testing.assert_allclose(values(AverageKeypointDistance, mesh, shifted, first), 5, atol=0.5)


def test_pixels_are_those_of_the_picture(mesh, portraits, portrait_clips):
    later = [late for _, late in portrait_clips]
    large = values(AverageKeypointDistance, mesh, frames(later), frames(portraits))
    small = values(AverageKeypointDistance, mesh, resized(later, 64), resized(portraits, 64))
    assert not np.isnan(small).any()
    np.testing.assert_allclose(4 * small, large, atol=3)


def test_persons_are_told_apart(people, portrait_clips, first):
    for (one, _), (other, _) in permutations(portrait_clips, 2):
        made, source = frames([other]), frames([one])[0]
        assert values(IdentityDistance, people, made, made, source) > LIMIT
    same = np.concatenate(
        [
            values(IdentityDistance, people, frames([later]), frames([later]), start)
            for start, (_, later) in zip(first, portrait_clips, strict=True)
        ]
    )
    assert same.max() < 0.45


def test_small_pictures_have_identities(people, portraits):
    small = resized(portraits, 64)
    for number, source in enumerate(small):
        made = values(IdentityDistance, people, small, small, source)
        assert made[number] == 0
        assert np.delete(made, number).min() > 0.5
        assert (values(IdentityMissing, people, small, small) == 0).all()


def test_a_destroyed_face_is_missing_and_has_no_distance(mesh, people, first):
    grey = torch.full_like(first, 0.5)
    assert np.isnan(values(AverageKeypointDistance, mesh, grey, first)).all()
    assert (values(MissingKeypointRate, mesh, grey, first) == 1).all()
    assert (values(IdentityMissing, people, grey, first) == 1).all()
    assert np.isnan(values(AverageEuclideanDistance, people, grey, first)).all()
    for kind, network in ((MissingKeypointRate, mesh), (IdentityMissing, people)):
        assert np.isnan(values(kind, network, first, grey)).all()


def smeared(mesh, picture, parts):
    """Blur a picture around each group of points, two group sizes wide."""
    points, blurred = mesh.find(picture), Image.fromarray(picture)
    for part in parts:
        near = points[list(part)]
        middle, reach = near.mean(axis=0), float(np.ptp(near, axis=0).max())
        box = tuple(np.rint([*(middle - reach), *(middle + reach)]).astype(int))
        blurred.paste(blurred.crop(box).filter(ImageFilter.GaussianBlur(reach / 3)), box[:2])
    return np.asarray(blurred)


@pytest.mark.parametrize(("kind", "parts"), [(EyesError, EYES), (MouthError, [(*LIPS, *CORNERS)])])
def test_smeared_eyes_and_lips_show(mesh, portraits, first, kind, parts):
    made = frames([smeared(mesh, picture, parts) for picture in portraits])
    assert np.nanmean(values(kind, mesh, made, first)) > 0.02


def test_openness_is_that_of_faces_and_of_their_mirror_images(mesh, portraits):
    for picture in portraits:
        points, mirrored = mesh.find(picture), mesh.find(np.ascontiguousarray(picture[:, ::-1]))
        assert 0.1 < eye_openness(points) < 0.6
        assert 0 <= mouth_openness(points) < 0.6
        assert eye_openness(mirrored) == pytest.approx(eye_openness(points), abs=0.05)
        assert mouth_openness(mirrored) == pytest.approx(mouth_openness(points), abs=0.05)
