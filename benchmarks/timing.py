"""Clocks and counters of the speed benchmark."""

import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from animators.animator import Mode

if TYPE_CHECKING:
    from animators.module import AnimatorModule

Loop = Callable[[], Tensor]


def test_clip(animator: "AnimatorModule", frames: int) -> tuple[Tensor, Tensor]:
    """Make a picture and a clip of smooth noise, the same each time.

    Returns:
        (1, 3, H, W) and (1, T, 3, H, W) in [0, 1], on the animator's device.
    """
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(frames + 1, 3, 8, 8, generator=generator)
    size = animator.image_size
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
    weight = next(animator.parameters())
    images = smooth.to(weight.device, weight.dtype)
    return images[:1], images[None, 1:]


def enliven(animator: "AnimatorModule", frames: int = 4) -> None:
    """Make random weights move a picture, in place, as training would have made them.

    Batch norm with the statistics that it begins with lets signals die away, and weights that
    begin at zero hide what they multiply: an untrained FOMM changes its picture by 1e-5 from frame
    to frame.

    Args:
        animator: with random weights; in eval mode afterwards.
        frames: driving frames whose statistics are taken.
    """
    with torch.no_grad():
        for weight in animator.network.parameters():
            if weight.ndim > 1 and not weight.any():
                weight.normal_(std=0.01)
    norms = [m for m in animator.network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all passes
    animator.train()
    ours(animator, *test_clip(animator, frames), 1)
    animator.eval()
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum


@torch.no_grad()
def naive(
    animator: "AnimatorModule", source: Tensor, driving: Tensor, *, everything: bool = False
) -> Tensor:
    """Animate in relative mode, encoding the source again for every frame.

    The reference frame is prepared again too, inside `transfer`.

    Args:
        animator: in eval mode.
        source: (1, 3, H, W) in [0, 1].
        driving: (1, T, 3, H, W) in [0, 1].
        everything: read the motion of the reference frame again for every frame too.

    Returns:
        (1, T, 3, H, W).
    """
    reference = animator.encode_motion(driving[:, 0])
    made = []
    for frame in driving.unbind(1):
        state = animator.encode_source(source)
        motion = animator.encode_motion(frame)
        if everything:
            reference = animator.encode_motion(driving[:, 0])
        moved = animator.transfer(state, motion, reference, Mode.RELATIVE)
        made.append(animator.render(state, moved))
    return torch.stack(made, dim=1)


@torch.no_grad()
def ours(animator: "AnimatorModule", source: Tensor, driving: Tensor, chunk: int) -> Tensor:
    """Animate in relative mode by the streaming loop; shapes as `naive`."""
    chunks = torch.split(driving, chunk, dim=1)
    return torch.cat(list(animator.stream(source, chunks, mode=Mode.RELATIVE)), dim=1)


def wait(device: torch.device) -> None:
    """Let the device finish what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def seconds(work: Callable[[], Any], device: torch.device) -> tuple[float, Any]:
    """Time one call.

    Returns:
        Seconds, and what the call gave.
    """
    wait(device)
    start = time.perf_counter()
    result = work()
    wait(device)
    return time.perf_counter() - start, result


def interleaved(
    loops: Mapping[str, Loop], repeats: int, device: torch.device
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Time loops in turns, so that a busy moment of the machine does not hit one of them alone.

    Returns:
        Name -> median of the seconds; name -> output of the loop's last pass.
    """
    for loop in loops.values():
        loop()  # the first call allocates and chooses kernels
    times: dict[str, list[float]] = {name: [] for name in loops}
    outputs = {}
    for _ in range(repeats):
        for name, loop in loops.items():
            taken, outputs[name] = seconds(loop, device)
            times[name].append(taken)
    return {name: statistics.median(values) for name, values in times.items()}, outputs


@torch.no_grad()
def part_times(
    animator: "AnimatorModule", source: Tensor, driving: Tensor, repeats: int
) -> dict[str, float]:
    """Time the verbs on single pictures.

    Returns:
        `source` and `motion`: seconds of encoding a source, and of reading a frame's motion;
        `drawing`: of handing over the motion from a prepared reference frame, and rendering.
    """
    device = animator.device
    state = animator.encode_source(source)
    motion = animator.encode_motion(driving[:, 0])
    reference = animator.prepare_reference(state, motion)

    def draw() -> Tensor:
        moved = animator.transfer(state, motion, reference, Mode.RELATIVE)
        return animator.render(state, moved)

    parts: dict[str, Loop] = {
        "source": lambda: animator.encode_source(source),
        "motion": lambda: animator.encode_motion(driving[:, 0]),
        "drawing": draw,
    }
    return interleaved(parts, max(10, 4 * repeats), device)[0]


class _QrCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func.name() == "aten::linalg_qr"
        return func(*args, **(kwargs or {}))


def count_calls(animator: "AnimatorModule", source: Tensor, driving: Tensor) -> dict[str, int]:
    """Count what one pass of the streaming loop asks of the animator, one frame at a time.

    Returns:
        `encode_source`, `encode_motion`, `render`: pictures through each verb; `qr`: QR
        decompositions.
    """
    counts = {"encode_source": 0, "encode_motion": 0, "render": 0}

    def counting(name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            result = verb(*arguments, **named)
            counts[name] += len(result if name == "render" else arguments[0])
            return result

        return counted

    animator.train()
    animator.eval()  # forgets what is kept between passes
    for name in counts:
        object.__setattr__(animator, name, counting(name, getattr(animator, name)))
    try:
        with _QrCounter() as counter:  # type: ignore[no-untyped-call]
            ours(animator, source, driving, 1)
    finally:
        for name in counts:
            object.__delattr__(animator, name)
    return {**counts, "qr": counter.count}


def peak_memory(work: Callable[[], Any], device: torch.device) -> int:
    """Give the most memory in bytes that a call needs.

    On a GPU what the call allocates beyond what was there; elsewhere the largest size that the
    whole process has had until the call ends, so call it before anything larger.
    """
    if device.type == "cuda":
        work()  # the first call tries kernels out
        wait(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        wait(device)
        return torch.cuda.max_memory_allocated(device) - before
    work()
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def peak_allocated(work: Callable[[], Any], device: torch.device) -> int:
    """Give the most bytes that a call holds in tensors at once, beyond those that were there.

    On a GPU as `peak_memory`. On a CPU every allocation and every release is added up, as torch's
    profiler records them: exact, where a process's size would show only what the system gave it.
    """
    if device.type == "cuda":
        return peak_memory(work, device)
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it writes to stderr that it starts and stops
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as records:
        work()
    assert records.profiler is not None
    assert records.profiler.kineto_results is not None
    events = records.profiler.kineto_results.events()
    sizes = [(e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]"]
    held = peak = 0
    for _, size in sorted(sizes, key=lambda moment: moment[0]):
        held += size
        peak = max(peak, held)
    return peak
