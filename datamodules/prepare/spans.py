"""Which frames of a file a span means, and which of its pixels a box means."""

import math
from fractions import Fraction

from datamodules.prepare.jobs import Box, Span

SAME_RATE = Fraction(1, 2000)
"""Relative difference up to which two rates are one: lists print 30000/1001 as 29.97 and
24000/1001 as 23.97, which would move far frames by one. 29.97 and 30 differ twice as much."""

SAME_ASPECT = 0.05
"""Relative difference up to which two pictures have one aspect: 640x356 is a 640x360."""


def resolve_span(span: Span | None, fps: Fraction, num_frames: int) -> range:
    """Find the frames of a file that a span means.

    Frame i, shown at i / fps, is in the span when first / span.fps <= i / fps < stop / span.fps,
    which is how the published sets were cut. A span that reaches beyond the file's end stops
    there: copies of one video differ by a few frames.

    Args:
        span: None takes all.
        fps: of the file.
        num_frames: of the file.

    Raises:
        ValueError: the span is empty, or begins after the last frame.
    """
    if span is None:
        return range(num_frames)
    ratio = Fraction(1)
    if span.fps is not None:
        if not (math.isfinite(span.fps) and span.fps > 0):
            raise ValueError(f"frames counted at {span.fps} a second: the rate must be above 0")
        ratio = fps / Fraction(str(span.fps))
        if abs(ratio - 1) <= SAME_RATE:
            ratio = Fraction(1)
    first, stop = (max(0, math.ceil(number * ratio)) for number in (span.first, span.stop))
    at = "" if span.fps is None else f" at {span.fps:g} fps"
    if stop <= first:
        raise ValueError(f"frames {span.first} to {span.stop}{at} hold no frame of the file")
    if first >= num_frames:
        raise ValueError(
            f"frames {span.first} to {span.stop}{at} begin after the file's end: it has "
            f"{num_frames} frames at {float(fps):g} fps, so it is cut short or another video"
        )
    return range(first, min(stop, num_frames))


def resolve_box(
    box: Box | None, size: tuple[int, int], keep_aspect: bool
) -> tuple[int, int, int, int]:
    """Find the pixels of a file that a box means.

    The edges are scaled to the file's size and rounded down, as the published sets were cut;
    what reaches outside the picture is left out.

    Args:
        box: None takes the whole picture, whatever its shape.
        size: (height, width) of the file's frames.
        keep_aspect: widen the shorter side around its middle to a square, at most as large as
            the picture's shorter side, and move it inside.

    Returns:
        (left, top, right, bottom); right and bottom lie just outside.

    Raises:
        ValueError: no pixel of the picture is in the box, or it was measured in a picture of
            another aspect, so that its place in this one is not known.
    """
    height, width = size
    if box is None:
        return 0, 0, width, height
    edges = (box.left, box.top, box.right, box.bottom)
    words = "-".join(f"{edge:g}" for edge in edges) + f" of {box.width:g}x{box.height:g} pixels"
    if (
        not all(map(math.isfinite, (*edges, box.width, box.height)))
        or min(box.width, box.height) <= 0
    ):
        raise ValueError(f"the box {words} is not one of numbers in a picture")
    if abs(box.width * height / (box.height * width) - 1) > SAME_ASPECT:
        raise ValueError(
            f"the box {words} was measured in a picture of another aspect than the file's "
            f"{width}x{height}: it belongs to another cut of this video"
        )
    across, down = Fraction(width) / Fraction(box.width), Fraction(height) / Fraction(box.height)
    left, right = (_clipped(edge, across, width) for edge in (box.left, box.right))
    top, bottom = (_clipped(edge, down, height) for edge in (box.top, box.bottom))
    if right <= left or bottom <= top:
        raise ValueError(f"the box {words} holds no pixel of the file's {width}x{height}")
    if not keep_aspect:
        return left, top, right, bottom
    side = min(max(right - left, bottom - top), height, width)
    left, top = _moved(left, right, side, width), _moved(top, bottom, side, height)
    return left, top, left + side, top + side


def _clipped(edge: float, scale: Fraction, limit: int) -> int:
    return min(max(math.floor(Fraction(edge) * scale), 0), limit)


def _moved(low: int, high: int, side: int, limit: int) -> int:
    """Return where a stretch of `side` with the same middle begins, within 0..limit."""
    return min(max((low + high - side) // 2, 0), limit - side)
