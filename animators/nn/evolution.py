"""Coarse motion fields refined by an ordinary differential equation (DiME section 3.2)."""

from dataclasses import replace
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torchdiffeq import odeint, odeint_adjoint

from animators.nn.dense_motion import DenseFlow
from animators.nn.grid import coordinate_grid
from animators.nn.precision import at_least_float32, full_precision

FixedMethod = Literal["euler", "midpoint", "heun2", "heun3", "rk4"]
AdaptiveMethod = Literal["dopri5", "dopri8", "bosh3", "adaptive_heun"]
Method = FixedMethod | AdaptiveMethod
FIXED = frozenset(get_args(FixedMethod))
METHODS = (*get_args(FixedMethod), *get_args(AdaptiveMethod))


def smooth_net(width: int, layers: int) -> nn.Sequential:
    """Build f: convolutions of 3 x 3 pixels from (phi, eps) to d phi / d eps, SiLU between them.

    Smooth, because the adjoint of a solver converges at its order only where f is; without batch
    norm, which the adjoint's second pass would update again; the last layer is zero, so that
    evolution begins as the identity. All of this is our choice: the paper says "convolutional".
    """
    widths = [3, *[width] * (layers - 1)]
    parts: list[nn.Module] = []
    for a, b in pairwise(widths):
        parts += [nn.Conv2d(a, b, 3, padding=1), nn.SiLU()]
    last = nn.Conv2d(widths[-1], 2, 3, padding=1)
    nn.init.zeros_(last.weight)
    assert last.bias is not None
    nn.init.zeros_(last.bias)
    return nn.Sequential(*parts, last)


class Dynamics(nn.Module):
    """f_0 for the first view and f_ref for all others, on one state (eq. 6).

    Args:
        width: channels between the convolutions of f.
        layers: number of its convolutions.
        share: f_0 for every view, as in the preprint's eq. 4.

    Attributes:
        evaluations: calls since it was last set to 0.
    """

    def __init__(self, width: int, layers: int, *, share: bool) -> None:
        super().__init__()
        self.source = smooth_net(width, layers)
        self.reference = None if share else smooth_net(width, layers)
        self.evaluations = 0

    def used(self, views: int) -> tuple[nn.Parameter, ...]:
        """Parameters that `views` views make use of; f_ref's only where there is a reference."""
        networks = [self.source]
        if views > 1 and self.reference is not None:
            networks.append(self.reference)
        return tuple(p for network in networks for p in network.parameters())

    def forward(self, time: Tensor, state: Tensor) -> Tensor:
        """Map eps, a scalar, and phi (B, V, 2, h, w) to d phi / d eps of the same shape."""
        # the adjoint's backward calls this outside the forward's autocast: both run in float32
        with full_precision(state):
            self.evaluations += 1
            seen = torch.cat([state, time.to(state).expand_as(state[:, :, :1])], dim=2)
            if self.reference is None or state.shape[1] == 1:
                return _per_view(self.source, seen)
            parts = [_per_view(self.source, seen[:, :1]), _per_view(self.reference, seen[:, 1:])]
            return torch.cat(parts, dim=1)


