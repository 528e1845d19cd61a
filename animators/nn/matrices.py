"""Inverses of 2 x 2 matrices in closed form."""

import torch
from torch import Tensor

from animators.nn.precision import at_least_float32


def inverse_2x2(matrix: Tensor) -> Tensor:
    """Invert matrices (..., 2, 2): the adjugate by the determinant, in at least float32.

    Unlike `torch.linalg.inv` it never waits for the device to learn whether a matrix is singular.
    Each matrix is first divided by a power of two near its largest entry; a determinant that is
    then smaller than the square root of the smallest normal number (1e-19 in float32) is enlarged
    to it, so that the inverse of a singular matrix is finite, and so are its inverse and products.
    """
    matrix = at_least_float32(matrix)
    least = torch.finfo(matrix.dtype).tiny ** 0.5
    largest = matrix.detach().abs().amax(dim=(-2, -1))
    # rounds nothing, and the inverse does not depend on it
    scale = torch.where(largest < least, 1.0, largest.log2().floor().exp2())
    a, b, c, d = (matrix / scale[..., None, None]).flatten(-2).unbind(-1)
    determinant = a * d - b * c
    floor = torch.full_like(determinant, least).copysign(determinant.detach())
    determinant = torch.where(determinant.abs() < least, floor, determinant)
    adjugate = torch.stack([d, -b, -c, a], dim=-1)
    return torch.unflatten(adjugate / determinant[..., None] / scale[..., None], -1, (2, 2))
