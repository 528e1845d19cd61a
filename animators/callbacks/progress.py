"""A progress bar that says how fast, and how long still."""

import time
from datetime import timedelta
from typing import Any, cast

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

from animators.module import AnimatorModule


class Progress(TQDMProgressBar):
    """Lightning's bar with pairs per second over all devices, and the time left of the run."""

    def __init__(self, refresh_rate: int = 10) -> None:
        super().__init__(refresh_rate=refresh_rate)
        self._began = 0.0
        self._pairs = 0
        self._batches = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock where this process starts, which may be in the middle of a run."""
        super().on_train_start(trainer, pl_module)
        self._began, self._batches = time.monotonic(), self._done(trainer)
        self._pairs = cast(AnimatorModule, pl_module).pairs_seen

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """Add speed and time left to what the module logs."""
        metrics: dict[str, Any] = dict(super().get_metrics(trainer, pl_module))
        metrics.pop("v_num", None)
        seconds = time.monotonic() - self._began
        batches = self._done(trainer) - self._batches
        if trainer.training and batches > 0:
            pairs = cast(AnimatorModule, pl_module).pairs_seen - self._pairs
            metrics["pairs/s"] = f"{pairs / seconds:.1f}"
            total = self._total(trainer)
            if total is not None:
                left = (total - self._done(trainer)) * seconds / batches
                metrics["left"] = str(timedelta(seconds=round(max(0.0, left))))
        return metrics

    def _done(self, trainer: Trainer) -> int:
        return trainer.fit_loop.epoch_loop.total_batch_idx + 1

    def _total(self, trainer: Trainer) -> int | None:
        epochs = trainer.max_epochs
        if epochs is None or epochs < 0:
            return None
        return epochs * int(trainer.num_training_batches)
