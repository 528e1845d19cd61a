"""How many motion directions a clip takes (LIA-X, section 5.1)."""

from typing import NamedTuple

import torch
from torch import Tensor

THRESHOLD = 0.1
"""Share of the frame's largest magnitude above which a direction counts as active; ours."""


class Sparsity(NamedTuple):
    """What a clip's magnitudes say.

    Attributes:
        active: share of the directions that are active in a frame, the mean over the frames.
        used: share of the directions that are active in some frame.
        l1: S(A) of eq. 9, sum_i |A_i|, the mean over the frames.
    """

    active: float
    used: float
    l1: float


def active(magnitudes: Tensor, threshold: float = THRESHOLD) -> Tensor:
    """Tell which directions are active: |A_i(t)| > threshold * max_j |A_j(t)|.

    Args:
        magnitudes: A, (T, D).
        threshold: in [0, 1).

    Returns:
        (T, D) bool; nothing is active in a frame whose magnitudes are all 0.

    Raises:
        ValueError: a threshold out of range, no frame, or NaN.
    """
    if not 0 <= threshold < 1:
        raise ValueError(f"the threshold must be from 0 to below 1, got {threshold:g}")
    if magnitudes.ndim != 2 or 0 in magnitudes.shape:
        raise ValueError(f"magnitudes are (T, D), at least one, got {tuple(magnitudes.shape)}")
    if not bool(magnitudes.isfinite().all()):
        raise ValueError(
            "the animator's magnitudes are NaN: the checkpoint is damaged, or its training had "
            "diverged; try another checkpoint"
        )
    lengths = magnitudes.abs()
    return lengths > threshold * lengths.amax(dim=1, keepdim=True)


def sparsity(magnitudes: Tensor, threshold: float = THRESHOLD) -> Sparsity:
    """Measure (T, D) magnitudes of a clip; errors as `active`'s."""
    found = active(magnitudes, threshold)
    return Sparsity(
        active=found.double().mean().item(),
        used=found.any(dim=0).double().mean().item(),
        l1=torch.linalg.vector_norm(magnitudes.double(), ord=1, dim=1).mean().item(),
    )
