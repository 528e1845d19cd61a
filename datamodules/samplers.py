"""The order of training: from (seed, epoch) alone, dealt to processes, taken up anywhere."""

from collections.abc import Iterator

import torch
from torch.utils.data import Sampler

from animators.nn.draws import generator

Key = tuple[int, int]


class EpochSampler(Sampler[Key]):
    """Yields (epoch, index) in an order that depends on seed and epoch alone.

    The global batch of `batch_size * world_size` indices is dealt to the processes in turn,
    so that they see together what one process with the larger batch sees. Every batch is
    full: the last few indices of an epoch's order are left for another epoch.

    Args:
        items: indices in an epoch.
        batch_size: of one process.
        seed: of the run.
        rank: number of this process.
        world_size: how many there are.

    Raises:
        ValueError: an epoch does not fill one global batch.
    """

    def __init__(
        self, items: int, batch_size: int, seed: int, *, rank: int = 0, world_size: int = 1
    ) -> None:
        self.items = items
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self._start = (0, 0)
        if self.batches == 0:
            whole = batch_size * world_size
            raise ValueError(
                f"an epoch of {items} pairs does not fill one batch of {batch_size}"
                + (f" on each of {world_size} processes" if world_size > 1 else "")
                + f": lower data.batch_size, or set data.repeats at least {-(-whole // items)} "
                "times as high"
            )

    @property
    def batches(self) -> int:
        """Batches in an epoch."""
        return self.items // (self.batch_size * self.world_size)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; Lightning calls this before each."""
        self.epoch = epoch

    def position(self, done: int, batches: float) -> dict[str, int]:
        """What a checkpoint keeps: where to go on.

        Args:
            done: batches of the running epoch that are done.
            batches: how many of them make an epoch for the trainer, which may stop early.
        """
        epoch, batch = (self.epoch + 1, 0) if done >= batches else (self.epoch, done)
        return {"epoch": epoch, "batch": batch, **self._measures()}

    def take_up(self, position: dict[str, int]) -> None:
        """Make the position's epoch begin at its batch; other epochs begin at 0.

        The epoch is set as well, since workers fetch ahead before Lightning sets it.

        Raises:
            ValueError: the position lies in the middle of an epoch of other batches.
        """
        mine = self._measures()
        if position["batch"] and any(position[name] != value for name, value in mine.items()):
            raise ValueError(
                f"the checkpoint was written after batch {position['batch']} of an epoch of "
                f"{position['items']} pairs in batches of {position['whole_batch']} over all "
                f"processes; here are {mine['items']} pairs in batches of {mine['whole_batch']}: "
                "resume with the same data, batch size and number of processes, or begin anew "
                "from its weights"
            )
        self.epoch = position["epoch"]
        self._start = (position["epoch"], position["batch"])

    def _measures(self) -> dict[str, int]:
        return {"items": self.items, "whole_batch": self.batch_size * self.world_size}

    def __len__(self) -> int:
        """Samples of this process in a whole epoch, wherever it begins.

        Lightning adds the batches already done itself when it looks for the epoch's end.
        """
        return self.batches * self.batch_size

    def __iter__(self) -> Iterator[Key]:
        epoch = self.epoch
        order = torch.randperm(self.items, generator=generator(self.seed, "order", epoch))
        own = order[self.rank :: self.world_size][: len(self)].tolist()
        begin = self._start[1] * self.batch_size if epoch == self._start[0] else 0
        for index in own[begin:]:
            yield epoch, index


class ShareSampler(Sampler[tuple[int, bool]]):
    """Deals things to be scored once to several processes, the same number to each.

    Yields (index, counts); counts is False for what only fills the last round, because
    processes that take different numbers of steps would wait for each other for ever.

    Args:
        items: how many things there are.
        rank: number of this process.
        world_size: how many there are.
    """

    def __init__(self, items: int, *, rank: int = 0, world_size: int = 1) -> None:
        self.items = items
        self.rank = rank
        self.world_size = world_size

    def __len__(self) -> int:
        return -(-self.items // self.world_size)

    def __iter__(self) -> Iterator[tuple[int, bool]]:
        for turn in range(len(self)):
            index = turn * self.world_size + self.rank
            yield index % self.items, index < self.items
