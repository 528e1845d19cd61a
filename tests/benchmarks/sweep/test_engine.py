"""W&B's engine does what it says on the numpy that is pinned here (ruling 33)."""

import json
import math
import random
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.sweep import engine
from benchmarks.sweep.engine import Run
from tests.benchmarks.sweep.conftest import CONFIG, STOPPING

RATE, SIZE = CONFIG["parameters"]


def test_the_pinned_numpy_is_the_one_that_sweeps_refuses():
    assert int(np.__version__.split(".")[0]) >= 2


def is_plain(values):
    return json.loads(json.dumps(values)) == values and type(values[RATE]) is float


def test_random_draws_in_the_space_and_from_the_seed_alone():
    drawn = [engine.propose(CONFIG, [], str(seed)) for seed in range(40)]
    assert all(is_plain(values) for values in drawn)
    assert all(1e-4 <= values[RATE] <= 1e-1 for values in drawn)
    assert {values[SIZE] for values in drawn} == {1, 2, 3, 4}
    # half of it below the geometric middle: the distribution is logarithmic
    assert 8 <= sum(values[RATE] < 10**-2.5 for values in drawn) <= 32
    assert engine.propose(CONFIG, [], "7") == drawn[7]


@pytest.mark.parametrize("method", ["bayes"])
def test_a_proposal_does_not_depend_on_what_the_process_did_before(method, root):
    """A sweep that goes on asks its first question where an unbroken one asks its third."""
    code = """
import sys
from benchmarks.sweep import engine
from benchmarks.sweep.engine import Run
config = {**CONFIG, "method": METHOD}
runs = [Run({RATE: 1e-3, SIZE: s}, [0.1 * s]) for s in (1, 2, 3)]
for seed in SEEDS:
    found = engine.propose(config, runs, seed)
print(found)
"""
    names = {"CONFIG": CONFIG, "METHOD": method, "RATE": RATE, "SIZE": SIZE}
    said = []
    for seeds in (["c"], ["a", "b", "c"]):
        given = "".join(f"{k} = {v!r}\n" for k, v in {**names, "SEEDS": seeds}.items())
        done = subprocess.run(
            [sys.executable, "-c", given + code],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(done.stdout)
    assert said[0] == said[1] != ""


def test_the_global_random_states_stay_as_they_were():
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    expected = random.random(), np.random.random()  # noqa: NPY002
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    engine.propose(CONFIG, [], "0")
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002


def test_grid_goes_through_every_pair_once_and_ends():
    config = {**CONFIG, "method": "grid", "parameters": {"a": {"values": [1, 2]}}}
    config["parameters"]["b"] = {"values": [None, [0, 3]]}
    runs = []
    while (values := engine.propose(config, runs, "0")) is not None:
        runs.append(Run(values, [0.1]))
    found = [(run.values["a"], run.values["b"]) for run in runs]
    assert sorted(map(str, found)) == sorted(
        map(str, [(1, None), (1, [0, 3]), (2, None), (2, [0, 3])])
    )


def test_bayes_finds_the_valley_that_random_search_does_not_know_of():
    config = {**CONFIG, "method": "bayes"}

    def valley(values):
        return (math.log10(values[RATE]) + 2) ** 2 + (values[SIZE] - 3) ** 2

    runs = []
    for number in range(14):
        values = engine.propose(config, runs, str(number))
        assert is_plain(values)
        runs.append(Run(values, [valley(values)]))
    late = [run.history[0] for run in runs[-7:]]
    drawn = [valley(engine.propose(CONFIG, [], str(seed))) for seed in range(40)]
    assert np.mean(late) < 0.5 * np.mean(drawn)


def test_bayes_takes_a_failed_trial_for_the_worst():
    config = {**CONFIG, "method": "bayes"}
    runs = [Run({RATE: 1e-3, SIZE: s}, [0.1 * s]) for s in (1, 2, 3)]
    runs.append(Run({RATE: 1e-3, SIZE: 4}, [], failed=True))
    told = [engine._told(run, config) for run in runs]
    from sweeps.bayes_search import _construct_gp_data, bayes_baseline_validate_and_fill

    _, _, _, y, _ = _construct_gp_data(told, bayes_baseline_validate_and_fill(config))
    assert y.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.3])


def test_hyperband_counts_epochs_and_keeps_the_upper_third():
    config = {**CONFIG, **STOPPING}
    earlier = [Run({}, [0.9, 0.10, 0.05]), Run({}, [0.9, 0.20, 0.15]), Run({}, [0.9, 0.30])]
    # before the second epoch nothing is judged
    assert not engine.stops(config, earlier, Run({}, [5.0]))
    # with its own, four values: the threshold is the second best, 0.20 or its own
    assert engine.stops(config, earlier, Run({}, [0.1, 0.25]))
    assert not engine.stops(config, earlier, Run({}, [5.0, 0.15]))
    # between the cuts, epoch 2 still decides; later values do not
    assert not engine.stops(config, earlier, Run({}, [5.0, 0.15, 9.0]))
    assert not engine.stops(config, [], Run({}, [5.0, 5.0]))
    assert not engine.stops(CONFIG, earlier, Run({}, [5.0, 5.0]))


def test_hyperband_turns_round_for_a_metric_that_is_to_be_large():
    config = {**CONFIG, **STOPPING, "metric": {"name": "val/psnr", "goal": "maximize"}}
    earlier = [Run({}, [1.0, 20.0]), Run({}, [1.0, 22.0])]
    assert engine.stops(config, earlier, Run({}, [9.0, 19.0]))
    assert not engine.stops(config, earlier, Run({}, [1.0, 25.0]))


def test_numbers_become_plain():
    found = engine.plain([np.float64(0.5), np.int64(3), (np.float32(1.0), None), "rk4", True])
    assert found == [0.5, 3, [1.0, None], "rk4", True]
    assert [type(item) for item in found] == [float, int, list, str, bool]


def test_a_missing_engine_is_one_clear_error(monkeypatch):
    engine.load.cache_clear()
    monkeypatch.setitem(sys.modules, "sweeps", None)
    with pytest.raises(ValueError, match="make sweep-local"):
        engine.load()
    monkeypatch.undo()
    engine.load.cache_clear()
    assert engine.load().__version__ == "0.3.0"
