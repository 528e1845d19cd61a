"""One job done: a stretch of a source read, cut, resized and written as one clip."""

import math
import shutil
import stat
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from datamodules import media
from datamodules.media import Frames
from datamodules.prepare.digest import digest_of
from datamodules.prepare.jobs import Job, Made, Settings
from datamodules.prepare.spans import resolve_box, resolve_span

Rectangle = tuple[int, int, int, int]
"""left, top, right, bottom in pixels; right and bottom lie just outside."""


def convert(job: Job, settings: Settings, root: Path) -> Made:
    """Make one clip.

    Args:
        job: what to make.
        settings: how.
        root: the clip goes to root/SPLIT/NAME.mp4, or, for form frames, to the folder
            root/SPLIT/NAME; a clip of one frame becomes NAME.png.

    Raises:
        OSError: the source is missing, or the clip cannot be written.
        ValueError: the source cannot be decoded, is too short, shows no head, or changed
            while it was read.
    """
    key = source_key(job)
    with media.open_clip(job.source) as clip:
        fps, wanted = choose_frames(clip, job, settings)
        if len(wanted) < settings.min_frames:
            raise ValueError(f"{len(wanted)} frames, at least {settings.min_frames} are wanted")
        box, without_head = choose_box(clip, wanted, job, settings)
        size = target_size(box, settings, boxed=job.box is not None)
        target = root / job.split / f"{job.name}{ending(len(wanted), settings)}"
        path = target.with_suffix("") if target.suffix == ".png" and len(wanted) > 1 else target
        if path.is_dir():  # left by a run that was killed before it noted it down
            shutil.rmtree(path)
        steady = any(side % 128 for side in size)
        encoding = media.Encoding(settings.crf, settings.key_interval, threads=1, steady=steady)
        with media.ClipWriter(target, fps, encoding=encoding) as writer:
            for frame in cut(clip.stream(wanted), box, size):
                writer.write(frame)
            if source_key(job) != key:
                raise ValueError("it changed while it was read: prepare again when it is whole")
    _remove_others(path)
    return Made(
        path=path.relative_to(root).as_posix(),
        split=job.split,
        identity=job.identity,
        source=job.label,
        frames=len(wanted),
        fps=str(fps),
        width=size[1],
        height=size[0],
        crop="box" if job.box else settings.crop,
        box=",".join(map(str, box)),
        without_head=without_head,
        sha256=digest_of(path),
        key=key,
    )


def _remove_others(path: Path) -> None:
    """Remove what an earlier state of the source became, a picture beside a video."""
    for other in {path.with_suffix(ending) for ending in (".mp4", ".png", "")} - {path}:
        if other.is_dir():
            shutil.rmtree(other)
        else:
            other.unlink(missing_ok=True)


def source_key(job: Job) -> str:
    """Say what a clip is made from, so that a changed source is made again.

    Raises:
        OSError: the source is gone.
        ValueError: it is neither a file nor a folder of files; reading it might wait for ever.
    """
    files = [job.source]
    if job.source.is_dir():
        files = [path for path in job.source.iterdir() if not path.name.startswith(".")]
        files = [path for path in files if not path.is_dir()]
    size = changed = 0
    for path in files:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{path} is a pipe, socket or device, no file")
        size, changed = size + status.st_size, max(changed, status.st_mtime_ns)
    return f"{len(files)}:{size}:{changed}:{job.span}:{job.box}"


def ending(frames: int, settings: Settings) -> str:
    """Give the ending of a clip's file: a single frame is a picture, except in shards."""
    picture = settings.form == "frames" or (settings.form == "mp4" and frames == 1)
    return ".png" if picture else ".mp4"


def choose_frames(clip: media.Clip, job: Job, settings: Settings) -> tuple[Fraction, list[int]]:
    """Choose the frames to keep: the job's span, at the rate that is asked for.

    Returns:
        The clip's new rate and the numbers of the frames.
    """
    span = resolve_span(job.span, clip.fps, clip.num_frames)
    fps = clip.fps
    wanted = list(span)
    if settings.fps is not None and settings.fps < fps:
        new = Fraction(settings.fps).limit_denominator(1001)
        step = fps / new
        count = int(len(wanted) / step) + 1
        places = [math.floor(k * step + Fraction(1, 2)) for k in range(count)]
        wanted, fps = [wanted[place] for place in places if place < len(wanted)], new
    return fps, wanted[: settings.max_frames]


def choose_box(
    clip: media.Clip, wanted: Sequence[int], job: Job, settings: Settings
) -> tuple[Rectangle, int]:
    """Choose what is cut out of every frame.

    Returns:
        The rectangle, and the number of frames in which the head detector found none.
    """
    height, width = clip.size
    if job.box is not None:
        return resolve_box(job.box, clip.size, settings.keep_aspect), 0
    if settings.crop == "square":
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        return (left, top, left + side, top + side), 0
    if settings.crop == "head":
        from datamodules.prepare.head import detector, find_head

        head = find_head(clip.stream(wanted), detector(), face_index=settings.face_index)
        seen = head.frames - head.without_head
        if seen < settings.min_head * head.frames:
            raise ValueError(
                f"the head shows in only {seen} of {head.frames} frames: lower --min-head, take "
                "--crop square, or leave the clip out"
            )
        return (head.left, head.top, head.left + head.side, head.top + head.side), head.without_head
    return (0, 0, width, height), 0


def target_size(box: Rectangle, settings: Settings, *, boxed: bool) -> tuple[int, int]:
    """Give (height, width) of the frames: square, or with the aspect of the whole picture."""
    if boxed or settings.crop != "none":
        return settings.size, settings.size
    width, height = box[2] - box[0], box[3] - box[1]
    scale = settings.size / min(width, height)
    # an mp4 wants even sides
    return max(2, 2 * round(height * scale / 2)), max(2, 2 * round(width * scale / 2))


def cut(frames: Iterator[Frames], box: Rectangle, size: tuple[int, int]) -> Iterator[Frames]:
    """Cut the rectangle out of every frame and resize it, anti-aliased."""
    left, top, right, bottom = box
    for frame in frames:
        yield media.resize(frame[None, top:bottom, left:right], size)[0]
