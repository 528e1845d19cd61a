"""The one datamodule: frame pairs, whole clips and cross-identity pairs from any set."""

from functools import cached_property
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from datamodules.augment import Augmentation, named, prepare
from datamodules.clips import Clips, Fit, VideoFolder
from datamodules.items import (
    ClipDataset,
    CrossDataset,
    Item,
    PairDataset,
    collate,
    drawn_pairs,
    listed_pairs,
    need_frames,
)
from datamodules.samplers import EpochSampler, ShareSampler
from datamodules.splits import Split, find_clips, identity_rule, label_identities
from datamodules.toy import ToyClips, ToySettings


class FramePairs(pl.LightningDataModule):
    """Gives every animator its data, from a folder of clips or from the built-in toy.

    Training batches are `PairBatch`, validation and test `ClipBatch`, prediction
    `CrossBatch`. Every draw depends on (seed, epoch, index) alone. The module brings its own
    sampler, so the trainer needs `use_distributed_sampler: false`.

    Args:
        root: folder of the set; None takes the toy.
        train: folder below root of the clips to train on.
        test: folder below root of the clips to validate and test on.
        toy: how much toy data; None takes the defaults. Only without root.
        split_file: below root; all clips then lie in root itself, and the file says which
            are which: a CSV with columns name and split, or a text of the test clips' names.
        image_size: side of the frames; the network's too.
        batch_size: pairs of a batch on one process.
        num_workers: processes that load training pairs; 0 loads in the main one.
        seed: what every draw depends on, with epoch and index.
        identities: who is shown: "clip" (each clip somebody else), "prefix(#)" (the name up
            to a mark), "csv(path,column)" (a column of a table below root). Not for the toy.
        identity_sampling: an epoch passes over identities, drawing a clip of each, instead of
            over clips.
        repeats: passes in one epoch.
        references: further frames of the source's clip in every batch.
        augment: name of a paper's settings, or the settings themselves.
        frames: equally spaced frames of each clip to score; None takes all.
        cross_pairs: how many test pairs of different identities to draw, or a CSV with
            columns source and driving.
        fit: what happens to frames that are not square: "square" cuts the middle out,
            "stretch" distorts.
        cache: keep decoded clips in memory; for small sets.
        frame_width: width of one frame in strips of frames; None takes their height.

    Raises:
        ValueError: an argument out of its range, or root and toy together.
    """

    def __init__(
        self,
        root: str | None = None,
        train: str = "train",
        test: str = "test",
        toy: ToySettings | None = None,
        split_file: str | None = None,
        image_size: int = 256,
        batch_size: int = 32,
        num_workers: int = 0,
        seed: int = 0,
        identities: str = "clip",
        identity_sampling: bool = False,
        repeats: int = 1,
        references: int = 0,
        augment: str | Augmentation = "none",
        frames: int | None = 32,
        cross_pairs: int | str = 0,
        fit: Fit = "square",
        cache: bool = False,
        frame_width: int | None = None,
    ) -> None:
        super().__init__()
        if root is not None and toy is not None:
            raise ValueError("data.root and data.toy exclude each other: set one to null")
        least = {"image_size": 2, "batch_size": 1, "repeats": 1, "references": 0, "num_workers": 0}
        values = locals()
        for name, low in least.items():
            if values[name] < low:
                raise ValueError(f"data.{name} must be at least {low}, got {values[name]}")
        if frames is not None and frames < 2:
            raise ValueError(f"data.frames must be at least 2, or null for all, got {frames}")
        self.root = None if root is None else Path(root)
        self.folders: dict[Split, str] = {"train": train, "test": test}
        self.toy = toy or ToySettings()
        self.split_file = split_file
        self.image_size = image_size
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.identities = identities
        self.identity_sampling = identity_sampling
        self.repeats = repeats
        self.references = references
        self.augmentation = named(augment)
        self.frames = frames
        self.cross_pairs = cross_pairs
        self.fit: Fit = fit
        self.cache = cache
        self.frame_width = frame_width
        self._sampler: EpochSampler | None = None
        self._resume: dict[str, int] | None = None

    # Clips.

    @cached_property
    def train_clips(self) -> Clips:
        """Clips to train on."""
        return self._clips("train")

    @cached_property
    def test_clips(self) -> Clips:
        """Clips to validate and test on."""
        return self._clips("test")

    @property
    def num_identities(self) -> int:
        """Identities among the train clips; 0 while the set cannot be read."""
        try:
            clips = self.train_clips
        except (OSError, ValueError):  # said again, and not caught, at setup
            return 0
        return len({clips.identity(i) for i in range(len(clips))})

    def setup(self, stage: str) -> None:
        """Find the clips of the splits that the stage needs.

        Raises:
            FileNotFoundError: the set is not there; names it and says what to do.
            ValueError: a set without clips, or a list that does not fit it.
        """
        if stage == "fit":
            clips = self.train_clips
            if self._held:
                for i in range(len(clips)):
                    need_frames(clips, i, max(2, self.references + 1))
                if self.num_workers:
                    clips.preload()  # before workers start, so that they share one copy
        clips = self.test_clips
        if self._held:
            for i in range(len(clips)):
                need_frames(clips, i, self.references + 2)

    @property
    def _held(self) -> bool:
        """Whether clips are kept in memory: a small set, all of which can be looked at."""
        return self.cache or self.root is None

    def _clips(self, split: Split) -> Clips:
        if self.root is None:
            return ToyClips(self.toy, split, self.image_size)
        paths = find_clips(self.root, self.folders, self.split_file)
        labels = label_identities(paths, identity_rule(self.identities, self.root))
        return VideoFolder(
            paths[split],
            labels[split],
            self.image_size,
            fit=self.fit,
            cache=self.cache,
            frame_width=self.frame_width,
        )

    # Loaders.

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches of `PairBatch`, in the order of (seed, epoch).

        Raises:
            ValueError: an epoch does not fill a batch, or the checkpoint to resume from was
                written in the middle of an epoch of other batches.
        """
        dataset = PairDataset(
            self.train_clips,
            self.seed,
            references=self.references,
            identity_sampling=self.identity_sampling,
            repeats=self.repeats,
            reverse=self.augmentation.reverse,
        )
        rank, world = self._process
        self._sampler = EpochSampler(
            len(dataset), self.batch_size, self.seed, rank=rank, world_size=world
        )
        if self._resume is not None:
            self._sampler.take_up(self._resume)
            self._resume = None
        return self._loader(dataset, self._sampler, self.batch_size, self.num_workers)

    def val_dataloader(self) -> DataLoader[Any]:
        """Batches of `ClipBatch`, one clip each, in the order of their names."""
        dataset = ClipDataset(self.test_clips, self.frames, self.references)
        return self._share(dataset, len(dataset))

    def test_dataloader(self) -> DataLoader[Any]:
        """As validation."""
        return self.val_dataloader()

    def predict_dataloader(self) -> DataLoader[Any]:
        """Batches of `CrossBatch`, one pair each.

        Raises:
            ValueError: no cross-identity pairs were asked for, or they cannot be had.
        """
        if not self.cross_pairs:
            raise ValueError("set data.cross_pairs to a number or a CSV to have cross pairs")
        clips = self.test_clips
        if isinstance(self.cross_pairs, int):
            pairs = drawn_pairs(clips, self.cross_pairs, self.seed)
        else:
            pairs = listed_pairs(clips, Path(self.cross_pairs))
        return self._share(CrossDataset(clips, pairs, self.frames, self.references), len(pairs))

    def _share(self, dataset: Dataset[Item], items: int) -> DataLoader[Any]:
        rank, world = self._process
        sampler = ShareSampler(items, rank=rank, world_size=world)
        # a clip held in memory is not worth a process that would hold it once more
        return self._loader(dataset, sampler, 1, 0 if self._held else self.num_workers)

    def _loader(
        self, dataset: Dataset[Item], sampler: Sampler[Any], batch_size: int, workers: int
    ) -> DataLoader[Any]:
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=workers,
            collate_fn=collate,
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

    # On the device.

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

    # Resume.

    def state_dict(self) -> dict[str, int]:
        """Where training stands: epoch, batches done in it, and how long a batch is."""
        if self._sampler is None or self.trainer is None:
            return {}
        # processed counts batches that are through their step, in whatever hook this is called
        progress: Any = self.trainer.fit_loop.epoch_loop.batch_progress.current
        return self._sampler.position(progress.processed, self.trainer.num_training_batches)

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Make the next training loader begin where the checkpoint was written."""
        self._resume = dict(state_dict)
