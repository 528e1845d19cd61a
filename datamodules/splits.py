"""Which clips a set has, in which split each lies, and whom it shows."""

import csv
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from datamodules import media

Split = Literal["train", "test"]

REMEDY = (
    "put the set there, or name its folder by DATA_ROOT=... of make or --data.init_args.root=...; "
    "training never downloads data"
)

log = logging.getLogger(__name__)


def find_clips(
    root: Path, folders: Mapping[Split, str], split_file: str | None
) -> dict[Split, list[Path]]:
    """Find the clips of both splits.

    Args:
        root: the set's folder.
        folders: folder of each split below root.
        split_file: below root; all clips then lie in root itself, and this tells which is
            which.

    Raises:
        FileNotFoundError: a folder or the file is missing.
        ValueError: a split without a clip, or a file that does not fit the folder.
    """
    if split_file is not None:
        return split_clips(root, root / split_file)
    return {split: list_clips(root / folder) for split, folder in folders.items()}


def label_identities(
    paths: Mapping[Split, Sequence[Path]], identity: Callable[[Path], str]
) -> dict[Split, list[int]]:
    """Number the identities, those of the train split first, each part in order of names."""
    shown = {split: [identity(path) for path in paths[split]] for split in paths}
    known = sorted(set(shown["train"]))
    order = [*known, *sorted(set(shown["test"]) - set(known))]
    label = {name: number for number, name in enumerate(order)}
    return {split: [label[name] for name in names] for split, names in shown.items()}


def list_clips(folder: Path) -> list[Path]:
    """List the clips in a folder, sorted by name, whatever the file system's order.

    Files of no kind that a clip can have (lists, notes) are passed over, hidden ones too.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it holds no clip.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"the folder {folder} does not exist: {REMEDY}")
    paths = [
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and (path.is_dir() or path.suffix.lower() in media.CLIPS)
    ]
    if not paths:
        raise ValueError(
            f"{folder} holds no clip ({' '.join(sorted(media.CLIPS))}, or folders of frames): "
            f"{REMEDY}"
        )
    return sorted(paths, key=lambda path: media.natural_key(path.name))


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


def split_clips(root: Path, split_file: Path) -> dict[Split, list[Path]]:
    """Deal the clips of one folder to train and test.

    Args:
        root: the folder.
        split_file: a CSV with columns `name` and `split` (train or test), clips that it does
            not name being left out; or a text file of the test clips' names, one a line.

    Raises:
        FileNotFoundError: folder or file missing.
        ValueError: a name without a clip, a split of another name, or an empty split.
    """
    by_name = {path.name: path for path in list_clips(root)}
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
            raise ValueError(f"{split_file} names {name}, which is not in {root}")
        dealt["test" if split == "test" else "train"].append(by_name[name])
    left_out = len(by_name) - len(dict(rows))
    if left_out:
        log.info("%d clips of %s are not named in %s: left out", left_out, root, split_file)
    for split, paths in dealt.items():
        if not paths:
            raise ValueError(f"{split_file} leaves no clip for {split}")
        paths.sort(key=lambda path: media.natural_key(path.name))
    return dealt


def identity_rule(rule: str, root: Path) -> Callable[[Path], str]:
    """Turn the words of a configuration into a function from a clip to its identity.

    Args:
        rule: "clip": each clip is one; "prefix(#)": what stands before the first #, or
            another mark; "csv(path,column)": a column of a table below root, whose lines are
            found by their `path` (relative to root) or `name` (with or without ending).
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
        for key in (path.relative_to(root).as_posix(), path.name, path.stem):
            if found.get(key):
                return found[key]
        raise ValueError(f"{table} has no {column} for {path.relative_to(root)}: add a line")

    return identity
