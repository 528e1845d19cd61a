"""Keypoints must follow a known deformation of the picture (FOMM section 3.3; MRAA; TPSMM)."""

import torch
from torch import Tensor

from animators.nn.matrices import inverse_2x2
from animators.nn.precision import at_least_float32, full_precision
from animators.nn.tps import RandomSpline


def value_equivariance(points: Tensor, deformed: Tensor, spline: RandomSpline) -> Tensor:
    """Mean of |p - T(p')|, p on the picture and p' on the picture deformed by T (FOMM section 3.3).

    Args:
        points: (B, N, 2), on the picture.
        deformed: (B, N, 2), on the deformed picture.
        spline: the deformation T.

    Returns:
        A scalar.
    """
    with full_precision(points):
        return (at_least_float32(points) - spline(at_least_float32(deformed))).abs().mean()


def jacobian_equivariance(
    jacobian: Tensor,
    deformed_jacobian: Tensor,
    deformed: Tensor,
    spline: RandomSpline,
    *,
    up_to_sign: bool,
) -> Tensor:
    """Mean of |1 - J^-1 T'(p') J'| over all entries (FOMM section 3.3).

    Args:
        jacobian: J, on the picture, (B, N, 2, 2).
        deformed_jacobian: J', on the deformed picture, (B, N, 2, 2).
        deformed: p', (B, N, 2).
        spline: the deformation T.
        up_to_sign: a product with a negative first entry is turned round first (MRAA, whose
            axes have no sign).

    Returns:
        A scalar.
    """
    with full_precision(jacobian):
        moved = spline.jacobian(at_least_float32(deformed)) @ at_least_float32(deformed_jacobian)
        product = inverse_2x2(jacobian) @ moved
        if up_to_sign:
            product = product * product[..., :1, :1].sign()
        one = torch.eye(2, device=product.device, dtype=product.dtype)
        return (one - product).abs().mean()
