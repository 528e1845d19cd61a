"""Moving pictures that differ in what moves, and files of any quality made from them."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from datamodules.check.command import main
from datamodules.toy import ToyClips, ToySettings


def _films() -> dict[str, np.ndarray]:
    settings = ToySettings(train_clips=3, test_clips=3, identities=3, test_identities=3, frames=40)
    films = {}
    for split in ("train", "test"):
        clips = ToyClips(settings, split, 96)
        for i in range(3):
            pixels = clips.read(i, range(40)).numpy()
            films[f"{split}{i}"] = np.ascontiguousarray(np.moveaxis(pixels, 1, -1))
    return films


@pytest.fixture(scope="session")
def films() -> dict[str, np.ndarray]:
    """Six toy clips by name, (40, 96, 96, 3) each: other figures, grounds and motions."""
    return _films()


def _waving(seed: int, frames: int = 40) -> np.ndarray:
    """A square that wanders before a ground that is the same for every seed."""
    ground = np.random.default_rng(99).integers(0, 256, (8, 8, 3), np.uint8)
    ground = np.kron(ground, np.ones((12, 12, 1), np.uint8))
    steps = np.random.default_rng(seed).integers(-6, 7, (frames, 2))
    places = np.abs(np.cumsum(steps, 0) + 30) % 66
    film = np.repeat(ground[None], frames, 0)
    for t, (x, y) in enumerate(places):
        film[t, y : y + 30, x : x + 30] = 200, 40, 90
    return film


@pytest.fixture(scope="session")
def waving() -> Callable[..., np.ndarray]:
    """`waving(seed)`: one scene, (40, 96, 96, 3), in which each seed moves otherwise."""
    return _waving


def _save(path: Path, film: np.ndarray, fps: int = 25, crf: int = 18) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps), options={"crf": str(crf)})
        stream.height, stream.width = film.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for frame in film:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def save() -> Callable[..., Path]:
    """`save(path, film, fps=25, crf=18)` encodes a film as h264."""
    return _save


def _halved(film: np.ndarray) -> np.ndarray:
    side = film.shape[1] // 2
    return np.stack([np.asarray(Image.fromarray(f).resize((side, side))) for f in film])


@pytest.fixture(scope="session")
def halved() -> Callable[[np.ndarray], np.ndarray]:
    """`halved(film)`: at half the size."""
    return _halved


@pytest.fixture
def run(capsys):
    """`run(root, ...)` gives exit status, sections by name, and stderr."""

    def call(*arguments):
        status = main([*map(str, arguments)])
        out, err = capsys.readouterr()
        table, *sections = out.split("\n\n")
        named = {"TABLE": table.splitlines()}
        for section in sections:
            title, *lines = section.strip("\n").splitlines()
            named[title.split(":")[0]] = [line.strip() for line in lines]
        return status, named, err

    return call
