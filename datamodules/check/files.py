"""The clips of a training root, as files, folders, or pieces of shards."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datamodules.shard_index import ShardIndex, has_shards
from datamodules.splits import Split, find_clips


@dataclass(frozen=True)
class Packed:
    """The piece of a shard that is a clip, and what the shards' index says of it.

    Attributes:
        shard: a tar file on a disk.
        offset, size: bytes before the clip, and of the clip.
        frames: of the clip.
        identity: who is shown.
    """

    shard: Path
    offset: int
    size: int
    frames: int
    identity: str

    def read(self) -> bytes:
        """Read the clip's bytes.

        Raises:
            OSError: the shard cannot be read.
            ValueError: the shard ends before the clip does.
        """
        if not self.shard.is_file():
            raise FileNotFoundError(f"{self.shard} is missing: copy it there, or pack again")
        held = self.shard.stat().st_size
        if self.offset + self.size > held:  # an index may claim more than memory holds
            raise ValueError(
                f"{self.shard} is truncated: it holds {held} bytes, its index puts the clip at "
                f"{self.offset} to {self.offset + self.size}; copy it or pack again"
            )
        with self.shard.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


@dataclass(frozen=True)
class ClipFile:
    """A clip of a training root and the split it lies in.

    Attributes:
        split: train or test.
        path: the file or folder; of a clip in a shard, its name below the shard's.
        packed: where it lies in a shard; None for files and folders.
    """

    split: Split
    path: Path
    packed: Packed | None = None

    def weight(self) -> tuple[int, int]:
        """Give the pictures of a folder, and the bytes of anything else."""
        if self.packed is not None:
            return 0, self.packed.size
        try:
            if self.path.is_dir():
                return sum(1 for _ in os.scandir(self.path)), 0
            return 0, self.path.stat().st_size
        except OSError:
            return 0, 0


def clips_of(root: Path, folders: Mapping[Split, str], split_file: str | None) -> list[ClipFile]:
    """List the clips of both splits of a training root, train first.

    Raises:
        FileNotFoundError: a folder, a shards' index or the split file is missing.
        ValueError: a split without a clip, a damaged index, or a split file that does not fit.
    """
    if any(has_shards(root / folder) for folder in folders.values()):
        if split_file is not None:
            raise ValueError("--split-file does not apply to shards: deal clips before packing")
        return [
            file
            for split, folder in folders.items()
            for file in _in_shards(split, root / folder, ShardIndex(root / folder))
        ]
    found = find_clips(root, folders, split_file)
    return [ClipFile(split, path) for split, paths in found.items() for path in paths]


def _in_shards(split: Split, folder: Path, index: ShardIndex) -> list[ClipFile]:
    """List the clips of one index, in its order."""
    files = []
    for i, (name, identity) in enumerate(zip(index.names, index.identities, strict=True)):
        shard = folder / index.shards[index.shard[i]]
        offset, size = int(index.offsets[i]), int(index.sizes[i])
        packed = Packed(shard, offset, size, int(index.frames[i]), identity)
        # joined as text: a name that begins with / would lead out of the root
        files.append(ClipFile(split, Path(f"{shard}/{name}.mp4"), packed))
    return files
