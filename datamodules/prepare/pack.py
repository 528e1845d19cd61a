"""Finished clips packed into tar files as WebDataset reads them, with an index of places."""

import csv
import io
import json
import os
import tarfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from datamodules import media
from datamodules.files import write_whole
from datamodules.prepare.jobs import Made
from datamodules.prepare.journal import SHARD, Journal
from datamodules.shard_index import COLUMNS, INDEX
from datamodules.splits import Split

SPLITS: tuple[Split, Split] = ("train", "test")

MEGABYTE = 10**6


class Packer:
    """Moves clips into shards as they are made, so that they never take the disk twice.

    A shard `00000.tar` holds, for each clip, `NAME.mp4` and `NAME.json` with what the manifest
    says of it, side by side as WebDataset wants them. It appears when it is whole; only then
    are its clips removed from the folder.

    Args:
        journal: of the root.
        megabytes: size from which a shard is closed.
    """

    def __init__(self, journal: Journal, megabytes: int) -> None:
        self.journal = journal
        self.root = journal.root
        self.limit = megabytes * MEGABYTE
        self.pending: dict[str, list[Made]] = {split: [] for split in SPLITS}
        self.bytes = dict.fromkeys(SPLITS, 0)
        used = {made.path for made in journal.made.values()}
        used |= {path.rsplit("/", 1)[0] for path in used}
        for split in SPLITS:
            for path in (self.root / split).glob("*"):
                # a shard closed, but killed before it was noted; a clip noted there, but killed
                # before it was removed here
                if path.suffix in (SHARD, ".mp4") and f"{split}/{path.name}" not in used:
                    path.unlink()
        for made in list(journal.made.values()):
            if not made.path.rsplit("/", 1)[0].endswith(SHARD):
                self.add(made)

    def add(self, made: Made) -> None:
        """Take a clip, and close a shard when it is full."""
        split: Split = "train" if made.split == "train" else "test"
        self.pending[split].append(made)
        self.bytes[split] += (self.root / made.path).stat().st_size
        if self.bytes[split] >= self.limit:
            self._close(split)

    def finish(self) -> list[Made]:
        """Close the last shards and write the index of each split.

        Returns:
            Every clip in the root, in order, with its place.
        """
        for split in SPLITS:
            if self.pending[split]:
                self._close(split)
        self._drop_superseded()
        ordered = sorted(
            self.journal.made.values(),
            key=lambda made: media.natural_key(f"{made.split}/{made.name}"),
        )
        for split in SPLITS:
            own = [made for made in ordered if made.split == split]
            write_whole(self.root / split / INDEX, _index(self.root, own))
        return ordered

    def _drop_superseded(self) -> None:
        """Take clips out of shards that were made again from a source that changed."""
        used = {made.path for made in self.journal.made.values()}
        for split in SPLITS:
            for shard in (self.root / split).glob(f"*{SHARD}"):
                place = f"{split}/{shard.name}"
                names = {name.removesuffix(".mp4") for name in _clips_in(shard)}
                kept = {name for name in names if f"{place}/{name}.mp4" in used}
                if not kept:
                    shard.unlink()
                elif kept < names:
                    _copy(shard, kept)

    def _close(self, split: Split) -> None:
        folder = self.root / split
        taken = [int(path.stem) for path in folder.glob(f"*{SHARD}") if path.stem.isdigit()]
        shard = folder / f"{max(taken, default=-1) + 1:05d}{SHARD}"
        members = sorted(self.pending[split], key=lambda made: media.natural_key(made.name))
        part = shard.with_name(f".{shard.name}.{os.getpid()}.part")
        try:
            with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
                for made in members:
                    _append(tar, f"{made.name}.mp4", (self.root / made.path).read_bytes())
                    said = {k: v for k, v in made.as_dict().items() if k not in ("key", "path")}
                    text = json.dumps(said, ensure_ascii=False).encode()
                    _append(tar, f"{made.name}.json", text)
            part.replace(shard)
        finally:
            part.unlink(missing_ok=True)
        self.journal.note(
            *(replace(made, path=f"{split}/{shard.name}/{made.name}.mp4") for made in members)
        )
        for made in members:
            (self.root / made.path).unlink()
        self.pending[split], self.bytes[split] = [], 0


def _append(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)  # its time and owner stay 0: the same clips, the same shard
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def _clips_in(shard: Path) -> dict[str, tuple[int, int]]:
    """Find the clips of a shard: name -> (offset, bytes).

    Raises:
        ValueError: the shard is damaged.
    """
    try:
        with tarfile.open(shard, "r:") as tar:
            return {m.name: (m.offset_data, m.size) for m in tar if m.name.endswith(".mp4")}
    except tarfile.TarError as error:
        raise ValueError(
            f"the shard {shard} is damaged ({error}): remove it, and the same command makes its "
            "clips again"
        ) from error


def _copy(shard: Path, kept: set[str]) -> None:
    """Write a shard anew with some of its clips."""
    part = shard.with_name(f".{shard.name}.{os.getpid()}.part")
    try:
        with (
            tarfile.open(shard, "r:") as old,
            tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as new,
        ):
            for member in old:
                if member.name.rsplit(".", 1)[0] in kept:
                    new.addfile(member, old.extractfile(member))
        part.replace(shard)
    finally:
        part.unlink(missing_ok=True)


def _index(root: Path, made: Iterable[Made]) -> str:
    """List the clips of a split with the bytes of their shard that hold them."""
    shards: dict[str, list[Made]] = defaultdict(list)
    order = []
    for item in made:
        shards[item.path.rsplit("/", 1)[0]].append(item)
        order.append(item)
    places: dict[str, tuple[int, int]] = {}
    for shard in shards:
        found = _clips_in(root / shard)
        places |= {f"{shard}/{name}": place for name, place in found.items()}
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for item in order:
        shard = item.path.split("/")[1]
        row = [item.name, item.identity, item.frames, item.fps, shard, *places[item.path]]
        table.writerow(row)
    return text.getvalue()
