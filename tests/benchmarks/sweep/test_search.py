import json
import os
import signal
import subprocess
import sys
import time

import pytest

from benchmarks.sweep import engine
from benchmarks.sweep.journal import FILE, Journal
from benchmarks.sweep.runner import Outcome
from benchmarks.sweep.search import DEFAULT, Search
from tests.benchmarks.sweep.conftest import CONFIG, STOPPING

RATE, SIZE = CONFIG["parameters"]
DEFAULTS = {RATE: 1e-3, SIZE: 2}


class Fake:
    """Trains nothing: a loss that depends on the size, the seed and the epoch."""

    def __init__(self, epochs=3, broken=(), noise=0.0):
        self.epochs, self.broken, self.noise, self.calls = epochs, broken, noise, []

    def __call__(self, name, values, seed, *, again, stop):
        self.calls.append((name, values, seed, again))
        if name in self.broken:
            return Outcome("failed", [], "it broke")
        size = values.get(SIZE, DEFAULTS[SIZE])
        history = []
        for epoch in range(self.epochs):
            history.append(size + self.noise * seed + 1 / (1 + epoch))
            if stop is not None and epoch + 1 < self.epochs and stop(history):
                return Outcome("stopped", history)
        return Outcome("finished", history)


def search(space, folder, train, trials=5, seed=0, defaults=DEFAULTS):
    said = []
    with Journal(folder) as journal:
        result = Search(space, journal, defaults, seed, train, said.append).run(trials)
    return result, said


def test_the_default_comes_first_unchanged_and_is_known_to_the_engine(space, tmp_path, monkeypatch):
    read, known = space(), []  # reading asks the engine too

    def propose(config, runs, seed):
        known.append([run.values for run in runs])
        return {RATE: 1e-2, SIZE: 1}

    monkeypatch.setattr(engine, "propose", propose)
    train = Fake()
    result, _ = search(read, tmp_path, train, trials=2)
    assert train.calls[0] == (DEFAULT, {}, 0, False)
    assert train.calls[1] == ("trial-001", {RATE: 1e-2, SIZE: 1}, 0, False)
    assert known == [[DEFAULTS]]
    assert result.trials[0].values == DEFAULTS
    # a default that the space does not hold cannot be placed by the engine
    known.clear()
    search(read, tmp_path / "other", Fake(), trials=2, defaults={**DEFAULTS, SIZE: 9})
    assert known == [[]]


def test_best_and_default_are_trained_again_under_two_new_seeds(space, tmp_path):
    train = Fake()
    result, _ = search(space(), tmp_path, train, trials=8)
    assert result.best.values[SIZE] == 1
    late = train.calls[8:]
    assert [(name, seed) for name, _, seed, _ in late] == [
        *((f"{DEFAULT}-seed-{seed}", seed) for seed in (1, 2)),
        *((f"{result.best.name}-seed-{seed}", seed) for seed in (1, 2)),
    ]
    assert [values for _, values, _, _ in late] == [{}, {}, *[result.best.values] * 2]
    assert [len(outcomes) for outcomes in result.repeats.values()] == [2, 2]


def test_where_the_default_is_best_nothing_is_trained_again(space, tmp_path):
    train = Fake()
    result, _ = search(space(), tmp_path, train, defaults={**DEFAULTS, SIZE: 2}, trials=2)
    better = result.trials[1].values[SIZE] < 2
    assert len(train.calls) == (6 if better else 2)
    train = Fake(broken={f"trial-{n:03}" for n in range(1, 9)})
    result, _ = search(space(), tmp_path / "all-broken", train)
    assert result.best.name == DEFAULT
    assert result.repeats == {}


def test_hyperband_stops_trials_that_are_worse_and_never_the_default(space, tmp_path):
    train = Fake(epochs=6)
    result, _ = search(space(**STOPPING), tmp_path, train, trials=8)
    ended = {t.name: (t.outcome.state, t.values[SIZE]) for t in result.trials}
    assert ended[DEFAULT][0] == "finished"
    assert {state for state, _ in ended.values()} == {"finished", "stopped"}
    for state, size in ended.values():
        assert size > 1 or state == "finished"
    stopped = [t for t in result.trials if t.outcome.state == "stopped"]
    assert {len(t.outcome.history) for t in stopped} == {2}
    # the check under new seeds is never cut short
    assert all(len(o.history) == 6 for outcomes in result.repeats.values() for o in outcomes)


def test_a_failed_trial_is_told_to_the_engine_and_never_best(space, tmp_path):
    train = Fake(broken={"trial-001", "trial-003"})
    result, said = search(space(method="bayes"), tmp_path, train)
    assert [t.failed for t in result.trials] == [False, True, False, True, False]
    assert not result.best.failed
    assert "trial-001: failed (it broke)" in said


