"""What a film shows: a clip to be rebuilt, or a source picture to be moved by another's clip."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from animators.animator import Mode
from benchmarks.page.fields import Field, read_field
from datamodules import media

if TYPE_CHECKING:
    from animators.module import AnimatorModule
    from datamodules import FramePairs


@dataclass(frozen=True)
class Scene:
    """One film's material, on the CPU.

    Attributes:
        name: of the clip, or of source and driving clip.
        source: (1, 3, H, W) in [0, 1].
        references: (1, N, 3, H, W), further views of the source.
        driving: (1, T, 3, H, W) in [0, 1].
        fps: of the driving clip.
        indices: numbers of its frames that are shown.
        mode: how motion is handed over; None rebuilds the clip from its own first frame.
    """

    name: str
    source: Tensor
    references: Tensor
    driving: Tensor
    fps: float
    indices: list[int]
    mode: Mode | None = None

    def made_by(self, animator: "AnimatorModule") -> Tensor:
        """Let an animator draw the scene, (T, 3, H, W) in [0, 1]."""
        given = self.references if animator.several_views else None
        if self.mode is None:
            return animator.reconstruct(self.driving, given)[0].cpu()
        return animator.animate(self.source, self.driving, given, mode=self.mode)[0].cpu()

    def field_of(self, animator: "AnimatorModule", frame: int) -> Field | None:
        """Read the field that an animator draws one frame with; None where it has no such part."""
        source = self.source
        if animator.several_views:
            source = torch.cat([source[:, None], self.references], dim=1)
        first, driving = self.driving[:, 0], self.driving[:, frame]
        return read_field(animator, source, driving, mode=self.mode, reference=first)


def rebuilt(data: "FramePairs", limit: int) -> Iterator[Scene]:
    """Give the first test clips, each with its own first frame as the source."""
    for batch in islice(data.test_dataloader(), limit):
        video = media.to_float(batch["video"])
        yield Scene(
            name=batch["name"][0],
            source=video[:, 0],
            references=media.to_float(batch["references"]),
            driving=video,
            fps=float(batch["fps"][0]),
            indices=batch["frame_index"][0].tolist(),
        )


def crossed(data: "FramePairs", limit: int, mode: Mode) -> Iterator[Scene]:
    """Give the first cross-identity pairs.

    Raises:
        ValueError: there are no such pairs.
    """
    for batch in islice(data.predict_dataloader(), limit):
        yield Scene(
            name=f"{batch['source_name'][0]} moved by {batch['driving_name'][0]}",
            source=media.to_float(batch["source"]),
            references=media.to_float(batch["references"]),
            driving=media.to_float(batch["driving"]),
            fps=float(batch["fps"][0]),
            indices=batch["frame_index"][0].tolist(),
            mode=mode,
        )
