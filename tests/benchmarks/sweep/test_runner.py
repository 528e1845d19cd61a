import os
import time
from pathlib import Path

import pytest

from benchmarks.sweep import runner

HISTORY = [0.5, 0.4, 0.3]
QUICK = {"metric": "val/l1", "epochs": 3, "poll": 0.02}


def alive(folder):
    pid = int((folder / "pid").read_text())
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]


def test_a_trial_to_its_end(tmp_path, fake):
    outcome = runner.train(fake(tmp_path, HISTORY), tmp_path, **QUICK)
    assert outcome == runner.Outcome("finished", HISTORY)


@pytest.mark.parametrize("pace", [0.0, 0.1])
def test_what_is_stopped_does_not_depend_on_how_often_one_looks(tmp_path, fake, pace):
    """A process that is over before the first look, and one that is stopped on its way."""
    asked = []

    def stop(history):
        asked.append(list(history))
        return len(history) == 2

    command = fake(tmp_path, [*HISTORY, 0.2, 0.1], "--pace", str(pace))
    outcome = runner.train(command, tmp_path, "val/l1", 5, stop, poll=0.02)
    assert outcome == runner.Outcome("stopped", HISTORY[:2])
    assert asked == [HISTORY[:1], HISTORY[:2]]
    assert not alive(tmp_path)


def test_after_the_last_epoch_there_is_nothing_to_stop(tmp_path, fake):
    outcome = runner.train(
        fake(tmp_path, HISTORY), tmp_path, **QUICK, stop=lambda history: len(history) == 3
    )
    assert outcome.state == "finished"


def test_a_process_that_does_not_listen_is_killed(tmp_path, fake):
    command = fake(tmp_path, [0.5] * 1000, "--pace", "0.1", "--deaf")
    start = time.monotonic()
    outcome = runner.train(
        command, tmp_path, "val/l1", 1000, lambda history: True, poll=0.02, grace=0.3
    )
    assert outcome.state == "stopped"
    assert time.monotonic() - start < 20
    assert not alive(tmp_path)


@pytest.mark.parametrize("number", ["nan", "inf"])
def test_a_trial_that_diverges_has_failed_and_is_ended(tmp_path, fake, number):
    command = fake(tmp_path, [0.5, float(number), *[0.1] * 500], "--pace", "0.05")
    outcome = runner.train(command, tmp_path, "val/l1", 502, poll=0.02)
    assert (outcome.state, outcome.history) == ("failed", [0.5])
    assert number in outcome.reason
    assert not alive(tmp_path)


def test_a_trial_that_breaks_says_its_last_word(tmp_path, fake):
    outcome = runner.train(fake(tmp_path, [0.5], "--status", "2"), tmp_path, **QUICK)
    assert (outcome.state, outcome.history) == ("failed", [0.5])
    assert outcome.reason == "exit status 2: error: something broke"


def test_a_metric_that_never_comes_is_named_with_those_there_are(tmp_path, fake):
    command = fake(tmp_path, HISTORY, "--column", "val/psnr")
    outcome = runner.train(command, tmp_path, **QUICK)
    assert outcome.state == "failed"
    assert "never had the metric val/l1; its metrics: val/psnr" in outcome.reason


def test_a_metric_that_never_comes_costs_one_epoch_and_not_a_training(tmp_path, fake):
    command = fake(tmp_path, [0.5] * 1000, "--column", "val/psnr", "--pace", "0.1")
    start = time.monotonic()
    outcome = runner.train(command, tmp_path, "val/l1", 1000, poll=0.02)
    assert "never had the metric val/l1; its metrics: val/psnr" in outcome.reason
    assert time.monotonic() - start < 50
    assert not alive(tmp_path)


def test_an_interruption_ends_the_trial(tmp_path, fake):
    def stop(history):
        raise KeyboardInterrupt

    command = fake(tmp_path, [0.5] * 100, "--pace", "0.1")
    with pytest.raises(KeyboardInterrupt):
        runner.train(command, tmp_path, "val/l1", 100, stop, poll=0.02)
    assert not alive(tmp_path)


def test_half_a_row_is_not_read(tmp_path):
    file = tmp_path / "metrics.csv"
    assert runner.read_history(file, "val/l1") == []
    file.write_text("step,val/l1\n1,0.5\n2,\n3,0.1234\n")
    assert runner.read_history(file, "val/l1") == [0.5, 0.1234]
    file.write_text("step,val/l1\n1,0.5\n2,\n3,0.12")
    assert runner.read_history(file, "val/l1") == [0.5]
