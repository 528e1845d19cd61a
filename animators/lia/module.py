"""LIA as an AnimatorModule: its arguments, losses and directions."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import ClassVar, Literal

from animators.animator import Direction, spaced
from animators.latent_animator import LatentAnimator
from animators.lia.network import LiaNetwork
from animators.training import Training

MANIPULATION_RANGE = 3.0
"""Largest amount that the authors' linear manipulation shows (spec 6)."""

PAPER_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"reconstruction": 1.0, "perceptual": 10.0, "adversarial": 1.0}
)


class Lia(LatentAnimator):
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
    name: ClassVar[str] = "lia"
    sweep: ClassVar[tuple[float, ...]] = spaced(-MANIPULATION_RANGE, MANIPULATION_RANGE, 16)

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
        super().__init__(
            partial(LiaNetwork, **arguments),  # type: ignore[arg-type]
            arguments=arguments,
            discriminator_multiplier=channel_multiplier if adversarial else None,
            r1_weight=r1_weight,
            r1_every=r1_every,
            perceptual=perceptual,
            perceptual_scales=perceptual_scales,
            loss_weights=loss_weights,
            training=training,
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
