"""What a sweep found: a table, a sentence that does not claim more, and a picture."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.sweep.fitting import words
from benchmarks.sweep.runner import Outcome
from benchmarks.sweep.search import DEFAULT, REPEATS, Result, Trial, rounded
from benchmarks.sweep.space import Space
from datamodules.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = {"finished": "o", "stopped": "x"}


def score(space: Space, outcome: Outcome) -> float | None:
    """Return a trial's best validation; None where it failed."""
    return None if outcome.state == "failed" else space.best(outcome.history)


def verdict(space: Space, result: Result) -> str:
    """Say whether the best trial is better than the default under new seeds (ruling 26)."""
    if result.best.name == DEFAULT:
        return "No trial was better than the default: nothing was gained."
    rows = {
        name: [score(space, outcome) for outcome in outcomes]
        for name, outcomes in result.repeats.items()
    }
    default, best = rows[DEFAULT], rows[result.best.name]
    if any(value is None for value in (*default, *best)):
        return "A training under a new seed failed: whether the gain holds is open."
    ours, theirs = ([float(v) for v in row if v is not None] for row in (best, default))
    if all(space.better(one, other) for one in ours for other in theirs):
        return (
            f"The gain holds: under {len(ours)} new seeds every training of {result.best.name} is "
            "better than every one of the default. (Two equal settings would look like this once "
            "in six times.)"
        )
    if space.better(sum(ours), sum(theirs)):
        return (
            f"The gain is not shown: under new seeds {result.best.name} is better on average, but "
            "its trainings and the default's overlap."
        )
    return (
        f"The gain does not hold: under new seeds {result.best.name} is no better than the "
        "default on average; that it was the best of the sweep is chance."
    )


def table(space: Space, result: Result, seed: int) -> str:
    """Write all trials, the trainings under new seeds and the verdict, as markdown."""
    names = list(space.parameters)
    heads = ["trial", "ended", "epochs", space.metric, *(n.rpartition(".")[2] for n in names)]
    rows = [heads, ["---"] * len(heads)]
    for trial in result.trials:
        value = score(space, trial.outcome)
        cells = [
            f"{trial.name} (default)" if trial.name == DEFAULT else trial.name,
            trial.outcome.state,
            str(len(trial.outcome.history)),
            "" if value is None else f"{value:.6f}",
            *(rounded(trial.values[name]) for name in names),
        ]
        rows.append([f"**{cell}**" if trial is result.best and cell else cell for cell in cells])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines += ["", f"{space.metric}: the best of a trial's validations; in bold the best trial."]
    if failed := [trial for trial in result.trials if trial.failed]:
        lines += ["", *(f"- {trial.name} failed: {trial.outcome.reason}" for trial in failed)]
    if result.repeats:
        lines += ["", *_repeated(space, result, seed)]
    lines += ["", verdict(space, result)]
    if result.best.name != DEFAULT:
        lines += ["", f"Its options: `{' '.join(words(dict(result.best.values)))}`"]
    return "\n".join(lines) + "\n"


def _repeated(space: Space, result: Result, seed: int) -> list[str]:
    seeds = [f"seed {seed + step}" for step in REPEATS]
    heads = ["trained again", f"seed {seed} (the sweep's)", *seeds, "mean of the new"]
    rows = [heads, ["---"] * len(heads)]
    firsts = {trial.name: trial.outcome for trial in result.trials}
    for name, outcomes in result.repeats.items():
        values = [score(space, outcome) for outcome in (firsts[name], *outcomes)]
        new = [value for value in values[1:] if value is not None]
        mean = f"{sum(new) / len(new):.6f}" if len(new) == len(outcomes) else ""
        cells = ["failed" if value is None else f"{value:.6f}" for value in values]
        rows.append([f"{name} (default)" if name == DEFAULT else name, *cells, mean])
    return [f"| {' | '.join(row)} |" for row in rows]


def draw(space: Space, result: Result, output: Path) -> None:
    """Draw the metric over the trials, and over each parameter, with the default dashed.

    Args:
        space: what was searched.
        result: what was found.
        output: the picture, a PNG.
    """
    # the object interface: no global backend, no window, no state between calls
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from benchmarks.curves import save

    panels = 1 + len(space.parameters)
    figure = Figure(figsize=(3.6 * panels, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    first, *rest = figure.subplots(1, panels, squeeze=False, sharey=True)[0]
    scored = [(i, t, score(space, t.outcome)) for i, t in enumerate(result.trials)]
    shown = [(i, trial, value) for i, trial, value in scored if value is not None]
    default = shown[0][2]
    _over_trials(first, space, shown)
    for i, _, value in scored:
        if value is None:
            first.axvline(i, color="tab:red", linewidth=0.8, linestyle=":")
    for axes, (name, distribution) in zip(rest, space.parameters.items(), strict=True):
        _over_values(axes, name, distribution, [(trial, value) for _, trial, value in shown])
    for axes in (first, *rest):
        axes.axhline(default, color="black", linestyle="--", linewidth=1)
    first.set_ylabel(space.metric)
    save(figure, output)


def _over_trials(axes: "Axes", space: Space, shown: Sequence[tuple[int, Trial, float]]) -> None:
    for state, mark in MARKS.items():
        points = [(i, value) for i, trial, value in shown if trial.outcome.state == state]
        if points:
            axes.plot(*zip(*points, strict=True), mark, label=state, color="tab:blue")
    best = shown[0][2]
    steps = []
    for _, trial, value in shown:
        whole = trial.outcome.state == "finished"
        best = value if whole and space.better(value, best) else best
        steps.append(best)
    axes.step([i for i, _, _ in shown], steps, where="post", color="tab:blue", label="best so far")
    axes.plot([], [], "k--", label="default")
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("trial (dotted red: failed)")
    axes.legend(fontsize=7)


def _over_values(
    axes: "Axes",
    name: str,
    distribution: Mapping[str, Any],
    shown: Sequence[tuple[Trial, float]],
) -> None:
    found = [trial.values[name] for trial, _ in shown]
    if "values" in distribution:
        # the default may be none of them
        kinds = [*distribution["values"], *(v for v in found if v not in distribution["values"])]
        places = [float(kinds.index(value)) for value in found]
        axes.set_xticks(range(len(kinds)), [rounded(kind) for kind in kinds])
    else:
        places = [math.nan if value is None else value for value in found]
        if "log" in distribution.get("distribution", ""):
            axes.set_xscale("log")
    for (trial, value), place in zip(shown, places, strict=True):
        color = "black" if trial.name == DEFAULT else "tab:blue"
        axes.plot([place], [value], MARKS[trial.outcome.state], color=color)
    axes.set_xlabel(name.rpartition(".")[2])


def write(space: Space, result: Result, seed: int, folder: Path) -> str:
    """Write `table.md` and `sweep.png` into a sweep's folder; returns the table."""
    text = table(space, result, seed)
    write_whole(folder / "table.md", text)
    draw(space, result, folder / "sweep.png")
    return text
