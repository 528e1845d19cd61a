"""The bounds that every process of prepare and check has."""

import os
import sys

import pytest

from datamodules.processes import cores, process_pool

GIGABYTE = 1 << 30


def taken(size):
    return len(bytearray(size))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds a process's memory")
def test_a_process_may_take_so_much_memory_and_no_more():
    with process_pool(1, "datamodules.processes", memory=2 * GIGABYTE) as pool:
        assert pool.schedule(taken, args=[GIGABYTE // 2]).result() == GIGABYTE // 2
        with pytest.raises(MemoryError):
            pool.schedule(taken, args=[4 * GIGABYTE]).result()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinity")
def test_cores_are_those_that_may_be_used():
    assert cores() == len(os.sched_getaffinity(0))
