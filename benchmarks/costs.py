"""What an animator costs: its speed record beside its quality records, by the same checkpoint."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from animators.module import AnimatorModule

Record = Mapping[str, Any]

EVERYWHERE = ("parameters", "gflops_per_frame")
"""What a network costs whatever it runs on."""


def flops_per_frame(animator: "AnimatorModule") -> int:
    """Count the multiplications and additions of one driving frame, the source encoded already.

    As torch's flop counter has it: convolutions, matrix products and attention, 2 for each
    multiply-add; warps, norms and activations are not counted.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from animators.animator import Mode

    size = animator.image_size
    picture = torch.rand(1, 3, size, size, device=animator.device)
    learned = [weight for weight in animator.parameters() if weight.requires_grad]
    for weight in learned:  # the counter hangs hooks on what wants a gradient
        weight.requires_grad_(False)
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            source = animator.encode_source(picture)
            before = counter.get_total_flops()
            motion = animator.encode_motion(picture)
            animator.render(source, animator.transfer(source, motion, None, Mode.ABSOLUTE))
    finally:
        for weight in learned:
            weight.requires_grad_(True)
    return int(counter.get_total_flops() - before)


def cost(speed: Record) -> dict[str, Any]:
    """Take what tables show out of a speed record; None where an older one lacks it."""
    result = speed["result"]
    best = result["loops"][f"chunk {result['default_chunk']}"]
    flops = result.get("flops_per_frame")
    return {
        "parameters": result["parameters"],
        "gflops_per_frame": None if flops is None else flops / 1e9,
        "frames_per_second": best["frames_per_second"],
        "peak_memory_bytes": result["peak_memory_bytes"],
        "device": speed["device"],
    }


def with_costs(records: Iterable[Record], speeds: Sequence[Record]) -> list[dict[str, Any]]:
    """Give quality records their `cost`: that of the newest speed record of the same network.

    Seeds of one network cost the same, so that class and arguments decide, not weights. Speed and
    memory are taken from the record's own device only; size and operations are those of any.

    Args:
        records: of quality.
        speeds: of `python -m benchmarks speed`.
    """
    anywhere: dict[str, dict[str, Any]] = {}
    here: dict[tuple[str, str], dict[str, Any]] = {}
    for speed in sorted(speeds, key=lambda one: str(one["date"])):
        which, figures = network(speed["checkpoint"]), cost(speed)
        here[which, speed["device"]] = figures
        same = {name: figures[name] for name in EVERYWHERE if figures[name] is not None}
        anywhere[which] = anywhere.get(which, {}) | same
    found = []
    for record in records:
        which = network(record["checkpoint"])
        seconds = (record["checkpoint"].get("trained") or {}).get("seconds")
        known = dict(record.get("cost") or {}) | here.get((which, record["device"]), {})
        known |= anywhere.get(which, {})
        found.append({**record, "cost": {"training_seconds": seconds} | known})
    return found


def network(described: Record) -> str:
    """Say which network a description is of: class and arguments, whatever the weights."""
    # as a file has it, where tuples are lists
    arguments = json.dumps(described.get("init_args") or {}, sort_keys=True, default=str)
    return f"{described.get('class_path')} {arguments}"
