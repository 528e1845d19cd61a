"""How smooth a field of displacements is: its variation, and where it folds the picture over."""

import torch
from torch import Tensor

LEAST = 2
"""Grid points along an axis below which there is no cell."""

NO_AREA = 1e-6
"""Share of a cell's own area up to which a determinant counts as 0: what float32 rounds off."""


def total_variation(field: Tensor) -> Tensor:
    """Mean of |d phi / dx| + |d phi / dy|, both components added up (anisotropic, L1).

    Forward differences of neighbouring grid points, in displacement a unit of length: both are
    measured in units of [-1, 1], so that the number does not depend on the resolution. Those along
    x are averaged over the grid's horizontal edges, those along y over its vertical ones.

    Args:
        field: displacements phi at corner-aligned grid points, (..., h, w, 2), xy in units of
            [-1, 1].

    Returns:
        (...), float64; 0 for a shift, the sum of |A_ij| for phi(z) = A z.

    Raises:
        ValueError: no field of displacements, or one without a cell.
    """
    _check(field)
    along_x, along_y = _differences(field.double())
    height, width = field.shape[-3:-1]
    x = along_x.abs().sum(-1).mean((-2, -1)) * (width - 1) / 2
    y = along_y.abs().sum(-1).mean((-2, -1)) * (height - 1) / 2
    return x + y


def folded_share(field: Tensor) -> Tensor:
    """Share of grid cells in which z -> z + phi(z) folds or collapses: Jacobian determinant <= 0.

    Exact for the bilinear map of a cell, whose determinant is linear in the position, so that it
    is smallest at one of the four corners: a cell counts when the triangle of any of its corners
    with the two next to it has lost its orientation or its area. NaN counts as folded.

    Args:
        field: displacements phi at corner-aligned grid points, (..., h, w, 2), xy in units of
            [-1, 1].

    Returns:
        (...), float64, in [0, 1]; 0 for a shift, 1 for a reflection.

    Raises:
        ValueError: no field of displacements, or one without a cell.
    """
    _check(field)
    height, width = field.shape[-3:-1]
    along_x, along_y = _differences(field.double())
    x_step = along_x.new_tensor([2 / (width - 1), 0.0])
    y_step = along_y.new_tensor([0.0, 2 / (height - 1)])
    along_x, along_y = along_x + x_step, along_y + y_step
    corners = [
        _cross(horizontal, vertical)
        for horizontal in (along_x[..., :-1, :, :], along_x[..., 1:, :, :])
        for vertical in (along_y[..., :, :-1, :], along_y[..., :, 1:, :])
    ]
    cell = x_step[0] * y_step[1]
    kept = torch.stack([determinant > NO_AREA * cell for determinant in corners]).all(0)
    return 1 - kept.double().mean((-2, -1))


def _differences(field: Tensor) -> tuple[Tensor, Tensor]:
    """Neighbours' differences along x, (..., h, w - 1, 2), and along y, (..., h - 1, w, 2)."""
    return field.diff(dim=-2), field.diff(dim=-3)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _check(field: Tensor) -> None:
    fits = field.ndim >= 3 and field.shape[-1] == 2 and min(field.shape[-3:-1]) >= LEAST
    if not fits or not field.is_floating_point():
        raise ValueError(
            f"a field of displacements is a float tensor (..., h, w, 2) with h and w at least "
            f"{LEAST}, got {tuple(field.shape)} of {field.dtype}"
        )
