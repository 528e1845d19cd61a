"""Work in processes that may hang or die."""

import os
import time
from pathlib import Path

from datamodules.check.pool import run_each


def test_what_comes_back_and_what_was_raised(tmp_path):
    (tmp_path / "here").write_bytes(b"abc")
    calls = [((tmp_path / name,), 60.0) for name in ("here", "gone")]
    results = dict(run_each(Path.read_bytes, calls, 2))
    assert results[0] == b"abc"
    assert "No such file" in results[1]


def test_a_hanging_call_ends_and_the_others_go_on():
    started = time.monotonic()
    results = dict(run_each(time.sleep, [((60,), 0.3), ((0,), 60.0), ((0,), 60.0)], 1))
    assert results[0] == "took more than 0.3 seconds"
    assert results[1] is results[2] is None
    assert time.monotonic() - started < 30


def test_a_dying_process_takes_no_other_call_along():
    results = dict(run_each(os._exit, [((7,), 60.0)], 1))
    assert "exit status 7" in results[0]
    mixed = dict(run_each(os.kill, [((os.getpid(), 0), 60.0), ((2**22 + 1, 0), 60.0)], 1))
    assert mixed[0] is None
    assert "No such process" in mixed[1]


def test_leaving_early_does_not_wait_for_the_rest():
    started = time.monotonic()
    running = run_each(time.sleep, [((0,), 60.0), *([((60,), 60.0)] * 4)], 2)
    next(running)
    running.close()
    assert time.monotonic() - started < 30
