"""Animation via disentanglement: a network that fits a pose to another shape (MRAA, TPSMM)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

HIDDEN = (256, 512, 1024)


def _layers(widths: tuple[int, ...]) -> nn.Sequential:
    """Linear layers with batch norm and ReLU between them."""
    layers: list[nn.Module] = []
    for a, b in pairwise(widths[:-1]):
        layers += [nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))


class AvdNetwork(nn.Module):
    """Source's shape and driving frame's pose in, the pose in the source's shape out.

    Articulated animation (MRAA), section 3.5.

    Args:
        features: numbers that describe one picture: 6 a region (MRAA), 2 a keypoint (TPSMM).
        identity_dim: size of the shape's embedding.
        pose_dim: size of the pose's embedding.
    """

    def __init__(self, features: int, *, identity_dim: int, pose_dim: int) -> None:
        super().__init__()
        self.identity_encoder = _layers((features, *HIDDEN, identity_dim))
        self.pose_encoder = _layers((features, *HIDDEN, pose_dim))
        self.decoder = _layers((identity_dim + pose_dim, *reversed(HIDDEN), features))

    def forward(self, identity: Tensor, pose: Tensor) -> Tensor:
        """Map two descriptions (B, F) to one (B, F); numbers are not bounded."""
        return self.decode(self.identity_encoder(identity), pose)

    def decode(self, embedding: Tensor, pose: Tensor) -> Tensor:
        """As `forward`, from an identity embedding (B, identity_dim) that is already there."""
        return self.decoder(torch.cat([self.pose_encoder(pose), embedding], dim=1))
