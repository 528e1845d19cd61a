"""What a root was begun with and which clips are done, so that a killed run goes on."""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from datamodules.files import write_whole
from datamodules.prepare.jobs import Job, Made, Settings

HIDDEN = ".prepare"
"""Folder in the root for what only `prepare` reads."""

SHARD = ".tar"

SHEET = "contact_sheet.png"
"""In the root, to be looked at."""


class Journal:
    """Notes in a root which clips are done; one line a clip, written when the clip is whole.

    Args:
        root: the training root; made if missing.
        options: what the clips depend on besides their sources, as primitives.

    Attributes:
        made: name with split -> what was made, whose file is still there.

    Raises:
        ValueError: the root was begun with other options, or holds files of another making.
    """

    def __init__(self, root: Path, options: Mapping[str, Any]) -> None:
        self.root = root
        self.folder = root / HIDDEN
        self.file = self.folder / "made.jsonl"
        self.options: dict[str, Any] = json.loads(json.dumps(dict(options)))
        self.made: dict[str, Made] = {}
        self._open()

    def _open(self) -> None:
        """Compare options with those of before, and read what was made."""
        self._begin(self.options)
        noted = {_place(made): made for made in self._read()}  # the last line counts
        self.made = {place: made for place, made in noted.items() if self.has(made)}

    def has(self, made: Made) -> bool:
        """Tell whether a clip's file is there, or the shard that it lies in."""
        return is_there(self.root / made.path)

    def _begin(self, options: dict[str, Any]) -> None:
        if self.root.exists() and not self.root.is_dir():
            raise ValueError(f"{self.root} is a file: give a folder, new or empty")
        begun = self.folder / "options.json"
        there = begun.is_file()
        if there and self.file.is_file():
            # an option that did not exist when the root was begun had its default
            before = {**Settings().as_dict(), **json.loads(begun.read_text(encoding="utf-8"))}
            options = {**Settings().as_dict(), **options}
            other = sorted(k for k in {*before, *options} if before.get(k) != options.get(k))
            if other:
                said = "; ".join(f"{k}: {before.get(k)}, now {options.get(k)}" for k in other)
                raise ValueError(
                    f"{self.root} was begun with other options ({said}): give the same ones to go "
                    "on, or another folder"
                )
            return
        strange = self.root.iterdir() if self.root.is_dir() and not there else ()
        if any(not entry.name.startswith(".") for entry in strange):
            raise ValueError(
                f"{self.root} holds files that prepare did not make: give a new or empty folder"
            )
        # new, or begun before without a clip that would have to fit the others
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(begun, json.dumps(options, indent=1) + "\n")

    def _read(self) -> Iterator[Made]:
        if not self.file.is_file():
            return
        for line in self.file.read_bytes().split(b"\n"):
            # a kill may have left the last line unfinished: that clip is made again
            with suppress(ValueError, TypeError):
                yield Made.from_dict(json.loads(line))

    def done(self, job: Job, key: str) -> bool:
        """Tell whether a job's clip is there, made from the source as it is now.

        Raises:
            ValueError: another source made the clip of that name.
        """
        made = self.made.get(f"{job.split}/{job.name}")
        if made is None:
            return False
        if made.source != job.label:
            raise ValueError(
                f"{job.label} would become {made.path}, which was made from {made.source}: "
                "rename one of them, or prepare it into another folder"
            )
        return made.key == key

    def note(self, *clips: Made) -> None:
        """Note clips down, safe from a kill once this returns."""
        self.made |= {_place(made): made for made in clips}
        lines = [json.dumps(made.as_dict()) + "\n" for made in clips]
        torn = self.file.is_file() and not _ends_line(self.file)
        with self.file.open("a", encoding="utf-8") as file:
            file.write(("\n" if torn else "") + "".join(lines))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from preparing into the same root.

        Raises:
            ValueError: one does.
        """
        try:
            with FileLock(self.folder / "lock", timeout=0):
                self._sweep()
                self._open()  # another process may just have ended
                try:
                    yield
                finally:
                    self._sweep()
        except Timeout:
            raise ValueError(f"another process prepares {self.root}: wait until it ends") from None

    def _sweep(self) -> None:
        """Remove what was begun by processes that were killed."""
        for folder in (self.root / "train", self.root / "test", self.root, self.folder):
            for part in folder.glob(".*.part"):
                if not re.search(r"\.[0-9]+\.part$", part.name):
                    continue
                if part.is_dir():
                    shutil.rmtree(part)
                else:
                    part.unlink()


def _place(made: Made) -> str:
    return f"{made.split}/{made.name}"


def is_there(path: Path) -> bool:
    """Tell whether a clip, or the shard that a clip lies in, exists and is not empty.

    Where the power failed, a file that was just written may have a name and no content.
    """
    if path.parent.suffix == SHARD:
        path = path.parent
    return path.is_dir() or (path.is_file() and path.stat().st_size > 0)


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
