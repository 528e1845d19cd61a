"""`python -m benchmarks study solver`: what solver, steps and adjoint cost the motion evolution.

Only the evolution is measured: coarse fields in, refined ones out, and gradients of the result's
mean by random weights. Three ways to a gradient stand side by side: the adjoint equation; plain
back-propagation through the solver's steps; and, for fixed steps, checkpoints (the state is kept at
every step, and the step computed again). The truth is rk4 at 128 steps in double precision,
back-propagated. Beside the distance to it stands how far the adjoint's gradient is from the plain
one of the same solver, which is exact for what that solver computes.
"""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import options

if TYPE_CHECKING:
    import torch

    from benchmarks.studies.solving import Problem, Solved

FLAT = 1.05
"""Growth of memory, from 4 to 32 steps, up to which it is called flat."""
LEAST = {"size": 4, "batch": 1, "views": 1, "width": 1, "repeats": 1}
ERRORS = ("error", "parameters_error", "field_error", "from_plain")
BASE = "rk4, 4 steps, adjoint"


def build(arguments: argparse.Namespace) -> tuple["Problem", dict[str, Any] | None]:
    """Take the evolution of a checkpoint, or draw one.

    Returns:
        The problem, and what a record says of the checkpoint.

    Raises:
        OSError: the checkpoint is missing.
        ValueError: it is damaged, or its animator has no evolution.
    """
    import torch

    from animators.weights import choose_device, load_animator
    from benchmarks.run import describe_checkpoint
    from benchmarks.studies.solving import Problem, random_field, random_problem

    device, dtype = choose_device(arguments.device), getattr(torch, arguments.dtype)
    shape = (arguments.batch, arguments.views, arguments.size)
    if arguments.checkpoint is None:
        return random_problem(arguments.width, shape, device, dtype), None
    animator = load_animator(arguments.checkpoint, device)
    evolution = getattr(animator.network, "evolution", None)
    if evolution is None:
        raise ValueError(
            f"{arguments.checkpoint} has no motion evolution: give an animator that was trained "
            "with refine, or leave --checkpoint out"
        )
    problem = Problem(evolution.to(dtype), random_field(shape).to(device, dtype))
    return problem, describe_checkpoint(arguments.checkpoint, animator)


def measure(problem: "Problem", repeats: int) -> dict[str, Any]:
    """Solve in every way, and compare with the truth.

    Times are taken in turns, so that a busy moment of the machine does not hit one row alone.

    Returns:
        The `result` of a record.

    Raises:
        ValueError: a solver's steps became too small.
    """
    from tqdm import tqdm

    from benchmarks import timing
    from benchmarks.studies.solving import FINE, rows

    device, ways = problem.field.device, rows()
    try:
        truth = problem.truth()
        found, gradients = {}, {}
        for row in tqdm(ways, desc="errors, memory", unit="way"):
            solved = problem.train(row)
            gradients[row.name] = solved.parameters
            memory = timing.peak_allocated(partial(problem.train, row), device)
            found[row.name] = row._asdict() | compare(problem, solved, truth)
            found[row.name]["peak_memory_bytes"] = memory
        for row in ways:
            plain = gradients[row._replace(gradient="plain").name]
            found[row.name]["from_plain"] = apart(gradients[row.name], plain)
        times: dict[str, list[float]] = {row.name: [] for row in ways}
        for row in tqdm(ways * repeats, desc="times", unit="way"):
            times[row.name].append(timing.seconds(partial(problem.train, row), device)[0])
    except FloatingPointError as error:
        raise ValueError(f"{error}; or take --dtype float64") from error
    seconds = {name: statistics.median(values) for name, values in times.items()}
    for name, values in found.items():
        values["seconds"] = seconds[name]
        values["ratio"] = seconds[name] / seconds[BASE]
    return {
        "base": BASE,
        "motion": problem.motion(),
        "truth": {"method": "rk4", "steps": FINE},
        "rows": found,
        "memory_growth": growth(found),
    }


def compare(problem: "Problem", solved: "Solved", truth: "Solved") -> dict[str, Any]:
    """Relative errors, that of phi(1) relative to its change, and evaluations."""
    start = problem.field.detach().double()
    return {
        "error": apart(solved.refined - start, truth.refined - start),
        "parameters_error": apart(solved.parameters, truth.parameters),
        "field_error": apart(solved.field, truth.field),
        "forward_evaluations": solved.evaluations[0],
        "backward_evaluations": solved.evaluations[1],
    }


def apart(found: "torch.Tensor", true: "torch.Tensor") -> float:
    """Euclidean norm of the difference over that of what is true."""
    return float((found.double() - true.double()).norm() / true.double().norm())


