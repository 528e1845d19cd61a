"""Orthonormal motion directions (LIA, section 3.2: D_m)."""

import torch
from torch import Tensor, nn

from animators.nn.precision import at_least_float32, full_precision

OFFSET = 1e-8
"""Added to every entry before the decomposition, as the authors' code does."""


def orthonormal(weight: Tensor) -> Tensor:
    """Make the columns orthonormal by Householder QR, in full precision.

    The signs are Householder's, not Gram-Schmidt's: the diagonal of R may be negative, and
    published weights were trained with these signs.

    Args:
        weight: (latent, D), latent >= D.

    Returns:
        Q, (latent, D), with Q^T Q = I.
    """
    with full_precision(weight):
        q, _ = torch.linalg.qr(at_least_float32(weight) + OFFSET, mode="reduced")
    return q


class MotionDictionary(nn.Module):
    """D learned directions in the latent space, orthonormal at every call.

    Args:
        latent_dim: size of a direction.
        motion_dim: number of directions D.

    Raises:
        ValueError: more directions than dimensions.
    """

    def __init__(self, latent_dim: int, motion_dim: int) -> None:
        super().__init__()
        if not 1 <= motion_dim <= latent_dim:
            raise ValueError(
                f"motion_dim must be 1 to latent_dim ({latent_dim}), got {motion_dim}: more "
                "directions than dimensions cannot be orthonormal"
            )
        self.weight = nn.Parameter(torch.randn(latent_dim, motion_dim))
        # (weight, Q) of the last call in eval mode
        self._cache: tuple[Tensor, Tensor] | None = None

    def train(self, mode: bool = True) -> "MotionDictionary":
        """Switch mode and forget the cached directions."""
        self._cache = None
        return super().train(mode)

    def directions(self) -> Tensor:
        """Return Q, (latent, D); decomposed once per weight in eval mode without gradients."""
        if self.training or torch.is_grad_enabled():
            return orthonormal(self.weight)
        # Compared by content: averaging callbacks swap weights behind the version counter.
        if self._cache is None or not _same(self._cache[0], self.weight):
            # An inference tensor in the cache could not be used in training later.
            with torch.inference_mode(False), torch.no_grad():
                weight = self.weight.detach().clone()
                self._cache = (weight, orthonormal(weight))
        return self._cache[1]

    def forward(self, magnitudes: Tensor) -> Tensor:
        """Return the displacement w(A) = sum_i A_i d_i (eq. 4), (B, latent), of A (B, D)."""
        q = self.directions()
        with full_precision(magnitudes):
            return at_least_float32(magnitudes).to(q.dtype) @ q.T


def _same(a: Tensor, b: Tensor) -> bool:
    return a.device == b.device and a.dtype == b.dtype and torch.equal(a, b)
