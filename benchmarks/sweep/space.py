"""A sweep's YAML: what is searched, by which method, and what is asked of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from benchmarks.sweep import engine
from benchmarks.sweep.engine import Values

OURS = {"command", "program", "run_cap", "project", "entity"}
"""Keys of W&B's schema that `make sweep` fills in."""
SCORED = {
    *("references", "frames", "test", "root", "toy", "image_size", "fit", "split_file"),
    *("split_name", "identities", "sources", "cross_pairs"),
}
"""Arguments of the data on which it depends which frames validation scores."""


@dataclass(frozen=True)
class Space:
    """A sweep that W&B's schema accepts.

    Attributes:
        file: where it stands.
        config: the YAML's content, with the metric that is asked for.
    """

    file: Path
    config: Mapping[str, Any]

    @property
    def metric(self) -> str:
        """Name of the metric, such as `val/l1`."""
        return str(self.config["metric"]["name"])

    @property
    def maximise(self) -> bool:
        """Whether more of the metric is better."""
        return bool(self.config["metric"].get("goal", "minimize") == "maximize")

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """Distribution of each parameter, by its dotted name on the command line of `fit`."""
        found: Mapping[str, Mapping[str, Any]] = self.config["parameters"]
        return found

    def best(self, history: "tuple[float, ...] | list[float]") -> float:
        """Return a trial's best validation."""
        return max(history) if self.maximise else min(history)

    def better(self, one: float, other: float) -> bool:
        """Whether one value of the metric is better than another."""
        return one > other if self.maximise else one < other

    def with_metric(self, name: str) -> "Space":
        """Return the same search for another metric that is to be small."""
        return replace(self, config={**self.config, "metric": {"name": name, "goal": "minimize"}})

    def contains(self, values: Values) -> bool:
        """Whether values, such as a model's defaults, are some that the sweep could propose."""
        return all(_holds(self.parameters[name], value) for name, value in values.items())

    def examples(self) -> Values:
        """Return one value of each parameter, to see whether `fit` takes it."""
        keys = ("values", "value", "min", "mu")
        found = {n: next(d[k] for k in keys if k in d) for n, d in self.parameters.items()}
        return {n: v[0] if "values" in self.parameters[n] else v for n, v in found.items()}


def _holds(distribution: Mapping[str, Any], value: Any) -> bool:
    if "values" in distribution:
        return value in distribution["values"]
    if "value" in distribution:
        return bool(value == distribution["value"])
    if not isinstance(value, int | float):
        return False
    return bool(distribution.get("min", value) <= value <= distribution.get("max", value))


def read_space(file: Path) -> Space:
    """Read a sweep and hold it against W&B's schema and our own rules.

    Raises:
        FileNotFoundError: there is no such file; the message names those there are.
        ValueError: what is wrong with it.
    """
    if not file.is_file():
        there = ", ".join(sorted(path.stem for path in file.parent.glob("*.yaml"))) or "nothing"
        raise FileNotFoundError(f"there is no {file}; {file.parent} has: {there}")
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is no YAML: {error}") from None
    if not isinstance(config, dict) or not isinstance(config.get("parameters"), dict):
        raise ValueError(f"{file} is no sweep: it names no parameters")
    engine.load()  # that it is missing is no fault of the file
    try:
        against = engine.violations(config)
    except ValueError as error:
        against = [str(error)]
    if against:
        raise ValueError(f"{file} does not fit W&B's schema: {'; '.join(against)}")
    _check(file, config)
    try:  # what only the method refuses, before anything is trained
        engine.propose(config, [], "0")
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    return Space(file, config)


def _check(file: Path, config: Mapping[str, Any]) -> None:
    if "metric" not in config:
        raise ValueError(f"{file} has no metric: add `metric: {{name: val/l1, goal: minimize}}`")
    if not str(config["metric"]["name"]).startswith("val/"):
        raise ValueError(
            f"{file} has the metric {config['metric']['name']}: take one of the validation, such "
            "as val/l1"
        )
    if given := sorted(OURS & config.keys()):
        raise ValueError(f"{file} has {', '.join(given)}, which `make sweep` fills in: remove it")
    for name, distribution in config["parameters"].items():
        if "parameters" in distribution:
            raise ValueError(f"{file}: {name} is nested: write its name with dots")
        if not {"values", "value", "min", "mu"} & distribution.keys():
            raise ValueError(f"{file}: {name} says neither values nor min and max")
        head, _, argument = name.partition("data.init_args.")
        if not head and argument.partition(".")[0] in SCORED:
            raise ValueError(
                f"{file}: {name} changes which frames validation scores, so that trials could not "
                "be compared: leave it out"
            )
