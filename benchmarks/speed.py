"""`python -m benchmarks speed`: animate against the naive loop, side by side in one run.

The naive loop encodes the source again for every driving frame, as LIA's own demo does. Times
are ratios, measured in turn in one process; absolute ones count on a GPU only.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import options as shared

CHUNKS = (1, 2, 4, 8)


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks speed", description=__doc__, allow_abbrev=False
    )
    options.add_argument(
        "--checkpoint", type=Path, help="default: LIA at the paper's size, untrained"
    )
    options.add_argument("--frames", type=int, default=16, help="driving frames (default: 16)")
    options.add_argument("--repeats", type=int, default=3, help="rounds of all loops (default: 3)")
    options.add_argument("--device", default="auto", help="auto, cpu, cuda")
    options.add_argument("--output", type=Path, help="JSON file to write")
    return options


def main(argv: Sequence[str]) -> int:
    """Measure; returns 0, or 2 after one line on stderr."""
    return shared.run(parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    if arguments.frames < 2 or arguments.repeats < 1:
        raise ValueError("--frames must be at least 2 and --repeats at least 1")
    record = measure(_animator(arguments), arguments.frames, arguments.repeats)
    print(render(record))
    if arguments.output is not None:
        shared.write_whole(arguments.output, json.dumps(record, indent=1) + "\n")
        print(f"written: {arguments.output}")


def _animator(arguments: argparse.Namespace) -> Any:
    from animators.weights import animator_class, choose_device, load_animator

    if arguments.checkpoint is not None:
        return load_animator(arguments.checkpoint, arguments.device)
    import torch

    torch.manual_seed(0)
    kind = animator_class("animators.lia.Lia", Path("speed"))
    return kind.for_inference({}).to(choose_device(arguments.device)).eval()


def measure(model: Any, frames: int, repeats: int) -> dict[str, Any]:
    """Time the loops in turn, `repeats` times after a warm-up, and compare their pictures.

    Args:
        model: an animator with `network.encoder` and `network.decoder`.
        frames: driving frames.
        repeats: rounds; medians are reported.

    Returns:
        Seconds, ratios, calls, differences and provenance.
    """
    import torch

    from benchmarks.provenance import provenance

    size, device = model.image_size, model.device
    draw = torch.Generator().manual_seed(0)
    small = torch.rand(frames + 1, 3, 8, 8, generator=draw)
    pictures = torch.nn.functional.interpolate(small, (size, size), mode="bilinear").to(device)
    source, driving = pictures[:1], pictures[None, 1:]

    loops: dict[str, Callable[[], Any]] = {"naive": lambda: naive(model, source, driving)}
    for chunk in CHUNKS:
        loops[f"chunk {chunk}"] = lambda c=chunk: model.animate(source, driving, chunk=c)
    parts: dict[str, Callable[[], Any]] = {
        "encoder": lambda: model.encode_source(source),
        "decoder": _decoder(model, source),
    }
    with torch.no_grad():
        outputs = {name: loop() for name, loop in loops.items()}  # a warm-up too
        for part in parts.values():
            part()
        seconds = _rounds({**loops, **parts}, repeats, device)
    with counted(model) as calls:
        model.animate(source, driving, chunk=1)
    encode, decode = seconds["encoder"], seconds["decoder"]
    return {
        "image_size": size,
        "frames": frames,
        "parameters": sum(p.numel() for p in model.network.parameters()),
        "seconds": seconds,
        "calls": calls,
        "ratio": {n: seconds["naive"] / seconds[n] for n in loops if n != "naive"},
        "ideal_ratio": (2 * encode + decode) / (encode + decode),
        "mean_difference": {
            n: (outputs[n] - outputs["naive"]).abs().mean().item() for n in loops if n != "naive"
        },
        "default_chunk": model.default_chunk(),
        "peak_gpu_bytes": torch.cuda.max_memory_allocated() if device.type == "cuda" else None,
        **provenance(device),
    }


def naive(model: Any, source: Any, driving: Any) -> Any:
    """Animate frame by frame, encoding the source each time (relative mode)."""
    import torch

    from animators.animator import Mode

    reference = model.encode_motion(driving[:, 0])
    results = []
    for i in range(driving.shape[1]):
        state = model.encode_source(source)
        motion = model.transfer(state, model.encode_motion(driving[:, i]), reference, Mode.RELATIVE)
        results.append(model.render(state, motion).clamp(0, 1))
    return torch.stack(results, dim=1)


def _decoder(model: Any, source: Any) -> Callable[[], Any]:
    import torch

    with torch.no_grad():
        state, motion = model.encode_source(source), model.encode_motion(source)
    return lambda: model.render(state, motion)


def _rounds(loops: dict[str, Callable[[], Any]], repeats: int, device: Any) -> dict[str, float]:
    """Time every loop once a round, so that a slow moment falls on all; medians in seconds."""
    import torch
    from tqdm import tqdm

    times: dict[str, list[float]] = {name: [] for name in loops}
    for _ in tqdm(range(repeats), desc="rounds"):
        for name, loop in loops.items():
            if device.type == "cuda":
                torch.cuda.synchronize()
            begin = time.perf_counter()
            loop()
            if device.type == "cuda":
                torch.cuda.synchronize()
            times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in times.items()}


@contextmanager
def counted(model: Any) -> Iterator[dict[str, int]]:
    """Count the pictures that go through encoder and decoder."""
    calls = {"encoder": 0, "decoder": 0}
    hooks = []
    for name in calls:

        def hook(_module: Any, inputs: Any, key: str = name) -> None:
            calls[key] += len(inputs[0])

        hooks.append(getattr(model.network, name).register_forward_pre_hook(hook))
    try:
        yield calls
    finally:
        for handle in hooks:
            handle.remove()


def render(record: dict[str, Any]) -> str:
    """Write a measurement as Markdown."""
    lines = [
        f"{record['frames']} frames of {record['image_size']} pixels, "
        f"{record['parameters']:,} parameters, {record['device']}, {record['threads']} threads",
        "",
        "| loop | against the naive loop | mean difference |",
        "|---|---:|---:|",
    ]
    for name, ratio in record["ratio"].items():
        lines.append(f"| {name} | {ratio:.2f}x | {record['mean_difference'][name]:.1e} |")
    calls = record["calls"]
    lines += [
        "",
        f"What encoder and decoder times allow, (2e+d)/(e+d): {record['ideal_ratio']:.2f}x. "
        f"Pictures encoded {calls['encoder']}, decoded {calls['decoder']}.",
    ]
    if record["peak_gpu_bytes"] is not None:
        rate = record["frames"] / record["seconds"][f"chunk {record['default_chunk']}"]
        lines.append(f"{rate:.1f} frames/s, {record['peak_gpu_bytes'] / 2**20:.0f} MiB at most")
    return "\n".join(lines)
