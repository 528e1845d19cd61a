"""W&B's own sweep engine, the package `sweeps`, which asks for no account and no network."""

import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

Values = dict[str, Any]
"""A value for each parameter, by its dotted name on the command line of `fit`."""


@dataclass(frozen=True)
class Run:
    """What the engine is told of a trial that is over.

    Attributes:
        values: of the parameters.
        history: the metric after each epoch.
        failed: it broke or diverged; the engine then takes the worst value that it has seen.
    """

    values: Values
    history: Sequence[float]
    failed: bool = False


@cache
def load() -> Any:
    """Import the engine.

    Raises:
        ValueError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            # it spells its settings as pydantic 1 did
            warnings.filterwarnings("ignore", message="Valid config keys have changed")
            warnings.filterwarnings("ignore", message="Support for class-based `config`")
            # now, and not at the first proposal: importing draws from the global random states
            for method in ("grid", "random", "bayes"):
                import_module(f"sweeps.{method}_search")
            return import_module("sweeps")
    except ImportError as error:
        raise ValueError(f"ENGINE=local wants W&B's engine ({error}): `make sweep-local`") from None


def violations(config: Mapping[str, Any]) -> list[str]:
    """List what W&B's schema has against a sweep."""
    return list(load().schema_violations_from_proposed_config(dict(config)))


def propose(config: Mapping[str, Any], runs: Sequence[Run], seed: str) -> Values | None:
    """Ask for the next trial's values.

    Args:
        config: the sweep, in W&B's schema.
        runs: trials that are over, whose values lie in the sweep's space.
        seed: the engine draws from the global random states; this is what they start from, so
            that equal questions have equal answers.

    Returns:
        Plain Python values; None when a grid is exhausted.
    """
    ask, told = load().next_run, [_told(run, config) for run in runs]
    with _seeded(seed):
        found = ask(dict(config), told)
    return None if found is None else {k: plain(v["value"]) for k, v in found.config.items()}


def stops(config: Mapping[str, Any], runs: Sequence[Run], running: Run) -> bool:
    """Ask hyperband whether a running trial is worse than it has to be at this epoch.

    Args:
        config: the sweep; without `early_terminate` nothing is stopped.
        runs: trials that are over.
        running: the trial, with one number for each epoch.
    """
    if "early_terminate" not in config:
        return False
    now = _told(running, config, state="running")
    return any(
        run is now
        for run in load().stop_runs(dict(config), [*(_told(r, config) for r in runs), now])
    )


def plain(value: Any) -> Any:
    """Return numpy's numbers, which the engine hands out, as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _told(run: Run, config: Mapping[str, Any], state: str | None = None) -> Any:
    name = config["metric"]["name"]
    return load().SweepRun(
        config={key: {"value": value} for key, value in run.values.items()},
        history=[{name: value} for value in run.history],
        state=state or ("failed" if run.failed else "finished"),
    )


@contextmanager
def _seeded(seed: str) -> Iterator[None]:
    """Seed both global states for a while, and leave them as they were."""
    before, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002  the engine's choice
    draw = random.Random(seed)
    random.seed(draw.random())
    np.random.seed(draw.getrandbits(32))  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(numbers)  # noqa: NPY002
