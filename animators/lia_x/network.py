"""LIA-X's network (Wang et al., 2025): a flow trunk and a renderer of residual blocks.

Pictures are [0, 1] at the doors and [-1, 1] inside.
"""

import math
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from animators.nn.flow_stage import FlowStage, RgbHead, Warped
from animators.nn.latent_network import Decoding, LatentEncoder, LatentNetwork
from animators.nn.motion_dictionary import MotionDictionary
from animators.nn.stylegan import GAIN, ConvLayer, EqualLinear, StyledConv, channels, check_size

ALIGN_CORNERS = True
"""How the authors' sampler reads its corner-aligned grid: a zero flow is the identity."""
GROUPS = 32
START_GAIN = 1e-5


def widths_from(image_size: int) -> int:
    """Give the size of 64 channels: the picture's at 512, as published, else 256, as LIA's."""
    return max(image_size, 256)


class FlowBlock(nn.Module):
    """Residual block of the flow trunk, whose second half starts out silent.

    u = first(x); u + gamma * second(norm(u)). The shortcut starts behind the first convolution.

    Args:
        channels: of input and output.
        latent_dim: size of the latent that modulates.
    """

    def __init__(self, channels: int, latent_dim: int) -> None:
        super().__init__()
        self.first = StyledConv(channels, channels, latent_dim)
        self.second = StyledConv(channels, channels, latent_dim)
        # 32 groups at every width of the paper; narrower layers have as many as divide them
        self.norm = nn.GroupNorm(math.gcd(GROUPS, channels), channels)
        self.gamma = nn.Parameter(torch.full((channels,), START_GAIN))

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        """Map (B, C, H, W), styled by (B, latent), to the same shape."""
        x = self.first(x, latent)
        further: Tensor = self.second(self.norm(x), latent)
        return torch.addcmul(x, self.gamma.to(x.dtype)[:, None, None], further.to(x.dtype))


class RenderBlock(nn.Module):
    """Residual block of the renderer: two convolutions beside the identity, over sqrt(2).

    Args:
        channels: of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvLayer(channels, channels, 3)
        self.second = ConvLayer(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        return (self.second(self.first(x)) + x) / GAIN


class Drawn(NamedTuple):
    """What a level hands on.

    Attributes:
        stage: flow field, masked warp, and its blend with the trunk.
        render: (B, C, H, W), the renderer's map.
        picture: (B, 3, H, W), accumulated over the levels.
    """

    stage: Warped
    render: Tensor
    picture: Tensor


class DecoderLevel(nn.Module):
    """One resolution of the decoder: flow trunk, warp, renderer, picture.

    Args:
        in_channels: width of the level below.
        out_channels: width of this level.
        latent_dim: size of the latent.
        blocks: residual blocks of the trunk, and of the renderer.
        first: no level lies below.
        last: no level follows.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        latent_dim: int,
        *,
        blocks: int,
        first: bool,
        last: bool,
    ) -> None:
        super().__init__()
        self.up = StyledConv(in_channels, out_channels, latent_dim, up=True)
        self.blocks = nn.ModuleList(FlowBlock(out_channels, latent_dim) for _ in range(blocks))
        self.stage = FlowStage(out_channels, latent_dim, align_corners=ALIGN_CORNERS, last=last)
        self.render_up = None if first else ConvLayer(in_channels, out_channels, 3, up=True)
        self.render = nn.Sequential(*(RenderBlock(out_channels) for _ in range(blocks)))
        self.rgb = RgbHead(out_channels)

    def forward(self, x: Tensor, feature: Tensor, latent: Tensor, below: Drawn | None) -> Drawn:
        """Draw this level.

        Args:
            x: (B, C, H / 2, W / 2), the trunk's map of the level below.
            feature: (B, C', H, W), the source's.
            latent: (B, latent).
            below: what the level below handed on; None at the first.
        """
        x = self.up(x, latent)
        for block in self.blocks:
            x = block(x, latent)
        stage: Warped = self.stage(x, feature, latent, below.stage.flow.raw if below else None)
        render = stage.warped
        if self.render_up is not None and below is not None:
            render = render + self.render_up(below.render)
        render = self.render(render)
        return Drawn(stage, render, self.rgb(render, below.picture if below else None))


class Decoder(nn.Module):
    """A latent and the source's features to a picture.

    Args:
        image_size: 64, 128, 256 or 512.
        latent_dim: size of the latent.
        multiplier: factor on every width.
        blocks: residual blocks of trunk and renderer at each level.
    """

    def __init__(self, image_size: int, latent_dim: int, multiplier: float, blocks: int) -> None:
        super().__init__()
        narrow_at = widths_from(image_size)
        width = channels(4, multiplier, narrow_at)
        self.constant = nn.Parameter(torch.randn(1, width, 4, 4))
        self.start = StyledConv(width, width, latent_dim)
        self.levels = nn.ModuleList()
        size = 8
        while size <= image_size:
            self.levels.append(
                DecoderLevel(
                    channels(size // 2, multiplier, narrow_at),
                    channels(size, multiplier, narrow_at),
                    latent_dim,
                    blocks=blocks,
                    first=size == 8,
                    last=size == image_size,
                )
            )
            size *= 2

    def forward(self, latent: Tensor, features: tuple[Tensor, ...]) -> Decoding:
        """Decode z* (B, latent) over features (B, C, r, r), r from 8 pixels up."""
        x = self.start(self.constant.expand(latent.shape[0], -1, -1, -1), latent)
        first, *levels = zip(self.levels, features, strict=True)
        level, feature = first
        drawn: Drawn = level(x, feature, latent, None)
        for level, feature in levels:
            drawn = level(drawn.stage.blended, feature, latent, drawn)
        return Decoding(drawn.picture, drawn.stage.flow.grid)


class LiaXNetwork(LatentNetwork):
    """Encoder, motion head, motion dictionary and decoder.

    Widths, times the multiplier, are LIA's up to 256 pixels: 64 channels at a size of 256, twice as
    many at each halving, 512 at most. At 512 pixels they are counted from there.

    Args:
        image_size: 64, 128, 256 or 512 pixels.
        latent_dim: size of the latent and of each motion direction.
        motion_dim: number of motion directions D.
        channel_multiplier: factor on the width of every layer.
        blocks: residual blocks of the flow trunk, and of the renderer, at each level.

    Raises:
        ValueError: another image size, more directions than dimensions, or no block.
    """

    align_corners: ClassVar[bool] = ALIGN_CORNERS

    def __init__(
        self,
        image_size: int = 512,
        latent_dim: int = 1024,
        motion_dim: int = 40,
        channel_multiplier: float = 2.0,
        blocks: int = 4,
    ) -> None:
        check_size(image_size)
        if blocks < 1:
            raise ValueError(f"blocks must be at least 1, got {blocks}")
        super().__init__(
            LatentEncoder(
                image_size,
                latent_dim,
                channel_multiplier,
                widths_from(image_size),
                widen_first=True,
            ),
            MotionDictionary(latent_dim, motion_dim),
            EqualLinear(latent_dim, motion_dim),
            Decoder(image_size, latent_dim, channel_multiplier, blocks),
        )
