"""Affine motion of the background between two pictures (MRAA, TPSMM)."""

import torch
from torch import Tensor

from animators.nn.grid import coordinate_grid
from animators.nn.precision import full_precision

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""The six numbers of no motion, at which a predictor's bias begins."""


def background_matrix(numbers: Tensor) -> Tensor:
    """Put six numbers (B, 6), the upper two rows, into (B, 3, 3) over a row (0, 0, 1)."""
    last = numbers.new_tensor([0.0, 0.0, 1.0]).expand(len(numbers), 1, 3)
    return torch.cat([numbers.view(-1, 2, 3), last], dim=1)


def background_grid(matrix: Tensor | None, height: int, width: int, like: Tensor) -> Tensor:
    """Where the background of each driving position lies in the source.

    Args:
        matrix: (B, 3, 3), driving to source coordinates in homogeneous form; None is the
            identity.
        height: rows.
        width: columns.
        like: (B, ...), gives batch, device and dtype.

    Returns:
        (B, H, W, 2), xy.
    """
    grid = coordinate_grid(height, width, like=like)
    if matrix is None:
        return grid.expand(like.shape[0], -1, -1, -1)
    with full_precision(grid):
        matrix = matrix.to(grid.dtype)[:, None, None]
        moved = (matrix[..., :2] @ grid[..., None]).squeeze(-1) + matrix[..., 2]
        return moved[..., :2] / moved[..., 2:]
