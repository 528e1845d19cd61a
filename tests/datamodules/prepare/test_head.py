import subprocess
import sys
import weakref
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pytest

from datamodules.media import open_clip
from datamodules.prepare import head
from datamodules.prepare.head import HeadCrop, find_head

HEIGHT, WIDTH = 200, 400


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float


def face(x, y, side=20):
    """A face with its centre at (x, y)."""
    return Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)


class Scripted:
    """Finds in frame after frame what was written down for it."""

    def __init__(self, script):
        self.script = list(script)
        self.seen = []

    def detect(self, frame):
        high, low, _ = map(int, frame[0, 0])
        self.seen.append(256 * high + low)
        return self.script[self.seen[-1]]


def frames(count, height=HEIGHT, width=WIDTH):
    for number in range(count):
        frame = np.zeros((height, width, 3), np.uint8)
        frame[..., 0], frame[..., 1] = divmod(number, 256)
        yield frame


def run(script, height=HEIGHT, width=WIDTH, **options):
    script = list(script)
    return find_head(frames(len(script), height, width), Scripted(script), **options)


def head_of(x, y, side=20):
    """left, top, right, bottom of the head that belongs to `face(x, y, side)`."""
    half = side * head.SCALE / 2
    y -= side * head.LIFT
    return x - half, y - half, x + half, y + half


def test_a_still_head():
    side = round(20 * head.SCALE)
    left, top, _, _ = head_of(150, 100)
    assert run([[face(150, 100)]] * 7) == HeadCrop(round(left), round(top), side, 7, 0)


def test_one_frame():
    crop = run([[face(150, 100)]])
    assert (crop.side, crop.frames, crop.without_head) == (round(20 * head.SCALE), 1, 0)


def test_a_moving_head_is_held_all_the_time():
    path = [(100 + 2 * t, 90 + 10 * np.sin(t / 5)) for t in range(40)]
    crop = run([[face(x, y)] for x, y in path])
    for x, y in path:
        left, top, right, bottom = head_of(x, y)
        # the two ends of 40 looks may stand out by as much as the head moves in one
        assert left >= crop.left - 2.5
        assert right <= crop.left + crop.side + 2.5
        assert top >= crop.top - 1
        assert bottom <= crop.top + crop.side + 1
    assert crop.side == pytest.approx(78 + 20 * head.SCALE, abs=5)


def test_frames_without_a_head_are_counted_and_change_nothing():
    script = [[], [], *[[face(150, 100)]] * 5, [], [face(150, 100)], [], *[[face(150, 100)]] * 5]
    crop = run(script)
    without = run([found for found in script if found])
    assert crop.without_head == 4
    assert crop.frames == 15
    assert (crop.left, crop.top, crop.side) == (without.left, without.top, without.side)


def test_a_jump_to_another_face_is_refused():
    here, there = face(100, 100), face(300, 100)
    script = [[here, there], [here, there], [there], [there], [there], [here, there], [here]]
    crop = run(script)
    assert crop.without_head == 3
    assert (crop.left, crop.side) == (round(head_of(100, 100)[0]), round(20 * head.SCALE))


@pytest.mark.parametrize("other", [face(104, 100, 60), face(102, 100, 8)])
def test_a_face_of_quite_another_size_is_another(other):
    crop = run([[face(100, 100)]] * 5 + [[other]] + [[face(100, 100)]] * 5)
    assert crop.without_head == 1
    assert crop.side == round(20 * head.SCALE)


def test_of_two_near_faces_that_counts_which_overlaps_more():
    # the small one is nearer
    crop = run([[face(100, 100)], *[[face(103, 100, 11), face(105, 100)]] * 300])
    assert crop.left + crop.side / 2 == pytest.approx(105, abs=1)
    assert crop.side == round(20 * head.SCALE)


def test_without_overlap_the_nearest_counts():
    small = [face(100, 100, 10)]
    crop = run([small, small, *[[face(90, 100, 8), face(109.5, 100, 8)]] * 30])
    assert crop.left + crop.side > 113
    assert crop.without_head == 0


@pytest.mark.parametrize("length", [8, 20, 300])
@pytest.mark.parametrize("wrong", [face(118, 84, 38), face(82, 108, 11)])
def test_one_wrong_box_does_not_enlarge_the_square(length, wrong):
    script = [[face(100, 100)]] * length
    assert run([*script, [wrong], *script]).side == round(20 * head.SCALE)


def test_of_many_looks_the_rare_ones_do_not_count():
    script = [[face(100, 100)]] * 200
    assert run([*script, *[[face(110, 95, 30)]] * 2, *script]).side == round(20 * head.SCALE)
    assert run([*script, *[[face(110, 95, 30)]] * 40, *script]).side > round(20 * head.SCALE) + 9


def test_a_false_first_face_is_given_up():
    script = [[face(300, 40)], *[[face(100, 100)]] * 40]
    crop = run(script)
    assert crop.left == round(head_of(100, 100)[0])
    assert 1 <= crop.without_head <= head.PATIENCE + 1


