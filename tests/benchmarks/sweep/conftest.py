import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

FAKE = Path(__file__).with_name("fake_trial.py")
CONFIG = {
    "method": "random",
    "metric": {"name": "val/l1", "goal": "minimize"},
    "parameters": {
        "model.init_args.rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-1},
        "model.init_args.size": {"values": [1, 2, 3, 4]},
    },
}
STOPPING = {"early_terminate": {"type": "hyperband", "min_iter": 2, "eta": 3, "strict": True}}


@pytest.fixture(autouse=True)
def _engine(absent):
    if find_spec("sweeps") is None:
        absent("there is no sweeps: `make sweep-local`")


@pytest.fixture
def space(tmp_path):
    """Write a sweep and read it: `space(method="grid")`."""
    from benchmarks.sweep.space import read_space

    def make(**changes):
        file = tmp_path / "space.yaml"
        kept = {k: v for k, v in {**CONFIG, **changes}.items() if v is not None}
        file.write_text(yaml.safe_dump(kept))
        return read_space(file)

    return make


@pytest.fixture
def fake():
    """Command of a process that writes a metrics.csv as a training does."""

    def make(folder, history, *options):
        numbers = [repr(value) for value in history]
        return [sys.executable, str(FAKE), *options, "--", str(folder), *numbers]

    return make
