"""The one datamodule: frame pairs, whole clips and cross-identity pairs from any set."""

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from datamodules.augment import Augmentation, named
from datamodules.clips import Clips, Fit, VideoFolder
from datamodules.cross import pairs_of
from datamodules.items import ClipDataset, CrossDataset, PairDataset, need_frames
from datamodules.loading import Loading
from datamodules.samplers import EpochSampler
from datamodules.shards import Labels, ShardClips, ShardIndex, join, open_shards
from datamodules.splits import About, Split, fingerprint, labelled_clips, list_clips
from datamodules.toy import ToyClips, ToySettings


class FramePairs(Loading):
    """Gives every animator its data, from a folder of clips or from the built-in toy.

    Training batches are `PairBatch`, validation and test `ClipBatch`, prediction
    `CrossBatch`. Every draw depends on (seed, epoch, index) alone. The module brings its own
    sampler, so the trainer needs `use_distributed_sampler: false`.

    Args:
        root: folder of the set, or the address of its shards, such as s3://bucket/vox; None
            takes the toy.
        train: folder below root of the clips to train on; None for a set to test on only.
        test: folder below root of the clips to validate and test on.
        toy: how much toy data; None takes the defaults. Only without root.
        split_file: below root; says which clips are which, whether they lie in the folders
            of the splits or in root itself: a CSV with columns name and split, or a text of
            the test clips' names.
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
        cross_pairs: how many test pairs of different identities to draw, "each(2)" for two
            of each test clip, or a CSV with columns source and driving.
        sources: folder below root of pictures or clips whose first frames are the sources of
            cross pairs; None takes them from the test clips.
        fit: what happens to frames that are not square: "square" cuts the middle out,
            "stretch" distorts.
        cache: keep decoded clips in memory; for small sets.
        frame_width: width of one frame in strips of frames; None takes their height.
        split_name: what the split is called in the name of every protocol.
        about: what is said where the set is missing.

    Raises:
        ValueError: an argument out of its range, or root and toy together.
    """

    def __init__(
        self,
        root: str | None = None,
        train: str | None = "train",
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
        sources: str | None = None,
        fit: Fit = "square",
        cache: bool = False,
        frame_width: int | None = None,
        split_name: str = "own",
        about: About | None = None,
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
        if re.fullmatch(r"[A-Za-z0-9.-]+", split_name) is None:
            raise ValueError(f"data.split_name {split_name!r}: use letters, digits, dots, hyphens")
        self.root = None if root is None else Path(root)
        self.address = None if root is None else root
        self.folders: dict[Split, str | None] = {"train": train, "test": test}
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
        self.sources = sources
        self.fit: Fit = fit
        self.cache = cache
        self.frame_width = frame_width
        self.split_name = split_name
        self.about = about
        self._sampler: EpochSampler | None = None
        self._resume: dict[str, int] | None = None

    # Clips.

    @cached_property
    def train_clips(self) -> Clips:
        """Clips to train on.

        Raises:
            ValueError: the set has none.
        """
        if self.folders["train"] is None:
            name = "" if self.about is None else f" ({self.about.what})"
            raise ValueError(
                f"{self.folders['test']}{name} is a set to test on or to take sources from; "
                "nothing to train on (data.train is null)"
            )
        return self._clips("train")

    @cached_property
    def test_clips(self) -> Clips:
        """Clips to validate and test on."""
        return self._clips("test")

    @cached_property
    def source_clips(self) -> Clips:
        """Clips whose first frames are the sources of cross pairs."""
        if self.sources is None:
            return self.test_clips
        if self.root is None:
            raise ValueError(
                f"data.sources {self.sources!r} is a folder below data.root; toy has none"
            )
        if self._shards is not None:
            return self._sharded(ShardIndex(join(str(self.address), self.sources)))
        paths = list_clips(self.root / self.sources)
        return self._folder(paths, range(len(paths)))

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Numbers of (source, driving) clips, as `cross_pairs` asks for them."""
        return pairs_of(self.cross_pairs, self.source_clips, self.test_clips, self.seed)

    @property
    def test_names(self) -> str:
        """Which test clips there really are: their number and a hash of their names."""
        clips = self.test_clips
        return fingerprint(clips.name(i) for i in range(len(clips)))

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

    @property
    def _scoring_workers(self) -> int:
        # a clip held in memory is not worth a process that would hold it once more
        return 0 if self._held else self.num_workers

    def _clips(self, split: Split) -> Clips:
        if self.root is None:
            return ToyClips(self.toy, split, self.image_size)
        if self._shards is not None:
            return self._sharded(*self._shards[split])
        return self._folder(*self._listed[split])

    @cached_property
    def _listed(self) -> dict[Split, tuple[list[Path], list[int]]]:
        """The clips of every split, with the number of whom each shows."""
        assert self.root is not None
        how = self.folders, self.split_file, self.identities, self.about
        return labelled_clips(self.root, *how)

    @cached_property
    def _shards(self) -> "dict[Split, tuple[ShardIndex, Labels]] | None":
        """The splits in shards, with everybody's number; None where the set lies in files."""
        opened = open_shards(str(self.address), self.folders, self.identities)
        if opened is not None and self.split_file is not None:
            raise ValueError("data.split_file does not apply to shards: deal clips before packing")
        return opened

    def _sharded(self, index: ShardIndex, labels: Labels | None = None) -> Clips:
        return ShardClips(index, labels, self.image_size, fit=self.fit, cache=self.cache)

    def _folder(self, paths: Sequence[Path], labels: Sequence[int]) -> Clips:
        how: Any = {"fit": self.fit, "cache": self.cache, "frame_width": self.frame_width}
        return VideoFolder(paths, labels, self.image_size, **how)

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
        return self._share(dataset, len(dataset), self._scoring_workers)

    def test_dataloader(self) -> DataLoader[Any]:
        """As validation."""
        return self.val_dataloader()

    def predict_dataloader(self) -> DataLoader[Any]:
        """Batches of `CrossBatch`, one pair each.

        Raises:
            ValueError: none were asked for, or they cannot be had.
        """
        clips, sources, pairs = self.test_clips, self.source_clips, self.pairs
        dataset = CrossDataset(sources, clips, pairs, self.frames, self.references)
        return self._share(dataset, len(pairs), self._scoring_workers)

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
