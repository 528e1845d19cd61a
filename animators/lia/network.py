"""LIA's network (Wang et al., ICLR 2022): encoder, motion dictionary, flow decoder.

Pictures are [0, 1] at the doors and [-1, 1] inside.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from animators.nn.flow_stage import FlowStage, RgbHead, Warped
from animators.nn.grid import warp
from animators.nn.motion_dictionary import MotionDictionary
from animators.nn.precision import at_least_float32, full_precision
from animators.nn.stylegan import (
    EqualConv2d,
    EqualLinear,
    ResidualTrunk,
    StyledConv,
    channels,
    check_size,
)

ALIGN_CORNERS = False
"""How the authors' sampler reads its corner-aligned grid (see README.md)."""
HEAD_LAYERS = 5


@dataclass(frozen=True)
class LiaSource:
    """What is kept of a source picture.

    Attributes:
        latent: z_s, (B, latent).
        magnitudes: A_s, (B, D); the displacement itself without a dictionary.
        features: maps (B, C, r, r) of the source, r from 8 pixels up to the picture's size.
    """

    latent: Tensor
    magnitudes: Tensor
    features: tuple[Tensor, ...]


@dataclass(frozen=True)
class LiaMotion:
    """What is kept of a driving frame.

    Attributes:
        magnitudes: A, (B, D); the displacement itself without a dictionary.
    """

    magnitudes: Tensor


class Encoding(NamedTuple):
    """Output of the encoder: latent (B, latent), features from 8 pixels up."""

    latent: Tensor
    features: tuple[Tensor, ...]


class Decoding(NamedTuple):
    """Output of the decoder: picture (B, 3, H, W) around [-1, 1], finest grid (B, H, W, 2)."""

    picture: Tensor
    grid: Tensor


class Encoder(nn.Module):
    """Pictures to latents and feature maps (section 3.1).

    Args:
        image_size: 64, 128, 256 or 512.
        latent_dim: size of the latent.
        multiplier: factor on every width.
    """

    def __init__(self, image_size: int, latent_dim: int, multiplier: float) -> None:
        super().__init__()
        self.trunk = ResidualTrunk(image_size, multiplier)
        self.to_latent = EqualConv2d(channels(4, multiplier), latent_dim, 4)

    def forward(self, images: Tensor) -> Encoding:
        """Encode (B, 3, S, S) in [-1, 1]."""
        maps: list[Tensor] = self.trunk(images)
        with full_precision(images):
            latent = self.to_latent(at_least_float32(maps[-1])).flatten(1)
        return Encoding(latent, tuple(reversed(maps[:-1])))


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


class LiaNetwork(nn.Module):
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

    def __init__(
        self,
        image_size: int = 256,
        latent_dim: int = 512,
        motion_dim: int = 20,
        channel_multiplier: float = 1.0,
        dictionary: bool = True,
    ) -> None:
        super().__init__()
        check_size(image_size)
        self.encoder = Encoder(image_size, latent_dim, channel_multiplier)
        self.dictionary = MotionDictionary(latent_dim, motion_dim) if dictionary else None
        outputs = motion_dim if dictionary else latent_dim
        widths = [latent_dim] * HEAD_LAYERS + [outputs]
        # Nothing between the layers: the authors' head is one affine map, five layers deep.
        self.motion_head = nn.Sequential(*(EqualLinear(a, b) for a, b in pairwise(widths)))
        self.decoder = Decoder(image_size, latent_dim, channel_multiplier)

    def encode_source(self, images: Tensor) -> LiaSource:
        """Encode (B, 3, S, S) in [0, 1]: latent z_s, magnitudes A_s, features."""
        latent, features = self.encoder(images * 2 - 1)
        return LiaSource(latent, self._magnitudes(latent), features)

    def encode_motion(self, images: Tensor) -> LiaMotion:
        """Encode (B, 3, S, S) in [0, 1]: magnitudes A."""
        latent: Tensor = self.encoder(images * 2 - 1).latent
        return LiaMotion(self._magnitudes(latent))

    def displacement(self, magnitudes: Tensor) -> Tensor:
        """Return w(A) = sum_i A_i d_i (eq. 4), (B, latent)."""
        return magnitudes if self.dictionary is None else self.dictionary(magnitudes)

    def decode(self, latent: Tensor, features: tuple[Tensor, ...]) -> Tensor:
        """Draw (B, 3, S, S), around [0, 1] but not clamped, from z* (B, latent)."""
        return self.decode_all(latent, features).picture

    def decode_all(self, latent: Tensor, features: tuple[Tensor, ...]) -> Decoding:
        """As `decode`, with the finest sampling grid (B, S, S, 2) beside the picture."""
        picture, grid = self.decoder(latent, features)
        return Decoding((picture + 1) / 2, grid)

    def reference_picture(self, source: LiaSource, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return x_r (section 5.4): z* = z_s, rendered, and the source warped by its finest flow.

        Args:
            source: the encoded source.
            images: the source itself, (B, 3, S, S) in [0, 1].

        Returns:
            Two pictures (B, 3, S, S): rendered, not clamped; warped, black where the flow
            reads outside.
        """
        rendered, grid = self.decode_all(source.latent, source.features)
        return rendered, warp(images, grid, align_corners=ALIGN_CORNERS)

    def _magnitudes(self, latent: Tensor) -> Tensor:
        with full_precision(latent):
            return self.motion_head(at_least_float32(latent))
