"""`python -m benchmarks speed`: frames a second, memory, and the gain over the naive loop.

The naive loop encodes the source again for every driving frame: s + m + d a frame, where s is the
time of encoding a source, m of reading a frame's motion and d of drawing. Ours takes m + d. A third
loop computes everything anew, the reference frame's motion included: s + 2 m + d. Both of these
also prepare the reference frame (hull, inverses) for every frame, which ours does once: the
formulas leave that out.

Loops count as equal when their outputs differ by little of what the output changes from frame to
frame. Random weights may leave a picture all but still, so `--model` gives them life first.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import options

if TYPE_CHECKING:
    from torch import Tensor

    from animators.module import AnimatorModule

CHUNKS = (1, 2, 4, 8)
TOLERANCE = 1e-3  # mean difference up to which outputs are equal, in changes between frames
STILL = 1e-3  # mean change from frame to frame below which nothing can be told from a clip


def measure(animator: "AnimatorModule", frames: int, repeats: int) -> dict[str, Any]:
    """Time an animator on a clip of smooth noise.

    Args:
        animator: in eval mode.
        frames: driving frames.
        repeats: passes of which the median is taken.

    Returns:
        Times in milliseconds a frame, frames a second, ratios, calls, memory.

    Raises:
        ValueError: the animated picture hardly moves.
    """
    from benchmarks import timing
    from benchmarks.costs import flops_per_frame

    source, driving = timing.test_clip(animator, frames)
    best = animator.default_chunk()
    # first, because a process's largest size would be that of the largest loop so far
    memory = timing.peak_memory(
        partial(timing.ours, animator, source, driving, best), animator.device
    )
    again = partial(timing.naive, animator, source, driving)
    change = _change(again())
    calls = timing.count_calls(animator, source, driving)
    loops: dict[str, timing.Loop] = {
        "naive": again,
        "everything anew": partial(again, everything=True),
    }
    for size in CHUNKS:
        loops[f"chunk {size}"] = partial(timing.ours, animator, source, driving, size)
    times, outputs = timing.interleaved(loops, repeats, animator.device)
    parts = timing.part_times(animator, source, driving, repeats)
    s, m, d = parts["source"], parts["motion"], parts["drawing"]
    rows = {}
    for name, seconds in times.items():
        difference = (outputs[name] - outputs["naive"]).abs()
        rows[name] = {
            "ms_per_frame": 1000 * seconds / frames,
            "frames_per_second": frames / seconds,
            "ratio_to_naive": times["naive"] / seconds,
            "mean_difference": float(difference.double().mean()),
            "max_difference": float(difference.max()),
        }
    return {
        "frames": frames,
        "repeats": repeats,
        "image_size": animator.image_size,
        "parameters": sum(weight.numel() for weight in animator.network.parameters()),
        "flops_per_frame": flops_per_frame(animator),
        "peak_memory_bytes": memory,
        "calls": calls,
        "expected_calls": {"encode_source": 1, "encode_motion": frames, "render": frames},
        "encode_source_ms": 1000 * s,
        "encode_motion_ms": 1000 * m,
        "drawing_ms": 1000 * d,
        "ideal_ratio": (s + m + d) / (m + d),
        "ideal_ratio_to_everything": (s + 2 * m + d) / (m + d),
        "default_chunk": best,
        "ratio": rows[f"chunk {best}"]["ratio_to_naive"],
        "ratio_to_everything": times["everything anew"] / times[f"chunk {best}"],
        "change_between_frames": change,
        "equal_output": all(row["mean_difference"] <= TOLERANCE * change for row in rows.values()),
        "loops": rows,
    }


def _change(clip: "Tensor") -> float:
    """Mean absolute change from frame to frame of a clip (1, T, 3, H, W) that moves enough."""
    change = float((clip[:, 1:] - clip[:, :-1]).abs().double().mean())
    if not change >= STILL:
        raise ValueError(
            f"the animated picture changes by {change:.1e} from frame to frame, too little to tell "
            "one loop's output from another's: take a trained checkpoint"
        )
    return change


def build(arguments: argparse.Namespace) -> tuple["AnimatorModule", dict[str, Any]]:
    """Open the checkpoint, or make the class at the sizes of its paper with random weights.

    Random weights are given life (`timing.enliven`), which the record says.

    Returns:
        The animator in eval mode, and what a record says of its weights.

    Raises:
        OSError: the checkpoint is missing.
        ValueError: it is damaged, or there is no such class.
    """
    from animators.weights import animator_class, choose_device, load_animator
    from benchmarks import timing
    from benchmarks.run import describe_checkpoint

    if arguments.checkpoint is not None:
        animator = load_animator(arguments.checkpoint, arguments.device)
        return animator, describe_checkpoint(arguments.checkpoint, animator)
    import torch

    kind = animator_class(arguments.model, Path("--model"))
    torch.manual_seed(0)
    animator = kind.for_inference({}).to(choose_device(arguments.device)).eval()
    timing.enliven(animator)
    weights = "random, batch-norm statistics measured on smooth noise"
    return animator, {**animator.description(), "file": None, "trained": None, "weights": weights}


def report(record: dict[str, Any]) -> str:
    """Write a record as Markdown; one that is older than a figure goes without it."""
    result = record["result"]
    calls, expected = result["calls"], result["expected_calls"]
    counted = ", ".join(f"{name} {calls[name]} (expected {expected[name]})" for name in expected)
    times = ", ".join(
        f"{name.removesuffix('_ms').replace('_', ' ')} {value:.1f} ms"
        for name, value in result.items()
        if name.endswith("_ms")
    )
    lines = [
        f"### {record['model']}, {result['image_size']} pixels, {record['device']}",
        "",
        f"{result['parameters']:,} parameters; peak memory "
        f"{result['peak_memory_bytes'] / 1e6:,.0f} MB ({record['memory_kind']}); {times}.",
        f"Calls for {result['frames']} frames: {counted}"
        + (f", QR {calls['qr']}." if calls["qr"] else "."),
        f"Gain over the naive loop {result['ratio']:.2f}; (s + m + d) / (m + d) allows "
        f"{result['ideal_ratio']:.2f}.",
        *_judged(result),
        "",
        "| loop | ms a frame | frames a second | against naive | mean difference | largest |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, row in result["loops"].items():
        mark = " (default)" if name == f"chunk {result['default_chunk']}" else ""
        lines.append(
            f"| {name}{mark} | {row['ms_per_frame']:.1f} | {row['frames_per_second']:.1f} | "
            f"{row['ratio_to_naive']:.2f} | {row['mean_difference']:.1e} | "
            f"{row['max_difference']:.1e} |"
        )
    return "\n".join(lines)


def _judged(result: dict[str, Any]) -> list[str]:
    """Lines on figures that the first records lack."""
    lines = []
    if "ratio_to_everything" in result:
        lines.append(
            f"Gain over everything anew {result['ratio_to_everything']:.2f}; "
            f"(s + 2 m + d) / (m + d) allows {result['ideal_ratio_to_everything']:.2f}."
        )
    if "change_between_frames" in result:
        lines.append(
            f"Output {'equal' if result['equal_output'] else 'NOT equal'} (mean difference at most "
            f"{TOLERANCE:.0e} of the change from frame to frame, which is "
            f"{result['change_between_frames']:.1e})."
        )
    return lines


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks speed",
        description="Time a checkpoint, and compare it with the loop that encodes the source for "
        "every frame.",
        allow_abbrev=False,
    )
    described.add_argument(
        "--checkpoint", type=Path, help="a trained animator (default: --model, untrained)"
    )
    described.add_argument(
        "--model", default="animators.lia.Lia", help="class to time at the paper's size when there "
        "is no checkpoint (default: animators.lia.Lia)",
    )  # fmt: skip
    described.add_argument("--clip-frames", type=int, default=32, help="driving frames")
    described.add_argument("--repeats", type=int, default=5, help="passes; the median counts")
    described.add_argument("--name", help="what it is called (default: the animator)")
    options.add_record(described)
    options.add_device(described)
    return described


def main(argv: Sequence[str]) -> int:
    """Measure, write and print the record; returns 0, or 2 after one line on stderr."""

    def work(arguments: argparse.Namespace) -> None:
        if arguments.clip_frames < 2 or arguments.repeats < 1:
            raise ValueError("--clip-frames must be at least 2 and --repeats at least 1")
        from animators.animator import model_name
        from benchmarks import records

        animator, weights = build(arguments)
        name = arguments.name or model_name(type(animator))
        cuda = animator.device.type == "cuda"
        record = {
            "format": records.FORMAT,
            "kind": "speed",
            "model": name,
            "checkpoint": weights,
            "settings": {"frames": arguments.clip_frames},
            "memory_kind": (
                "GPU, above the weights"
                if cuda
                else "the process at its largest: loading and one pass of our loop"
            ),
            "result": measure(animator, arguments.clip_frames, arguments.repeats),
            **records.provenance(animator.device),
        }
        path = records.write_record(record, arguments.output or records.RESULTS, "speed", name)
        print(report(record))
        print(f"\nrecord: {path}")

    return options.run(parser(), work, argv)
