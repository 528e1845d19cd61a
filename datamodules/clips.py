"""Clips by number: what a source of clips offers, and a folder of video files as one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import Tensor

from datamodules import media

Fit = Literal["square", "stretch"]


class Clips(Protocol):
    """Clips of one split, all read as square frames of one size.

    Attributes:
        decoded: frames decoded by `read` so far, those passed over on the way included.
    """

    decoded: int

    def __len__(self) -> int: ...

    def name(self, i: int) -> str:
        """Name of clip i, unique in the split."""
        ...

    def identity(self, i: int) -> int:
        """Label of who clip i shows: 0 to n - 1 for the n identities to train on."""
        ...

    def num_frames(self, i: int) -> int:
        """Frames of clip i."""
        ...

    def fps(self, i: int) -> float:
        """Frames per second of clip i."""
        ...

    def read(self, i: int, indices: Sequence[int]) -> Tensor:
        """Frames of clip i, (n, 3, S, S) uint8."""
        ...

    def fetch(self, numbers: Sequence[int]) -> None:
        """Bring near what the next reads want, where it is far away."""
        ...

    def preload(self) -> None:
        """Hold in memory what can be held, before worker processes are started."""
        ...


def sized(frames: media.Frames, image_size: int, fit: Fit) -> Tensor:
    """Bring frames (n, H, W, 3) to the size of the set, (n, 3, S, S) uint8."""
    if fit == "square":
        frames = media.crop_square(frames)
    return media.to_tensor(media.resize(frames, image_size))


class VideoFolder:
    """Files and folders of frames, one a clip, of any kinds `media.open_clip` reads.

    Args:
        paths: the clips, in the order of their numbers.
        labels: identity of each clip.
        image_size: side of the frames given out; others are resized, anti-aliased.
        fit: "square" cuts the largest centred square first, "stretch" does not.
        cache: keep every clip that was read in memory, as uint8 at `image_size`.
        frame_width: width of one frame in strips; None takes their height.

    Attributes:
        decoded: frames decoded by `read` so far, those passed over on the way included.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        labels: Sequence[int],
        image_size: int,
        *,
        fit: Fit = "square",
        cache: bool = False,
        frame_width: int | None = None,
    ) -> None:
        self.paths = list(paths)
        self.labels = list(labels)
        self.image_size = image_size
        self.fit = fit
        self.cache = cache
        self.frame_width = frame_width
        self.decoded = 0
        self._facts: dict[int, tuple[int, float]] = {}
        self._frames: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, i: int) -> str:
        """File name of clip i."""
        return self.paths[i].name

    def identity(self, i: int) -> int:
        """Label of who clip i shows."""
        return self.labels[i]

    def num_frames(self, i: int) -> int:
        """Frames of clip i; the file is opened once."""
        return self._look(i)[0]

    def fps(self, i: int) -> float:
        """Frames per second of clip i."""
        return self._look(i)[1]

    def read(self, i: int, indices: Sequence[int]) -> Tensor:
        """Frames of clip i, (n, 3, S, S) uint8.

        Raises:
            ValueError: the file cannot be decoded.
        """
        if i in self._frames:
            return self._frames[i][list(indices)]
        with self._open(i) as clip:
            if self.cache:
                self._frames[i] = torch.cat([self._sized(f[None]) for f in clip])
                return self._frames[i][list(indices)]
            frames = clip.read(indices)
            self.decoded += clip.decoded
        return self._sized(frames)

    def fetch(self, numbers: Sequence[int]) -> None:
        """Do nothing: files are near."""

    def forget(self) -> None:
        """Forget what was learnt of the files, and the frames that were kept."""
        self._facts.clear()
        self._frames.clear()

    def preload(self) -> None:
        """Read every clip, if they are to be kept at all."""
        if self.cache:
            for i in range(len(self)):
                self.read(i, [0])

    def _open(self, i: int) -> media.Clip:
        return media.open_clip(self.paths[i], strips=True, frame_width=self.frame_width)

    def _look(self, i: int) -> tuple[int, float]:
        if i not in self._facts:
            with self._open(i) as clip:
                self._facts[i] = clip.num_frames, float(clip.fps)
        return self._facts[i]

    def _sized(self, frames: media.Frames) -> Tensor:
        return sized(frames, self.image_size, self.fit)
