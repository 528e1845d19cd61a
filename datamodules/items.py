"""What a loader fetches: pairs to train on, clips to score, pictures with a clip to follow."""

import gc
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from animators.nn.draws import generator, uniform
from datamodules.clips import Clips

Item = dict[str, Any]


def collate(items: Sequence[Mapping[str, Any]]) -> Item:
    """Stack tensors and list everything else, key by key."""
    columns = {key: [item[key] for item in items] for key in items[0]}
    return {
        # in a worker, torch's own stacks right into the memory that the main process will see
        key: default_collate(column) if isinstance(column[0], Tensor) else column
        for key, column in columns.items()
    }


def start_worker(number: int) -> None:
    """Leave what the main process made out of garbage collection, which writes to all it visits.

    Otherwise a worker would come to hold its own copy of pages that it shares.
    """
    gc.freeze()


class PairDataset(Dataset[Item]):
    """Two different frames of one clip, fetched by (epoch, index).

    Args:
        clips: where frames come from.
        seed: of the run.
        references: further frames, drawn without the driving frame and without each other.
        identity_sampling: an item is an identity, one of whose clips is drawn; else a clip.
        repeats: passes over the items in one epoch, each with its own draws.
        reverse: None draws source and driving in any order; a chance draws them in the
            order of time and exchanges them that often.
    """

    def __init__(
        self,
        clips: Clips,
        seed: int,
        *,
        references: int = 0,
        identity_sampling: bool = False,
        repeats: int = 1,
        reverse: float | None = None,
    ) -> None:
        self.clips = clips
        self.seed = seed
        self.references = references
        self.repeats = repeats
        self.reverse = reverse
        labels = np.arange(len(clips))
        if identity_sampling:
            labels = np.array([clips.identity(i) for i in range(len(clips))])
        # arrays, which workers share; a list in a list they would copy, page by page
        self._members = np.argsort(labels, kind="stable")
        _, counts = np.unique(labels, return_counts=True)
        self._stops = np.cumsum(counts)

    def __len__(self) -> int:
        return len(self._stops) * self.repeats

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> list[Item]:
        """Fetch a batch: what lies far away is asked for at once."""
        drawn = [self._draw(key) for key in keys]
        self.clips.fetch([i for i, _ in drawn])
        return [self._item(i, item) for i, item in drawn]

    def __getitem__(self, key: tuple[int, int]) -> Item:
        return self._item(*self._draw(key))

    def _draw(self, key: tuple[int, int]) -> tuple[int, Item]:
        """Draw a clip and its frames; their numbers and all but the pixels of the item."""
        epoch, index = key
        draw = generator(self.seed, epoch, index, "pair")

        def below(n: int) -> int:
            return int(torch.randint(n, (), generator=draw))

        item = index % len(self._stops)
        start = int(self._stops[item - 1]) if item else 0
        i = int(self._members[start + below(int(self._stops[item]) - start)])
        frames = self.clips.num_frames(i)
        need_frames(self.clips, i, max(2, self.references + 1))
        source, driving = below(frames), below(frames - 1)
        driving += driving >= source
        sample_key = torch.tensor([self.seed, epoch, index])
        if self.reverse is not None:
            source, driving = sorted((source, driving))
            if is_reversed(sample_key[None], self.reverse).item():
                source, driving = driving, source
        others = torch.randperm(frames - 1, generator=draw)[: self.references]
        others += others >= driving
        return i, {
            "reference_index": others,
            "frame_index": torch.tensor([source, driving]),
            "identity": torch.tensor(self.clips.identity(i)),
            "key": sample_key,
            "name": self.clips.name(i),
        }

    def _item(self, i: int, drawn: Item) -> Item:
        frames = [*drawn["frame_index"].tolist(), *drawn["reference_index"].tolist()]
        pixels = self.clips.read(i, frames)
        return {"source": pixels[0], "driving": pixels[1], "references": pixels[2:], **drawn}


def is_reversed(keys: Tensor, chance: float) -> Tensor:
    """Whether the pairs of these keys (B, 3) run backwards, (B,) bool."""
    return uniform(keys, "reverse") < chance


