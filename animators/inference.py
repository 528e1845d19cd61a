"""The animate loop, once, over the verbs of any animator.

`stream` is the only loop; commands feed it chunks of a file, `animate` and `reconstruct` of
a tensor.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from animators.animator import Animator, Mode, check_references


def take_first(motion: Any, batch: int) -> Any:
    """Keep the first frame of each clip of a motion whose first axis is batch x frames."""
    return _map(motion, lambda x: torch.unflatten(x, 0, (batch, -1))[:, 0])


def repeat_frames(state: Any, frames: int) -> Any:
    """Repeat each sample `frames` times along the first axis; a single sample is not copied."""

    def repeat(x: Tensor) -> Tensor:
        if x.shape[0] == 1:
            return x.expand(frames, *x.shape[1:])
        return x.repeat_interleave(frames, dim=0)

    return state if frames == 1 else _map(state, repeat)


def check_mode(model: Animator[Any, Any], mode: Mode | str) -> Mode:
    """Return the mode, or raise ValueError naming those that the animator has."""
    known = ", ".join(model.modes)
    try:
        wanted = Mode(mode)
    except ValueError:
        raise ValueError(f"unknown mode {str(mode)!r}; this animator has: {known}") from None
    if wanted not in model.modes:
        remedy = model.mode_remedies.get(wanted)
        raise ValueError(
            f"mode {wanted.value!r} is not one of this animator's: {known}"
            + (f"; {remedy}" if remedy else "")
        )
    return wanted


def check_clip(
    model: Animator[Any, Any], clip: Tensor, name: str, shape: str, *, finite: bool = True
) -> None:
    """Raise ValueError unless `clip` is of this shape, of the animator's size, and in [0, 1]."""
    if not isinstance(clip, Tensor):
        raise ValueError(f"{name} must be a float tensor {shape} in [0, 1], got {clip!r}")
    dims = len(shape.split(","))
    if clip.ndim != dims or clip.shape[-3] != 3 or not clip.is_floating_point() or 0 in clip.shape:
        raise ValueError(
            f"{name} must be a float tensor {shape} in [0, 1], "
            f"got {tuple(clip.shape)} of {clip.dtype}"
        )
    size = model.image_size
    if clip.shape[-2:] != (size, size):
        raise ValueError(
            f"{name} is {clip.shape[-1]}x{clip.shape[-2]} pixels; this animator works at "
            f"{size}x{size}: crop to a square and resize to {size} first"
        )
    if not finite:
        return
    low, high = clip.amin().item(), clip.amax().item()
    if not (low >= -1e-3 and high <= 1 + 1e-3):
        raise ValueError(
            f"{name} must lie in [0, 1] without NaN, got values from {low:g} to {high:g}"
        )


def views(
    model: Animator[Any, Any], source: Tensor, references: Tensor | None, *, finite: bool = True
) -> Tensor:
    """Join sources (B, 3, H, W) and references (B, N, 3, H, W), if any, to (B, 1 + N, 3, H, W).

    Raises:
        ValueError: wrong shape, size or range, or an animator that takes no references.
    """
    if references is None or (isinstance(references, Tensor) and references.shape[1:2] == (0,)):
        return source
    check_clip(model, references, "references", "(B, N, 3, H, W)", finite=finite)
    if len(references) != len(source):
        raise ValueError(f"{len(source)} sources, references for {len(references)}: give each some")
    remedy = "leave them out (in a run, set data.init_args.references to 0)"
    check_references(model, references.shape[1], remedy)
    return torch.cat([_to_model(model, x) for x in (source[:, None], references)], dim=1)


@torch.no_grad()
def stream(
    model: Animator[Any, Any],
    source: Tensor,
    frames: Iterable[Tensor],
    *,
    mode: Mode | str,
    reference: Tensor | None = None,
    pair: bool = False,
    encoded: Any | None = None,
) -> Iterator[Tensor]:
    """Animate chunk by chunk; the source is encoded once, each driving frame once.

    Args:
        model: the animator.
        source: (B, 3, H, W) in [0, 1]; (B, V, 3, H, W) for an animator of several views.
        frames: chunks (B, t, 3, H, W) of the driving clip.
        mode: one of the animator's modes.
        reference: (B, 3, H, W), the driving clip's reference frame, used in relative mode
            only; None takes the first frame of the first chunk.
        pair: hand the source to `encode_motion` (reconstruction).
        encoded: an already encoded, perhaps edited, source, instead of `source`'s own.

    Yields:
        Chunks (B, t, 3, H, W), not clamped.

    Raises:
        ValueError: a mode that the animator lacks.
    """
    mode = check_mode(model, mode)
    state = model.encode_source(source) if encoded is None else encoded
    batch = source.shape[0]
    relative = mode is Mode.RELATIVE
    origin = None
    if relative and reference is not None:
        origin = model.prepare_reference(state, model.encode_motion(reference))
    for chunk in frames:
        count = chunk.shape[1]
        here = repeat_frames(state, count)
        motion = model.encode_motion(chunk.flatten(0, 1), here if pair else None)
        if relative and origin is None:
            origin = model.prepare_reference(state, take_first(motion, batch))
        against = repeat_frames(origin, count) if relative else None
        drawn = model.render(here, model.transfer(here, motion, against, mode))
        yield drawn.reshape(batch, count, *drawn.shape[1:])


