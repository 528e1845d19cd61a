"""Which clips a set has, in which split each lies, and whom it shows."""

import csv
import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datamodules import media

Split = Literal["train", "test"]

REMEDY = (
    "put the set there, or name its folder by DATA_ROOT=... of make or --data.init_args.root=...; "
    "training never downloads data"
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class About:
    """What to say where a published set is missing.

    Attributes:
        what: what the set is, in a few words.
        where: where its owners publish it.
        prepare: the command that turns what they publish into a root.
    """

    what: str
    where: str
    prepare: str


def find_clips(
    root: Path,
    folders: Mapping[Split, str | None],
    split_file: str | None,
    about: About | None = None,
) -> dict[Split, list[Path]]:
    """Find the clips of every split that the set has.

    Args:
        root: the set's folder.
        folders: folder of each split below root; None where the set has no such split.
        split_file: below root; tells which clip is which, wherever it lies.
        about: what a missing folder is answered with.

    Raises:
        FileNotFoundError: a folder or the file is missing.
        ValueError: a split without a clip, or a file that does not fit the folder.
    """
    there: dict[Split, str] = {split: name for split, name in folders.items() if name is not None}
    if split_file is None:
        return {split: list_clips(root / folder, about) for split, folder in there.items()}
    places = [root / folder for folder in there.values() if (root / folder).is_dir()]
    clips = [path for place in places or [root] for path in list_clips(place, about)]
    dealt = split_clips(clips, root / split_file)
    for split in there:
        if not dealt[split]:
            raise ValueError(f"{root / split_file} leaves no clip for {split}")
    return {split: dealt[split] for split in there}


def labelled_clips(
    root: Path,
    folders: Mapping[Split, str | None],
    split_file: str | None,
    identities: str,
    about: About | None = None,
) -> dict[Split, tuple[list[Path], list[int]]]:
    """Find the clips of every split, as `find_clips` does, and number whom they show.

    Args:
        root: the set's folder.
        folders: folder of each split below root; None where the set has no such split.
        split_file: below root; tells which clip is which, wherever it lies.
        identities: a rule of `identity_rule`.
        about: what a missing folder is answered with.

    Returns:
        Split -> its clips and the label of each.

    Raises:
        FileNotFoundError: a folder or a file is missing.
        ValueError: a split without a clip, or a list or rule that does not fit the folder.
    """
    paths = find_clips(root, folders, split_file, about)
    labels = label_identities(paths, identity_rule(identities, root))
    return {split: (paths[split], labels[split]) for split in paths}


def fingerprint(names: Iterable[str]) -> str:
    """Say which clips a split really has: `525-1a2b3c4d`, their number and a hash of their names.

    Names count without the endings of clips, so that a set is the same in any form, and in any
    order.
    """
    stems = sorted(
        name.removesuffix(Path(name).suffix) if Path(name).suffix.lower() in media.CLIPS else name
        for name in names
    )
    return f"{len(stems)}-{hashlib.sha256(chr(10).join(stems).encode()).hexdigest()[:8]}"


def label_identities(
    paths: Mapping[Split, Sequence[Path]], identity: Callable[[Path], str]
) -> dict[Split, list[int]]:
    """Number the identities, those of the train split first, each part in order of names."""
    return number_identities({split: [identity(p) for p in paths[split]] for split in paths})


def number_identities(shown: Mapping[Split, Sequence[str]]) -> dict[Split, list[int]]:
    """Number the names of identities, those of the train split first, in order of names."""
    known = sorted(set(shown.get("train", ())))
    order = [*known, *sorted(set(shown["test"]) - set(known))]
    label = {name: number for number, name in enumerate(order)}
    return {split: [label[name] for name in names] for split, names in shown.items()}


def list_clips(folder: Path, about: About | None = None) -> list[Path]:
    """List the clips in a folder, sorted by name, whatever the file system's order.

    Files of no kind that a clip can have (lists, notes) are passed over, hidden ones too.

    Args:
        folder: where to look.
        about: the set, for the message when it is not there.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it holds no clip.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} does not exist: {remedy(about)}")
    paths = [
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and (path.is_dir() or path.suffix.lower() in media.CLIPS)
    ]
    if not paths:
        raise ValueError(
            f"{folder} holds no clip ({' '.join(sorted(media.CLIPS))}, or folders of frames): "
            f"{remedy(about)}"
        )
    return sorted(paths, key=lambda path: media.natural_key(path.name))


def remedy(about: About | None) -> str:
    """Say in one line where a missing set comes from and what to do."""
    if about is None:
        return REMEDY
    return (
        f"{about.what}; its owners publish it at {about.where}; prepare it with "
        f"`{about.prepare}`; or name another folder by DATA_ROOT=... of make or "
        "--data.init_args.root=..."
    )


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV file with a header line that has at least these columns.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a CSV in UTF-8, lacks a column or has no line.
    """
    if not path.is_file():
        raise FileNotFoundError(f"the list {path} does not exist")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            fields = reader.fieldnames or []
            rows = [{key: value or "" for key, value in row.items() if key} for row in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a CSV file: {error}") from error
    missing = [column for column in columns if column not in fields]
    if missing:
        has = ", ".join(fields) or "none"
        raise ValueError(f"{path} has no column {', '.join(missing)}; it has {has}")
    if not rows:
        raise ValueError(f"{path} has a header and no line")
    return rows


def split_clips(clips: Sequence[Path], split_file: Path) -> dict[Split, list[Path]]:
    """Deal clips to train and test.

    Args:
        clips: all that there are, whatever folder they lie in.
        split_file: a CSV with columns `name` and `split` (train or test), clips that it does
            not name being left out; or a text file of the test clips' names, one a line.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a name without a clip or with two, or a split of another name.
    """
    by_name: dict[str, Path] = {}
    for path in clips:
        if by_name.setdefault(path.name, path) != path:
            raise ValueError(
                f"{split_file} cannot tell {by_name[path.name]} and {path} apart: rename one"
            )
    if split_file.suffix.lower() == ".csv":
        rows = [(row["name"], row["split"]) for row in read_table(split_file, ("name", "split"))]
    else:
        if not split_file.is_file():
            raise FileNotFoundError(f"the split file {split_file} does not exist")
        lines = [line.strip() for line in split_file.read_text(encoding="utf-8").splitlines()]
        test = {line for line in lines if line and not line.startswith("#")}
        rows = [(name, "train") for name in by_name if name not in test]
        rows += [(name, "test") for name in sorted(test)]
    dealt: dict[Split, list[Path]] = {"train": [], "test": []}
    for name, split in dict(rows).items():
        if split != "train" and split != "test":
            raise ValueError(f"{split_file}: {name} has split {split!r}, not train or test")
        if name not in by_name:
            raise ValueError(f"{split_file} names {name}, which is not among the clips")
        dealt["test" if split == "test" else "train"].append(by_name[name])
    left_out = len(by_name) - len(dict(rows))
    if left_out:
        log.info("%d clips are not named in %s: left out", left_out, split_file)
    for paths in dealt.values():
        paths.sort(key=lambda path: media.natural_key(path.name))
    return dealt


def identity_rule(rule: str, root: Path) -> Callable[[Path], str]:
    """Turn the words of a configuration into a function from a clip to its identity.

    Args:
        rule: "clip": each clip is one; "prefix(#)": what stands before the first #, or
            another mark; "csv(path,column)": a column of a table below root, whose lines are
            found by their `path` (relative to root, or to the table's folder) or `name` (with
            or without ending).
        root: the set's folder.

    Raises:
        FileNotFoundError: no such table.
        ValueError: other words, a table without the column, or, when asked, a clip that the
            table does not have.
    """
    if rule == "clip":
        return lambda path: path.name
    if match := re.fullmatch(r"prefix\(\s*(['\"]?)(.+?)\1\s*\)", rule):
        mark = match[2]
        return lambda path: path.name.split(mark, 1)[0]
    if match := re.fullmatch(r"csv\(\s*(.+?)\s*,\s*(\w+)\s*\)", rule):
        return _table_identities(root, root / match[1], match[2])
    raise ValueError(
        f"identities: {rule!r} is none of clip, prefix(#), csv(path,column) of a table below root"
    )


def _table_identities(root: Path, table: Path, column: str) -> Callable[[Path], str]:
    rows = read_table(table, (column,))
    found: dict[str, str] = {}
    for row in rows:
        key = row.get("path") or row.get("name")
        if not key:
            raise ValueError(f"{table} has neither a column path nor a column name")
        if found.setdefault(key, row[column]) != row[column]:
            raise ValueError(f"{table} gives {key} two values of {column}")

    def identity(path: Path) -> str:
        keys = [path.relative_to(root).as_posix()]
        if path.is_relative_to(table.parent):
            keys.append(path.relative_to(table.parent).as_posix())
        for key in (*keys, path.name, path.stem):
            if found.get(key):
                return found[key]
        raise ValueError(f"{table} has no {column} for {path.relative_to(root)}: add a line")

    return identity
