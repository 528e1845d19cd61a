"""`best.ckpt` and `last.ckpt` of a run, written whole or not at all."""

import os
import time
from pathlib import Path
from typing import Any, cast

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loops.fetchers import _DataFetcher

from animators.module import AnimatorModule


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write beside the target, flush to the disk, then move into place.

    Lightning's own writer stages the file in the system's temporary folder and copies it
    when that lies on another disk, so a kill can leave half a checkpoint.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Save `checkpoint` to `path` atomically."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        try:
            with part.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


class Checkpoints(Checkpoint):
    """Keep the newest and the best state of a run.

    Lightning's ModelCheckpoint counts `global_step`, which grows by one for each player;
    this counts optimiser steps of the generator side, and saves only where no
    accumulation window is open.

    Args:
        every_n_steps: optimiser steps between two `last.ckpt`; one is also written at each
            epoch's end.
        monitor: validation metric of `best.ckpt`, lower is better unless `maximise`.
        maximise: higher is better.

    Attributes:
        seconds: that training batches took so far, with their loading and without validation; kept
            over a resume, and written into each checkpoint as `training_seconds`.
    """

    def __init__(
        self, every_n_steps: int = 500, monitor: str = "val/l1", maximise: bool = False
    ) -> None:
        if every_n_steps < 1:
            raise ValueError(f"checkpoints every {every_n_steps} steps: give at least 1")
        self.every_n_steps = every_n_steps
        self.monitor = monitor
        self.maximise = maximise
        self.best: float | None = None
        self.seconds = 0.0
        self._saved = -1
        self._began = 0.0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make this run's checkpoints atomic."""
        trainer.strategy.checkpoint_io = AtomicCheckpointIO()

    def folder(self, trainer: Trainer) -> Path:
        """Where the run keeps its checkpoints."""
        return Path(trainer.default_root_dir) / "checkpoints"

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._began = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save `last.ckpt` every so many optimiser steps."""
        self._read_clock()
        module = cast(AnimatorModule, pl_module)
        steps = module.optimizer_steps
        due = steps % self.every_n_steps == 0 and steps != self._saved and steps > 0
        if due and self._window_closed(trainer, module, batch_idx):
            # a validation that is due now must be repeated after a kill: it saves when done
            loop = trainer.fit_loop.epoch_loop
            if not loop._should_check_val_fx(cast(_DataFetcher, trainer.fit_loop._data_fetcher)):
                self._save(trainer, module, "last.ckpt")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save `best.ckpt` when the metric has improved, and `last.ckpt` beside it."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        value = trainer.callback_metrics.get(self.monitor)
        if value is None:
            known = ", ".join(sorted(k for k in trainer.callback_metrics if k.startswith("val/")))
            raise ValueError(f"no metric {self.monitor!r} to keep the best by; there are: {known}")
        score = float(value) * (-1 if self.maximise else 1)
        improved = self.best is None or score < self.best
        if improved:
            self.best = score
        module = cast(AnimatorModule, pl_module)
        at = trainer.fit_loop.epoch_loop.batch_progress.current.ready - 1
        closed = self._window_closed(trainer, module, at)
        if improved:
            self._save(trainer, module, "best.ckpt")
        if closed:
            self._save(trainer, module, "last.ckpt")

        self._began = time.monotonic()  # validation is no training

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save `last.ckpt`."""
        self._save(trainer, cast(AnimatorModule, pl_module), "last.ckpt")

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Say how long training has taken."""
        checkpoint["training_seconds"] = self.seconds

    def _read_clock(self) -> None:
        now = time.monotonic()
        self.seconds, self._began = self.seconds + now - self._began, now

    def _window_closed(self, trainer: Trainer, module: AnimatorModule, batch: int) -> bool:
        accumulate = module.training_settings.accumulate
        return (batch + 1) % accumulate == 0 or batch + 1 == int(trainer.num_training_batches)

    def _save(self, trainer: Trainer, module: AnimatorModule, name: str) -> None:
        module.check_finite()
        for logger in trainer.loggers:
            logger.save()
        if name == "last.ckpt":
            self._saved = module.optimizer_steps
        trainer.save_checkpoint(self.folder(trainer) / name, weights_only=False)

    def state_dict(self) -> dict[str, Any]:
        """Return the best score and the time taken, for resuming."""
        return {"best": self.best, "saved": self._saved, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the best score."""
        self.best = state_dict["best"]
        self._saved = state_dict["saved"]
        self.seconds = state_dict.get("seconds", 0.0)  # older checkpoints do not say
