"""LIA's network (Wang et al., ICLR 2022): encoder, motion dictionary, flow decoder.

Pictures are [0, 1] at the doors and [-1, 1] inside.
"""

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from animators.nn.flow_stage import FlowStage, RgbHead, Warped
from animators.nn.latent_network import Decoding, LatentEncoder, LatentNetwork
from animators.nn.motion_dictionary import MotionDictionary
from animators.nn.stylegan import EqualLinear, StyledConv, channels, check_size

ALIGN_CORNERS = False
"""How the authors' sampler reads its corner-aligned grid (see README.md)."""
HEAD_LAYERS = 5


class DecoderLevel(nn.Module):
    """One resolution of the decoder: two styled convolutions, warp, picture.

    Args:
        in_channels: width of the level below.
        out_channels: width of this level.
        latent_dim: size of the latent.
        last: no level follows.
    """

    def __init__(self, in_channels: int, out_channels: int, latent_dim: int, last: bool) -> None:
        super().__init__()
        self.up = StyledConv(in_channels, out_channels, latent_dim, up=True)
        self.conv = StyledConv(out_channels, out_channels, latent_dim)
        self.stage = FlowStage(out_channels, latent_dim, align_corners=ALIGN_CORNERS, last=last)
        self.rgb = RgbHead(out_channels)

    def forward(
        self,
        x: Tensor,
        feature: Tensor,
        latent: Tensor,
        raw_flow: Tensor | None,
        picture: Tensor | None,
    ) -> tuple[Warped, Tensor]:
        """Return this level's warp and picture; the last three arguments as from below."""
        x = self.conv(self.up(x, latent), latent)
        stage: Warped = self.stage(x, feature, latent, raw_flow)
        return stage, self.rgb(stage.warped, picture)


class Decoder(nn.Module):
    """A latent and the source's features to a picture (section 3.3).

    Args:
        image_size: 64, 128, 256 or 512.
        latent_dim: size of the latent.
        multiplier: factor on every width.
    """

    def __init__(self, image_size: int, latent_dim: int, multiplier: float) -> None:
        super().__init__()
        width = channels(4, multiplier)
        self.constant = nn.Parameter(torch.randn(1, width, 4, 4))
        self.start = StyledConv(width, width, latent_dim)
        self.levels = nn.ModuleList()
        size = 8
        while size <= image_size:
            below, here = channels(size // 2, multiplier), channels(size, multiplier)
            self.levels.append(DecoderLevel(below, here, latent_dim, last=size == image_size))
            size *= 2

    def forward(self, latent: Tensor, features: tuple[Tensor, ...]) -> Decoding:
        """Decode z* (B, latent) over features (B, C, r, r), r from 8 pixels up."""
        x = self.start(self.constant.expand(latent.shape[0], -1, -1, -1), latent)
        first, *levels = zip(self.levels, features, strict=True)
        level, feature = first
        stage, picture = level(x, feature, latent, None, None)
        for level, feature in levels:
            stage, picture = level(stage.blended, feature, latent, stage.flow.raw, picture)
        return Decoding(picture, stage.flow.grid)


class LiaNetwork(LatentNetwork):
    """Encoder, motion head, motion dictionary and decoder.

    Args:
        image_size: 64, 128, 256 or 512 pixels.
        latent_dim: size of the latent and of each motion direction.
        motion_dim: number of motion directions D.
        channel_multiplier: factor on the width of every layer.
        dictionary: False drops the dictionary; the motion head then gives the displacement.

    Raises:
        ValueError: another image size, or more directions than dimensions.
    """

    align_corners: ClassVar[bool] = ALIGN_CORNERS

    def __init__(
        self,
        image_size: int = 256,
        latent_dim: int = 512,
        motion_dim: int = 20,
        channel_multiplier: float = 1.0,
        dictionary: bool = True,
    ) -> None:
        check_size(image_size)
        outputs = motion_dim if dictionary else latent_dim
        widths = [latent_dim] * HEAD_LAYERS + [outputs]
        super().__init__(
            LatentEncoder(image_size, latent_dim, channel_multiplier),
            MotionDictionary(latent_dim, motion_dim) if dictionary else None,
            # Nothing between the layers: the authors' head is one affine map, five layers deep.
            nn.Sequential(*(EqualLinear(a, b) for a, b in pairwise(widths))),
            Decoder(image_size, latent_dim, channel_multiplier),
        )
