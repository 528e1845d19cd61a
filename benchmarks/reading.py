"""What the loader benchmark reads: clips in every form, and the plain reader to compare with."""

import os
import resource
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules import media
from datamodules.clips import Clips, VideoFolder
from datamodules.items import PairDataset
from datamodules.media import index
from datamodules.prepare.convert import convert
from datamodules.prepare.jobs import Form, Job, Made, Settings
from datamodules.prepare.journal import Journal
from datamodules.prepare.pack import Packer
from datamodules.shards import ShardClips, ShardIndex
from datamodules.toy import ToyClips, ToySettings

RAW = media.Encoding(crf=18)
"""As sites and cameras have it: a key frame at cuts and else every 250."""


class PlainClips:
    """Reads the whole clip for every pair, as the datasets of FOMM and TPSMM do.

    Every frame is decoded and becomes float32 in [0, 1]; two are taken. (Theirs also start an
    ffmpeg process and send the frames through a pipe, which would make them slower still.)
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)
        self.decoded = 0

    def pair(self, i: int, indices: Sequence[int]) -> np.ndarray:
        """Frames of clip i, (n, H, W, 3) float32 in [0, 1]."""
        with media.VideoClip(self.paths[i]) as clip:
            video = np.stack(list(clip)).astype(np.float32) / np.float32(255)
        self.decoded += len(video)
        return video[list(indices)]


def material(folder: Path | None, clips: int, frames: int, size: int) -> Iterator[list[Any]]:
    """Give frames to make raw clips of: those of a folder's videos, or toy figures.

    A video with fewer frames is shown forwards and backwards until there are enough.

    Yields:
        For each clip, `frames` pictures (size, size, 3) uint8.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: it holds no video, or one that cannot be read.
    """
    if folder is None:
        toy = ToyClips(ToySettings(train_clips=clips, identities=clips), "train", size)
        for i in range(clips):
            count = toy.num_frames(i)
            yield _extended(list(media.to_frames(toy.read(i, range(count)))), frames)
        return
    if not folder.is_dir():
        raise FileNotFoundError(f"the folder {folder} does not exist: name a folder of videos")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in media.VIDEOS)[:clips]
    if not paths:
        raise ValueError(f"{folder} holds no video: name a folder of videos")
    for path in paths:
        with media.open_clip(path) as clip:
            shown = clip.read(range(min(frames, clip.num_frames)))
        yield _extended(list(media.resize(media.crop_square(shown), size)), frames)


def _extended(shown: list[Any], frames: int) -> list[Any]:
    there_and_back = shown + shown[-2:0:-1]
    return [there_and_back[k % len(there_and_back)] for k in range(frames)]


@dataclass(frozen=True)
class Forms:
    """The same clips in every form.

    Attributes:
        raw, mp4, frames: files and folders of the clips.
        shards: folder of the shards.
        bytes: form -> size of all clips.
        psnr: of the prepared mp4 against the raw clips, in dB.
    """

    raw: list[Path]
    mp4: list[Path]
    frames: list[Path]
    shards: Path
    bytes: dict[str, int]
    psnr: float


def make_forms(folder: Path | None, place: Path, clips: int, frames: int, size: int) -> Forms:
    """Write raw clips and prepare them in every form, by the code of `prepare`."""
    raw = []
    for number, pictures in enumerate(material(folder, clips, frames, size)):
        path = place / "raw" / f"{number:03d}.mp4"
        with media.ClipWriter(path, Fraction(25), encoding=RAW) as writer:
            for picture in pictures:
                writer.write(picture)
        raw.append(path)
    mp4 = _prepared(raw, place, "mp4", size)
    folders = _prepared(raw, place, "frames", size)
    _prepared(raw, place, "shards", size)
    shards = place / "shards" / "train"
    sizes = {
        "raw": sum(p.stat().st_size for p in raw),
        "mp4": sum(p.stat().st_size for p in mp4),
        "frames": sum(f.stat().st_size for p in folders for f in p.iterdir()),
        "shards": sum(p.stat().st_size for p in shards.iterdir()),
    }
    return Forms(raw, mp4, folders, shards, sizes, psnr(raw, mp4))


def _prepared(raw: Sequence[Path], place: Path, form: Form, size: int) -> list[Path]:
    root, settings = place / form, Settings(size=size, form=form)
    journal = Journal(root, settings.as_dict())
    made: list[Made] = []
    for path in raw:
        made.append(convert(Job(path, path.name, path.stem, "train", path.stem), settings, root))
        journal.note(made[-1])
    if form == "shards":
        (root / "test").mkdir()
        Packer(journal, megabytes=64).finish()
    return [root / item.path for item in made]


def psnr(originals: Sequence[Path], copies: Sequence[Path]) -> float:
    """Mean over all frames of the peak signal-to-noise ratio, in dB."""
    values = []
    for original, copy in zip(originals, copies, strict=True):
        with media.VideoClip(original) as a, media.VideoClip(copy) as b:
            for x, y in zip(a, b, strict=True):
                error = np.mean((x.astype(np.float64) - y) ** 2)
                values.append(10 * np.log10(255**2 / max(float(error), 1e-10)))
    return float(np.mean(values))


def readers(forms: Forms, size: int) -> dict[str, Clips]:
    """Our readers of each form."""
    who = range(len(forms.raw))
    return {
        "raw": VideoFolder(forms.raw, who, size),
        "mp4": VideoFolder(forms.mp4, who, size),
        "frames": VideoFolder(forms.frames, who, size),
        "shards": ShardClips(ShardIndex(forms.shards), list(who), size),
    }


def forget(clips: Clips) -> None:
    """Forget what was learnt of the files, as at the first visit to each clip of a large set."""
    index.forget()
    if isinstance(clips, VideoFolder):
        clips.forget()


def link_many(paths: Sequence[Path], count: int, place: Path) -> list[Path]:
    """Make many clips of a few: different files to the reader, one copy on the disk."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    links = [place / f"{k:05d}.mp4" for k in range(count)]
    for k, link in enumerate(links):
        os.link(paths[k % len(paths)], link)
    return links


def own_memory() -> float:
    """Give the memory that this process has written to and shares with none, in MB.

    Where the system does not tell, the most that it ever held.
    """
    rollup = Path("/proc/self/smaps_rollup")
    if rollup.is_file():
        lines = rollup.read_text().splitlines()
        kibibytes = sum(int(x.split()[1]) for x in lines if x.startswith("Private_Dirty"))
        return kibibytes * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


class WithMemory(Dataset[dict[str, Any]]):
    """Pairs, each with the memory of the process that made it."""

    def __init__(self, pairs: PairDataset) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        item = self.pairs[key]
        memory: Tensor = torch.tensor(own_memory(), dtype=torch.float64)
        return {"source": item["source"], "memory": memory}
