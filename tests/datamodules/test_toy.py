import dataclasses

import numpy as np
import pytest
import torch

from datamodules import ToyClips, ToySettings
from datamodules.drawing import Canvas, Texture

SMALL = ToySettings(train_clips=8, test_clips=4, frames=12, identities=4, test_identities=2)


def test_frames_are_pictures_of_the_asked_size():
    frames = ToyClips(SMALL, "train", 40).read(0, [0, 5, 11])
    assert frames.shape == (3, 3, 40, 40)
    assert frames.dtype == torch.uint8
    assert frames.float().std() > 20


def test_same_settings_same_pixels_another_seed_others():
    first, again = (ToyClips(SMALL, "train", 32).read(3, [0, 7]) for _ in range(2))
    assert torch.equal(first, again)
    other = ToyClips(dataclasses.replace(SMALL, seed=1), "train", 32).read(3, [0, 7])
    assert not torch.equal(first, other)


def test_random_access_equals_the_whole_clip():
    whole = ToyClips(SMALL, "train", 32).read(2, range(12))
    assert torch.equal(ToyClips(SMALL, "train", 32).read(2, [9, 0, 9]), whole[[9, 0, 9]])


def test_test_split_shows_other_identities_and_motions():
    train, test = ToyClips(SMALL, "train", 32), ToyClips(SMALL, "test", 32)
    assert {train.identity(i) for i in range(8)} == {0, 1, 2, 3}
    assert {test.identity(i) for i in range(4)} == {4, 5}
    assert not {train.name(i) for i in range(8)} & {test.name(i) for i in range(4)}
    moves = [clips.keypoints(i, range(12)) for clips in (train, test) for i in range(len(clips))]
    for i, one in enumerate(moves):
        for other in moves[:i]:
            assert (one - other).abs().max() > 0.05


def test_clips_of_one_identity_move_differently_and_look_alike():
    one_kind = dataclasses.replace(SMALL, kind="puppet")
    clips = ToyClips(one_kind, "train", 64)
    assert clips.identity(0) == clips.identity(4)
    motion = [clips.keypoints(i, range(12)) for i in (0, 4)]
    assert (motion[0] - motion[1]).abs().max() > 0.1

    def shirt(i):
        joints = clips.keypoints(i, [0])[0]
        x, y = ((joints[1] * 0.4 + joints[2] * 0.6 + 1) / 2 * 63).round().int().tolist()
        return clips.read(i, [0])[0, :, y - 4 : y + 4, x - 3 : x + 3].float().mean((1, 2))

    same = (shirt(0) - shirt(4)).abs().max()
    assert same < (shirt(0) - shirt(1)).abs().max()


@pytest.mark.parametrize("kind", ["puppet", "head"])
def test_figures_move_visibly(kind):
    settings = dataclasses.replace(SMALL, kind=kind, frames=32)
    for i in range(4):
        clip = ToyClips(settings, "train", 64).read(i, range(32)).float() / 255
        moving = (clip - clip[:1]).abs().mean(1) > 0.1
        assert moving[1:].float().mean() > 0.05, i
        # and there is a ground that stays
        assert (clip.std(0).amax(0) < 0.02).float().mean() > 0.1, i


@pytest.mark.parametrize(("kind", "joint"), [("puppet", 0), ("head", 2)])
def test_keypoints_follow_what_is_seen(kind, joint):
    """The picture around a keypoint stays alike while the keypoint travels."""
    settings = dataclasses.replace(SMALL, kind=kind, frames=32)
    clips = ToyClips(settings, "train", 128)
    points = clips.keypoints(0, range(32))
    assert points.shape == (32, 15, 2)
    travelled = (points[:, joint] - points[:1, joint]).abs().sum(1)
    far = int(travelled.argmax())
    pixels = clips.read(0, [0, far]).float() / 255

    def patch(frame, point):
        x, y = ((point + 1) / 2 * 127).round().int().tolist()
        return pixels[frame, :, y - 4 : y + 5, x - 4 : x + 5].mean((1, 2))

    here = patch(0, points[0, joint])
    followed = (patch(1, points[far, joint]) - here).abs().mean()
    left = (patch(1, points[0, joint]) - here).abs().mean()
    assert followed < 0.5 * left


def test_keypoints_do_not_depend_on_the_size():
    small, large = (ToyClips(SMALL, "train", size).keypoints(1, [3]) for size in (16, 64))
    assert torch.equal(small, large)


def test_edges_are_anti_aliased():
    """The covered area of a disc is right to a small part of a pixel row."""
    canvas = Canvas(1, 65)
    white = Texture(np.ones(3), np.ones(3))
    canvas.paint(canvas.ellipse(np.array([[0.1, -0.05]]), (0.5, 0.5)), white)
    area = canvas.image[..., 0].sum() * canvas.pixel**2
    assert area == pytest.approx(np.pi * 0.25, rel=5e-3)
    assert ((canvas.image > 0.1) & (canvas.image < 0.9)).any()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"frames": 1}, "toy.frames"),
        ({"identities": 0}, "toy.identities"),
        ({"train_clips": 2}, "toy.train_clips=2"),
        ({"test_clips": 1}, "toy.test_clips=1"),
    ],
)
def test_settings_that_show_nothing_are_refused(change, named):
    with pytest.raises(ValueError, match=named):
        dataclasses.replace(SMALL, **change)
