"""Originals whose frames tell their number and their place, and calls of the command.

Red grows from the left edge to the right, green from top to bottom, blue with time, so that a
clip tells which pixels of which frames it was cut from. Films that only have to differ from each
other have noise in red and green.
"""

import contextlib
import csv
import hashlib
import io
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import yaml

from datamodules import About, FramePairs, media
from datamodules.__main__ import main

HEADER = "video_id,start,end,bbox,fps,width,height,partition"
WIDE = (72, 128)
CONFIGS = Path(__file__).parents[3] / "zoo_configs" / "data"
ADDRESS = "https://www.youtube.com/watch?v="


def film(path, frames=30, fps=25, size=WIDE, seed=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = size
    picture = np.zeros((height, width, 3))
    if seed is None:
        picture[..., 0] = 10 + 240 * (np.arange(width) + 0.5) / width
        picture[..., 1] = 10 + 240 * (np.arange(height)[:, None] + 0.5) / height
    else:
        noise = np.random.default_rng(seed).uniform(40, 200, (height // 8, width // 8, 2))
        picture[..., :2] = noise.repeat(8, 0).repeat(8, 1)
    with media.ClipWriter(path, Fraction(fps)) as writer:
        for t in range(frames):
            picture[..., 2] = 20 + 6 * t
            writer.write(picture.round().astype(np.uint8))


def numbers(frames):
    """Which frames of its original a clip holds."""
    return [round((float(frame[..., 2].mean()) - 20) / 6) for frame in frames]


def place(frames):
    """What was cut: left, top, right, bottom as shares of the original's sides."""
    found = []
    for channel, axis in ((0, 0), (1, 1)):
        line = frames[..., channel].astype(float).mean(0).mean(axis)
        at = (np.arange(len(line)) + 0.5) / len(line)
        inner = slice(len(line) // 8, -len(line) // 8)
        slope, start = np.polyfit(at[inner], (line[inner] - 10) / 240, 1)
        found.append((start, start + slope))
    (left, right), (top, bottom) = found
    return [left, top, right, bottom]


def read(path):
    with media.open_clip(path) as clip:
        return clip.read(range(clip.num_frames)), clip.fps


def shares(box, size=WIDE):
    left, top, right, bottom = box
    height, width = size
    return [left / width, top / height, right / width, bottom / height]


def metadata(path, *lines, header=HEADER):
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


def call(*arguments):
    """Run a command; give status, what was said, and lines of errors that are no bar."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([*map(str, arguments)])
    lines = [line for line in err.getvalue().splitlines() if not line.startswith("prepare: ")]
    return SimpleNamespace(
        status=status, out=out.getvalue(), err=[line for line in lines if line.strip()]
    )


def prepare(kind, table, originals, root, *more):
    options = ("--size", 64, "--workers", 2, *more)
    return call("prepare", kind, "--metadata", table, "--originals", originals, root, *options)


def content(root):
    files = [p for p in root.rglob("*") if p.is_file() and ".prepare" not in p.parts]
    return {p.relative_to(root).as_posix(): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


def clips(root):
    return sorted(p.relative_to(root).as_posix() for p in root.glob("t*/*"))


def table_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def digest(*names):
    return hashlib.sha256("".join(f"{name}\n" for name in sorted(names)).encode()).hexdigest()


def module(name, roots, **changes):
    """The data of a set's configuration, but for where it lies and how much it reads at once."""
    settings = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())["data"]["init_args"]
    about = About(**settings.pop("about"))
    small = {"root": str(roots), "batch_size": 2, "num_workers": 0}
    return FramePairs(**{**settings, "about": about, **small, **changes})


def must_train(name, roots, identities):
    """A set's configuration reads what was made, and knows who is shown."""
    data = module(name, roots)
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    size = 384 if name == "ted" else 256
    assert batch["source"].shape == batch["driving"].shape == (2, 3, size, size)
    known = data.train_clips
    shown = {known.name(i).split("#")[0]: known.identity(i) for i in range(len(known))}
    assert shown == {who: number for number, who in enumerate(identities)}
    assert data.num_identities == len(identities)
    video = next(iter(data.val_dataloader()))["video"]
    assert video.shape == (1, 10, 3, size, size)
    assert f"{data.test_names}\n" in (roots / name / "report.txt").read_text()


def must_be_sound(root):
    """The check finds nothing broken and no leak."""
    said = call("check", root, "--workers", 2)
    assert (said.status, said.err) == (0, []), said.out
    assert "identities by csv(manifest.csv,identity)" in said.out
