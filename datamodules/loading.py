"""How frames reach the model: loaders of this process's share, and what happens on the device."""

from typing import Any

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from datamodules.augment import Augmentation, prepare
from datamodules.items import Item, collate, start_worker
from datamodules.samplers import ShareSampler


class Loading(pl.LightningDataModule):
    """Loads samples in worker processes; frames travel as uint8 and become floats on the device.

    Attributes:
        augmentation: how training pairs are varied.
    """

    augmentation: Augmentation

    def _share(self, dataset: Dataset[Item], items: int, workers: int) -> DataLoader[Any]:
        rank, world = self._process
        sampler = ShareSampler(items, rank=rank, world_size=world)
        return self._loader(dataset, sampler, 1, workers)

    def _loader(
        self, dataset: Dataset[Item], sampler: Sampler[Any], batch_size: int, workers: int
    ) -> DataLoader[Any]:
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=workers,
            collate_fn=collate,
            worker_init_fn=start_worker,
            pin_memory=self._on_gpu,
            persistent_workers=workers > 0,
        )

    @property
    def _process(self) -> tuple[int, int]:
        """Number of this process, and how many there are."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    @property
    def _on_gpu(self) -> bool:
        return self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"

    def transfer_batch_to_device(
        self, batch: dict[str, Any], device: torch.device, dataloader_idx: int
    ) -> dict[str, Any]:
        """Move all but the keys, whose draws are made on the CPU."""
        moved = {name: value for name, value in batch.items() if name != "key"}
        moved = super().transfer_batch_to_device(moved, device, dataloader_idx)
        return {**moved, "key": batch["key"]} if "key" in batch else moved

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> Any:
        """Turn uint8 frames into [0, 1] of the module's type; augment in training."""
        assert self.trainer is not None
        dtype = self.trainer.lightning_module.dtype
        dtype = dtype if isinstance(dtype, torch.dtype) else torch.float32
        return prepare(batch, dtype, self.augmentation if self.trainer.training else None)
