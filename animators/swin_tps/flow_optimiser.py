"""Motion flow optimisation: windows of attention over flow and warped feature (eq. 5 and 6)."""

import torch
from timm.models.swin_transformer import SwinTransformerBlock
from torch import Tensor, nn

from animators.nn.precision import at_least_float32, full_precision

WINDOWS = (8, 4)
"""Sides of the windows of the two branches, in tokens."""


class Stage(nn.Module):
    """One attention block a window size, side by side; their outputs are added (eq. 6).

    Eq. 5 weighs the branches by a learned weight, eq. 6 does not: ours is a scalar for each, 1 at
    the start.

    Args:
        dim: channels of a token.
        heads: attention heads.
        tokens: side of the token map for which the windows are meant.
        shifted: shift the windows by half their side.
    """

    def __init__(self, dim: int, heads: int, tokens: int, *, shifted: bool) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            SwinTransformerBlock(
                dim,
                (tokens, tokens),
                heads,
                window_size=window,
                shift_size=window // 2 if shifted else 0,
                # weights and windows then fit every size of map, not only this one
                always_partition=True,
                dynamic_mask=True,
            )
            for window in WINDOWS
        )
        self.weights = nn.Parameter(torch.ones(len(WINDOWS)))

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, h, w, C) to the same shape."""
        parts = [w * branch(x) for w, branch in zip(self.weights, self.branches, strict=True)]
        return torch.stack(parts).sum(dim=0)


class FlowOptimiser(nn.Module):
    """Optimise the coarse flow of one scale of the generator (eq. 5 and 6, figure 2).

    Flow and warped feature are cut into square pieces, each piece is projected to one token, and
    the token map passes `depth` times through a stage of plain and one of shifted windows. Tokens
    are projected back to pieces, and two convolutions make a flow of them, which is added to the
    coarse one: zero at the start, so that the model begins as TPSMM (our choice).

    With `depth` 1 an output token sees at most the 16 x 16 tokens around it: a window of 8 and, in
    the shifted stage, those next to it. The paper's full receptive field (section on motion flow
    optimisation) would need a greater depth.

    Args:
        channels: c of the warped feature.
        piece: side of a piece in pixels of this scale.
        dim: C, channels of a token.
        heads: attention heads.
        depth: pairs of stages.
        tokens: side of the token map at the size that the pieces are meant for.
    """

    def __init__(
        self, channels: int, piece: int, *, dim: int, heads: int, depth: int, tokens: int
    ) -> None:
        super().__init__()
        inside = channels + 2
        self.to_tokens = nn.Conv2d(inside, dim, piece, stride=piece)
        self.stages = nn.Sequential(
            *(Stage(dim, heads, tokens, shifted=bool(i % 2)) for i in range(2 * depth))
        )
        self.to_pieces = nn.ConvTranspose2d(dim, inside, piece, stride=piece)
        hidden = min(inside, dim)
        self.fusion = nn.Conv2d(inside, hidden, 3, padding=1)
        self.residual = nn.Conv2d(hidden, 2, 3, padding=1)
        nn.init.zeros_(self.residual.weight)
        assert self.residual.bias is not None
        nn.init.zeros_(self.residual.bias)

    def forward(self, flow: Tensor, warped: Tensor) -> Tensor:
        """Optimise a flow.

        Args:
            flow: (B, H, W, 2), absolute positions, xy in [-1, 1]; H and W multiples of the piece.
            warped: the source's feature warped by it, (B, c, H, W).

        Returns:
            (B, H, W, 2), at least float32.
        """
        seen = torch.cat([warped, flow.permute(0, 3, 1, 2).to(warped.dtype)], dim=1)
        tokens = self.to_tokens(seen).permute(0, 2, 3, 1)
        restored = self.to_pieces(self.stages(tokens).permute(0, 3, 1, 2))
        hidden = self.fusion(restored).relu()
        with full_precision(flow):
            change = self.residual(at_least_float32(hidden))
            return at_least_float32(flow) + change.permute(0, 2, 3, 1)