def test_a_stopped_trial_is_not_the_best(space, tmp_path):
    def train(name, values, seed, *, again, stop):
        low = name == "trial-001"
        return Outcome("stopped" if low else "finished", [0.1 if low else 0.5])

    result, _ = search(space(), tmp_path, train, trials=3)
    assert result.best.name == DEFAULT


def test_without_a_default_there_is_nothing_to_compare_with_and_it_may_be_mended(space, tmp_path):
    with pytest.raises(ValueError, match=r"the default cannot be trained.*it broke"):
        search(space(), tmp_path, Fake(broken={DEFAULT}))
    train = Fake()
    search(space(), tmp_path, train, trials=2)
    assert train.calls[0] == (DEFAULT, {}, 0, True)


def test_a_grid_ends_when_it_is_through(space, tmp_path):
    small = space(method="grid", parameters={SIZE: {"values": [1, 2, 3]}})
    result, said = search(small, tmp_path, Fake(), trials=9, defaults={SIZE: 2})
    assert [t.values[SIZE] for t in result.trials] == [2, 1, 3]
    assert "the space holds no more than 3 trials" in said


def test_no_trial_repeats_another(space, tmp_path):
    one = space(parameters={SIZE: {"values": [1, 2, 3]}})
    result, _ = search(one, tmp_path, Fake(), trials=3, defaults={SIZE: 2})
    assert sorted(t.values[SIZE] for t in result.trials) == [1, 2, 3]


def test_more_trials_later_keep_the_earlier_ones(space, tmp_path):
    first = Fake()
    before, _ = search(space(method="bayes"), tmp_path, first, trials=3)
    more = Fake()
    after, _ = search(space(method="bayes"), tmp_path, more, trials=5)
    assert [t.values for t in after.trials[:3]] == [t.values for t in before.trials]
    assert not {call[0] for call in more.calls} & {call[0] for call in first.calls}
    # the same as in one go
    whole, _ = search(space(method="bayes"), tmp_path / "whole", Fake(), trials=5)
    assert [t.values for t in whole.trials] == [t.values for t in after.trials]


SWEEP = """
import sys, time
from pathlib import Path
from benchmarks.sweep import runner
from benchmarks.sweep.journal import Journal
from benchmarks.sweep.search import Search
from benchmarks.sweep.space import read_space

folder, file, fake, defaults = Path(sys.argv[1]), sys.argv[2], sys.argv[3], eval(sys.argv[4])
with Journal(folder) as journal:
    def train(name, values, seed, *, again, stop):
        with (folder / "calls").open("a") as calls:
            calls.write(f"{name} {again}\\n")
        size = str(values.get("model.init_args.size", 2))
        own = ["--pace", sys.argv[5], "--", str(folder / name), size, size]
        command = [sys.executable, fake, *own]
        return runner.train(command, folder / name, "val/l1", 2, stop, journal.lock, poll=0.05)
    result = Search(read_space(Path(file)), journal, defaults, 0, train).run(4)
    print(result.best.name, [trial.values for trial in result.trials])
"""


def test_a_sweep_that_was_killed_goes_on(space, tmp_path, root):
    file, fake = space().file, root / "tests/benchmarks/sweep/fake_trial.py"

    def command(folder, pace):
        words = [folder, file, fake, DEFAULTS, pace]
        return [sys.executable, "-c", SWEEP, *map(str, words)]

    folder = tmp_path / "killed"
    sweep = subprocess.Popen(command(folder, 0.4), cwd=root, stdout=subprocess.DEVNULL)
    journal = folder / FILE
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if journal.is_file() and '"start", "trial": "trial-002"' in journal.read_text():
            break
        time.sleep(0.02)
    sweep.send_signal(signal.SIGKILL)
    sweep.wait()
    pid = folder / "trial-002" / "pid"
    while not pid.is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
        if not (folder / "trial-002").exists():  # killed between journal and process
            break
    # while the orphan lives, no second process writes into its folder
    if pid.is_file():
        again = subprocess.run(
            command(folder, 0.0), cwd=root, capture_output=True, text=True, check=False
        )
        assert "is in use" in again.stderr
        os.kill(int(pid.read_text()), signal.SIGKILL)
    went_on = subprocess.run(
        command(folder, 0.0), cwd=root, capture_output=True, text=True, check=True
    )
    calls = (folder / "calls").read_text().splitlines()
    assert calls.count("trial-000 False") == calls.count("trial-001 False") == 1
    assert not {"trial-000 True", "trial-001 True"} & set(calls)
    assert calls.count("trial-002 True") == 1
    assert calls.count("trial-003 False") == 1
    ends = [e for e in map(json.loads, journal.read_text().splitlines()) if e["event"] == "end"]
    assert len({e["trial"] for e in ends}) == len(ends)
    unbroken = subprocess.run(
        command(tmp_path / "whole", 0.0), cwd=root, capture_output=True, text=True, check=True
    )
    assert went_on.stdout.splitlines()[-1] == unbroken.stdout.splitlines()[-1]
