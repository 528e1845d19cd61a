"""TPSMM's network with flow optimisation, decoupled motion and motion attention."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from animators.nn.hourglass import check_counts
from animators.nn.inpainting import Inpainting
from animators.nn.spline_motion import SplineFlow
from animators.nn.spline_network import SplineMotion, SplineNetwork, SplineSource
from animators.swin_tps.attention import MotionAttention
from animators.swin_tps.decoupling import Decoupling
from animators.swin_tps.flow_optimiser import FlowOptimiser

TOKENS = 32
"""Side of the token map at `BASE_SIZE`, h_p = w_p of the paper."""
BASE_SIZE = 256
"""Pixels of the pictures for which pieces are cut into `TOKENS` x `TOKENS`."""


@dataclass(frozen=True)
class SwinSource(SplineSource):
    """A source, with its own motion coefficients for relative mode.

    Attributes:
        coefficients: y of the source, (B, q); None without decoupling.
    """

    coefficients: Tensor | None = None


@dataclass(frozen=True)
class SwinMotion(SplineMotion):
    """A driving frame, with its motion coefficients.

    Attributes:
        coefficients: y, (B, q); None without decoupling.
    """

    coefficients: Tensor | None = None


class SwinTpsNetwork(SplineNetwork):
    """TPSMM and two additions, each of which can be left out; without both it is TPSMM.

    Args:
        optimise_flow: refine the flow of every scale of the generator by attention.
        decouple: read off motion coefficients and mix their feature into every scale.
        identity: with decoupling, also read off identity coefficients.
        identity_dim: p, vectors of the identity subspace.
        motion_dim: q, vectors of the motion subspace.
        latent_dim: size of a vector.
        token_dim: C, channels of a token.
        heads: attention heads of the Swin blocks.
        depth: pairs of plain and shifted stages of the flow optimiser.
        pool_above: side of the maps above which motion attention pools its keys.
        pooled_keys: side to which it then pools them.
        spline: TPSMM's arguments, see `SplineNetwork`.

    Raises:
        ValueError: sizes that do not meet.
    """

    def __init__(
        self,
        *,
        optimise_flow: bool = True,
        decouple: bool = True,
        identity: bool = True,
        identity_dim: int = 20,
        motion_dim: int = 20,
        latent_dim: int = 512,
        token_dim: int = 128,
        heads: int = 4,
        depth: int = 1,
        pool_above: int = 64,
        pooled_keys: int = 32,
        **spline: Any,
    ) -> None:
        super().__init__(**spline)
        if token_dim < 1 or heads < 1 or token_dim % heads:
            raise ValueError(f"token_dim must be a multiple of heads, got {token_dim} and {heads}")
        check_counts(
            depth=depth,
            identity_dim=identity_dim,
            motion_dim=motion_dim,
            pool_above=pool_above,
            pooled_keys=pooled_keys,
        )
        channels = self.generator.channels
        self.flow_optimisers = None
        if optimise_flow:
            self.flow_optimisers = nn.ModuleList(
                FlowOptimiser(width, piece, dim=token_dim, heads=heads, depth=depth, tokens=TOKENS)
                for width, piece in zip(channels, pieces(len(channels)), strict=True)
            )
        self.decoupling = self.attention = None
        if decouple:
            width = spline.get("keypoint_width", 64)
            self.decoupling = Decoupling(
                identity_dim, motion_dim, latent_dim, width=width, identity=identity
            )
            self.attention = nn.ModuleList(
                MotionAttention(c, latent_dim, pool_above=pool_above, pooled=pooled_keys)
                for c in channels
            )

    def encode_source(self, images: Tensor) -> SwinSource:
        """Encode (B, 3, H, W) in [0, 1]."""
        return SwinSource(**vars(super().encode_source(images)))

    def encode_motion(self, images: Tensor, pair: SplineSource | None = None) -> SwinMotion:
        """Detect control points, the background's motion against a pair, and y."""
        motion = super().encode_motion(images, pair)
        return SwinMotion(**vars(motion), coefficients=self.coefficients(images))

    def coefficients(self, images: Tensor) -> Tensor | None:
        """Motion coefficients y of (B, 3, H, W) in [0, 1], (B, q); None without decoupling."""
        return None if self.decoupling is None else self.decoupling.coefficients(images)

    def disentangle(self, source: SplineSource, motion: SplineMotion) -> SwinMotion:
        """As TPSMM; y, which is to be free of identity, stays the driving frame's."""
        fitted = super().disentangle(source, motion)
        return SwinMotion(**vars(fitted), coefficients=getattr(motion, "coefficients", None))

    def motion_feature(self, motion: SplineMotion) -> Tensor | None:
        """F_m, (B, latent); None without decoupling."""
        coefficients = getattr(motion, "coefficients", None)
        if self.decoupling is None or coefficients is None:
            return None
        return self.decoupling.motion_feature(coefficients)

    def paint(self, source: SplineSource, motion: SplineMotion, flow: SplineFlow) -> Inpainting:
        """Draw the source as the optimised flow moves it, the motion feature mixed in."""
        feature = self.motion_feature(motion)
        optimisers, attention = self.flow_optimisers, self.attention

        def mix(scale: int, warped: Tensor) -> Tensor:
            assert attention is not None
            mixed: Tensor = attention[scale](feature, warped)
            return mixed

        def refine(scale: int, grid: Tensor, warped: Tensor) -> Tensor:
            assert optimisers is not None
            refined: Tensor = optimisers[scale](grid, warped)
            return refined

        return self.inpaint(
            source,
            flow,
            None if optimisers is None else refine,
            None if attention is None or feature is None else mix,
        )


def pieces(scales: int) -> tuple[int, ...]:
    """Side of a piece at each scale of the generator, coarse to fine, in that scale's pixels.

    Fixed for pictures of `BASE_SIZE`, so that weights fit every size of picture.
    """
    finest = BASE_SIZE // TOKENS
    return tuple(max(1, finest >> (scales - 1 - i)) for i in range(scales))


def move_coefficients(
    source: SplineSource, driving: SplineMotion, reference: SplineMotion, moved: SplineMotion
) -> SwinMotion:
    """Relative mode of y, as LIA's: y_t - y_1 + y_source, beside the moved points."""
    parts = [getattr(x, "coefficients", None) for x in (source, driving, reference)]
    own, now, then = parts
    if own is None or now is None or then is None:
        return SwinMotion(**vars(moved))
    return SwinMotion(**vars(moved), coefficients=now - then + own)
