"""Which clips a folder of anything holds, what they are called, and where each goes."""

import hashlib
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datamodules import media
from datamodules.prepare.jobs import Job, Made
from datamodules.prepare.journal import HIDDEN, SHEET
from datamodules.splits import Split, identity_rule

Pictures = Literal["auto", "frames", "stills"]

LONGEST = 180
"""Bytes of a clip's name; file systems take 255, and temporary names add to it."""


@dataclass(frozen=True)
class Found:
    """What lies in a folder.

    Attributes:
        clips: files and folders of frames, relative to the folder, in natural order.
        others: ending -> number of files that no clip can be read from; folders that cannot be
            read are among them.
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
    for place, files in _walk(folder, others):
        stills = [name for name in files if Path(name).suffix.lower() in media.PICTURES]
        videos = any(Path(name).suffix.lower() in media.VIDEOS for name in files)
        if pictures != "stills" and _are_frames(stills, pictures, videos):
            clips.append(place.relative_to(folder))
            stills = []
        for name in files:
            ending = Path(name).suffix.lower()
            if ending not in media.CLIPS:
                others[_text(ending) or "no ending"] += 1
            elif ending not in media.PICTURES:
                clips.append((place / name).relative_to(folder))
        clips.extend((place / name).relative_to(folder) for name in stills)
    if not clips:
        raise ValueError(
            f"{folder} holds no clip: give a folder of videos ({' '.join(sorted(media.VIDEOS))}), "
            "gifs or pictures; those in folders below it are found too"
        )
    return Found(sorted(clips, key=lambda p: media.natural_key(p.as_posix())), dict(others))


def _walk(folder: Path, others: Counter[str]) -> Iterator[tuple[Path, list[str]]]:
    """Yield each folder with the names of its files; hidden ones are left out."""

    def unread(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise error
        place = _text(Path(error.filename).relative_to(folder).as_posix())
        others[f"{place}/ ({error.strerror})"] += 1

    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True, onerror=unread):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        if HIDDEN in folders and SHEET in files:  # of a root that is prepared once more
            files.remove(SHEET)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(place), sorted(name for name in files if not name.startswith("."))


def _are_frames(names: Sequence[str], pictures: Pictures, beside_videos: bool) -> bool:
    """Tell whether a folder's pictures are one clip."""
    if pictures == "frames":
        return bool(names)
    if len(names) < 2 or beside_videos:  # cameras number photos and videos in one count
        return False
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
    settled: Sequence[Made] = (),
) -> list[Job]:
    """Name the clips and deal them to train and test.

    Where every clip lies below a folder `train` or `test`, that is its split unless a share is
    asked for. Otherwise clips, or whole identities, are put in the order of a hash of their
    names, and the first `share` of them train: the same clips are dealt in the same way on any
    machine. What was made before keeps its name and its split, however many clips came since.

    Args:
        folder: what the clips' paths are relative to.
        clips: of `find_sources`.
        share: of the clips, or identities, that train; None means 0.9 where there are no
            folders train and test.
        by_identity: deal identities instead of clips, so that nobody is in both splits.
        identities: "folder", the first folder on the way to the clip, or what stands before a
            # in its name, or the clip itself; else as in `identity_rule`.
        settled: clips of an earlier run over the same root.

    Raises:
        ValueError: a share outside 0 to 1, or a rule or table of identities that does not fit.
    """
    if share is not None and not 0 <= share <= 1:
        raise ValueError(f"--split {share}: give the share of clips to train on, from 0 to 1")
    predefined = share is None and all(_is_dealt(path) for path in clips)
    inner = {path: Path(*path.parts[1:]) if predefined else path for path in clips}
    names = _names(folder, inner, {made.source: made.name for made in settled})
    shown = _identities(folder, inner, identities, names)
    if predefined:
        splits: dict[Path, Split] = {
            path: "train" if path.parts[0] == "train" else "test" for path in clips
        }
    else:
        by_clip = {path: _text(path.as_posix()) for path in clips}
        splits = _deal(shown if by_identity else by_clip, 0.9 if share is None else share)
        if by_identity:
            known = {made.identity: made.split for made in settled}
            splits |= {path: known[shown[path]] for path in clips if shown[path] in known}
        known = {made.source: made.split for made in settled}
        splits |= {path: known[by_clip[path]] for path in clips if by_clip[path] in known}
    return [
        Job(folder / path, _text(path.as_posix()), names[path], splits[path], shown[path])
        for path in clips
    ]


