"""Relative motion of keypoints: displacements scaled by the ratio of hulls.

FOMM with adapted scale, MRAA and TPSMM; the best frame compares shapes the same way.
"""

import torch
from scipy.spatial import ConvexHull, QhullError
from torch import Tensor


def hull_area(points: Tensor) -> Tensor:
    """Area of the convex hull of each point set.

    Computed on the CPU, so call it once for a clip where that suffices.

    Args:
        points: (B, N, 2).

    Returns:
        (B,), in squared units of the coordinates; 0 where all points lie on a line.
    """
    sets = points.detach().double().cpu().numpy()
    areas = []
    for one in sets:
        try:
            areas.append(float(ConvexHull(one).volume))  # which in the plane is the area
        except (QhullError, ValueError):
            areas.append(0.0)
    return torch.tensor(areas, dtype=points.dtype, device=points.device)


def hull_scale(source_area: Tensor, reference_area: Tensor) -> Tensor:
    """Square root of the ratio of two hull areas (B,): the factor on displacements.

    Raises:
        ValueError: a source or a reference frame whose keypoints span no area.
    """
    sides = (
        (source_area, "the source", "another source"),
        (reference_area, "the reference frame", "another reference frame"),
    )
    for area, whose, other in sides:
        if not bool((area > 0).all()):
            raise ValueError(
                f"the keypoints of {whose} lie on one line, so motion cannot be scaled to the "
                f"source: take {other}, or absolute mode"
            )
    return (source_area / reference_area).sqrt()


def check_hull(points: int, remedy: str) -> None:
    """Refuse numbers of points that span no area, so that relative mode could never scale.

    Args:
        points: of one picture.
        remedy: which argument to change.

    Raises:
        ValueError: fewer than three.
    """
    if points < 3:
        raise ValueError(
            f"displacements are scaled by the hull of the points, which takes 3, got {points}: "
            f"{remedy}"
        )


def displace(source: Tensor, driving: Tensor, reference: Tensor, scale: Tensor | float) -> Tensor:
    """Source + scale (driving - reference) on points (B, N, 2); `scale` a number or (B,)."""
    factor = scale[:, None, None] if isinstance(scale, Tensor) else scale
    return factor * (driving - reference) + source


def compose(driving: Tensor, reference_inverse: Tensor, source: Tensor) -> Tensor:
    """J_driving J_reference^-1 J_source of matrices (B, K, 2, 2), in their own precision."""
    return driving @ reference_inverse @ source


def shape_distance(a: Tensor, b: Tensor) -> Tensor:
    """Sum of squared distances of two point sets, each centred and divided by sqrt of hull area.

    The measure by which FOMM's, MRAA's and TPSMM's demos choose a best frame, on an animator's own
    keypoints instead of facial landmarks.

    Args:
        a: (B, N, 2).
        b: (B, N, 2).

    Returns:
        (B,); infinite where a set spans no area.
    """
    parts = []
    for points in (a, b):
        size = hull_area(points).sqrt()[:, None, None]
        parts.append((points - points.mean(dim=1, keepdim=True)) / size)
    difference = (parts[0] - parts[1]).square().sum(dim=(1, 2))
    return torch.nan_to_num(difference, nan=torch.inf, posinf=torch.inf)
