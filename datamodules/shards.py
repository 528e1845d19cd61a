"""Clips in tar shards, on a disk or in a bucket: each read fetches one clip's bytes.

The shards are what WebDataset reads; the index beside them makes every clip reachable by its
number, so that samples depend on (seed, epoch, index) as they do from files.
"""

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
import numpy as np
import torch
from torch import Tensor

from datamodules import media
from datamodules.clips import Fit, sized
from datamodules.splits import Split, identity_rule, number_identities

INDEX = "index.csv"
COLUMNS = ("name", "identity", "frames", "fps", "shard", "offset", "bytes")


def is_url(place: str | Path) -> bool:
    """Tell whether a place is an address such as s3://bucket/folder and no folder here."""
    return "://" in str(place)


def join(place: str | Path, *parts: str) -> str:
    """Go down from an address or folder."""
    return "/".join([str(place).rstrip("/"), *(part.strip("/") for part in parts if part)])


def has_shards(place: str | Path) -> bool:
    """Tell whether an address or folder holds shards; any address is taken to."""
    return is_url(place) or (Path(place) / INDEX).is_file()


class ShardIndex:
    """What `index.csv` says, in arrays: half a million clips take tens of MB, shared by workers.

    Attributes:
        place: the folder or address.
        names, identities: of each clip.
        frames, offsets, sizes: of each clip.
        fps: of each clip.
        shards: file names; `shard[i]` is the number of clip i's.

    Raises:
        FileNotFoundError: there is no index.
        ValueError: the index is damaged or empty.
        OSError: the place cannot be reached.
    """

    def __init__(self, place: str | Path) -> None:
        self.place = str(place)
        rows = self._rows()
        text = np.array([[row["name"], row["identity"], row["shard"]] for row in rows])
        self.names, self.identities = text[:, 0].copy(), text[:, 1].copy()
        self.shards, self.shard = np.unique(text[:, 2], return_inverse=True)
        try:
            self.frames = np.array([int(row["frames"]) for row in rows])
            self.offsets = np.array([int(row["offset"]) for row in rows])
            self.sizes = np.array([int(row["bytes"]) for row in rows])
            self.fps = np.array([_ratio(row["fps"]) for row in rows])
        except (ValueError, ZeroDivisionError) as error:
            raise self._damaged(error) from error

    def _rows(self) -> list[dict[str, str]]:
        where = join(self.place, INDEX)
        try:
            with fsspec.open(where, "rt", encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file, strict=True))
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"there are no shards at {self.place} (no {INDEX}): make them by `python -m "
                "datamodules prepare ... --format shards`, or name the right place"
            ) from error
        except ImportError as error:  # fsspec names the package that this kind of address wants
            raise ValueError(f"{self.place} cannot be read: {error}") from error
        except (csv.Error, UnicodeDecodeError) as error:
            raise self._damaged(error) from error
        if not rows or any(None in (row.get(name) for name in COLUMNS) for row in rows):
            raise self._damaged(f"it needs the columns {', '.join(COLUMNS)} and a line a clip")
        return rows

    def _damaged(self, why: object) -> ValueError:
        return ValueError(f"{join(self.place, INDEX)} is damaged ({why}): pack the shards again")

    def __len__(self) -> int:
        return len(self.names)

    def shown(self, rule: Callable[[Path], str] | None) -> list[str]:
        """Say whom each clip shows: by a rule on its name, or as the index has it."""
        if rule is None:
            return [str(identity) for identity in self.identities]
        return [rule(Path(f"{name}.mp4")) for name in self.names]


def _ratio(text: str) -> float:
    above, _, below = text.partition("/")
    return float(above) / float(below or 1)


