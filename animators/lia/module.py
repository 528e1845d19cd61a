"""LIA as an AnimatorModule: its losses and its latent arithmetic."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from animators.animator import Direction, Mode, Step, check_single_view
from animators.lia.network import LiaMotion, LiaNetwork, LiaSource
from animators.losses.adversarial import ImageAdversary
from animators.losses.perceptual import FrozenPerceptual
from animators.module import AnimatorModule
from animators.nn.discriminators import StyleGan2Discriminator
from animators.training import Training, check_weights

if TYPE_CHECKING:
    from datamodules.batch import PairBatch

MANIPULATION_RANGE = 3.0
"""Largest amount that the authors' linear manipulation shows (spec 6)."""

PAPER_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"reconstruction": 1.0, "perceptual": 10.0, "adversarial": 1.0}
)


class Lia(AnimatorModule):
    """Latent Image Animator (Wang et al., ICLR 2022); the defaults are the paper's numbers.

    Args:
        image_size: pixels, 64 to 512, a power of two.
        latent_dim: size of the latent and of each motion direction.
        motion_dim: number of motion directions D.
        channel_multiplier: factor on the width of every layer.
        dictionary: False drops the motion dictionary (ablation of the paper's table 4): the
            motion head's output is the displacement itself.
        perceptual: network of the perceptual loss (eq. 9); None switches the loss off.
        perceptual_scales: pictures of the loss's pyramid, each half the one before.
        adversarial: train with the non-saturating GAN loss (eq. 10).
        r1_weight: weight of the discriminator's R1 penalty; 0 as in the paper.
        r1_every: batches between two R1 penalties.
        loss_weights: a weight for each loss that is on, and for no other.
        training: optimiser, schedule, accumulation and clipping.

    Raises:
        ValueError: loss weights that do not match the losses, or a size out of range.
        WeightsNotFound: the perceptual network's file is nowhere (see `make weights`), at the
            start of training.
    """

    network: LiaNetwork

    def __init__(
        self,
        image_size: int = 256,
        latent_dim: int = 512,
        motion_dim: int = 20,
        channel_multiplier: float = 1.0,
        dictionary: bool = True,
        perceptual: Literal["vgg19", "vgg16"] | None = "vgg19",
        perceptual_scales: int = 4,
        adversarial: bool = True,
        r1_weight: float = 0.0,
        r1_every: int = 16,
        loss_weights: Mapping[str, float] = PAPER_WEIGHTS,
        training: Training = Training(),  # noqa: B008  frozen
    ) -> None:
        arguments = {
            "image_size": image_size,
            "latent_dim": latent_dim,
            "motion_dim": motion_dim,
            "channel_multiplier": channel_multiplier,
            "dictionary": dictionary,
        }
        wanted = {"reconstruction"}
        wanted |= {"perceptual"} if perceptual else set()
        wanted |= {"adversarial"} if adversarial else set()
        check_weights(loss_weights, wanted)
        adversary = None
        if adversarial:
            adversary = ImageAdversary(
                StyleGan2Discriminator(image_size, channel_multiplier),
                r1_weight=r1_weight,
                r1_every=r1_every,
            )
        super().__init__(
            LiaNetwork(**arguments),  # type: ignore[arg-type]
            image_size=image_size,
            arguments=arguments,
            loss_weights=loss_weights,
            training=training,
            adversary=adversary,
            perceptual=FrozenPerceptual(perceptual, perceptual_scales, "grey")
            if perceptual
            else None,
        )

    @classmethod
    def for_inference(cls, arguments: Mapping[str, object]) -> "Lia":
        """Build without losses or adversary, from `description()`'s primitives."""
        return cls(
            **arguments,  # type: ignore[arg-type]
            perceptual=None,
            adversarial=False,
            loss_weights={"reconstruction": 1.0},
        )

    @property
    def directions(self) -> Mapping[str, Direction]:
        """The motion dictionary's directions, `d0` to `d{D-1}`; none without a dictionary."""
        if not self.arguments["dictionary"]:
            return {}
        reach = MANIPULATION_RANGE
        return {f"d{i}": Direction(i, -reach, reach) for i in range(self.arguments["motion_dim"])}

    def encode_source(self, source: Tensor) -> LiaSource:
        """Encode (B, 3, H, W): latent z_s, magnitudes A_s and feature maps.

        Raises:
            ValueError: several views.
        """
        check_single_view(source, "lia")
        return self.network.encode_source(source)

    def encode_motion(self, frames: Tensor, pair: LiaSource | None = None) -> LiaMotion:
        """Magnitudes A_t of (B, 3, H, W); nothing depends on the pair."""
        return self.network.encode_motion(frames)

    def transfer(
        self, source: LiaSource, driving: LiaMotion, reference: LiaMotion | None, mode: Mode
    ) -> LiaMotion:
        """Eq. 11 (absolute) and 12 (relative), on magnitudes: displacements are linear in them.

        Raises:
            ValueError: relative mode without a reference frame.
        """
        if mode is Mode.ABSOLUTE:
            return driving
        if reference is None:
            raise ValueError("relative mode needs the driving clip's reference frame")
        moved = (driving.magnitudes - reference.magnitudes) + source.magnitudes
        return LiaMotion(moved)

    def render(self, source: LiaSource, motion: LiaMotion) -> Tensor:
        """Decode z_s + w(A) over the source's features into (B, 3, H, W), not clamped."""
        latent = source.latent + self.network.displacement(motion.magnitudes)
        return self.network.decode(latent, source.features)

    def motion_distance(self, source: LiaSource, motion: LiaMotion) -> Tensor:
        """(B,) L2 distance of the magnitudes, which the orthonormal directions keep."""
        return (source.magnitudes - motion.magnitudes).float().norm(dim=1)

    def edit(self, source: LiaSource, amounts: Mapping[str | int, float]) -> LiaSource:
        """Move the source's magnitudes along directions (spec 6, linear manipulation).

        Raises:
            ValueError: no such direction, or an animator without a dictionary.
        """
        known = self.directions
        shift = torch.zeros_like(source.magnitudes)
        for name, amount in amounts.items():
            key = f"d{name}" if isinstance(name, int) or name.isdigit() else name
            if key not in known:
                has = f"d0 to d{len(known) - 1}" if known else "none (no dictionary)"
                raise ValueError(f"no motion direction {name!r}; this animator has {has}")
            shift[:, known[key].index] += amount
        return replace(source, magnitudes=source.magnitudes + shift)

    @torch.no_grad()
    def reference_picture(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Return the reference picture x_r, rendered and as the source warped by the finest flow.

        Args:
            source: (B, 3, H, W) in [0, 1].

        Returns:
            Two pictures (B, 3, H, W) in [0, 1].
        """
        state = self.encode_source(source)
        rendered, warped = self.network.reference_picture(state, source)
        return rendered.clamp(0, 1), warped.clamp(0, 1)

    def training_losses(self, batch: "PairBatch") -> Step:
        """Absolute mode on two frames of a clip (eq. 7-9)."""
        driving = batch["driving"]
        source = self.encode_source(batch["source"])
        prediction = self.render(source, self.encode_motion(driving))
        # on [-1, 1], as the paper's pixels are
        losses = {"reconstruction": 2 * (prediction - driving).abs().mean()}
        if self.perceptual is not None and self.perceptual.loaded:
            losses["perceptual"] = self.perceptual(prediction, driving)
        return Step(losses, prediction)
