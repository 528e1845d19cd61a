"""The penalty that keeps motion to few directions (LIA-X, eq. 9)."""

from torch import Tensor

from animators.nn.precision import at_least_float32


def magnitude_sparsity(magnitudes: Tensor) -> Tensor:
    """L1 norm S(A) of the driving frames' magnitudes (LIA-X, eq. 9).

    Args:
        magnitudes: A_{r->d}, (B, D).

    Returns:
        A scalar: the sum over the directions, the mean over the batch. The paper does not say
        which of the two its norm is over the directions.
    """
    return at_least_float32(magnitudes).abs().sum(dim=1).mean()
