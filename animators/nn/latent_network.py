"""What LIA and LIA-X share: encoder, motion head and directions around a decoder.

Pictures are [0, 1] at the doors and [-1, 1] inside.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from animators.nn.grid import warp
from animators.nn.motion_dictionary import MotionDictionary
from animators.nn.precision import at_least_float32, full_precision
from animators.nn.stylegan import EqualConv2d, ResidualTrunk, channels


@dataclass(frozen=True)
class LatentSource:
    """What is kept of a source picture.

    Attributes:
        latent: z_s, (B, latent).
        magnitudes: A_s, (B, D); the displacement itself without a dictionary.
        features: maps (B, C, r, r) of the source, r from 8 pixels up to the picture's size.
        shift: (B, D), what edits have added to the magnitudes; None of an unedited source.
    """

    latent: Tensor
    magnitudes: Tensor
    features: tuple[Tensor, ...]
    shift: Tensor | None = None


@dataclass(frozen=True)
class LatentMotion:
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
    """Output of a decoder: picture (B, 3, H, W) around [-1, 1], finest grid (B, H, W, 2)."""

    picture: Tensor
    grid: Tensor


class LatentEncoder(nn.Module):
    """Pictures to latents and feature maps (section 3.1 of LIA).

    Args:
        image_size: 64, 128, 256 or 512.
        latent_dim: size of the latent.
        multiplier: factor on every width.
        narrow_at: as `channels` takes it.
        widen_first: as `ResidualDown` takes it.
    """

    def __init__(
        self,
        image_size: int,
        latent_dim: int,
        multiplier: float,
        narrow_at: int = 256,
        widen_first: bool = False,
    ) -> None:
        super().__init__()
        self.trunk = ResidualTrunk(image_size, multiplier, narrow_at, widen_first)
        self.to_latent = EqualConv2d(channels(4, multiplier, narrow_at), latent_dim, 4)

    def forward(self, images: Tensor) -> Encoding:
        """Encode (B, 3, S, S) in [-1, 1]."""
        maps: list[Tensor] = self.trunk(images)
        with full_precision(images):
            latent = self.to_latent(at_least_float32(maps[-1])).flatten(1)
        return Encoding(latent, tuple(reversed(maps[:-1])))


class LatentNetwork(nn.Module):
    """Base of the networks: a subclass says how its sampler reads a grid.

    Args:
        encoder: pictures to latents and features.
        dictionary: the motion directions, or None.
        motion_head: latents to magnitudes, or to displacements without a dictionary.
        decoder: latents and features to a `Decoding`.
    """

    align_corners: ClassVar[bool]
    """As `animators.nn.grid.warp` takes it, in every level's warp."""

    def __init__(
        self,
        encoder: LatentEncoder,
        dictionary: MotionDictionary | None,
        motion_head: nn.Module,
        decoder: nn.Module,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.dictionary = dictionary
        self.motion_head = motion_head
        self.decoder = decoder

    def encode_source(self, images: Tensor) -> LatentSource:
        """Encode (B, 3, S, S) in [0, 1]: latent z_s, magnitudes A_s, features."""
        latent, features = self.encoder(images * 2 - 1)
        return LatentSource(latent, self._magnitudes(latent), features)

    def encode_motion(self, images: Tensor) -> LatentMotion:
        """Encode (B, 3, S, S) in [0, 1]: magnitudes A."""
        latent: Tensor = self.encoder(images * 2 - 1).latent
        return LatentMotion(self._magnitudes(latent))

    def displacement(self, magnitudes: Tensor) -> Tensor:
        """Return w(A) = sum_i A_i d_i (eq. 4 of LIA), (B, latent)."""
        return magnitudes if self.dictionary is None else self.dictionary(magnitudes)

    def decode(self, latent: Tensor, features: tuple[Tensor, ...]) -> Tensor:
        """Draw (B, 3, S, S), around [0, 1] but not clamped, from z* (B, latent)."""
        return self.decode_all(latent, features).picture

    def decode_all(self, latent: Tensor, features: tuple[Tensor, ...]) -> Decoding:
        """As `decode`, with the finest sampling grid (B, S, S, 2) beside the picture."""
        picture, grid = self.decoder(latent, features)
        return Decoding((picture + 1) / 2, grid)

    def reference_picture(self, source: LatentSource, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return x_r (section 5.4 of LIA): z* = z_s, rendered, and warped by its finest flow.

        Args:
            source: the encoded source.
            images: the source itself, (B, 3, S, S) in [0, 1].

        Returns:
            Two pictures (B, 3, S, S): rendered, not clamped; warped, black where the flow
            reads outside.
        """
        rendered, grid = self.decode_all(source.latent, source.features)
        return rendered, warp(images, grid, align_corners=self.align_corners)

    def _magnitudes(self, latent: Tensor) -> Tensor:
        with full_precision(latent):
            return self.motion_head(at_least_float32(latent))