def test_a_false_face_at_the_end_does_not_win():
    script = [*[[face(100, 100)]] * 20, *[[]] * 90, *[[face(300, 40)]] * 3]
    crop = run(script)
    assert crop.left == round(head_of(100, 100)[0])
    assert crop.without_head == 93


def test_a_head_that_turned_away_may_have_moved():
    gone = [*[[face(100, 100)]] * 10, *[[]] * 15]
    assert run([*gone, *[[face(140, 100)]] * 10]).without_head == 15
    assert run([*gone, *[[face(200, 100)]] * 10]).without_head == 25
    assert run([*gone, *gone[10:], *[[face(170, 100)]] * 5]).without_head == 35
    # while it is in sight it cannot leap so far
    assert run([*gone[:10], *[[face(140, 100)]] * 2]).without_head == 2


@pytest.mark.parametrize(("index", "x"), [(0, 300), (1, 100), (2, 200)])
def test_face_index_counts_from_the_largest(index, x):
    three = [face(100, 100, 24), face(200, 100, 20), face(300, 100, 28)]
    crop = run([three] * 4, face_index=index)
    assert crop.left + crop.side / 2 == pytest.approx(x, abs=1)


def test_face_index_waits_for_a_frame_with_enough():
    one, two = [face(100, 100)], [face(100, 100), face(300, 100, 10)]
    crop = run([one, one, two, one, two], face_index=1)
    assert crop.left + crop.side / 2 == pytest.approx(300, abs=1)
    assert crop.without_head == 3


def test_every():
    script = [[face(100, 100)], [face(100, 60)], [], [face(100, 20)]] * 5
    fake = Scripted(script)
    crop = find_head(frames(20), fake, every=4)
    assert fake.seen == [0, 4, 8, 12, 16]
    assert (crop.frames, crop.without_head, crop.side) == (5, 0, round(20 * head.SCALE))


@pytest.mark.parametrize(
    ("x", "y", "side"),
    [(5, 5, 20), (395, 195, 20), (0, 100, 50), (200, 200, 90), (200, 100, 150), (-5, -5, 30)],
)
@pytest.mark.parametrize("size", [(200, 400), (400, 200), (200, 200)])
def test_the_square_lies_in_the_picture(x, y, side, size):
    crop = run([[face(x, y, side)]] * 3, *size)
    assert crop.left >= 0
    assert crop.top >= 0
    assert crop.left + crop.side <= size[1]
    assert crop.top + crop.side <= size[0]
    assert crop.side == min(round(side * head.SCALE), *size)
    assert all(isinstance(value, int) for value in (crop.left, crop.top, crop.side))


def test_the_frames_are_not_kept():
    known = []

    def stream():
        for frame in frames(12):
            known.append(weakref.ref(frame))
            yield frame
            assert sum(ref() is not None for ref in known) <= 2

    assert find_head(stream(), Scripted([[face(100, 100)]] * 12)).frames == 12


@pytest.mark.parametrize("count", [0, 1, 5])
def test_no_head(count):
    message = rf"^no head was found in any of {count} frames: take --crop square, or leave the clip"
    with pytest.raises(ValueError, match=message):
        run([[]] * count)


def test_too_few_heads():
    with pytest.raises(ValueError, match=r"number 2 .*none of 3 frames shows more than 2"):
        run([[face(100, 100), face(300, 100)]] * 3, face_index=2)


@pytest.mark.parametrize("options", [{"every": 0}, {"face_index": -1}])
def test_bad_arguments(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        run([[face(100, 100)]], **options)


def test_the_network_is_asked_for_late():
    code = (
        "import sys; import datamodules.prepare.head;"
        "sys.exit(any(m.startswith(('animators', 'ai_edge')) for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


class Recorder:
    def __init__(self, inner):
        self.inner = inner
        self.faces = []

    def detect(self, frame):
        self.faces.append(self.inner.detect(frame))
        return self.faces[-1]


@pytest.mark.parametrize(("kind", "number"), [("faces", 0), ("bodies", -1)])
def test_real_clips(shared_dir, package_weights, kind, number):
    """The square holds the face that was found in every frame, and is about a head's size."""
    package_weights("face_detector")
    path = sorted((shared_dir / "data" / "train" / kind).glob("*.mp4"))[number]
    recorder = Recorder(head.detector())
    with open_clip(path) as clip:
        crop = find_head(islice(clip, 120), recorder)
        height, width = clip.size
    assert crop.without_head == 0
    assert crop.frames == len(recorder.faces)
    assert 0 < crop.side <= min(height, width)
    for found in recorder.faces:
        best = found[0]
        assert crop.left <= best.left
        assert crop.top <= best.top
        assert best.right <= crop.left + crop.side
        assert best.bottom <= crop.top + crop.side
        assert crop.side > 1.2 * (best.right - best.left)  # or the clip is a close-up
