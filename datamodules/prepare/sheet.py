"""A contact sheet: some clips of a root, three frames of each, to be looked at."""

import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from datamodules import media
from datamodules.prepare.jobs import Made
from datamodules.prepare.journal import SHARD

CLIPS = 40
TILE = 96
LABEL = 14
ACROSS = 4


def draw_sheet(root: Path, made: Sequence[Made], target: Path, clips: int = CLIPS) -> int:
    """Draw first, middle and last frame of clips spread over both splits.

    Args:
        root: where the clips lie.
        made: all of them, in order.
        target: the png.
        clips: how many to show at most.

    Returns:
        How many are shown.

    Raises:
        OSError: the picture cannot be written.
        ValueError: there is no clip to show, or one cannot be read.
    """
    if not made:
        raise ValueError(f"{root} has no clip to show")
    count = min(clips, len(made))
    chosen = [made[(2 * k + 1) * len(made) // (2 * count)] for k in range(count)]
    down = -(-count // ACROSS)
    width, height = 3 * TILE + 8, TILE + LABEL + 6
    sheet = Image.new("RGB", (min(ACROSS, count) * width, down * height), "white")
    draw = ImageDraw.Draw(sheet)
    for place, item in enumerate(chosen):
        left, top = place % ACROSS * width, place // ACROSS * height
        sheet.paste(_frames(root, item), (left, top + LABEL))
        label = f"{item.path}  {item.frames} f"
        draw.text((left + 2, top + 1), _short(label), fill="black")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        sheet.save(part, format="png", optimize=True)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return count


def _open(root: Path, item: Made) -> media.Clip:
    path = root / item.path
    if path.parent.suffix != SHARD:
        return media.open_clip(path)
    with tarfile.open(path.parent) as shard:
        member = shard.extractfile(path.name)
        return media.VideoClip(path, member.read() if member else b"")


def _frames(root: Path, item: Made) -> Image.Image:
    with _open(root, item) as clip:
        frames = clip.read([0, item.frames // 2, item.frames - 1])
    height, width = frames.shape[1:3]
    scale = TILE / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    strip = np.full((TILE, 3 * TILE, 3), 235, np.uint8)
    for number, frame in enumerate(media.resize(frames, size)):
        top, left = (TILE - size[0]) // 2, number * TILE + (TILE - size[1]) // 2
        strip[top : top + size[0], left : left + size[1]] = frame
    return Image.fromarray(strip)


def _short(text: str, most: int = 46) -> str:
    plain = text.encode("ascii", "replace").decode()
    return plain if len(plain) <= most else plain[: most // 2 - 1] + ".." + plain[1 - most // 2 :]
