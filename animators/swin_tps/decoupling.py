"""Identity and motion in orthogonal subspaces (eq. 7 and 8)."""

from torch import Tensor, nn
from torch.func import functional_call

from animators.nn.motion_dictionary import MotionDictionary
from animators.nn.precision import at_least_float32, full_precision
from animators.nn.residual_encoder import residual_encoder


def three_layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Make an MLP of three linear layers with ReLU between them."""
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
        nn.Linear(hidden, outputs),
    )  # fmt: skip


class Decoupling(nn.Module):
    """Read identity coefficients off the source and motion coefficients off the driving frame.

    One encoder for both, an MLP for each, and one orthonormal basis whose first p vectors span the
    identity subspace and whose last q the motion subspace. The paper orthogonalises by Gram-Schmidt
    at each forward, we by Householder's QR, which spans the same spaces more exactly.

    Args:
        identity_dim: p.
        motion_dim: q.
        latent_dim: size of a basis vector.
        width: of the encoder, TPSMM's ResNet-18 (our choice).
        identity: with the MLP of the identity; without, nothing reads off an identity.
    """

    def __init__(
        self, identity_dim: int, motion_dim: int, latent_dim: int, *, width: int, identity: bool
    ) -> None:
        super().__init__()
        self.encoder = residual_encoder(3, 0, width)
        features = 8 * width
        self.identity = three_layers(features, latent_dim, identity_dim) if identity else None
        self.motion = three_layers(features, latent_dim, motion_dim)
        self.basis = MotionDictionary(latent_dim, identity_dim + motion_dim)
        self.identity_dim = identity_dim

    def coefficients(self, images: Tensor) -> Tensor:
        """Motion coefficients y_m of (B, 3, H, W) in [0, 1]: (B, q), at least float32."""
        features = self._features(images)
        with full_precision(images):
            found: Tensor = self.motion(at_least_float32(features))
            return found

    def motion_feature(self, coefficients: Tensor) -> Tensor:
        """F_m = y_m B of y_m (B, q): (B, latent)."""
        basis = self.basis.directions()[:, self.identity_dim :]
        with full_precision(coefficients):
            return at_least_float32(coefficients).to(basis.dtype) @ basis.T

    def forward(self, images: Tensor) -> Tensor:
        """F_m of (B, 3, H, W) in [0, 1]: (B, latent)."""
        return self.motion_feature(self.coefficients(images))

    def held(self, images: Tensor) -> Tensor:
        """F_m of drawn pictures, (B, latent), teaching them and not what reads them.

        Parameters get no gradient and running statistics stay: otherwise this network could meet
        a latent regression by telling nothing apart.
        """
        state = {name: p.detach() for name, p in self.named_parameters()}
        state |= {name: b.clone() for name, b in self.named_buffers()}
        found: Tensor = functional_call(self, state, (images,))
        return found

    def identity_feature(self, images: Tensor) -> Tensor:
        """F_id = x_id A of (B, 3, H, W) in [0, 1]: (B, latent).

        Raises:
            ValueError: built without the identity's MLP.
        """
        if self.identity is None:
            raise ValueError("this network reads off no identity: train it with lambda_id above 0")
        features = self._features(images)
        basis = self.basis.directions()[:, : self.identity_dim]
        with full_precision(images):
            found: Tensor = self.identity(at_least_float32(features))
            return found.to(basis.dtype) @ basis.T

    def _features(self, images: Tensor) -> Tensor:
        return self.encoder.forward_head(self.encoder.forward_features(images), pre_logits=True)
