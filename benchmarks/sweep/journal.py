"""What happened in a sweep, one JSON line an event, so that it goes on after any kill."""

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

FILE = "journal.jsonl"


class Journal:
    """The events of one sweep's folder; who holds it holds the folder.

    An event is on the disk when `add` returns. A line that a kill cut short is dropped. The lock
    is handed to the trials, so that a trial whose sweep was killed still keeps a second sweep out.

    Args:
        folder: of the sweep; made where it is missing.

    Attributes:
        events: all so far, oldest first.
        lock: descriptor that a trial's process is to inherit.

    Raises:
        ValueError: the folder is in use, or a line other than the last is damaged.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / FILE
        self.lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.events = self._read()
        except BlockingIOError:
            os.close(self.lock)
            raise ValueError(
                f"{folder} is in use: its sweep runs, or a trial whose sweep was killed; wait for "
                "it, or end it"
            ) from None
        except ValueError:
            os.close(self.lock)
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            os.close(self.lock)

    def _read(self) -> list[dict[str, Any]]:
        if not self.file.is_file():
            return []
        content = self.file.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:  # a kill in the middle of a line: what it said did not happen
            with self.file.open("r+b") as file:
                file.truncate(len(whole))
        events = []
        for number, line in enumerate(whole.decode("utf-8").splitlines(), 1):
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if not isinstance(event, dict) or "event" not in event:
                raise ValueError(f"{self.file}, line {number}, is damaged: begin in another folder")
            events.append(event)
        return events

    def add(self, event: str, **details: Any) -> None:
        """Write one event, whole or not at all."""
        row = {"event": event, **details}
        line = json.dumps(row, allow_nan=False) + "\n"
        with self.file.open("ab") as file:
            file.write(line.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        self.events.append(json.loads(line))

    def begin(self, settings: Mapping[str, Any], folder: Path) -> None:
        """Note what the sweep is, or make sure that it is the one that began here.

        Raises:
            ValueError: another sweep began here; what differs is named.
        """
        if not self.events:
            self.add("sweep", **settings)
            return
        before = self.events[0]
        wanted = json.loads(json.dumps(dict(settings)))
        differing = [key for key in wanted if before.get(key) != wanted[key]]
        if before["event"] != "sweep" or differing:
            raise ValueError(
                f"{folder} holds a sweep with another {', '.join(differing) or 'beginning'}: give "
                "this one another NAME= (--folder), or remove that folder"
            )

    def of(self, event: str) -> dict[str, dict[str, Any]]:
        """Return the newest event of a kind for each trial, in the order of the first."""
        return {e["trial"]: e for e in self.events if e["event"] == event}
