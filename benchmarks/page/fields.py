"""The motion field that an animator draws a frame with, whatever family it is of.

Networks differ in what they call it. The parts are reached as attributes, because nothing here may
know a model; an animator that has none of them has no field, and the page says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from animators.animator import Mode

if TYPE_CHECKING:
    from animators.module import AnimatorModule


@dataclass(frozen=True)
class Field:
    """Where each position of a drawn frame reads the source.

    Attributes:
        displacement: (h, w, 2), xy, reading position minus own position, in units of [-1, 1].
        about: which of a network's fields it is.
    """

    displacement: Tensor
    about: str

    @property
    def longest(self) -> float:
        """Length of the longest displacement, as a share of half the picture's side."""
        return float(self.displacement.norm(dim=-1).max())


def identity(height: int, width: int) -> Tensor:
    """Give every position's own place, (H, W, 2), xy, from -1 to 1 inclusive."""
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    return torch.stack([x, y], dim=-1)


def _dense(network: Any, source: Any, motion: Any) -> Field:
    """FOMM, MRAA, DiME: of the source's own view, behind the evolution where there is one."""
    refined = network.fields(source, motion)[1][0]
    return Field(refined, "dense motion of the source's view")


def _splines(network: Any, source: Any, motion: Any) -> Field:
    """TPSMM, swin_tps: what warps the finest features, behind the flow optimiser if any."""
    painted = network.paint(source, motion, network.flow(source, motion))
    return _from_grid(painted.grids[-1], "flow of the finest scale")


def _latent(network: Any, source: Any, motion: Any) -> Field:
    """LIA, LIA-X: the decoder's finest flow."""
    latent = source.latent + network.displacement(motion.magnitudes)
    return _from_grid(network.decode_all(latent, source.features).grid, "finest flow of decoder")


def _from_grid(grid: Tensor, about: str) -> Field:
    own = identity(grid.shape[1], grid.shape[2]).to(grid)
    return Field(grid[0] - own, about)


Read = Callable[[Any, Any, Any], Field]
# what a network must have, the first that fits
FAMILIES: tuple[tuple[tuple[str, ...], Read], ...] = (
    (("fields",), _dense),
    (("flow", "paint"), _splines),
    (("decode_all", "displacement"), _latent),
)


@torch.no_grad()
def read_field(
    animator: "AnimatorModule",
    source: Tensor,
    driving: Tensor,
    *,
    mode: Mode | None,
    reference: Tensor | None = None,
) -> Field | None:
    """Read the field that one frame is drawn with.

    Args:
        animator: whose network is asked.
        source: (1, 3, H, W), or (1, V, 3, H, W) for several views.
        driving: (1, 3, H, W).
        mode: how motion is handed over; None reconstructs, with the source as the frame's pair.
        reference: (1, 3, H, W), the driving clip's reference frame, in relative mode.

    Returns:
        The field on the CPU, or None where the animator has no such part.
    """
    network: Any = animator.network
    fitting = (
        read
        for parts, read in FAMILIES
        if all(callable(getattr(network, part, None)) for part in parts)
    )
    read = next(fitting, None)
    if read is None:
        return None
    source, driving = source.to(animator.device), driving.to(animator.device)
    state = animator.encode_source(source)
    motion = animator.encode_motion(driving, state if mode is None else None)
    origin = None
    if mode is Mode.RELATIVE:
        if reference is None:
            raise ValueError("relative mode needs the driving clip's reference frame")
        first = animator.encode_motion(reference.to(animator.device))
        origin = animator.prepare_reference(state, first)
    moved = animator.transfer(state, motion, origin, mode or Mode.ABSOLUTE)
    found = read(network, state, moved)
    return Field(found.displacement.float().cpu(), found.about)
