"""Pictures of the validation clips, on disk and in every logger that takes pictures."""

from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from PIL import Image
from torch import Tensor

from animators.callbacks.csv import RunCsv
from animators.callbacks.curves import draw_curves
from animators.module import AnimatorModule


class SampleClips(Callback):
    """After each validation: one strip a clip, driving frames above, reconstruction below.

    The first picture of both rows is the source. Strips go to `samples/` of the run's
    folder; the curves of `metrics.csv` to `curves.png` there.

    Args:
        clips: how many of the first validation clips are shown.
        frames: driving frames a strip, equally spaced.
    """

    def __init__(self, clips: int = 4, frames: int = 6) -> None:
        self.clips = clips
        self.frames = frames
        self._strips: list[Tensor] = []

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the last validation's strips."""
        self._strips = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the strip of one clip."""
        if trainer.is_global_zero and len(self._strips) < self.clips:
            self._strips.append(strip(batch["video"][0], outputs[0], self.frames))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the strips and the curves."""
        if not trainer.is_global_zero or trainer.sanity_checking or not self._strips:
            return
        batches = cast(AnimatorModule, pl_module).batches_seen
        folder = Path(trainer.default_root_dir) / "samples"
        folder.mkdir(parents=True, exist_ok=True)
        width = min(s.shape[2] for s in self._strips)
        picture = torch.cat([s[:, :, :width] for s in self._strips], dim=1)
        array = picture.permute(1, 2, 0).numpy()
        Image.fromarray(array).save(folder / f"batch-{batches:07d}.png")
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("val/clips", picture, batches)
            elif isinstance(logger, WandbLogger):
                logger.log_image("val/clips", [array], step=batches)
            elif isinstance(logger, RunCsv):
                logger.save()
                draw_curves(Path(logger.log_dir) / "metrics.csv", folder.parent / "curves.png")


def strip(video: Tensor, prediction: Tensor, frames: int) -> Tensor:
    """Lay a clip over its reconstruction.

    Args:
        video: (T, 3, H, W) in [0, 1], frame 0 the source.
        prediction: (T, 3, H, W) in [0, 1].
        frames: driving frames shown.

    Returns:
        (3, 2 H, W (frames + 1)) uint8 on the CPU.
    """
    shown = torch.linspace(0, len(video) - 1, min(frames + 1, len(video))).round().long()
    above = torch.cat(list(video[shown]), dim=2)
    below = torch.cat([video[0], *prediction[shown[1:]]], dim=2)
    return (torch.cat([above, below], dim=1).clamp(0, 1) * 255).round().byte().cpu()
