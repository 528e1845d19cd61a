"""A net under the random draws that no sample's key reaches."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from animators.nn.draws import generator


class SeedEachBatch(Callback):
    """Reseed torch from (seed, epoch, batch, rank) before each training batch.

    Every draw of the project comes from its sample's key; dropout and whatever a library
    draws from the global state is made repeatable here, so that a resumed run continues
    as the unbroken one did.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed the CPU's and the devices' generators."""
        key = (trainer.current_epoch, batch_idx, trainer.global_rank, "batch")
        torch.manual_seed(generator(self.seed, *key).initial_seed())
