"""`python -m benchmarks study flow_cost`: what the additions of Swin/TPS cost, by image size.

Measured are the flow optimisers alone, motion attention alone, the drawing with both
(`network.paint`), and the drawing without either, which is TPSMM's. Floating-point operations are
those of matrix products, convolutions and attention, a multiplication with its addition as two.
"""

import argparse
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import options

if TYPE_CHECKING:
    from animators.module import AnimatorModule

LINEAR = 0.05
"""How far the growth of operations may be from that of the pixels to be called linear."""
DEPTHS = (1, 2, 3)


def build(arguments: argparse.Namespace) -> tuple["AnimatorModule", dict[str, Any] | None]:
    """Open the checkpoint, or make the class at the sizes of its paper with random weights.

    Returns:
        The animator in eval mode, and what a record says of the checkpoint.

    Raises:
        OSError: the checkpoint is missing.
        ValueError: it is damaged, there is no such class, or it has neither addition.
    """
    import torch

    from animators.weights import animator_class, choose_device, load_animator
    from benchmarks.run import describe_checkpoint

    checkpoint = None
    if arguments.checkpoint is not None:
        animator = load_animator(arguments.checkpoint, arguments.device)
        checkpoint = describe_checkpoint(arguments.checkpoint, animator)
    else:
        kind = animator_class(arguments.model, Path("--model"))
        torch.manual_seed(0)
        animator = kind.for_inference({}).to(choose_device(arguments.device)).eval()
    parts = [getattr(animator.network, name, None) for name in ("flow_optimisers", "attention")]
    if not any(part is not None for part in parts):
        raise ValueError(
            f"{arguments.checkpoint or arguments.model} has neither flow optimisers nor motion "
            "attention: give a swin_tps with optimise_flow or decouple"
        )
    return animator, checkpoint


def check_sizes(animator: "AnimatorModule", sizes: Sequence[int]) -> None:
    """Raise ValueError unless there are two sizes or more, growing, that the network takes."""
    import math

    from animators.nn.hourglass import check_image_size

    if len(sizes) < 2 or any(b <= a for a, b in pairwise(sizes)):
        raise ValueError(f"--sizes must be two or more growing numbers, got {list(sizes)}")
    own = animator.description()["init_args"]
    halvings = own["shrink_factor"] * 2 ** own["blocks"], 2 ** own["down_blocks"]
    for size in sizes:
        check_image_size(size, math.lcm(*halvings))


def measure(animator: "AnimatorModule", sizes: Sequence[int], repeats: int) -> dict[str, Any]:
    """Count and time every part at every size.

    Returns:
        The `result` of a record.
    """
    import torch
    from tqdm import tqdm

    from benchmarks import timing
    from benchmarks.studies.flow_parts import count_flops, parts, reach

    rows: list[dict[str, Any]] = []
    loops: dict[str, timing.Loop] = {}
    with torch.no_grad():
        for size in tqdm(sizes, desc="operations, memory", unit="size"):
            for part, work in parts(animator.network, size, animator.device).items():
                memory = timing.peak_allocated(work, animator.device)
                row = {"part": part, "size": size, "flops": count_flops(work)}
                rows.append(row | {"peak_memory_bytes": memory})
                loops[f"{part} {size}"] = work
        seconds = timing.interleaved(loops, repeats, animator.device)[0]
    first = {row["part"]: row for row in rows if row["size"] == sizes[0]}
    for row in rows:
        row["seconds"] = seconds[f"{row['part']} {row['size']}"]
        base = first[row["part"]]
        row["ratio"] = row["seconds"] / seconds[f"{row['part']} {sizes[0]}"]
        row["growth_over_pixels"] = row["flops"] / base["flops"] * (sizes[0] / row["size"]) ** 2
    own = [row for row in rows if row["part"] == "motion attention"]
    attention = [attention_row(animator, row["size"], row["peak_memory_bytes"]) for row in own]
    return {
        "rows": rows,
        "linear_in_pixels": is_linear([r for r in rows if r["part"] == "flow optimisers"]),
        "attention": attention,
        "attention_bounded": is_bounded(attention),
        "reach": [reach(depth) for depth in DEPTHS],
    }


def is_linear(rows: Sequence[Mapping[str, Any]]) -> bool | None:
    """Whether operations grow as the pixels do, within `LINEAR`; None without rows."""
    if not rows:
        return None
    return all(abs(row["growth_over_pixels"] - 1) <= LINEAR for row in rows)


def attention_row(animator: "AnimatorModule", size: int, peak: int) -> dict[str, Any]:
    """Hold the peak memory of motion attention against scores of the finest map.

    Returns:
        `full_bytes` would hold the scores of every position against every other, `pooled_bytes`
        those against the keys that there are.
    """
    finest: Any = animator.network.attention
    pooled = size > finest[-1].pool_above
    keys = finest[-1].pooled ** 2 if pooled else size**2
    number = next(animator.network.parameters()).element_size()
    return {
        "size": size,
        "pooled": pooled,
        "keys": keys,
        "peak_memory_bytes": peak,
        "pooled_bytes": size**2 * keys * number,
        "full_bytes": size**4 * number,
    }


def is_bounded(rows: Sequence[Mapping[str, Any]]) -> bool | None:
    """Whether attention stays below full scores, and grows no faster than the pixels.

    Only sizes at which keys are pooled count; None when there are none.
    """
    counted = [row for row in rows if row["pooled"]]
    if not counted:
        return None
    grown = all(
        b["peak_memory_bytes"] / a["peak_memory_bytes"]
        <= (1 + LINEAR) * (b["size"] / a["size"]) ** 2
        for a, b in pairwise(counted)
    )
    return grown and all(row["peak_memory_bytes"] < row["full_bytes"] for row in counted)


