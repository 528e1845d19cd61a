"""The command line of a trial: `python -m animators fit`, asked for its settings and composed."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.sweep.engine import Values
from benchmarks.sweep.space import Space

FIT = ("-m", "animators", "fit")
DICTIONARIES = ("loss_weights",)
"""Arguments of a model that are dictionaries: an entry given alone would be the only one."""


def words(values: Values) -> list[str]:
    """Write values as options of `fit`: text as it is, all else as JSON, which is YAML too."""
    return [
        f"--{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in values.items()
    ]


def resolve(given: Sequence[str]) -> dict[str, Any]:
    """Ask `fit` what a run with these options would be made of.

    Returns:
        The configuration, as in a run's config.yaml.

    Raises:
        ValueError: `fit` refuses the options; the message is its own.
    """
    done = subprocess.run(
        [sys.executable, *FIT, *given, "--print_config"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise ValueError(said[-1].removeprefix("error: "))
    found = yaml.safe_load(done.stdout)
    if not isinstance(found, dict) or not isinstance(found.get("trainer"), dict):
        raise ValueError(f"`fit` with {' '.join(given)} printed no configuration")
    return found


def lookup(config: Mapping[str, Any], name: str) -> Any:
    """Return the value at a dotted name.

    Raises:
        ValueError: there is none.
    """
    value: Any = config
    for key in name.split("."):
        if not isinstance(value, Mapping) or key not in value:
            raise ValueError(
                f"the run has no {name}: nothing is called {key} there, so there is no default to "
                "compare with; correct the name"
            )
        value = value[key]
    return value


def defaults(config: Mapping[str, Any], space: Space) -> Values:
    """Return what each parameter of a sweep is where nobody touches it.

    Raises:
        ValueError: a name that the run does not have.
    """
    return {name: lookup(config, name) for name in space.parameters}


def dictionaries(config: Mapping[str, Any], space: Space) -> list[str]:
    """Write out whole, as they are by default, the dictionaries of which entries are changed."""
    parents = {name.rpartition(".")[0] for name in space.parameters}
    wanted = sorted(p for p in parents if p.rpartition(".")[2] in DICTIONARIES)
    return words({name: lookup(config, name) for name in wanted})


def check_names(given: Sequence[str], space: Space) -> None:
    """Make sure that `fit` takes every parameter.

    Raises:
        ValueError: one that it does not; the message names it.
    """
    try:
        resolve([*given, *words(space.examples())])
    except ValueError as error:
        raise ValueError(f"{space.file}: {error}") from None


def epochs(config: Mapping[str, Any], space: Space) -> int:
    """Return the length of a trial.

    Raises:
        ValueError: it is not counted in epochs, or hyperband could not count them.
    """
    trainer = config["trainer"]
    count, every = trainer.get("max_epochs"), trainer.get("check_val_every_n_epoch", 1)
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"trainer.max_epochs is {count}: give the trials a length in epochs")
    whole = trainer.get("val_check_interval") in (None, 1.0)
    if "early_terminate" in space.config and (every != 1 or not whole):
        raise ValueError(
            "early stopping counts epochs by their validations: leave check_val_every_n_epoch at 1 "
            f"and val_check_interval alone, or take early_terminate out of {space.file}"
        )
    return count


def score_by(config: Mapping[str, Any], space: Space) -> tuple[Space, str]:
    """Take L1 for LPIPS where LPIPS cannot be had.

    Returns:
        The sweep, and a sentence to the user that is empty where nothing was changed.

    Raises:
        ValueError: nothing is validated.
    """
    from animators import pretrained

    callbacks = config["trainer"].get("callbacks") or []
    scores = [c for c in callbacks if str(c.get("class_path")).endswith(".Evaluate")]
    if not scores:
        raise ValueError(
            f"no trial would have {space.metric}: the trainer's callbacks lack "
            "animators.callbacks.Evaluate"
        )
    if space.metric != "val/lpips":
        return space, ""
    if not (scores[0].get("init_args") or {}).get("lpips", True):
        return space.with_metric("val/l1"), "validation leaves LPIPS out: the metric is val/l1"
    try:
        pretrained.resolve("alexnet_trunk", download=False)
    except pretrained.WeightsNotFound:
        return space.with_metric("val/l1"), "LPIPS has no weights (`make weights`): it is val/l1"
    return space, ""


def interpreter() -> str:
    """Name this Python, relative to the project where it lies in it, as on every other machine."""
    python = Path(sys.executable)
    here = Path.cwd()
    return str(python.relative_to(here) if python.is_relative_to(here) else python)
