"""What lies where in a set's shards: `index.csv`, read from a disk or a bucket into arrays."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import fsspec
import numpy as np

INDEX = "index.csv"
COLUMNS = ("name", "identity", "frames", "fps", "shard", "offset", "bytes")


def is_url(place: str | Path) -> bool:
    """Tell whether a place is an address such as s3://bucket/folder and no folder here."""
    return "://" in str(place)


def join(place: str | Path, *parts: str) -> str:
    """Go down from an address or folder."""
    return "/".join([str(place).rstrip("/"), *(part.strip("/") for part in parts if part)])


def has_shards(place: str | Path) -> bool:
    """Tell whether an address or folder holds shards; any address is taken to."""
    return is_url(place) or (Path(place) / INDEX).is_file()


class Texts:
    """Many short texts in one piece of memory, which workers share; Python's strings they copy."""

    def __init__(self, texts: Iterable[str]) -> None:
        pieces = [text.encode() for text in texts]
        self._ends = np.cumsum([0, *map(len, pieces)])
        self._bytes = b"".join(pieces)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, i: int) -> str:
        return self._bytes[self._ends[i] : self._ends[i + 1]].decode()

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(len(self)))

    @property
    def nbytes(self) -> int:
        """Bytes that the texts take."""
        return len(self._bytes) + self._ends.nbytes


class ShardIndex:
    """What `index.csv` says, in arrays: half a million clips take tens of MB, shared by workers.

    Attributes:
        place: the folder or address.
        names, identities: of each clip.
        frames, offsets, sizes: of each clip.
        fps: of each clip.
        shards: file names; `shard[i]` is the number of clip i's.

    Raises:
        FileNotFoundError: there is no index.
        ValueError: the index is damaged or empty, or the address is of an unknown kind.
        OSError: the place cannot be reached.
    """

    def __init__(self, place: str | Path) -> None:
        self.place = str(place)
        columns = self._columns()
        self.names, self.identities = Texts(columns["name"]), Texts(columns["identity"])
        shards, shard = np.unique(np.array(columns["shard"]), return_inverse=True)
        self.shards, self.shard = [str(name) for name in shards], shard.astype(np.int32)
        try:
            self.frames = np.array([int(text) for text in columns["frames"]], np.int64)
            self.offsets = np.array([int(text) for text in columns["offset"]], np.int64)
            self.sizes = np.array([int(text) for text in columns["bytes"]], np.int64)
            self.fps = np.array([_ratio(text) for text in columns["fps"]])
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            raise self._damaged(error) from error
        self._refuse_nonsense(columns["name"])

    def _columns(self) -> dict[str, Sequence[str]]:
        """Fetch and take apart the index; nothing of it is believed yet."""
        try:
            text = io.StringIO(self._fetched().decode("utf-8-sig"), newline="")
            header, *rows = (row for row in csv.reader(text, strict=True) if row)
            take = itemgetter(*(header.index(name) for name in COLUMNS))
            columns = list(zip(*map(take, rows), strict=True))
        except (csv.Error, UnicodeDecodeError, ValueError, IndexError) as error:
            need = f"it needs the columns {', '.join(COLUMNS)} in every line"
            raise self._damaged(f"{reason(error)}; {need}") from error
        if not columns:
            raise ValueError(
                f"{join(self.place, INDEX)} lists no clip: pack the set with clips in this split"
            )
        return dict(zip(COLUMNS, columns, strict=True))

    def _fetched(self) -> bytes:
        files, base = connect(self.place)
        try:
            return bytes(files.cat_file(join(base, INDEX)))
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"there are no shards at {self.place} (no {INDEX}): make them by `python -m "
                "datamodules prepare ... --format shards`, or name the right place"
            ) from error
        except Exception as error:  # each kind of address fails in its own library's way
            raise OSError(
                f"{join(self.place, INDEX)} cannot be fetched ({reason(error)}): is the place "
                "reachable, and its address right?"
            ) from error

    def _refuse_nonsense(self, names: Sequence[str]) -> None:
        """Raise ValueError for values that no packing gives."""
        if min(self.frames.min(), self.sizes.min()) < 1 or self.offsets.min() < 0:
            raise self._damaged("a clip without frames or bytes, or in front of its shard")
        if not (np.isfinite(self.fps).all() and self.fps.min() > 0):
            raise self._damaged("a clip without a rate")
        if any("/" in shard or not shard for shard in self.shards):
            raise self._damaged("a shard in another folder")
        if len(set(names)) < len(names):
            raise self._damaged("two clips of one name")

    def _damaged(self, why: object) -> ValueError:
        return ValueError(f"{join(self.place, INDEX)} is damaged ({why}): pack the shards again")

    def __len__(self) -> int:
        return len(self.names)

    def shown(self, rule: Callable[[Path], str] | None) -> list[str]:
        """Say whom each clip shows: by a rule on its name, or as the index has it."""
        if rule is None:
            return list(self.identities)
        return [rule(Path(f"{name}.mp4")) for name in self.names]


def _ratio(text: str) -> float:
    above, _, below = text.partition("/")
    return float(above) / float(below or 1)


def reason(error: object) -> str:
    """Put an error into one line; some have no words."""
    return " ".join(str(error).split()) or type(error).__name__


def connect(place: str) -> tuple[Any, str]:
    """Give the file system that an address or folder belongs to, and the path in it.

    Raises:
        ValueError: an address of an unknown kind, or one that wants a package.
    """
    if not is_url(place):
        return fsspec.filesystem("file"), str(Path(place).absolute())
    try:
        files, base = fsspec.core.url_to_fs(place)
    except (ImportError, ValueError) as error:  # fsspec names the package that is missing
        raise ValueError(f"{place} cannot be read: {reason(error)}") from error
    return files, str(base)
