"""Spans and boxes against the published loader's rule, counted out, and against real frames."""

from fractions import Fraction

import numpy as np
import pytest

from datamodules import media
from datamodules.prepare.jobs import Box, Span
from datamodules.prepare.spans import resolve_box, resolve_span

NTSC = Fraction(30000, 1001)


def box(*edges, width=100, height=80):
    return Box(*edges, width, height)


@pytest.mark.parametrize("fps", [10, 12, 24, 25, 30, 50, 60])
@pytest.mark.parametrize(("first", "stop", "rate"), [(0, 7, 25.0), (3, 40, 25.0), (11, 12, 10.0)])
def test_the_frames_are_those_the_published_loader_keeps(fps, first, stop, rate):
    # its rule, frame by frame: i * rate >= first * fps and i * rate < stop * fps
    kept = [i for i in range(200) if first * fps <= i * rate < stop * fps]
    if kept:
        assert list(resolve_span(Span(first, stop, rate), Fraction(fps), 200)) == kept
    else:
        with pytest.raises(ValueError, match="hold no frame"):
            resolve_span(Span(first, stop, rate), Fraction(fps), 200)


@pytest.mark.parametrize(
    ("listed", "file"),
    [(29.97, NTSC), (23.97, Fraction(24000, 1001)), (23.98, Fraction(24000, 1001)), (25.0, 25)],
)
def test_a_rate_printed_with_two_digits_moves_no_frame(listed, file):
    assert resolve_span(Span(80_000, 80_220, listed), Fraction(file), 10**6) == range(
        80_000, 80_220
    )


def test_thirty_is_not_ntsc():
    assert resolve_span(Span(30_000, 30_030, 30.0), NTSC, 10**6) == range(29_971, 30_000)


def test_without_a_rate_the_numbers_are_the_files_own():
    assert resolve_span(Span(5, 9), Fraction(17), 20) == range(5, 9)
    assert resolve_span(None, Fraction(17), 20) == range(20)


def test_a_span_stops_where_the_file_ends():
    assert resolve_span(Span(5, 30), Fraction(25), 20) == range(5, 20)


@pytest.mark.parametrize(
    ("span", "says"),
    [
        (Span(20, 30), "begin after the file's end.*20 frames"),
        (Span(9, 9), "9 to 9 hold no frame"),
        (Span(9, 3, 25.0), "9 to 3 at 25 fps hold no frame"),
        (Span(0, 9, 0.0), "above 0"),
        (Span(0, 9, float("nan")), "above 0"),
    ],
)
def test_a_span_without_frames_is_said(span, says):
    with pytest.raises(ValueError, match=says):
        resolve_span(span, Fraction(25), 20)


@pytest.mark.parametrize(
    ("given", "size", "pixels"),
    [
        (box(10, 20, 50, 60), (80, 100), (10, 20, 50, 60)),
        (box(10, 20, 50, 60), (40, 50), (5, 10, 25, 30)),
        (box(10, 20, 50, 60), (160, 200), (20, 40, 100, 120)),
        (box(11, 21, 51, 61), (40, 50), (5, 10, 25, 30)),  # rounded down, as published
        (box(-5, -9, 120, 60), (80, 100), (0, 0, 100, 60)),  # cut at the edge
        (box(10, 20, 50, 60, height=79), (80, 100), (10, 20, 50, 60)),
        (None, (80, 100), (0, 0, 100, 80)),
    ],
)
def test_boxes_follow_the_files_size(given, size, pixels):
    assert resolve_box(given, size, keep_aspect=False) == pixels


@pytest.mark.parametrize(
    ("given", "pixels"),
    [
        (box(10, 20, 50, 60), (10, 20, 50, 60)),  # square already
        (box(20, 10, 40, 60), (5, 10, 55, 60)),  # widened around its middle
        (box(0, 10, 20, 60), (0, 10, 50, 60)),  # moved inside on the left
        (box(90, 20, 100, 60), (60, 20, 100, 60)),  # and on the right
        (box(0, 70, 40, 80), (0, 40, 40, 80)),  # and below
        (box(0, 0, 100, 80), (10, 0, 90, 80)),  # no larger than the shorter side
        (box(40, -50, 60, 200), (10, 0, 90, 80)),
    ],
)
def test_a_widened_box_is_a_square_inside(given, pixels):
    left, top, right, bottom = resolve_box(given, (80, 100), keep_aspect=True)
    assert right - left == bottom - top
    assert (left, top, right, bottom) == pixels


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (box(100, 0, 120, 40), "100-0-120-40 of 100x80 pixels holds no pixel"),
        (box(-9, 0, 0, 40), "no pixel"),
        (box(10.1, 0, 10.2, 40), "no pixel"),
        (box(60, 0, 10, 40), "no pixel"),
        (box(0, 0, 10, 10, width=80), "another aspect"),
        (box(0, 0, 10, float("nan")), "not one of numbers"),
        (box(0, 0, 10, 10, width=0), "not one of numbers"),
    ],
)
@pytest.mark.parametrize("keep_aspect", [False, True])
def test_a_box_without_pixels_is_said(given, says, keep_aspect):
    with pytest.raises(ValueError, match=says):
        resolve_box(given, (80, 100), keep_aspect)


@pytest.mark.parametrize("scale", [1, 2])
def test_a_box_cuts_the_same_thing_out_of_a_smaller_file(tmp_path, scale):
    height, width = 96 // scale, 128 // scale
    with media.ClipWriter(tmp_path / "a.mp4", Fraction(25)) as writer:
        for _ in range(2):
            picture = np.zeros((height, width, 3), np.uint8)
            picture[32 // scale : 80 // scale, 16 // scale : 64 // scale] = 255
            writer.write(picture)
    with media.open_clip(tmp_path / "a.mp4") as clip:
        frame = clip.read([1])[0].astype(int)
        left, top, right, bottom = resolve_box(
            Box(16, 32, 64, 80, 128, 96), clip.size, keep_aspect=False
        )
    inside = frame[top:bottom, left:right]
    assert inside.min() > 200
    assert frame.sum() - inside.sum() < 0.02 * frame.sum()
