"""Which clips a folder of anything holds, what they are called, and where each goes."""

import hashlib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datamodules import media
from datamodules.prepare.jobs import Job
from datamodules.splits import Split, identity_rule

Pictures = Literal["auto", "frames", "stills"]

LONGEST = 180
"""Bytes of a clip's name; file systems take 255, and temporary names add to it."""


@dataclass(frozen=True)
class Found:
    """What lies in a folder.

    Attributes:
        clips: files and folders of frames, relative to the folder, in natural order.
        others: ending -> number of files that no clip can be read from.
    """

    clips: list[Path]
    others: dict[str, int]


def find_sources(folder: Path, pictures: Pictures = "auto") -> Found:
    """Look for clips in a folder and all folders below it.

    Hidden files are passed over, links are followed, a folder that was seen is not entered
    again.

    Args:
        folder: where to look.
        pictures: "frames" takes a folder's pictures for the frames of one clip, "stills" each
            for a clip of one frame, "auto" for frames where their names differ in a number
            alone.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it holds nothing that could be a clip.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"the folder {folder} does not exist: name the folder of clips")
    clips: list[Path] = []
    others: Counter[str] = Counter()
    for place, files in _walk(folder):
        stills = [name for name in files if Path(name).suffix.lower() in media.PICTURES]
        if pictures != "stills" and _are_frames(stills, pictures):
            clips.append(place.relative_to(folder))
            stills = []
        for name in files:
            ending = Path(name).suffix.lower()
            if ending not in media.CLIPS:
                others[ending or name] += 1
            elif ending not in media.PICTURES:
                clips.append((place / name).relative_to(folder))
        clips.extend((place / name).relative_to(folder) for name in stills)
    if not clips:
        raise ValueError(
            f"{folder} holds no clip: give a folder of videos ({' '.join(sorted(media.VIDEOS))}), "
            "gifs or pictures; those in folders below it are found too"
        )
    return Found(sorted(clips, key=lambda p: media.natural_key(p.as_posix())), dict(others))


def _walk(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield each folder with the names of its files; hidden ones are left out."""
    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(place), sorted(name for name in files if not name.startswith("."))


def _are_frames(names: Sequence[str], pictures: Pictures) -> bool:
    """Tell whether a folder's pictures are one clip."""
    if len(names) < 2 or pictures == "frames":
        return bool(names)
    shapes = set()
    for name in names:
        parts = re.fullmatch(r"(.*?)(\d+)(\D*)", Path(name).stem)
        shapes.add((parts[1], parts[3], Path(name).suffix.lower()) if parts else None)
    return len(shapes) == 1 and None not in shapes


def plan_folder(
    folder: Path,
    clips: Sequence[Path],
    *,
    share: float | None = None,
    by_identity: bool = False,
    identities: str = "folder",
    settled: Mapping[str, Split] | None = None,
) -> list[Job]:
    """Name the clips and deal them to train and test.

    Where every clip lies below a folder `train` or `test`, that is its split unless a share is
    asked for. Otherwise clips, or whole identities, are put in the order of a hash of their
    names, and the first `share` of them train: the same clips are dealt in the same way on any
    machine.

    Args:
        folder: what the clips' paths are relative to.
        clips: of `find_sources`.
        share: of the clips, or identities, that train; None means 0.9 where there are no
            folders train and test.
        by_identity: deal identities instead of clips, so that nobody is in both splits.
        identities: "folder", the first folder on the way to the clip, or what stands before a
            # in its name, or the clip itself; else as in `identity_rule`.
        settled: clip -> split, from an earlier run over the same root.

    Raises:
        ValueError: a share outside 0 to 1, or a split that would be empty.
    """
    if share is not None and not 0 <= share <= 1:
        raise ValueError(f"--split {share}: give the share of clips to train on, from 0 to 1")
    predefined = share is None and {path.parts[0] for path in clips} <= {"train", "test"}
    inner = {path: Path(*path.parts[1:]) if predefined else path for path in clips}
    shown = _identities(folder, inner, identities)
    if predefined:
        splits: dict[Path, Split] = {
            path: "train" if path.parts[0] == "train" else "test" for path in clips
        }
    else:
        units = {path: shown[path] if by_identity else path.as_posix() for path in clips}
        splits = _deal(units, 0.9 if share is None else share)
    names = _names(folder, inner)
    jobs = []
    for path in clips:
        label = path.as_posix()
        split = (settled or {}).get(label, splits[path])
        jobs.append(Job(folder / path, label, names[path], split, shown[path]))
    return jobs


def _deal(units: Mapping[Path, str], share: float) -> dict[Path, Split]:
    order = sorted(set(units.values()), key=lambda unit: hashlib.sha256(unit.encode()).hexdigest())
    count = round(share * len(order))
    if 0 < share < 1 and len(order) > 1:
        count = min(max(count, 1), len(order) - 1)
    train = set(order[:count])
    return {path: "train" if unit in train else "test" for path, unit in units.items()}


def _identities(folder: Path, inner: Mapping[Path, Path], rule: str) -> dict[Path, str]:
    if rule != "folder":
        given = identity_rule(rule, folder)
        return {path: given(folder / path) for path in inner}

    def who(path: Path) -> str:
        if len(path.parts) > 1:
            return path.parts[0]
        return path.name.split("#", 1)[0] if "#" in path.name else path.stem

    return {path: who(short) for path, short in inner.items()}


def _names(folder: Path, inner: Mapping[Path, Path]) -> dict[Path, str]:
    """Give every clip a name of its own, whatever the case of its letters."""
    plain = {
        path: _safe("#".join([*short.parts[:-1], _stem(folder / path)]))
        for path, short in inner.items()
    }
    for path in _clashing(plain):
        plain[path] = f"{plain[path]}-{_safe(path.suffix[1:] or 'frames')}"
    for path in _clashing(plain):
        plain[path] = f"{plain[path]}-{hashlib.sha256(path.as_posix().encode()).hexdigest()[:8]}"
    return plain


def _clashing(names: Mapping[Path, str]) -> Iterable[Path]:
    owners: dict[str, list[Path]] = defaultdict(list)
    for path, name in names.items():
        owners[name.casefold()].append(path)
    return [path for paths in owners.values() if len(paths) > 1 for path in paths]


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _safe(name: str) -> str:
    """Turn any name into one that every file system, shell and WebDataset (no dots) takes."""
    name = re.sub(r"[\s./\\:*?\"<>|\x00-\x1f\x7f]+", "_", name).lstrip("-") or "_"
    name = name.encode("utf-8", "replace").decode("utf-8")
    if len(name.encode()) > LONGEST:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = name.encode()[: LONGEST - 9].decode("utf-8", "ignore") + "-" + digest
    return name
