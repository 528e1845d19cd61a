"""Work on many files in processes of their own, so that no file stops or hangs the rest."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from concurrent.futures import TimeoutError as LateError
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

Result = TypeVar("Result")


def cores() -> int:
    """Count the processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_each(
    work: Callable[..., Result],
    calls: Sequence[tuple[Sequence[Any], float]],
    workers: int,
) -> Iterator[tuple[int, Result | str]]:
    """Call a function with each of many arguments, in processes, as they come.

    Args:
        work: a function that processes can import.
        calls: its arguments and the seconds it may take with them.
        workers: processes at a time.

    Yields:
        Number of the call, and what came back or, as a text, why nothing did: the message of
        what was raised, a time that ran out, or a process that died.
    """
    pool = ProcessPool(max_workers=workers, context=_context())
    try:
        numbers: dict[Future[Result], int] = {
            pool.schedule(work, args=arguments, timeout=limit): number
            for number, (arguments, limit) in enumerate(calls)
        }
        for done in as_completed(list(numbers)):
            number = numbers.pop(done)
            try:
                yield number, done.result()
            except LateError:
                yield number, f"took more than {calls[number][1]:.3g} seconds"
            except ProcessExpired as error:
                yield number, f"ended the process that read it (exit status {error.exitcode})"
            except Exception as error:
                yield number, f"{error}" or type(error).__name__
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _context() -> multiprocessing.context.BaseContext:
    """Start processes from a fresh one that has imported what is slow once, where that can be."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["datamodules.check.look"])
    return context