class MotionEvolution(nn.Module):
    """Solve d phi / d eps = f(phi, eps) from eps 0, the coarse field, to 1 (DiME eq. 6 to 8).

    It takes any field of displacements: DiME's own, FOMM's, MRAA's. All views of all samples are
    one state of one solve, in float32 also under mixed precision. An adaptive method chooses its
    steps for the whole state, so that a result then depends, within the tolerances, on what else
    is in the batch.

    Args:
        width: channels between the convolutions of f.
        layers: convolutions of f.
        share_dynamics: one f for all views (the preprint) instead of f_0 and f_ref.
        method: torchdiffeq's solver. euler, midpoint, heun2, heun3 and rk4 take `step_size`;
            dopri5, dopri8, bosh3 and adaptive_heun take `rtol` and `atol`. rk4 is the
            3/8 rule.
        step_size: of the fixed-step methods, in (0, 1].
        rtol: relative tolerance of the adaptive methods.
        atol: absolute tolerance of the adaptive methods, in units of [-1, 1].
        adjoint: gradients by the adjoint equation, in memory that does not grow with the number
            of steps (optimise, then discretise); False goes back through the solver's own steps
            (discretise, then optimise), whose gradients are exact for few coarse steps.

    Raises:
        ValueError: an unknown method, or a number out of range.
    """

    def __init__(
        self,
        *,
        width: int = 32,
        layers: int = 3,
        share_dynamics: bool = False,
        method: Method = "rk4",
        step_size: float = 0.25,
        rtol: float = 1e-3,
        atol: float = 1e-4,
        adjoint: bool = True,
    ) -> None:
        super().__init__()
        if method not in METHODS:
            raise ValueError(f"method {method!r} is not known; known: {', '.join(METHODS)}")
        if not 0 < step_size <= 1:
            raise ValueError(f"step_size must lie in (0, 1], got {step_size}")
        if not (rtol > 0 and atol > 0):
            raise ValueError(f"rtol and atol must be above 0, got {rtol} and {atol}")
        if width < 1 or layers < 2:
            raise ValueError(f"f takes width >= 1 and layers >= 2, got {width} and {layers}")
        self.dynamics = Dynamics(width, layers, share=share_dynamics)
        self.method, self.step_size, self.adjoint = method, step_size, adjoint
        self.rtol, self.atol = rtol, atol

    @property
    def evaluations(self) -> int:
        """Evaluations of f since the last solve began; those of its adjoint's backward count."""
        return self.dynamics.evaluations

    def forward(self, field: Tensor) -> Tensor:
        """Refine displacements (B, V, h, w, 2), xy in units of [-1, 1], V views, the source first.

        Raises:
            FloatingPointError: the adaptive solver's steps became too small.
        """
        return self.trajectory(field, (0.0, 1.0))[-1]

    def trajectory(self, field: Tensor, times: tuple[float, ...]) -> Tensor:
        """Return phi at every one of the times.

        Args:
            field: phi at the first time, (B, V, h, w, 2).
            times: increasing, or decreasing to run backward.

        Returns:
            (T, B, V, h, w, 2), at least float32; phi at the first time is `field`.

        Raises:
            ValueError: times that do not go one way.
            FloatingPointError: the adaptive solver's steps became too small.
        """
        if list(times) not in (sorted(set(times)), sorted(set(times), reverse=True)):
            raise ValueError(f"times must rise or fall, each once, got {times}")
        with full_precision(field):
            state = at_least_float32(field).movedim(-1, 2).contiguous()
            at = torch.tensor(times, device=state.device, dtype=state.dtype)
            self.dynamics.evaluations = 0
            return self._solve(state, at).movedim(3, -1)

    def _solve(self, state: Tensor, times: Tensor) -> Tensor:
        if self.method in FIXED:
            # without step_size torchdiffeq would take a single step
            settings: dict[str, object] = {"options": {"step_size": self.step_size}}
        else:
            # ends of steps, forward and back: read off an interpolation, phi(1) would be far worse
            # than the tolerances
            ends = {"step_t": times}
            settings = {"rtol": self.rtol, "atol": self.atol, "options": ends}
        if self.adjoint and torch.is_grad_enabled():
            settings["adjoint_params"] = self.dynamics.used(state.shape[1])
            solver = odeint_adjoint
        else:
            solver = odeint
        try:
            solved: Tensor = solver(self.dynamics, state, times, method=self.method, **settings)
        except AssertionError as error:
            raise FloatingPointError(
                f"the solver {self.method} failed ({error}): the field or f is no longer smooth or "
                "finite; take a fixed-step method (rk4), or larger rtol and atol"
            ) from error
        return solved


def refine_flow(flow: DenseFlow, evolution: MotionEvolution | None) -> DenseFlow:
    """Refine the displacements of a flow of one view, as FOMM and MRAA draw with.

    Args:
        flow: the coarse flow.
        evolution: of its displacements; None leaves the flow as it is.

    Returns:
        The flow whose grid is the identity plus phi(1); mask and occlusion stay.

    Raises:
        FloatingPointError: the adaptive solver's steps became too small.
    """
    if evolution is None:
        return flow
    refined = evolution(flow.displacements()[:, None])[:, 0]
    identity = coordinate_grid(refined.shape[1], refined.shape[2], like=refined)
    return replace(flow, grid=identity + refined)


def solver_figures(evolution: MotionEvolution | None) -> dict[str, float]:
    """Return what a step logs of its last solve, forward only; nothing without an evolution."""
    return {} if evolution is None else {"evaluations": float(evolution.evaluations)}


def _per_view(network: nn.Module, seen: Tensor) -> Tensor:
    """Apply a network to each view of (B, V, C, h, w)."""
    out: Tensor = network(seen.flatten(0, 1))
    return torch.unflatten(out, 0, seen.shape[:2])
