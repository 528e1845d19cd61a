"""Clips in tar shards, on a disk or in a bucket: each read fetches one clip's bytes.

The shards are what WebDataset reads; the index beside them makes every clip reachable by its
number, so that samples depend on (seed, epoch, index) as they do from files.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from datamodules import media
from datamodules.clips import Fit, sized
from datamodules.shard_index import INDEX, ShardIndex, connect, has_shards, is_url, join, reason
from datamodules.splits import Split, identity_rule, number_identities

__all__ = ["INDEX", "Labels", "ShardClips", "ShardIndex", "join", "open_shards"]

Labels = npt.NDArray[np.int64]


class ShardClips:
    """The clips of one split, read out of shards.

    Args:
        index: of the split.
        labels: identity of each clip; None numbers the clips.
        image_size: side of the frames given out; others are resized, anti-aliased.
        fit: "square" cuts the largest centred square first, "stretch" does not.
        cache: keep every clip that was read in memory, as uint8 at `image_size`.
    """

    def __init__(
        self,
        index: ShardIndex,
        labels: Sequence[int] | Labels | None,
        image_size: int,
        *,
        fit: Fit = "square",
        cache: bool = False,
    ) -> None:
        self.index = index
        self.labels = np.asarray(range(len(index)) if labels is None else labels, np.int64)
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
        try:
            pieces = files.cat_ranges(list(paths), list(starts), list(stops), on_error="return")
        except Exception as error:  # each kind of address fails in its own library's way
            raise self._unreachable(numbers[0], error) from error
        for i, piece in zip(numbers, pieces, strict=True):
            self._fetched[i] = self._whole(i, piece)

    def read(self, i: int, indices: Sequence[int]) -> Tensor:
        """Frames of clip i, (n, 3, S, S) uint8.

        Raises:
            OSError: its shard cannot be reached.
            ValueError: the clip cannot be decoded.
        """
        if i in self._frames:
            return self._frames[i][list(indices)]
        with media.VideoClip(Path(self._called(i)), self._bytes(i)) as clip:
            if clip.num_frames != self.num_frames(i):
                raise ValueError(
                    f"{self._called(i)} has {clip.num_frames} frames, its index says "
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
            return self._fetched[i]
        files, _ = self._filesystem()
        path, start, stop = self._place(i)
        try:
            piece = files.cat_file(path, start=start, end=stop)
        except Exception as error:  # each kind of address fails in its own library's way
            raise self._unreachable(i, error) from error
        return self._whole(i, piece)

    def _whole(self, i: int, piece: bytes | Exception) -> bytes:
        """Return a clip's bytes, or raise what kept them from coming."""
        if isinstance(piece, Exception):
            raise self._unreachable(i, piece) from piece
        if len(piece) != self.index.sizes[i]:
            raise ValueError(
                f"{self._called(i)}: {len(piece)} bytes came instead of {self.index.sizes[i]}: "
                "the shard is truncated, or its host gives no parts of files; copy or pack it again"
            )
        return bytes(piece)

    def _place(self, i: int) -> tuple[str, int, int]:
        _, base = self._filesystem()
        start = int(self.index.offsets[i])
        shard = self.index.shards[self.index.shard[i]]
        return join(base, shard), start, start + int(self.index.sizes[i])

    def _called(self, i: int) -> str:
        """Give a clip's name in messages."""
        return join(self.index.place, self.index.shards[self.index.shard[i]], self.name(i))

    def _unreachable(self, i: int, error: Exception) -> OSError:
        return OSError(
            f"{self._called(i)} cannot be fetched ({reason(error)}): is the place reachable, and "
            "the shard there?"
        )

    def _filesystem(self) -> tuple[Any, str]:
        """Connect once in each process: connections do not survive into workers."""
        if self._files is None or self._files[0] != os.getpid():
            self._files = os.getpid(), *connect(self.index.place)
        return self._files[1], self._files[2]


def open_shards(
    address: str, folders: Mapping[Split, str | None], identities: str
) -> dict[Split, tuple[ShardIndex, Labels]] | None:
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
    return {split: (index, np.array(labels[split], np.int64)) for split, index in indexes.items()}