def growth(found: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Way to the gradient -> fixed-step solver -> peak memory at 32 steps over that at 4."""
    from benchmarks.studies.solving import FIXED, GRADIENTS

    def memory(method: str, steps: int, gradient: str) -> float:
        return float(found[f"{method}, {steps} steps, {gradient}"]["peak_memory_bytes"])

    return {
        gradient: {m: memory(m, 32, gradient) / memory(m, 4, gradient) for m in FIXED}
        for gradient in GRADIENTS
    }


def report(record: Mapping[str, Any]) -> str:
    """Write a record as Markdown."""
    result, settings = record["result"], record["settings"]
    shape = "{batch} x {views} x {size} x {size} x 2".format(**settings)
    what = "random f" if record["checkpoint"] is None else record["checkpoint"]["file"]
    gpu = record["device_kind"] == "cuda"
    lines = [
        f"### Motion evolution, {what}, fields {shape}, {settings['dtype']}, {record['device']}",
        "",
        f"Mean length of phi(1) - phi(0): {result['motion']:.3f}. Errors are relative to rk4 at "
        f"{result['truth']['steps']} steps, back-propagated in float64; that of phi(1) to its "
        f"change. Time of forward and backward, {result['base']} = 1.",
        *_growth_lines(result["memory_growth"]),
        "",
        "| solver | steps or tolerance | gradient | time |"
        + (" ms |" if gpu else "")
        + " peak MB | evaluations forward | backward | phi(1) | gradient of f | of phi(0) "
        "| f, from plain |",
        "|---|---:|---|---:|" + ("---:|" if gpu else "") + "---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in result["rows"].values():
        how = row["steps"] if row["tolerance"] is None else f"{row['tolerance']:.0e}"
        cells = [row["method"], how, row["gradient"], f"{row['ratio']:.2f}"]
        cells += [f"{1000 * row['seconds']:.1f}"] if gpu else []
        cells += [f"{row['peak_memory_bytes'] / 1e6:.1f}"]
        cells += [row["forward_evaluations"], row["backward_evaluations"]]
        cells += [f"{row[name]:.1e}" for name in ERRORS]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _growth_lines(memory: Mapping[str, Mapping[str, float]]) -> list[str]:
    worst = max(memory["adjoint"].values())
    verdict = "flat" if worst <= FLAT else f"NOT flat ({worst:.2f} times)"
    told = "; ".join(
        f"{gradient} " + ", ".join(f"{m} {value:.2f}" for m, value in by_method.items())
        for gradient, by_method in memory.items()
    )
    return [
        f"Peak memory from 4 to 32 steps is {verdict} under the adjoint. Times as much as at 4 "
        f"steps: {told}."
    ]


def draw(record: Mapping[str, Any], output: Path) -> None:
    """Draw gradient error and memory against steps: adjoint solid, plain dashed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from benchmarks.curves import save
    from benchmarks.studies.solving import FIXED, STEPS

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    found = record["result"]["rows"]
    for color, method in enumerate(FIXED):
        for gradient, style in (("adjoint", "-"), ("plain", "--"), ("checkpoints", ":")):
            own = [found[f"{method}, {steps} steps, {gradient}"] for steps in STEPS]
            look = {"color": f"C{color}", "linestyle": style, "marker": ".", "markersize": 4}
            label = f"{method}, {gradient}"
            megabytes = [row["peak_memory_bytes"] / 1e6 for row in own]
            right.plot(STEPS, megabytes, label=label, **look)
            if gradient != "checkpoints":  # whose gradient is the plain one
                left.plot(STEPS, [row["parameters_error"] for row in own], label=label, **look)
    for axes, title in ((left, "relative error of f's gradient"), (right, "peak memory, MB")):
        axes.set(xscale="log", yscale="log", xlabel="steps", title=title)
        axes.set_xticks(STEPS, [str(steps) for steps in STEPS])
        axes.minorticks_off()
        axes.legend(fontsize=6)
    save(figure, output)


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks study solver",
        description="Measure the motion evolution by solver, steps and way to the gradient: time, "
        "peak memory, evaluations, errors.",
        allow_abbrev=False,
    )
    described.add_argument(
        "--checkpoint", type=Path, help="take its animator's evolution (default: a random one)"
    )
    described.add_argument("--size", type=int, default=64, help="pixels of a field's side")
    described.add_argument("--batch", type=int, default=2, help="samples")
    described.add_argument("--views", type=int, default=4, help="fields of a sample")
    described.add_argument("--width", type=int, default=32, help="channels of a random f")
    described.add_argument("--repeats", type=int, default=3, help="passes; the median counts")
    described.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    options.add_record(described)
    described.add_argument("--curve", type=Path, help="draw error and memory here, .png or .svg")
    options.add_device(described)
    return described


def main(argv: Sequence[str]) -> int:
    """Measure, write and print the record; returns 0, or 2 after one line on stderr."""
    return options.run(parser(), work, argv)


def work(arguments: argparse.Namespace) -> None:
    """Measure as the options say.

    Raises:
        OSError: a file is missing.
        ValueError: a number is out of range, or the checkpoint cannot be used.
    """
    for name, least in LEAST.items():
        if getattr(arguments, name) < least:
            raise ValueError(f"--{name} must be at least {least}, got {getattr(arguments, name)}")
    if arguments.curve is not None and arguments.curve.suffix not in (".png", ".svg"):
        raise ValueError(f"curve {arguments.curve} must end in .png or .svg")
    from benchmarks import records

    problem, checkpoint = build(arguments)
    names = ("size", "batch", "views", "dtype", "repeats")
    settings = {name: getattr(arguments, name) for name in names}
    settings["width"] = arguments.width if checkpoint is None else None
    device = problem.field.device
    record = {
        "format": records.FORMAT,
        "kind": "solver",
        "checkpoint": checkpoint,
        "settings": settings,
        "result": measure(problem, arguments.repeats),
        **records.provenance(device),
    }
    path = records.write_record(record, arguments.output or records.RESULTS, "solver")
    print(report(record))
    if arguments.curve is not None:
        draw(record, arguments.curve)
        print(f"\ncurve: {arguments.curve}")
    print(f"\nrecord: {path}")