def report(record: Mapping[str, Any]) -> str:
    """Write a record as Markdown."""
    result, settings = record["result"], record["settings"]
    what = record["checkpoint"]["file"] if record["checkpoint"] else settings["model"]
    gpu, least = record["device_kind"] == "cuda", settings["sizes"][0]
    lines = [
        f"### Cost of flow optimisation and motion attention, {what}, {record['device']}",
        "",
        f"One picture, no gradients. Growth is that of operations from {least} pixels on over that "
        f"of the pixels; time at {least} pixels = 1, each part against itself.",
        *_verdicts(result),
        "",
        f"| part | size | GFLOPs | growth | peak MB | time |{' ms |' if gpu else ''}",
        f"|---|---:|---:|---:|---:|---:|{'---:|' if gpu else ''}",
    ]
    for row in sorted(result["rows"], key=lambda row: row["part"]):  # stable: sizes stay in order
        cells = [row["part"], str(row["size"]), f"{row['flops'] / 1e9:.3f}"]
        cells += [f"{row['growth_over_pixels']:.3f}", f"{row['peak_memory_bytes'] / 1e6:.1f}"]
        cells += [f"{row['ratio']:.2f}"] + ([f"{1000 * row['seconds']:.1f}"] if gpu else [])
        lines.append(f"| {' | '.join(cells)} |")
    if result["attention"]:
        lines += ["", "| size | keys | attention's peak MB | scores MB | scores unpooled MB |"]
        lines.append("|---:|---:|---:|---:|---:|")
    for row in result["attention"]:
        sizes = [row[name] / 1e6 for name in ("peak_memory_bytes", "pooled_bytes", "full_bytes")]
        cells = [str(row["size"]), str(row["keys"]), *(f"{size:,.1f}" for size in sizes)]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| depth | reach of a token | mean share of the map |", "|---:|---:|---:|"]
    for row in result["reach"]:
        extent = f"{row['rows']} x {row['columns']} of {row['map']} x {row['map']}"
        lines.append(f"| {row['depth']} | {extent} | {100 * row['share']:.0f} % |")
    return "\n".join(lines)


def _verdicts(result: Mapping[str, Any]) -> list[str]:
    told = []
    if result["linear_in_pixels"] is not None:
        own = [row for row in result["rows"] if row["part"] == "flow optimisers"]
        worst = max((row["growth_over_pixels"] for row in own), key=lambda x: abs(x - 1))
        verdict = "linear" if result["linear_in_pixels"] else "NOT linear"
        told.append(
            f"Flow optimisers: {verdict} in pixels (furthest from 1: {worst:.3f}, {LINEAR} may be)."
        )
    if result["attention"] and result["attention_bounded"] is None:
        told.append("Motion attention: no map of these sizes is large enough to be pooled.")
    elif result["attention"]:
        verdict = "bounded" if result["attention_bounded"] else "NOT bounded"
        last = result["attention"][-1]
        share = last["full_bytes"] / last["peak_memory_bytes"]
        told.append(
            f"Motion attention: memory {verdict}; at {last['size']} pixels full scores of the "
            f"finest map would take {share:,.0f} times its peak."
        )
    return told


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks study flow_cost",
        description="Measure what the flow optimisers and motion attention of Swin/TPS cost by "
        "image size: operations, peak memory, time, and how far a token sees.",
        allow_abbrev=False,
    )
    which = described.add_mutually_exclusive_group()
    which.add_argument("--checkpoint", type=Path, help="a trained swin_tps")
    which.add_argument(
        "--model", metavar="CLASS", default="animators.swin_tps.SwinTps",
        help="a class at its paper's sizes, with random weights (default: %(default)s)",
    )  # fmt: skip
    described.add_argument(
        "--sizes", type=int, nargs="+", default=[128, 256, 384, 512], help="pixels of a side"
    )
    described.add_argument("--repeats", type=int, default=3, help="passes; the median counts")
    described.add_argument("--name", help="what it is called (default: the animator)")
    options.add_record(described)
    options.add_device(described)
    return described


def main(argv: Sequence[str]) -> int:
    """Measure, write and print the record; returns 0, or 2 after one line on stderr."""
    return options.run(parser(), work, argv)


def work(arguments: argparse.Namespace) -> None:
    """Measure as the options say.

    Raises:
        OSError: a file is missing.
        ValueError: sizes that do not fit, or an animator without the parts.
    """
    if arguments.repeats < 1:
        raise ValueError(f"--repeats must be at least 1, got {arguments.repeats}")
    from animators.animator import model_name
    from benchmarks import records

    animator, checkpoint = build(arguments)
    check_sizes(animator, arguments.sizes)
    record = {
        "format": records.FORMAT,
        "kind": "flow_cost",
        "checkpoint": checkpoint,
        "settings": {
            "model": None if checkpoint else arguments.model,
            "sizes": arguments.sizes,
            "repeats": arguments.repeats,
        },
        "result": measure(animator, arguments.sizes, arguments.repeats),
        **records.provenance(animator.device),
    }
    name = arguments.name or model_name(type(animator))
    path = records.write_record(record, arguments.output or records.RESULTS, "flow_cost", name)
    print(f"{report(record)}\n\nrecord: {path}")
