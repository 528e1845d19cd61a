"""Processes for work on files that may hang, crash or eat memory, each without the others."""

import multiprocessing
import os
import sys
import threading

from pebble import ProcessPool

LEAST_MEMORY = 4 << 30
"""Bytes that a process may always take; a video of 8192x4320 pixels wants about one."""


def cores() -> int:
    """Count the cores that this process may use, which a cluster's job shares with others."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def process_pool(workers: int, preload: str, memory: int | None = None) -> ProcessPool:
    """Make a pool whose processes end with this one and have a bound on their memory.

    They are never forked from a process in which threads run.

    Args:
        workers: processes.
        preload: module that is slow to import, imported once for all of them where that can be.
        memory: bytes that one process may take (on Linux); None shares the machine's out.
    """
    memory = memory or max(LEAST_MEMORY, _machine_memory() // workers)
    fresh = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if fresh else "spawn")
    if fresh:
        context.set_forkserver_preload([preload])
    return ProcessPool(workers, initializer=_begin, initargs=(memory,), context=context)


def _begin(memory: int) -> None:
    """Let a process end with its parent, and not take the machine's memory with it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if sys.platform == "linux":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        least = memory if most == resource.RLIM_INFINITY else min(memory, most)
        resource.setrlimit(resource.RLIMIT_DATA, (least, most))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # nobody is left who would take, or stop, this process's work


def _machine_memory() -> int:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return 0
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
