"""Many jobs in parallel: none of them can stop, hang or half-write the rest."""

import csv
import errno
import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures import TimeoutError as TooLong
from dataclasses import dataclass, field, fields
from itertools import islice
from pathlib import Path

from pebble import ProcessExpired, ProcessPool
from tqdm import tqdm

from datamodules import media
from datamodules.files import write_whole
from datamodules.prepare.convert import convert, source_key
from datamodules.prepare.jobs import Job, Made, Settings
from datamodules.prepare.journal import Journal
from datamodules.processes import process_pool

Work = Callable[[Job, Settings, Path], Made]

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Errors that every later clip would meet too."""


@dataclass(frozen=True)
class Skipped:
    """A source that gave no clip.

    Attributes:
        source: its label.
        reason: why, in one line.
    """

    source: str
    reason: str


@dataclass(frozen=True)
class RootFull:
    """The root takes no more clips.

    Attributes:
        reason: why, in one line.
    """

    reason: str


@dataclass
class Outcome:
    """What became of all jobs.

    Attributes:
        made: every clip in the root, those of earlier runs too, in order.
        skipped: sources of this run without a clip.
        fresh: how many clips this run made.
        frames: how many frames they have.
        seconds: how long that took.
    """

    made: list[Made] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    fresh: int = 0
    frames: int = 0
    seconds: float = 0.0


def carry_out(
    jobs: Sequence[Job],
    settings: Settings,
    journal: Journal,
    *,
    workers: int,
    limit: float,
    memory: int | None = None,
    work: Work = convert,
    after: Callable[[Made], None] = lambda made: None,
) -> Outcome:
    """Make every clip that is not there yet.

    A source that cannot be read, takes longer or more memory than the limit, or brings its
    process down is skipped, with the reason; the others go on.

    Args:
        jobs: what to make.
        settings: how.
        journal: of the root; each clip is noted down as soon as it is whole.
        workers: processes.
        limit: seconds for one clip.
        memory: bytes that one process may take (on Linux); None shares the machine's out.
        work: makes one clip.
        after: called with each clip once it is noted down.

    Raises:
        ValueError: two sources would make one clip.
        OSError: the root cannot be written, or is full.
    """
    outcome = Outcome()
    for split in ("train", "test"):
        (journal.root / split).mkdir(parents=True, exist_ok=True)
    todo = list(_open_jobs(jobs, journal, outcome))
    bar = tqdm(
        total=len(jobs),
        initial=len(jobs) - len(todo),
        unit="clip",
        desc="prepare",
        mininterval=0.1 if sys.stderr.isatty() else 30,  # a log file wants few lines
    )
    pool = process_pool(workers, "datamodules.prepare.convert", memory)
    start = time.monotonic()
    with bar, pool:
        try:
            for job, future in _finished(pool, todo, settings, journal.root, workers, limit, work):
                made = _take(job, future, outcome, limit, journal.root)
                if made is not None:
                    journal.note(made)
                    after(made)
                bar.update()
                bar.set_postfix(skipped=len(outcome.skipped), refresh=False)
        except BaseException:
            pool.stop()  # type: ignore[no-untyped-call]
            # what is being written is aside, and is swept away before the lock is given back
            raise
    outcome.seconds = time.monotonic() - start
    there = filter(journal.has, journal.made.values())
    outcome.made = sorted(there, key=lambda made: media.natural_key(made.path))
    outcome.skipped.sort(key=lambda skipped: media.natural_key(skipped.source))
    return outcome


def _open_jobs(jobs: Iterable[Job], journal: Journal, outcome: Outcome) -> Iterator[Job]:
    for job in jobs:
        try:
            key = source_key(job)
        except (OSError, ValueError) as error:
            outcome.skipped.append(Skipped(job.label, _reason(error, job)))
            continue
        if not journal.done(job, key):
            yield job


def _finished(
    pool: ProcessPool,
    jobs: Sequence[Job],
    settings: Settings,
    root: Path,
    workers: int,
    limit: float,
    work: Work,
) -> Iterator[tuple[Job, "Future[Made | Skipped | RootFull]"]]:
    """Hand out jobs, a few ahead of the processes, and yield those that ended."""
    waiting = iter(jobs)
    running: dict[Future[Made | Skipped | RootFull], Job] = {}
    while True:
        for job in islice(waiting, 3 * workers - len(running)):
            task = (work, job, settings, root)
            running[pool.schedule(_attempt, args=task, timeout=limit)] = job
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future


def _attempt(work: Work, job: Job, settings: Settings, root: Path) -> Made | Skipped | RootFull:
    """Make one clip; whatever a decoder makes of a hostile file is that file's fault."""
    try:
        return work(job, settings, root)
    except MemoryError:
        return Skipped(job.label, "it needs more memory than a process may take")
    except (Exception, SystemExit) as error:
        if _errors_of(error) & FULL:
            return RootFull(_reason(error, job))
        return Skipped(job.label, _reason(error, job))


def _errors_of(error: BaseException) -> set[int | None]:
    """Collect the system's numbers of an error and of those that led to it."""
    numbers: set[int | None] = set()
    cause: BaseException | None = error
    while cause is not None:
        numbers.add(getattr(cause, "errno", None))
        cause = cause.__cause__ or cause.__context__
    return numbers


def _take(
    job: Job,
    future: "Future[Made | Skipped | RootFull]",
    outcome: Outcome,
    limit: float,
    root: Path,
) -> Made | None:
    try:
        result = future.result()
    except TooLong:
        reason = f"not done after {limit:g} s: given up; raise --limit if the clip is just long"
        result = Skipped(job.label, reason)
    except ProcessExpired as error:
        reason = f"reading it brings the process down (exit code {error.exitcode})"
        result = Skipped(job.label, reason)
    except Exception as error:  # what came back cannot be understood
        result = Skipped(job.label, _reason(error, job))
    if isinstance(result, RootFull):
        raise OSError(f"{root} takes no more: {result.reason}; make room, then run this again")
    if isinstance(result, Skipped):
        outcome.skipped.append(result)
        return None
    outcome.fresh += 1
    outcome.frames += result.frames
    return result


def _reason(error: BaseException, job: Job) -> str:
    """Say in one line what was wrong, without the path, which stands beside it."""
    text = " ".join(str(error).split()) or type(error).__name__
    source = " ".join(str(job.source).split())
    text = text.replace(f"{source}{os.sep}", "").replace(source, "it")
    return text.encode("utf-8", "backslashreplace").decode()


COLUMNS = [part.name for part in fields(Made) if part.name != "key"]


def write_manifest(root: Path, outcome: Outcome) -> None:
    """Write `manifest.csv`, a line a clip, and `skipped.csv`, a line a source without one."""
    rows = [[getattr(made, name) for name in COLUMNS] for made in outcome.made]
    write_whole(root / "manifest.csv", _table(COLUMNS, rows))
    skipped = [[item.source, item.reason] for item in outcome.skipped]
    write_whole(root / "skipped.csv", _table(["source", "reason"], skipped))


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(rows)
    return text.getvalue()
