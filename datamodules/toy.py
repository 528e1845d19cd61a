"""The built-in data: puppets and cartoon heads that move, drawn in memory.

Who is shown and how it moves are known: identities, keypoints. Test clips show identities
and motions that no train clip shows. Everything follows from the settings' seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from datamodules.drawing import Array, Canvas, Numbers
from datamodules.figures import paint_head, paint_puppet


@dataclass(frozen=True)
class ToySettings:
    """How much toy data there is.

    Attributes:
        train_clips: clips to train on, dealt to the identities in turn.
        test_clips: clips to evaluate.
        frames: frames of each clip.
        identities: different figures among the train clips.
        test_identities: further figures, in test clips only.
        kind: "puppet" (whole bodies), "head" (cartoon heads) or "both" in turn.
        fps: frames per second that the clips claim to have.
        seed: what all figures, grounds and motions are drawn from.
    """

    train_clips: int = 96
    test_clips: int = 8
    frames: int = 32
    identities: int = 24
    test_identities: int = 4
    kind: Literal["both", "puppet", "head"] = "both"
    fps: float = 25.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that leave nothing to show.

        Raises:
            ValueError: a number that is too small, or more identities than clips.
        """
        for name, least in (
            ("frames", 2), ("identities", 1), ("test_identities", 1),
        ):  # fmt: skip
            if getattr(self, name) < least:
                raise ValueError(f"toy.{name} must be at least {least}, got {getattr(self, name)}")
        for clips, identities in (
            ("train_clips", "identities"), ("test_clips", "test_identities"),
        ):  # fmt: skip
            if getattr(self, clips) < getattr(self, identities):
                raise ValueError(
                    f"toy.{clips}={getattr(self, clips)} cannot show "
                    f"toy.{identities}={getattr(self, identities)}: one clip each at least"
                )


class ToyClips:
    """One split of the toy data; implements `datamodules.clips.Clips`.

    Args:
        settings: how much of it.
        split: "train" or "test".
        image_size: side of the frames in pixels.
    """

    def __init__(
        self, settings: ToySettings, split: Literal["train", "test"], image_size: int
    ) -> None:
        self.decoded = 0  # nothing is: frames are drawn
        self.settings = settings
        self.split = split
        self.image_size = image_size
        self._drawn: dict[int, Tensor] = {}

    def __len__(self) -> int:
        test = self.split == "test"
        return self.settings.test_clips if test else self.settings.train_clips

    def name(self, i: int) -> str:
        """Name of clip i: kind, identity, `#`, clip."""
        return f"{self._kind(i)}{self.identity(i):03d}#{self.split}{i:04d}"

    def identity(self, i: int) -> int:
        """Label of the figure; those of test clips follow those of train clips."""
        if self.split == "test":
            return self.settings.identities + i % self.settings.test_identities
        return i % self.settings.identities

    def num_frames(self, i: int) -> int:
        """Frames of clip i."""
        return self.settings.frames

    def fps(self, i: int) -> float:
        """Frames per second of clip i."""
        return self.settings.fps

    def read(self, i: int, indices: Sequence[int]) -> Tensor:
        """Frames of clip i, (n, 3, S, S) uint8; a clip is drawn when first asked for."""
        if i not in self._drawn:
            self._drawn[i] = torch.from_numpy(self._draw(i)[0].uint8())
        return self._drawn[i][list(indices)]

    def fetch(self, numbers: Sequence[int]) -> None:
        """Do nothing: clips are drawn here."""

    def preload(self) -> None:
        """Draw every clip now, so that worker processes share them."""
        for i in range(len(self)):
            self.read(i, [0])

    def keypoints(self, i: int, indices: Sequence[int]) -> Tensor:
        """True keypoints of clip i, (n, 15, 2) float32 xy in [-1, 1].

        Puppets: head, neck, pelvis, then left and right shoulder, elbow, hand, hip, knee,
        foot. Heads: crown, nose, chin, then left and right ear, eye, pupil, brow, mouth
        corner, and upper and lower lip.
        """
        return torch.from_numpy(self._draw(i, paint=False)[1])[list(indices)]

    def _kind(self, i: int) -> str:
        if self.settings.kind != "both":
            return self.settings.kind
        return ("puppet", "head")[self.identity(i) % 2]

    def _draw(self, i: int, *, paint: bool = True) -> tuple[Canvas, Array]:
        """Draw clip i; without paint, only its keypoints are worked out."""
        seed = self.settings.seed
        looks = Numbers(seed, "toy identity", self.identity(i))
        motion = Numbers(seed, "toy motion", self.split, i)
        canvas = Canvas(self.settings.frames, self.image_size if paint else 2)
        canvas.ground(Numbers(seed, "toy ground", self.split, i))
        figure = {"puppet": paint_puppet, "head": paint_head}[self._kind(i)]
        points = figure(canvas, looks, motion, self.settings.frames)
        return canvas, np.stack(points, axis=1).astype(np.float32)
