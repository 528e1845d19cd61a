"""Thin-plate splines: solved for motion (TPSMM), drawn at random for equivariance (all)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from animators.nn.draws import normal
from animators.nn.grid import coordinate_grid, warp
from animators.nn.precision import at_least_float32, full_precision

Distance = Literal["l1", "l2"]
"""How far a position is from a control point: FOMM and MRAA measure |dx| + |dy|, TPSMM Euclid's."""

RIDGE = 0.01
"""Added to the whole diagonal of TPSMM's system, which then always has a solution."""


def radial(offset: Tensor, *, distance: Distance) -> Tensor:
    """The spline's radial function of offsets (..., 2), (...): d^2 log d, kept finite at 0.

    FOMM and MRAA take d^2 log(d + 1e-6) of the L1 distance, TPSMM d^2 log(d^2 + 1e-9).
    """
    if distance == "l1":
        d = offset.abs().sum(dim=-1)
        return d.square() * torch.log(d + 1e-6)
    square = offset.square().sum(dim=-1)
    return square * torch.log(square + 1e-9)


def radial_gradient(offset: Tensor, *, distance: Distance) -> Tensor:
    """Gradient of `radial` in the offset: (..., 2)."""
    if distance == "l1":
        d = offset.abs().sum(dim=-1, keepdim=True)
        return offset.sign() * (2 * d * torch.log(d + 1e-6) + d.square() / (d + 1e-6))
    square = offset.square().sum(dim=-1, keepdim=True)
    return 2 * offset * (torch.log(square + 1e-9) + square / (square + 1e-9))


@dataclass(frozen=True)
class Splines:
    """K splines a sample.

    Attributes:
        control: control points (B, K, N, 2).
        theta: affine part (B, K, 2, 3), columns x, y, 1.
        weights: radial part (B, K, N, 2).
    """

    control: Tensor
    theta: Tensor
    weights: Tensor


def solve(control: Tensor, target: Tensor) -> Splines:
    """Find the splines that lead control points to targets (TPSMM, with its ridge).

    Because of the ridge the control points are met only nearly, and equal points do not give
    the identity.

    Args:
        control: (B, K, N, 2).
        target: (B, K, N, 2).

    Returns:
        The splines, at least float32.
    """
    with full_precision(control):
        control, target = at_least_float32(control), at_least_float32(target)
        n = control.shape[2]
        kernel = radial(control[:, :, :, None] - control[:, :, None], distance="l2")
        affine = torch.cat([control, torch.ones_like(control[..., :1])], dim=-1)
        system = control.new_zeros(*control.shape[:2], n + 3, n + 3)
        system[:, :, :n, :n] = kernel
        system[:, :, :n, n:] = affine
        system[:, :, n:, :n] = affine.transpose(2, 3)
        system = system + RIDGE * torch.eye(n + 3, device=system.device, dtype=system.dtype)
        wanted = torch.cat([target, target.new_zeros(*target.shape[:2], 3, 2)], dim=2)
        # the inverse, as the reference: a solve differs from it after strong warps
        found = torch.linalg.inv(system) @ wanted
        return Splines(control, found[:, :, n:].transpose(2, 3), found[:, :, :n])


def transform(splines: Splines, points: Tensor) -> Tensor:
    """Move points (..., 2), the same for all, by every spline: (B, K, ..., 2)."""
    with full_precision(points):
        flat = at_least_float32(points).reshape(-1, 2)
        affine = flat @ splines.theta[..., :2].transpose(2, 3) + splines.theta[:, :, None, :, 2]
        offset = flat[:, None] - splines.control[:, :, None]
        bent = radial(offset, distance="l2") @ splines.weights
        return torch.unflatten(affine + bent, 2, points.shape[:-1])


@dataclass(frozen=True)
class RandomSpline:
    """A random smooth deformation of each sample's plane: affine plus one radial sum on x and y.

    Attributes:
        theta: (B, 2, 3), columns x, y, 1.
        weights: (B, N), of the radial functions at the control points.
        control: (N, 2), a regular grid on [-1, 1].
        distance: how the radial functions measure.
    """

    theta: Tensor
    weights: Tensor
    control: Tensor
    distance: Distance

    def __call__(self, points: Tensor) -> Tensor:
        """Move points (B, N, 2)."""
        with full_precision(points):
            points = at_least_float32(points)
            affine = points @ self.theta[:, :, :2].transpose(1, 2) + self.theta[:, None, :, 2]
            values = radial(points[:, :, None] - self.control, distance=self.distance)
            return affine + torch.einsum("bnc,bc->bn", values, self.weights)[..., None]

    def jacobian(self, points: Tensor) -> Tensor:
        """Derivative at points (B, N, 2): (B, N, 2, 2), row the output's axis."""
        with full_precision(points):
            offset = at_least_float32(points)[:, :, None] - self.control
            slopes = radial_gradient(offset, distance=self.distance)
            bent = torch.einsum("bncd,bc->bnd", slopes, self.weights)
            return self.theta[:, None, :, :2] + bent[:, :, None]

    def warp(self, frames: Tensor, *, align_corners: bool) -> Tensor:
        """Deform (B, C, H, W): each position reads where the spline leads it, edges reflected."""
        height, width = frames.shape[2:]
        grid = coordinate_grid(height, width, like=frames).flatten(0, 1)
        moved = self(grid.expand(frames.shape[0], -1, -1))
        moved = torch.unflatten(moved, 1, (height, width))
        return warp(frames, moved, align_corners=align_corners, padding="reflection")


def random_spline(
    keys: Tensor,
    *,
    distance: Distance,
    like: Tensor,
    sigma_affine: float = 0.05,
    sigma_tps: float = 0.005,
    side: int = 5,
) -> RandomSpline:
    """Draw a deformation for each sample from its key.

    Args:
        keys: (B, 3) int64, (seed, epoch, index) of each sample.
        distance: how the radial functions measure.
        like: gives device and dtype (half precision gives float32).
        sigma_affine: standard deviation of each of the six affine numbers about the identity.
        sigma_tps: standard deviation of the radial weights.
        side: control points along each axis.
    """
    target = at_least_float32(like[:0])
    noise = normal(keys, "equivariance affine", (2, 3), std=sigma_affine).to(target)
    weights = normal(keys, "equivariance spline", (side * side,), std=sigma_tps).to(target)
    control = coordinate_grid(side, side, like=noise).reshape(-1, 2)
    return RandomSpline(noise + torch.eye(2, 3).to(target), weights, control, distance)
