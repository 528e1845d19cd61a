"""Work on many files in processes of their own, so that no file stops or hangs the rest."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from concurrent.futures import TimeoutError as LateError
from typing import Any, TypeVar

from pebble import ProcessExpired

from datamodules.processes import process_pool

Result = TypeVar("Result")


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
    pool = process_pool(workers, "datamodules.check.look")
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
