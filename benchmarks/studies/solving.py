"""The motion evolution as a problem of its own: ways to solve it, and what is true."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.checkpoint import checkpoint

from animators.nn.evolution import Method, MotionEvolution

STEPS = (1, 2, 4, 8, 16, 32)
FIXED: tuple[Method, ...] = ("euler", "midpoint", "rk4")
GRADIENTS = ("adjoint", "plain", "checkpoints")
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
FINE = 128
"""Steps of rk4 that stand for the truth: its error falls 16-fold at each doubling."""
LEAST_MOTION = 0.05
"""Mean |phi(1) - phi(0)| that random dynamics must reach, in units of [-1, 1]."""


class Row(NamedTuple):
    """One way to solve the evolution and to go back through it.

    Attributes:
        method: of torchdiffeq.
        steps: of a fixed-step method, else None.
        tolerance: both tolerances of an adaptive method, else None.
        gradient: one of `GRADIENTS`.
    """

    method: Method
    steps: int | None
    tolerance: float | None
    gradient: str

    @property
    def name(self) -> str:
        """Say which one it is."""
        how = f"{self.steps} steps" if self.tolerance is None else f"{self.tolerance:.0e}"
        return f"{self.method}, {how}, {self.gradient}"


def rows() -> list[Row]:
    """List what is measured."""
    fixed = [
        Row(method, steps, None, gradient)
        for method in FIXED
        for steps in STEPS
        for gradient in GRADIENTS
    ]
    adaptive = [
        Row("dopri5", None, tolerance, gradient)
        for tolerance in TOLERANCES
        for gradient in GRADIENTS[:2]
    ]
    return fixed + adaptive


class Solved(NamedTuple):
    """One training step of the evolution alone.

    Attributes:
        refined: phi(1).
        field: gradient of the coarse field, one vector.
        parameters: gradient of f's parameters, one vector.
        evaluations: of f, forward and backward.
    """

    refined: Tensor
    field: Tensor
    parameters: Tensor
    evaluations: tuple[int, int]


class Problem:
    """An evolution, fields for it, and a loss to go back from: phi(1)'s mean by random weights.

    A mean, as losses in training are: an adaptive adjoint holds the gradient to an absolute
    tolerance too, so that its error depends on the loss's scale.

    Args:
        evolution: on its device, in the precision to measure in; its solver's settings change.
        field: phi(0), (B, V, h, w, 2).
    """

    def __init__(self, evolution: MotionEvolution, field: Tensor) -> None:
        self.evolution, self.field = evolution, field.detach().requires_grad_()
        draw = torch.Generator().manual_seed(1)
        weights = torch.randn(field.shape, generator=draw, dtype=torch.float64)
        self.weights = weights.to(field)
        self.parameters = list(evolution.dynamics.used(field.shape[1]))

    def solve(self, row: Row) -> Tensor:
        """Give phi(1) as the row says."""
        evolution, field = self.evolution, self.field
        evolution.method = row.method
        evolution.adjoint = row.gradient == "adjoint"
        if row.tolerance is not None:
            evolution.rtol = evolution.atol = row.tolerance
        if row.steps is None:
            return torch.as_tensor(evolution(field))
        evolution.step_size = 1 / row.steps
        if row.gradient != "checkpoints":
            return torch.as_tensor(evolution(field))
        for k in range(row.steps):
            times = (k / row.steps, (k + 1) / row.steps)
            field = checkpoint(evolution.trajectory, field, times, use_reentrant=False)[-1]
        return field

    def train(self, row: Row) -> Solved:
        """Solve and go back."""
        with self._counting() as calls:
            refined = self.solve(row)
            forward = len(calls)
            wanted = [self.field, *self.parameters]
            field, *others = torch.autograd.grad((refined * self.weights).mean(), wanted)
        joined = torch.cat([gradient.flatten() for gradient in others])
        evaluations = (forward, len(calls) - forward)
        return Solved(refined.detach(), field.flatten(), joined, evaluations)

    @contextmanager
    def _counting(self) -> Iterator[list[None]]:
        calls: list[None] = []
        hook = self.evolution.dynamics.register_forward_pre_hook(lambda *_: calls.append(None))
        try:
            yield calls
        finally:
            hook.remove()

    def truth(self) -> Solved:
        """Solve finely in double precision, and go back through every step of it.

        Not by an adaptive method: its tolerances bound the error of a step, not of the result,
        while that of fixed steps is known from halving them.
        """
        fine = Problem(copy.deepcopy(self.evolution).double(), self.field.double())
        return fine.train(Row("rk4", FINE, None, "checkpoints"))

    @torch.no_grad()
    def motion(self) -> float:
        """Mean |phi(1) - phi(0)|, in units of [-1, 1]."""
        moved = self.solve(Row("rk4", 8, None, "plain")) - self.field
        return float(moved.norm(dim=-1).mean())


def random_problem(
    width: int, shape: tuple[int, int, int], device: torch.device, dtype: torch.dtype
) -> Problem:
    """Draw f and fields; f's last layers are doubled until they move fields by `LEAST_MOTION`.

    Args:
        width: channels of f.
        shape: samples, views, and pixels of a side.
        device: where it is solved.
        dtype: in which it is solved; the draws are the same.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        evolution = MotionEvolution(width=width).double()
        last = [weight for weight in evolution.parameters() if not weight.any() and weight.ndim > 1]
        for weight in last:
            torch.nn.init.normal_(weight, std=(9 * width) ** -0.5)
    problem = Problem(evolution, random_field(shape))
    while problem.motion() <= LEAST_MOTION:
        with torch.no_grad():
            for weight in last:
                weight.mul_(2)
    evolution.to(device, dtype)
    return Problem(evolution, problem.field.to(device, dtype))


def random_field(shape: tuple[int, int, int]) -> Tensor:
    """Draw smooth displacements of some tenths, (B, V, h, w, 2), float64."""
    batch, views, size = shape
    draw = torch.Generator().manual_seed(0)
    coarse = 0.2 * torch.randn(batch * views, 2, 4, 4, generator=draw, dtype=torch.float64)
    smooth = interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True)
    return torch.unflatten(smooth, 0, (batch, views)).movedim(2, -1).contiguous()
