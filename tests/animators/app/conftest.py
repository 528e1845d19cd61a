"""Tiny checkpoints, and uploads good and bad, for the page."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from animators.weights import save_animator
from datamodules import media
from tests.animators.tiny import tiny_animator

NAMES = {"yaw": (3, -1.0, 0.5), "mouth": (1, 0.1, 0.4)}
FRAMES = 24


class _Foreign:
    pass


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Runs: a LIA-X with two names, a LIA, a FOMM, a DiME; beside them files that are no runs."""
    folder = tmp_path_factory.mktemp("runs")
    for name, changes in (("lia_x", {"named_directions": NAMES}), ("lia", {"motion_dim": 12})):
        save_animator(tiny_animator(name, **changes), folder / name / "checkpoints/best.ckpt")
    save_animator(tiny_animator("fomm"), folder / "fomm/checkpoints/last.ckpt")
    save_animator(tiny_animator("dime"), folder / "dime.ckpt")
    torch.save({"generator": {}}, folder / "foreign.pth")
    torch.save(_Foreign(), folder / "code.pth")
    return folder


@pytest.fixture
def uploads(tmp_path):
    """Two pictures, a clip, and four files that are neither."""
    rng = np.random.default_rng(0)
    found = {}
    for name, size in (("me", (90, 60)), ("you", (64, 64))):
        coarse = rng.integers(0, 255, (6, 9, 3), dtype=np.uint8)
        found[name] = tmp_path / f"{name}.png"
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(found[name])
    found["clip"] = tmp_path / "clip.mp4"
    with media.ClipWriter(found["clip"], Fraction(12)) as writer:
        for _ in range(FRAMES):
            small = Image.fromarray(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8))
            writer.write(np.asarray(small.resize((96, 80), Image.Resampling.BICUBIC)))
    for name, content in (
        ("text.png", b"hello"),
        ("empty.png", b""),
        ("cut.mp4", found["clip"].read_bytes()[:300]),
        ("words.txt", b"hello"),
    ):
        found[name.replace(".", "_")] = tmp_path / name
        (tmp_path / name).write_bytes(content)
    return SimpleNamespace(folder=tmp_path, **found)