class ShardClips:
    """The clips of one split, read out of shards.

    Args:
        index: of the split.
        labels: identity of each clip.
        image_size: side of the frames given out; others are resized, anti-aliased.
        fit: "square" cuts the largest centred square first, "stretch" does not.
        cache: keep every clip that was read in memory, as uint8 at `image_size`.
    """

    def __init__(
        self,
        index: ShardIndex,
        labels: Sequence[int],
        image_size: int,
        *,
        fit: Fit = "square",
        cache: bool = False,
    ) -> None:
        self.index = index
        self.labels = np.asarray(labels)
        self.image_size = image_size
        self.fit: Fit = fit
        self.cache = cache
        self.decoded = 0
        self._frames: dict[int, Tensor] = {}
        self._fetched: dict[int, bytes] = {}
        self._files: tuple[int, Any, str] | None = None

    def __len__(self) -> int:
        return len(self.index)

    def name(self, i: int) -> str:
        """File name of clip i."""
        return f"{self.index.names[i]}.mp4"

    def identity(self, i: int) -> int:
        """Label of who clip i shows."""
        return int(self.labels[i])

    def num_frames(self, i: int) -> int:
        """Frames of clip i, as the index says; nothing is opened."""
        return int(self.index.frames[i])

    def fps(self, i: int) -> float:
        """Frames per second of clip i."""
        return float(self.index.fps[i])

    def fetch(self, numbers: Sequence[int]) -> None:
        """Fetch several clips at once, for the reads that follow: one wait instead of many.

        Raises:
            OSError: a shard cannot be reached.
        """
        self._fetched.clear()
        numbers = [i for i in dict.fromkeys(numbers) if i not in self._frames]
        if not is_url(self.index.place) or not numbers:
            return  # a disk answers at once
        files, _ = self._filesystem()
        places = [self._place(i) for i in numbers]
        paths, starts, stops = zip(*places, strict=True)
        pieces = files.cat_ranges(list(paths), list(starts), list(stops), on_error="return")
        for i, piece in zip(numbers, pieces, strict=True):
            if not isinstance(piece, bytes):
                raise self._unreachable(i, piece) from piece
            self._fetched[i] = piece

    def read(self, i: int, indices: Sequence[int]) -> Tensor:
        """Frames of clip i, (n, 3, S, S) uint8.

        Raises:
            OSError: its shard cannot be reached.
            ValueError: the clip cannot be decoded.
        """
        if i in self._frames:
            return self._frames[i][list(indices)]
        with media.VideoClip(self._where(i), self._bytes(i)) as clip:
            if clip.num_frames != self.num_frames(i):
                raise ValueError(
                    f"{self._where(i)} has {clip.num_frames} frames, its index says "
                    f"{self.num_frames(i)}: the shard was changed; pack it again"
                )
            if self.cache:
                whole = torch.cat([sized(f[None], self.image_size, self.fit) for f in clip])
                self._frames[i] = whole
                return whole[list(indices)]
            frames = clip.read(indices)
            self.decoded += clip.decoded
        return sized(frames, self.image_size, self.fit)

    def preload(self) -> None:
        """Read every clip, if they are to be kept at all."""
        if self.cache:
            for i in range(len(self)):
                self.read(i, [0])

    def _bytes(self, i: int) -> bytes:
        if i in self._fetched:
            return self._fetched.pop(i)
        files, _ = self._filesystem()
        path, start, stop = self._place(i)
        try:
            data = bytes(files.cat_file(path, start=start, end=stop))
        except OSError as error:
            raise self._unreachable(i, error) from error
        if len(data) != stop - start:
            raise ValueError(f"{self._where(i)}: the shard is truncated; copy or pack it again")
        return data

    def _place(self, i: int) -> tuple[str, int, int]:
        _, base = self._filesystem()
        start = int(self.index.offsets[i])
        shard = str(self.index.shards[self.index.shard[i]])
        return join(base, shard), start, start + int(self.index.sizes[i])

    def _where(self, i: int) -> Path:
        """Give a clip's name in messages, and in the cache of indexes."""
        shard = str(self.index.shards[self.index.shard[i]])
        return Path(PurePosixPath(self.index.place) / shard / self.name(i))

    def _unreachable(self, i: int, error: object) -> OSError:
        return OSError(f"{self._where(i)} cannot be fetched ({error}): is the place reachable?")

    def _filesystem(self) -> tuple[Any, str]:
        """Connect once in each process: connections do not survive into workers."""
        if self._files is None or self._files[0] != os.getpid():
            files, base = fsspec.core.url_to_fs(self.index.place)
            self._files = os.getpid(), files, base
        return self._files[1], self._files[2]


def open_shards(
    address: str, folders: Mapping[Split, str | None], identities: str
) -> dict[Split, tuple[ShardIndex, list[int]]] | None:
    """Open the splits of a set in shards, and number whom their clips show.

    Args:
        address: of the set: a folder or a URL.
        folders: folder of each split below it; None where the set has no such split.
        identities: as for files; a table's column was written into the shards' index.

    Returns:
        The index of each split with its clips' labels; None where there are no shards.

    Raises:
        OSError: the place cannot be reached.
        ValueError: an index is missing or damaged.
    """
    places = {s: join(address, name) for s, name in folders.items() if name is not None}
    if not any(has_shards(place) for place in places.values()):
        return None
    rule = None if identities.startswith("csv(") else identity_rule(identities, Path())
    indexes = {split: ShardIndex(place) for split, place in places.items()}
    labels = number_identities({split: index.shown(rule) for split, index in indexes.items()})
    return {split: (index, labels[split]) for split, index in indexes.items()}
