"""Lists, originals whose frames carry their number, and clips made of them."""

from fractions import Fraction

import numpy as np

from datamodules import media
from datamodules.prepare.jobs import Made
from datamodules.prepare.spans import resolve_box, resolve_span

HEADER = "video_id,start,end,bbox,fps,width,height,partition"


def write(path, *lines, header=HEADER):
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


def film(path, frames, fps=25, size=(48, 64)):
    """A clip whose frame t is grey, 8 t bright, but for its left third: black."""
    with media.ClipWriter(path, Fraction(fps)) as writer:
        for t in range(frames):
            picture = np.full((*size, 3), 8 * t, np.uint8)
            picture[:, : size[1] // 4] = 0
            writer.write(picture)
    return path


def numbers(job, keep_aspect=False):
    """The numbers that the frames of a job carry, and the size of what its box cuts."""
    with media.open_clip(job.source) as clip:
        span = resolve_span(job.span, clip.fps, clip.num_frames)
        left, top, right, bottom = resolve_box(job.box, clip.size, keep_aspect)
        cut = clip.read(span)[:, top:bottom, left:right]
    assert abs(int(cut.max()) - int(cut.min())) <= 8 * len(span)  # nothing of the black third
    return [round(float(frame.mean()) / 8) for frame in cut], (right - left, bottom - top)


def made(job, **changes):
    facts = dict(
        path=f"{job.split}/{job.name}.mp4", split=job.split, identity=job.identity,
        source=job.label, frames=10, fps="25", width=64, height=64, crop="square", box="",
        without_head=0, sha256="0",
    )  # fmt: skip
    return Made(**{**facts, **changes})