class ClipDataset(Dataset[Item]):
    """Whole clips to score, fetched by (index, counts); nothing is drawn.

    Args:
        clips: where frames come from.
        frames: equally spaced frames of each clip, frame 0 first; None takes all.
        references: frames that are not scored, equally spaced among those.
    """

    def __init__(self, clips: Clips, frames: int | None, references: int = 0) -> None:
        self.clips = clips
        self.frames = frames
        self.references = references

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, key: tuple[int, bool]) -> Item:
        i, counts = key
        need_frames(self.clips, i, self.references + 2)
        scored, references = scored_frames(self.clips.num_frames(i), self.frames, self.references)
        pixels = self.clips.read(i, scored + references)
        return {
            "video": pixels[: len(scored)],
            "frame_index": torch.tensor(scored),
            "references": pixels[len(scored) :],
            "reference_index": torch.tensor(references, dtype=torch.int64),
            "identity": torch.tensor(self.clips.identity(i)),
            "counts": torch.tensor(counts),
            "name": self.clips.name(i),
            "fps": self.clips.fps(i),
        }


class CrossDataset(Dataset[Item]):
    """Frame 0 of one clip, to be animated by another clip; fetched by (index, counts).

    Args:
        sources: where sources come from; pictures are clips of one frame.
        clips: where driving clips come from.
        pairs: (source, driving) numbers of clips.
        frames: equally spaced frames of the driving clip, frame 0 first; None takes all.
        references: other frames of the source clip, equally spaced.
    """

    def __init__(
        self,
        sources: Clips,
        clips: Clips,
        pairs: Sequence[tuple[int, int]],
        frames: int | None,
        references: int = 0,
    ) -> None:
        self.sources = sources
        self.clips = clips
        self.pairs = list(pairs)
        self.frames = frames
        self.references = references

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, key: tuple[int, bool]) -> Item:
        source, driving = self.pairs[key[0]]
        need_frames(self.sources, source, self.references + 1)
        scored, _ = scored_frames(self.clips.num_frames(driving), self.frames, 0)
        references = spread(range(1, self.sources.num_frames(source)), self.references)
        pixels = self.sources.read(source, [0, *references])
        return {
            "source": pixels[0],
            "driving": self.clips.read(driving, scored),
            "frame_index": torch.tensor(scored),
            "references": pixels[1:],
            "reference_index": torch.tensor(references, dtype=torch.int64),
            "source_name": self.sources.name(source),
            "driving_name": self.clips.name(driving),
            "fps": self.clips.fps(driving),
        }


def need_frames(clips: Clips, i: int, least: int) -> None:
    """Raise ValueError when clip i is too short for what is drawn from it."""
    frames = clips.num_frames(i)
    if frames < least:
        raise ValueError(
            f"clip {clips.name(i)} has {frames} frames, {least} are needed: take it out of the "
            "set, or lower data.references"
        )


def spread(among: Sequence[int], count: int) -> list[int]:
    """Pick `count` different members, equally spaced, away from both ends."""
    return [among[int((k + 0.5) * len(among) / count)] for k in range(count)]


def scored_frames(total: int, frames: int | None, references: int) -> tuple[list[int], list[int]]:
    """Frames of a clip to score, and references among those that are not.

    Scored are `frames` equally spaced ones from the first to the last. Where that leaves too
    few, the references are set aside first and the scored ones taken from the rest.

    Args:
        total: frames of the clip, at least references + 2.
        frames: how many to score at most; None means all.
        references: how many references.

    Returns:
        Two increasing lists without a common number; the first begins with 0.
    """
    wanted = min(total, frames or total)
    if wanted + references <= total:
        scored = _from_end_to_end(range(total), wanted)
        unscored = sorted(set(range(total)) - set(scored))
        return scored, spread(unscored, references)
    aside = spread(range(1, total), references)
    rest = sorted(set(range(total)) - set(aside))
    return _from_end_to_end(rest, min(wanted, len(rest))), aside


def _from_end_to_end(among: Sequence[int], count: int) -> list[int]:
    steps = max(count - 1, 1)
    return [among[(k * (len(among) - 1) + steps // 2) // steps] for k in range(count)]
