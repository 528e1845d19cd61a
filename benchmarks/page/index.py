"""`index.json` of a folder of films: what `films` writes and `page` reads."""

import json
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from datamodules.files import write_whole

FORMAT = 1
NAME = "index.json"
MOST_FILMS = 8
MOST_BYTES = 30_000_000
"""What a page may hold of films and in all: more does not open well."""
REMEDY = "make the films again with fewer --clips, fewer --frames or a higher --crf"


@dataclass(frozen=True)
class Pictures:
    """What one model did to one frame of a film; names of files.

    Attributes:
        model: its name.
        field: the motion field, or None where the animator has none.
        about: which field it is.
        longest: its longest displacement, in pixels.
        difference: from the driving frame, or None in a film of two identities.
    """

    model: str
    field: str | None
    about: str
    longest: float | None
    difference: str | None


@dataclass(frozen=True)
class Film:
    """One mosaic.

    Attributes:
        name: of the clip, or of both clips.
        file: the mp4.
        columns: labels from left to right.
        frames: how many.
        fps: such as `25` or `30000/1001`.
        frame: which one the pictures show.
        source: picture of the source.
        driving: picture of the driving frame.
        pictures: of every model.
    """

    name: str
    file: str
    columns: list[str]
    frames: int
    fps: str
    frame: int
    source: str
    driving: str
    pictures: list[Pictures] = field(default_factory=list)


@dataclass(frozen=True)
class Index:
    """A folder of films.

    Attributes:
        data: name of the set.
        mode: how motion was handed over; None where clips were rebuilt.
        gain: factor on the differences.
        wheel: picture of the colours of directions.
        command: that wrote it.
        models: name -> what is known of the checkpoint.
        provenance: commit, versions, device, date.
        films: all of them.
    """

    data: str
    mode: str | None
    gain: int
    wheel: str
    command: str
    models: dict[str, dict[str, Any]]
    provenance: dict[str, Any]
    films: list[Film]

    def write(self, folder: Path) -> Path:
        """Write the file into the folder."""
        target = folder / NAME
        told = {"format": FORMAT, "kind": "films", **asdict(self)}
        write_whole(target, json.dumps(told, indent=2, allow_nan=False) + "\n")
        return target


def read_index(folder: Path) -> Index:
    """Read a folder's index.

    Raises:
        FileNotFoundError: there is none, or a file that it names is missing.
        ValueError: it is damaged, names a file elsewhere, or has more films than a page takes.
    """
    path = folder / NAME
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no {path}: make it with `python -m benchmarks films --output {folder}`"
        )
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if (told.pop("format"), told.pop("kind")) != (FORMAT, "films"):
            raise ValueError("another format")
        films = [
            Film(**{**film, "pictures": [Pictures(**one) for one in film["pictures"]]})
            for film in told.pop("films")
        ]
        index = Index(films=films, **told)
        for film in films:
            Fraction(film.fps)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({error}): make the films again") from error
    _check(index, folder)
    return index


def files(index: Index) -> list[str]:
    """Name every file that a page takes from the folder."""
    names = [index.wheel]
    for film in index.films:
        names += [film.file, film.source, film.driving]
        names += [n for one in film.pictures for n in (one.field, one.difference) if n is not None]
    return names


def _check(index: Index, folder: Path) -> None:
    if len(index.films) > MOST_FILMS:
        raise ValueError(
            f"{folder} has {len(index.films)} films, a page takes {MOST_FILMS} at most: {REMEDY}"
        )
    for name in files(index):
        if not isinstance(name, str) or Path(name).name != name:
            raise ValueError(f"{folder / NAME} names {name!r}, which is no file beside it")
        if not (folder / name).is_file():
            raise FileNotFoundError(f"there is no {folder / name}: make the films again")
