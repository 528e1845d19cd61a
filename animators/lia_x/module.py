"""LIA-X as an AnimatorModule: its arguments, losses and directions."""

import re
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from torch import Tensor

from animators.animator import Direction, spaced
from animators.latent_animator import LatentAnimator
from animators.lia_x.network import LiaXNetwork
from animators.losses.sparsity import magnitude_sparsity
from animators.nn.latent_network import LatentMotion
from animators.training import Training

EDIT_RANGE = 0.5
"""Largest amount that the paper shows of a direction (section 5.2)."""

CHOSEN_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"reconstruction": 1.0, "perceptual": 10.0, "adversarial": 1.0, "sparsity": 0.3}
)
"""The paper prints neither lambda: the first is LIA's; the second is ours.

It is 0.03 of the perceptual weight: in small trainings on faces, one seed, 0.03 from the first
step on left motion to be learned, and 0.1 did not. Nothing was trained at the published sizes.
"""

Named = Mapping[str, tuple[int, float, float]]


class LiaX(LatentAnimator):
    """LIA-X (Wang et al., 2025); the sizes are those of the published model.

    Args:
        image_size: pixels, 64 to 512, a power of two.
        latent_dim: size of the latent and of each motion direction.
        motion_dim: number of motion directions D.
        channel_multiplier: factor on the width of every layer; the latent does not follow it.
        blocks: residual blocks of the flow trunk, and of the renderer, at each level.
        named_directions: names that somebody gave to directions: name -> index, lowest and
            highest amount. They belong to a set of weights, and come with a published one.
        perceptual: network of the perceptual loss; None switches the loss off.
        perceptual_scales: pictures of the loss's pyramid, each half the one before.
        adversarial: train with the non-saturating GAN loss.
        sparse: train with the penalty on the driving frame's magnitudes (eq. 9).
        discriminator_multiplier: factor on the widths of LIA's discriminator; the paper does
            not describe its own.
        r1_weight: weight of the discriminator's R1 penalty; 0 as for LIA.
        r1_every: batches between two R1 penalties.
        loss_weights: a weight for each loss that is on, and for no other.
        training: optimiser, schedule, accumulation and clipping.

    Raises:
        ValueError: loss weights that do not match the losses, a size out of range, or names
            that do not fit the directions.
        WeightsNotFound: the perceptual network's file is nowhere (see `make weights`), at the
            start of training.
    """

    network: LiaXNetwork
    name: ClassVar[str] = "lia_x"
    # in steps of 0.1 (section 5.2)
    sweep: ClassVar[tuple[float, ...]] = spaced(-EDIT_RANGE, EDIT_RANGE, 11)
    inference_arguments: ClassVar[frozenset[str]] = frozenset({"named_directions"})

    def __init__(
        self,
        image_size: int = 512,
        latent_dim: int = 1024,
        motion_dim: int = 40,
        channel_multiplier: float = 2.0,
        blocks: int = 4,
        named_directions: Mapping[str, tuple[int, float, float]] = MappingProxyType({}),
        perceptual: Literal["vgg19", "vgg16"] | None = "vgg19",
        perceptual_scales: int = 4,
        adversarial: bool = True,
        sparse: bool = True,
        discriminator_multiplier: float = 1.0,
        r1_weight: float = 0.0,
        r1_every: int = 16,
        loss_weights: Mapping[str, float] = CHOSEN_WEIGHTS,
        training: Training = Training(),  # noqa: B008  frozen
    ) -> None:
        sizes: dict[str, Any] = {
            "image_size": image_size,
            "latent_dim": latent_dim,
            "motion_dim": motion_dim,
            "channel_multiplier": channel_multiplier,
            "blocks": blocks,
        }
        named = _checked(named_directions, motion_dim)
        super().__init__(
            partial(LiaXNetwork, **sizes),
            arguments={**sizes, "named_directions": named},
            discriminator_multiplier=discriminator_multiplier if adversarial else None,
            r1_weight=r1_weight,
            r1_every=r1_every,
            perceptual=perceptual,
            perceptual_scales=perceptual_scales,
            loss_weights=loss_weights,
            training=training,
            further=frozenset({"sparsity"}) if sparse else frozenset(),
        )
        self.sparse = sparse

    @classmethod
    def for_inference(cls, arguments: Mapping[str, object]) -> "LiaX":
        """Build without losses or adversary, from `description()`'s primitives."""
        return cls(
            **arguments,  # type: ignore[arg-type]
            perceptual=None,
            adversarial=False,
            sparse=False,
            loss_weights={"reconstruction": 1.0},
        )

    @property
    def directions(self) -> Mapping[str, Direction]:
        """Every direction once: the named ones, then the others as `d` and their index."""
        named = {n: Direction(*limits) for n, limits in self.arguments["named_directions"].items()}
        taken = {direction.index for direction in named.values()}
        rest = [i for i in range(self.arguments["motion_dim"]) if i not in taken]
        return named | {f"d{i}": Direction(i, -EDIT_RANGE, EDIT_RANGE) for i in rest}

    def penalties(self, driving: LatentMotion) -> dict[str, Tensor]:
        """S(A_{r->d}) of eq. 9, where training is sparse."""
        return {"sparsity": magnitude_sparsity(driving.magnitudes)} if self.sparse else {}


def _checked(named: Named, motion_dim: int) -> dict[str, list[int | float]]:
    """Return the names as plain values, which a checkpoint may hold.

    Raises:
        ValueError: a name that reads as an index, an index out of range or named twice, or an
            empty range.
    """
    taken: dict[int, str] = {}
    for name, (index, low, high) in named.items():
        if not name or re.fullmatch(r"d?\d+", name) or "=" in name:
            raise ValueError(
                f"named_directions: {name!r} cannot be a direction's name; d3, 3 or a name with "
                "= would be read otherwise"
            )
        if not 0 <= index < motion_dim:
            raise ValueError(
                f"named_directions: {name} has index {index}, but there are {motion_dim} "
                f"directions: give 0 to {motion_dim - 1}"
            )
        if index in taken:
            raise ValueError(
                f"named_directions: {taken[index]} and {name} both name direction {index}"
            )
        if not low < high:
            raise ValueError(f"named_directions: {name} has an empty range, {low} to {high}")
        taken[index] = name
    return {name: [int(i), float(low), float(high)] for name, (i, low, high) in named.items()}