@torch.no_grad()
def best_frame(
    model: Animator[Any, Any], source: Tensor, frames: Iterable[Tensor], encoded: Any | None = None
) -> Tensor:
    """Find the driving frame nearest to the source in the animator's motion space.

    Args:
        model: the animator.
        source: (B, 3, H, W); (B, V, 3, H, W) for an animator of several views.
        frames: chunks (B, t, 3, H, W).
        encoded: as `stream` takes it.

    Returns:
        (B,) int64 indices over the whole clip; the earliest of equals.

    Raises:
        ValueError: the clip has no frame, or none that can be compared with the source.
    """
    state = model.encode_source(source) if encoded is None else encoded
    distances = [
        model.motion_distance(
            repeat_frames(state, chunk.shape[1]), model.encode_motion(chunk.flatten(0, 1))
        ).reshape(source.shape[0], -1)
        for chunk in frames
    ]
    if not distances:
        raise ValueError("the driving clip has no frame")
    nearest, best = torch.cat(distances, dim=1).min(dim=1)
    if not bool(nearest.isfinite().all()):
        raise ValueError(
            "no best frame: what the animator finds in the source, or in every driving frame, "
            "spans no area; choose the reference frame by number, take absolute mode, or a source "
            "like those that the animator was trained on"
        )
    return best


@torch.no_grad()
def animate(
    model: Animator[Any, Any],
    source: Tensor,
    driving: Tensor,
    references: Tensor | None = None,
    *,
    mode: Mode | str = Mode.RELATIVE,
    reference: Literal["first", "best"] | int = "first",
    chunk: int = 1,
) -> Tensor:
    """Make pictures move like clips: `stream` on tensors, clamped.

    Args:
        model: the animator.
        source: (B, 3, H, W) in [0, 1].
        driving: (B, T, 3, H, W) in [0, 1].
        references: (B, N, 3, H, W) in [0, 1], further views of each source, where several_views.
        mode: one of the animator's modes.
        reference: driving frame that corresponds to the source in relative mode: the
            first, the best (nearest in motion space), or an index; other modes take none.
        chunk: driving frames per call.

    Returns:
        (B, T, 3, H, W) in [0, 1], on the device of `driving`.

    Raises:
        ValueError: wrong shape, size, range or mode, NaN, no such frame, a reference frame in a
            mode that takes none, or references for an animator that takes none.
    """
    check_clip(model, source, "source", "(B, 3, H, W)")
    check_clip(model, driving, "driving", "(B, T, 3, H, W)")
    if source.shape[0] != driving.shape[0]:
        raise ValueError(
            f"{source.shape[0]} sources but {driving.shape[0]} driving clips: give one each"
        )
    mode = check_mode(model, mode)
    if mode is not Mode.RELATIVE and reference != "first":
        raise ValueError(
            f"reference={reference!r} has no meaning in {mode.value} mode, which takes each "
            "frame's own pose: leave it out, or take relative mode"
        )
    home = driving.device
    source = _to_model(model, views(model, source, references))
    driving = _to_model(model, driving)
    frame = None if reference == "first" else _reference(model, source, driving, reference, chunk)
    pieces = stream(model, source, torch.split(driving, chunk, dim=1), mode=mode, reference=frame)
    return torch.cat([piece.clamp(0, 1).to(home) for piece in pieces], dim=1)


@torch.no_grad()
def reconstruct(
    model: Animator[Any, Any],
    video: Tensor,
    references: Tensor | None = None,
    *,
    mode: Mode | str = Mode.ABSOLUTE,
    chunk: int = 1,
) -> Tensor:
    """Rebuild clips from their own first frames.

    Args:
        model: the animator.
        video: (B, T, 3, H, W) in [0, 1]; frame 0 is the source.
        references: (B, N, 3, H, W), as in `animate`.
        mode: absolute, or another that needs no reference frame (avd).
        chunk: driving frames per call.

    Returns:
        (B, T, 3, H, W) in [0, 1].

    Raises:
        ValueError: wrong shape or size, or references for an animator that takes none.
    """
    check_clip(model, video, "video", "(B, T, 3, H, W)", finite=False)
    video = _to_model(model, video)
    source = views(model, video[:, 0], references, finite=False)
    pieces = stream(model, source, torch.split(video, chunk, dim=1), mode=mode, pair=True)
    return torch.cat([piece.clamp(0, 1) for piece in pieces], dim=1)


def _to_model(model: Animator[Any, Any], x: Tensor) -> Tensor:
    """Move a tensor to the weights' device and type, where the animator is a torch module.

    Raises:
        ValueError: weights of 16 bits, in which positions cannot be told apart.
    """
    if not isinstance(model, nn.Module):
        return x
    weight = next(model.parameters(), None)
    if weight is None:
        return x
    if weight.dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"the animator's weights are {weight.dtype}: take it back with .float(), and run it "
            "under torch.autocast for speed"
        )
    return x.to(weight.device, weight.dtype)


def _reference(
    model: Animator[Any, Any], source: Tensor, clip: Tensor, reference: str | int, chunk: int
) -> Tensor:
    count = clip.shape[1]
    if reference == "best":
        best = best_frame(model, source, torch.split(clip, chunk, dim=1))
        return clip[torch.arange(clip.shape[0], device=clip.device), best]
    if not isinstance(reference, int) or not 0 <= reference < count:
        raise ValueError(
            f"reference frame must be 'first', 'best' or 0 to {count - 1}, got {reference!r}"
        )
    return clip[:, reference]


def _map(state: Any, function: Any) -> Any:
    """Apply `function` to each tensor of a dataclass, nested dataclasses and tuples included."""
    if isinstance(state, Tensor):
        return function(state)
    if isinstance(state, tuple):
        return tuple(_map(x, function) for x in state)
    if state is None:
        return None
    return replace(state, **{f.name: _map(getattr(state, f.name), function) for f in fields(state)})
