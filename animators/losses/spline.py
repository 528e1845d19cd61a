"""Losses of TPSMM beside the perceptual one and equivariance."""

from collections.abc import Iterable

import torch
from torch import Tensor

from animators.nn.grid import warp
from animators.nn.precision import at_least_float32, full_precision


def warp_terms(
    source: Iterable[Tensor],
    driving: Iterable[Tensor],
    grids: Iterable[Tensor],
    occlusion: Iterable[Tensor],
    *,
    align_corners: bool,
) -> list[Tensor]:
    """Mean |W(e_source) o - e_driving o| at each scale (TPSMM's warp loss).

    Features and masks are detached, so that the gradient reaches the flow alone.

    Args:
        source: the generator's maps of the source, (B, C, h, w).
        driving: its maps of the driving frame.
        grids: flow that warps each scale, (B, h, w, 2).
        occlusion: o, (B, 1, h, w).
        align_corners: how the sampler reads the corner-aligned grids.

    Returns:
        A scalar for each scale, in the order given.
    """
    terms = []
    for here, there, grid, mask in zip(source, driving, grids, occlusion, strict=True):
        moved = warp(here.detach(), grid, align_corners=align_corners)
        terms.append(((moved - there.detach()) * mask.detach()).abs().mean())
    return terms


def background_consistency(forth: Tensor, back: Tensor) -> Tensor:
    """Mean |1 - M(source, driving) M(driving, source)| over all nine entries (TPSMM).

    Args:
        forth: M(source, driving), (B, 3, 3).
        back: M(driving, source), (B, 3, 3).

    Returns:
        A scalar.
    """
    with full_precision(forth):
        product = at_least_float32(forth) @ at_least_float32(back)
        return (torch.eye(3, device=product.device, dtype=product.dtype) - product).abs().mean()
