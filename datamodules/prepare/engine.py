"""Many jobs in parallel: none of them can stop, hang or half-write the rest."""

import csv
import io
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures import TimeoutError as TooLong
from dataclasses import dataclass, field, fields
from itertools import islice
from pathlib import Path

from pebble import ProcessExpired, ProcessPool
from tqdm import tqdm

from datamodules import media
from datamodules.prepare.convert import convert, source_key
from datamodules.prepare.jobs import Job, Made, Settings
from datamodules.prepare.journal import Journal, write_whole

Work = Callable[[Job, Settings, Path], Made]


@dataclass(frozen=True)
class Skipped:
    """A source that gave no clip.

    Attributes:
        source: its label.
        reason: why, in one line.
    """

    source: str
    reason: str


@dataclass
class Outcome:
    """What became of all jobs.

    Attributes:
        made: every clip in the root, those of earlier runs too, in order.
        skipped: sources of this run without a clip.
        fresh: how many clips this run made.
    """

    made: list[Made] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    fresh: int = 0


def carry_out(
    jobs: Sequence[Job],
    settings: Settings,
    journal: Journal,
    *,
    workers: int,
    limit: float,
    work: Work = convert,
    after: Callable[[Made], None] = lambda made: None,
) -> Outcome:
    """Make every clip that is not there yet.

    A source that cannot be read, takes longer than the limit, or brings its process down is
    skipped, with the reason; the others go on.

    Args:
        jobs: what to make.
        settings: how.
        journal: of the root; each clip is noted down as soon as it is whole.
        workers: processes.
        limit: seconds for one clip.
        work: makes one clip.
        after: called with each clip once it is noted down.

    Raises:
        ValueError: two sources would make one clip.
        OSError: the root cannot be written.
    """
    outcome = Outcome()
    for split in ("train", "test"):
        (journal.root / split).mkdir(parents=True, exist_ok=True)
    todo = list(_open_jobs(jobs, journal, outcome))
    bar = tqdm(total=len(jobs), initial=len(jobs) - len(todo), unit="clip", desc="prepare")
    with bar, ProcessPool(workers, context=_context()) as pool:
        try:
            for job, future in _finished(pool, todo, settings, journal.root, workers, limit, work):
                made = _take(job, future, outcome, limit)
                if made is not None:
                    journal.note(made)
                    after(made)
                bar.update()
                bar.set_postfix(skipped=len(outcome.skipped), refresh=False)
        except BaseException:
            pool.stop()  # type: ignore[no-untyped-call]
            # what is being written is aside, and is swept away by the next run
            raise
    outcome.made = sorted(journal.made.values(), key=lambda made: media.natural_key(made.path))
    outcome.skipped.sort(key=lambda skipped: media.natural_key(skipped.source))
    return outcome


def _context() -> multiprocessing.context.BaseContext:
    """Choose how processes start: never by forking one in which threads run."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["datamodules.prepare.convert"])
    return context


def _open_jobs(jobs: Iterable[Job], journal: Journal, outcome: Outcome) -> Iterator[Job]:
    for job in jobs:
        try:
            key = source_key(job)
        except OSError as error:
            outcome.skipped.append(Skipped(job.label, _line(error)))
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
) -> Iterator[tuple[Job, "Future[Made]"]]:
    """Hand out jobs, a few ahead of the processes, and yield those that ended."""
    waiting = iter(jobs)
    running: dict[Future[Made], Job] = {}
    while True:
        for job in islice(waiting, 3 * workers - len(running)):
            running[pool.schedule(work, args=(job, settings, root), timeout=limit)] = job
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future


def _take(job: Job, future: "Future[Made]", outcome: Outcome, limit: float) -> Made | None:
    try:
        made = future.result()
    except TooLong:
        reason = f"not done after {limit:g} s: given up; raise --limit if the clip is just long"
    except ProcessExpired as error:
        reason = f"reading it brings the process down (exit code {error.exitcode})"
    except MemoryError:
        reason = "it needs more memory than there is"
    except Exception as error:  # whatever a decoder makes of a hostile file is that file's fault
        reason = _line(error)
    else:
        outcome.fresh += 1
        return made
    outcome.skipped.append(Skipped(job.label, reason))
    return None


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


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
