"""The search itself: the default, proposals until the trials are used up, and the check."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from benchmarks.sweep import engine
from benchmarks.sweep.engine import Run, Values
from benchmarks.sweep.journal import Journal
from benchmarks.sweep.runner import Outcome, Stop
from benchmarks.sweep.space import Space

DEFAULT = "trial-000"
"""The first trial: nothing is changed."""
REPEATS = (1, 2)
"""What is added to the seed when the best and the default are trained again."""
ATTEMPTS = 50
"""Proposals in a row that may repeat an earlier trial before the space counts as used up."""


class Train(Protocol):
    """Trains one trial in its own folder."""

    def __call__(
        self, name: str, values: Values, seed: int, *, again: bool, stop: Stop | None
    ) -> Outcome:
        """Train; `values` is empty for the default, `again` goes on with what was cut short."""


@dataclass(frozen=True)
class Trial:
    """A trial that is over.

    Attributes:
        name: of its folder.
        values: of every parameter of the sweep.
        outcome: how it ended.
    """

    name: str
    values: Mapping[str, Any]
    outcome: Outcome

    @property
    def failed(self) -> bool:
        """Whether it broke, diverged or was never scored."""
        return self.outcome.state == "failed"


@dataclass(frozen=True)
class Result:
    """What a sweep found.

    Attributes:
        trials: the default first.
        best: the one with the best validation among those trained to the end.
        repeats: name of a trial -> its outcomes under new seeds; empty where the default is best.
    """

    trials: list[Trial]
    best: Trial
    repeats: Mapping[str, list[Outcome]]


class Search:
    """A sweep on this machine, one trial after another.

    Args:
        space: what is searched.
        journal: of the sweep's folder.
        defaults: what the parameters are where nobody touches them.
        seed: of the trials' trainings, and of the proposals.
        train: trains one trial.
        tell: takes a line for the user.
    """

    def __init__(
        self,
        space: Space,
        journal: Journal,
        defaults: Values,
        seed: int,
        train: Train,
        tell: Callable[[str], None] = print,
    ) -> None:
        self.space, self.journal, self.defaults = space, journal, defaults
        self.seed, self.train, self.tell = seed, train, tell

    def run(self, trials: int) -> Result:
        """Do what of the sweep is not done yet.

        Args:
            trials: how many there are to be, the default among them.

        Raises:
            ValueError: the default fails, with which everything is compared.
        """
        done: list[Trial] = []
        for name in (f"trial-{number:03}" for number in range(trials)):
            values = self.defaults if name == DEFAULT else self._values(name, done)
            if values is None:
                self.tell(f"the space holds no more than {len(done)} trials")
                break
            done.append(self._trial(name, values, self.seed, self._stop(done)))
            if done[0].failed:
                raise ValueError(
                    f"the default cannot be trained, so there is nothing to compare with: "
                    f"{done[0].outcome.reason}; its log.txt lies in {DEFAULT} of the sweep's folder"
                )
        best = done[0]
        for trial in done[1:]:
            whole = trial.outcome.state == "finished"
            if whole and self.space.better(self._score(trial), self._score(best)):
                best = trial
        return Result(done, best, self._repeats(done[0], best))

    def _score(self, trial: Trial) -> float:
        return self.space.best(trial.outcome.history)

    def _trial(self, name: str, values: Values, seed: int, stop: Stop | None) -> Trial:
        """Train a trial, or go on with it, unless the journal says that it is over."""
        ended = self.journal.of("end").get(name)
        repair = name == DEFAULT and ended is not None and ended["state"] == "failed"
        if ended is None or repair:
            again = name in self.journal.of("start")
            if not again:
                self.journal.add("start", trial=name, values=values, seed=seed)
            self.tell(f"{name}: {'goes on with ' if again else ''}{shown(values)}, seed {seed}")
            own = {} if name.startswith(DEFAULT) else values
            outcome = self.train(name, own, seed, again=again, stop=stop)
            self.journal.add(
                "end",
                trial=name,
                state=outcome.state,
                history=outcome.history,
                reason=outcome.reason,
            )
            self.tell(f"{name}: {self._told(outcome)}")
        ended = self.journal.of("end")[name]
        outcome = Outcome(ended["state"], ended["history"], ended["reason"])
        return Trial(name, values, outcome)

    def _told(self, outcome: Outcome) -> str:
        if outcome.state == "failed":
            return f"failed ({outcome.reason})"
        best = self.space.best(outcome.history)
        return (
            f"{outcome.state} after {len(outcome.history)} epochs, {self.space.metric} {best:.6g}"
        )

    def _stop(self, done: list[Trial]) -> Stop | None:
        """Let hyperband compare with the trials before; the default, the first, is never cut."""
        if not done:
            return None
        config, runs = self.space.config, [self._run(trial) for trial in done]
        return lambda history: engine.stops(config, runs, Run({}, history))

    def _run(self, trial: Trial) -> Run:
        return Run(dict(trial.values), trial.outcome.history, trial.failed)

    def _values(self, name: str, done: list[Trial]) -> Values | None:
        """Return the values of a trial that began, or new ones; None when there are none."""
        if name in self.journal.of("start"):
            values: Values = self.journal.of("start")[name]["values"]
            return values
        # the engine cannot place values that it would not propose; only the default can have them
        known = [self._run(trial) for trial in done if self.space.contains(dict(trial.values))]
        taken = {_key(trial.values) for trial in done}
        for values in self._proposals(name, known):
            if _key(values) not in taken:
                return values
        return None

    def _proposals(self, name: str, known: list[Run]) -> Iterator[Values]:
        for attempt in range(ATTEMPTS):
            values = engine.propose(self.space.config, known, f"{self.seed} {name} {attempt}")
            if values is None:
                return
            yield values

    def _repeats(self, default: Trial, best: Trial) -> dict[str, list[Outcome]]:
        """Train the best and the default under new seeds, whole."""
        if best is default:
            return {}
        return {
            trial.name: [
                self._trial(
                    f"{trial.name}-seed-{seed}", dict(trial.values), seed, stop=None
                ).outcome
                for seed in (self.seed + step for step in REPEATS)
            ]
            for trial in (default, best)
        }


def shown(values: Mapping[str, Any]) -> str:
    """Write values for a person: last names, four digits."""
    short = {name.rpartition(".")[2]: value for name, value in values.items()}
    return ", ".join(f"{name} {rounded(value)}" for name, value in short.items())


def rounded(value: Any) -> str:
    """Write one value for a person."""
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value).strip('"')


def _key(values: Mapping[str, Any]) -> str:
    return json.dumps({name: values[name] for name in sorted(values)})
