"""One trial: a process that trains, followed by the metrics that it writes."""

import csv
import io
import math
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

LOG = "log.txt"
Stop = Callable[[list[float]], bool]
"""Told the metric of every epoch so far, says whether to stop now."""


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes:
        state: "stopped" is hyperband's; "failed": it broke, diverged or was never scored.
        history: the metric after each epoch; finite.
        reason: why it failed.
    """

    state: Literal["finished", "stopped", "failed"]
    history: list[float]
    reason: str = ""


def read_history(file: Path, metric: str) -> list[float]:
    """Read a metric's values from a metrics.csv that may be in the middle of being written."""
    return [float(row[metric]) for row in _rows(file) if row.get(metric)]


def known_metrics(file: Path) -> list[str]:
    """Name the metrics of the validations that a metrics.csv holds; none before the first one."""
    scored = (name for row in _rows(file) for name, value in row.items() if value)
    return [name for name in dict.fromkeys(scored) if name.startswith("val/")]


def _rows(file: Path) -> list[dict[str, str]]:
    """Read the lines that are whole."""
    if not file.is_file():
        return []
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1].decode("utf-8")
    return list(csv.DictReader(io.StringIO(whole)))


def train(
    command: Sequence[str],
    folder: Path,
    metric: str,
    epochs: int,
    stop: Stop | None = None,
    lock: int | None = None,
    poll: float = 1.0,
    grace: float = 60.0,
) -> Outcome:
    """Run a trial to its end, or to where it is stopped.

    It is judged after each epoch by itself, so that what is stopped, and where, does not
    depend on how often one looks; after the last epoch there is nothing left to stop.

    Args:
        command: of the process; it writes metrics.csv into `folder`.
        folder: of the trial; the process's output goes to `log.txt` there.
        metric: a column of metrics.csv.
        epochs: length of a whole trial.
        stop: asked after each epoch; None stops never.
        lock: descriptor for the process to inherit.
        poll: seconds between two looks.
        grace: seconds that a process has to end by itself before it is killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    judge = _Judge(epochs, stop)
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours; and all its processes can be ended at once
            pass_fds=() if lock is None else (lock,),
        )
        try:
            while True:
                over = process.poll() is not None  # before reading, which then reads everything
                judged = judge(read_history(folder / "metrics.csv", metric))
                if judged is not None:
                    return judged
                if over or (not judge.seen and _never(folder / "metrics.csv", metric)):
                    break
                time.sleep(poll)
        finally:
            _end(process, grace)
    return _ended(process.returncode if over else 0, judge.seen, folder, metric)


def _never(file: Path, metric: str) -> bool:
    """Tell whether a validation has come without the metric: none will have it."""
    known = known_metrics(file)
    return bool(known) and metric.startswith("val/") and metric not in known


class _Judge:
    """Look at each epoch once, in order."""

    def __init__(self, epochs: int, stop: Stop | None) -> None:
        self.epochs, self.stop = epochs, stop
        self.seen: list[float] = []

    def __call__(self, history: Sequence[float]) -> Outcome | None:
        for value in history[len(self.seen) :]:
            if not math.isfinite(value):
                return Outcome("failed", self.seen, f"diverged: {value} in epoch {len(self.seen)}")
            self.seen.append(value)
            last = len(self.seen) >= self.epochs
            if self.stop is not None and not last and self.stop(self.seen):
                return Outcome("stopped", self.seen)
        return None


def _ended(status: int, history: list[float], folder: Path, metric: str) -> Outcome:
    if status != 0:
        lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
        return Outcome("failed", history, f"exit status {status}: {said[:300]}")
    if not history:
        known = ", ".join(known_metrics(folder / "metrics.csv")) or "none"
        return Outcome("failed", [], f"it never had the metric {metric}; its metrics: {known}")
    return Outcome("finished", history)


def _end(process: "subprocess.Popen[bytes]", grace: float) -> None:
    """Ask the process to end, by SIGTERM, and then make it, with all that it started."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