def _is_dealt(path: Path) -> bool:
    return len(path.parts) > 1 and path.parts[0] in ("train", "test")


def _deal(units: Mapping[Path, str], share: float) -> dict[Path, Split]:
    order = sorted(set(units.values()), key=lambda unit: hashlib.sha256(unit.encode()).hexdigest())
    count = round(share * len(order))
    if 0 < share < 1 and len(order) > 1:
        count = min(max(count, 1), len(order) - 1)
    train = set(order[:count])
    return {path: "train" if unit in train else "test" for path, unit in units.items()}


def _identities(
    folder: Path, inner: Mapping[Path, Path], rule: str, names: Mapping[Path, str]
) -> dict[Path, str]:
    who = _who(folder, inner, rule, names)
    # nobody is called nothing: a clip without a word for its identity is its own
    return {path: _text(who(path)).strip() or names[path] for path in inner}


def _who(
    folder: Path, inner: Mapping[Path, Path], rule: str, names: Mapping[Path, str]
) -> Callable[[Path], str]:
    def by_folder(path: Path) -> str:
        short = inner[path]
        if len(short.parts) > 1:
            return short.parts[0]
        return path.name.split("#", 1)[0] if "#" in path.name else path.stem

    if rule == "folder":
        return by_folder
    if rule == "clip":  # files of several folders may share a name
        return names.__getitem__
    given = identity_rule(rule, folder)
    return lambda path: given(folder / path)


def _names(folder: Path, inner: Mapping[Path, Path], settled: Mapping[str, str]) -> dict[Path, str]:
    """Give every clip a name of its own, whatever the case of its letters."""
    labels = {path: _text(path.as_posix()) for path in inner}
    kept = {path: settled[label] for path, label in labels.items() if label in settled}
    taken = set(map(_folded, settled.values()))
    plain = {
        path: _safe("#".join([*short.parts[:-1], _stem(folder / path)]))
        for path, short in inner.items()
        if path not in kept
    }
    for path in _clashing(plain, taken):
        plain[path] = f"{plain[path]}-{_safe(path.suffix[1:] or 'frames')}"
    for path in _clashing(plain, taken):
        plain[path] = f"{plain[path]}-{hashlib.sha256(labels[path].encode()).hexdigest()[:8]}"
    return plain | kept


def _clashing(names: Mapping[Path, str], taken: set[str]) -> Iterable[Path]:
    owners: dict[str, list[Path]] = defaultdict(list)
    for path, name in names.items():
        owners[_folded(name)].append(path)
    return [
        path for name, paths in owners.items() if len(paths) > 1 or name in taken for path in paths
    ]


def _folded(name: str) -> str:
    """Give what file systems that know no case, or one form of accents, tell names apart by."""
    return unicodedata.normalize("NFC", name.casefold())


def _stem(path: Path) -> str:
    if not path.is_dir():
        return path.stem
    # SRC itself, which may be called `.`, can be a folder of frames
    return path.resolve().name if path.name in ("", "..") else path.name


def _text(name: str) -> str:
    """Spell out the bytes of a file's name that are no UTF-8, so that lists can hold it."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _safe(name: str) -> str:
    """Turn any name into one that every file system, shell and WebDataset (no dots) takes."""
    name = re.sub(r"[\s./\\:*?\"<>|\x00-\x1f\x7f]+", "_", _text(name)).lstrip("-") or "_"
    if len(name.encode()) > LONGEST:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = name.encode()[: LONGEST - 9].decode("utf-8", "ignore") + "-" + digest
    return name
