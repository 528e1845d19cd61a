"""The picture of a motion field as it evolves: flow colours, warped views, result."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.utils import flow_to_image

from animators.animator import Mode
from animators.nn.grid import coordinate_grid, warp
from benchmarks.curves import save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from animators.module import AnimatorModule

TIMES = {0.0: "0 (coarse)", 0.25: "1/4", 0.5: "1/2", 0.75: "3/4", 1.0: "1 (refined)"}
WHEEL = 129  # pixels of the legend


@dataclass(frozen=True)
class Look:
    """What the picture shows, on the CPU.

    Attributes:
        views: the source and its references, (V, 3, H, W).
        driving: (3, H, W).
        result: (3, H, W).
        fields: phi at the T times shown, (T, V, h, w, 2), in units of [-1, 1].
        align_corners: how the animator samples.
        frame: number of the driving frame.
        name: of the clip.
    """

    views: Tensor
    driving: Tensor
    result: Tensor
    fields: Tensor
    align_corners: bool
    frame: int
    name: str


@torch.no_grad()
def look(animator: "AnimatorModule", clip: Mapping[str, Any], frame: int | None) -> Look:
    """Reconstruct one frame and keep the fields on the way.

    Args:
        animator: with `network.fields`.
        clip: `video` (1, T, 3, H, W), `references` (1, N, 3, H, W), `name`.
        frame: of the video; None takes the one furthest from frame 0.

    Raises:
        ValueError: no such frame, or references for an animator that takes a single view.
    """
    video, references = clip["video"], clip["references"]
    last = video.shape[1] - 1
    if frame is None:
        frame = int((video[0] - video[0, 0]).abs().flatten(1).mean(1).argmax())
    if not 0 <= frame <= last:
        raise ValueError(f"--frame must be 0 to {last}, got {frame}")
    views = video[:, :1]
    if references.shape[1]:
        if not animator.several_views:
            raise ValueError(
                f"{type(animator).__name__} takes one view: leave references at 0 for it"
            )
        views = torch.cat([views, references], dim=1)
    here = views.to(animator.device)
    source = animator.encode_source(here if animator.several_views else here[:, 0])
    driving = video[:, frame].to(animator.device)
    moved = animator.transfer(source, animator.encode_motion(driving, source), None, Mode.ABSOLUTE)
    return Look(
        views[0].cpu(),
        video[0, frame].cpu(),
        animator.render(source, moved)[0].clamp(0, 1).cpu(),
        trajectory(animator, source, moved)[:, 0].cpu(),
        bool(animator.arguments["align_corners"]),
        frame,
        str(clip["name"]),
    )


def trajectory(animator: "AnimatorModule", source: object, motion: object) -> Tensor:
    """Phi of every view at all `TIMES`, (T, B, V, h, w, 2); at 0 alone without an evolution.

    Each time is the end of a solve of its own: one solve for all would interpolate where its steps
    do not end, and steps that end at every time would not give the phi(1) that is drawn with.
    """
    network: Any = animator.network
    if animator.several_views:
        coarse: Tensor = network.coarse(source, motion).coarse
    else:
        coarse = network.fields(source, motion)[0][:, None]
    if network.evolution is None:
        return coarse[None]
    start, *ends = TIMES
    solved = [network.evolution.trajectory(coarse, (start, end)) for end in ends]
    return torch.stack([solved[0][0], *(pair[-1] for pair in solved)])


def colours(fields: Tensor) -> tuple[Tensor, float]:
    """Show fields (..., h, w, 2) by the colours of one wheel.

    Returns:
        (..., 3, h, w) in [0, 1]; direction is hue, length is saturation; and the length of the
        fullest colour.
    """
    longest = float(fields.norm(dim=-1).max())
    flat = fields.flatten(0, -4).permute(0, 3, 1, 2).float()
    if longest == 0:  # flow_to_image would divide by it
        return torch.ones(*fields.shape[:-3], 3, *fields.shape[-3:-1]), 0.0
    return torch.unflatten(flow_to_image(flat) / 255, 0, fields.shape[:-3]), longest


def warped(shown: Look) -> Tensor:
    """Every view read at the identity plus phi, for each time: (T, V, 3, H, W)."""
    times, count = shown.fields.shape[:2]
    size = (shown.views.shape[-2], shown.views.shape[-1])
    fields = shown.fields.flatten(0, 1).permute(0, 3, 1, 2)
    large = interpolate(fields, size=size, mode="bilinear", align_corners=True)
    grid = coordinate_grid(*size, like=large) + large.permute(0, 2, 3, 1)
    views = shown.views.repeat(times, 1, 1, 1)
    moved = warp(views, grid, align_corners=shown.align_corners)
    return torch.unflatten(moved, 0, (times, count))


def draw(shown: Look, output: Path) -> None:
    """Lay everything out: for each view flow colours, what the evolution added, the warped view."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    times, count = shown.fields.shape[:2]
    pixels = 0.5 * (shown.views.shape[-1] - 1)
    flow, longest = colours(shown.fields)
    added, most = colours(shown.fields - shown.fields[:1])
    strips = {"the view warped by it": warped(shown)}
    if times > 1:
        strips = {
            f"$\\varphi(\\varepsilon) - \\varphi(0)$, rim {pixels * most:.2f} px": added
        } | strips
    rows = 1 + len(strips)
    figure = Figure(figsize=(1.55 * (times + 3), 1.65 * rows * count + 0.3), layout="constrained")
    FigureCanvasAgg(figure)
    cells = figure.subplots(rows * count, times + 3, squeeze=False)
    for axes in cells.flat:
        axes.axis("off")
    for v in range(count):
        block = cells[rows * v : rows * (v + 1)]
        _show(block[0, 0], shown.views[v], f"reference {v}" if v else "source")
        for t, label in zip(range(times), TIMES.values(), strict=False):
            start = "$\\varphi$ at " if t == 0 else ""
            _show(block[0, t + 2], flow[t, v], rf"{start}$\varepsilon$ = {label}")
            for k, (title, strip) in enumerate(strips.items(), 1):
                _show(block[k, t + 2], strip[t, v], title if t == 0 else "")
    _show(cells[0, 1], shown.driving, f"driving, frame {shown.frame}")
    _show(cells[0, -1], shown.result, "result")
    _legend(cells[1, 0], pixels * longest)
    save(figure, output)


def _show(axes: "Axes", picture: Tensor, title: str) -> None:
    axes.imshow(picture.clamp(0, 1).permute(1, 2, 0).numpy(), interpolation="nearest")
    axes.set_title(title, fontsize=7)


def _legend(axes: "Axes", longest: float) -> None:
    """The wheel of the flow's colours, its rim the longest displacement there is."""
    wheel = coordinate_grid(WHEEL, WHEEL, like=torch.zeros(1))
    inside = wheel.norm(dim=-1) <= 1
    shades, _ = colours((wheel * inside[..., None])[None])
    title = f"where it reads from\nrim {longest:.1f} px"
    _show(axes, torch.where(inside, shades[0], torch.ones(())), title)
