"""Motion attention: the motion vector asks, the warped feature answers (eq. 12, figure 3)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MotionAttention(nn.Module):
    """Mix the motion feature F_m into the warped feature F_w of one scale.

    As printed, the query is F_m repeated over the map, so that every position would receive the
    same answer and F_w would be lost. Ours: the query at a position is F_m times a projection of
    F_w there, the result is F_w + gamma F_s with gamma 0 at the start, scores are divided by
    sqrt(C), and keys and values of large maps are pooled, which bounds time and memory. F_m comes
    in units of its own size, sqrt(motion_dim), and the factor begins around 1: the entries of an
    orthonormal mixture are so small that all scores would else begin equal, and F_s constant.

    Args:
        channels: C of F_w.
        motion_dim: size of F_m.
        pool_above: side of a map from which on more is pooled.
        pooled: side to which keys and values are then pooled.
    """

    def __init__(self, channels: int, motion_dim: int, *, pool_above: int, pooled: int) -> None:
        super().__init__()
        self.pool_above, self.pooled = pool_above, pooled
        self.motion = nn.Linear(motion_dim, channels)
        nn.init.ones_(self.motion.bias)
        self.scale = motion_dim**0.5
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Conv2d(channels, channels, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(()))

    def attend(self, motion: Tensor, warped: Tensor) -> Tensor:
        """Return F_s, (B, C, H, W); the arguments are those of `forward`."""
        height, width = warped.shape[2:]
        asked = self.query(warped) * self.motion(self.scale * motion)[:, :, None, None]
        answers = warped
        if max(height, width) > self.pool_above:
            answers = F.adaptive_avg_pool2d(warped, self.pooled)
        key, value = self.key(answers), self.value(answers)
        found = F.scaled_dot_product_attention(_tokens(asked), _tokens(key), _tokens(value))
        return torch.unflatten(found[:, 0].transpose(1, 2), 2, (height, width))

    def forward(self, motion: Tensor, warped: Tensor) -> Tensor:
        """Return F_w + gamma F_s.

        Args:
            motion: F_m, (B, motion_dim).
            warped: F_w, (B, C, H, W).
        """
        return warped + self.gamma * self.attend(motion, warped)


def _tokens(maps: Tensor) -> Tensor:
    """Turn (B, C, H, W) into one head of tokens (B, 1, H W, C)."""
    return maps.flatten(2).transpose(1, 2)[:, None]
