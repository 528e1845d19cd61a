"""What LIA and LIA-X share as AnimatorModules: verbs, edits and losses."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor

from animators.animator import Direction, Mode, Step, check_single_view, find_direction
from animators.losses.adversarial import ImageAdversary
from animators.losses.perceptual import FrozenPerceptual
from animators.module import AnimatorModule
from animators.nn.discriminators import StyleGan2Discriminator
from animators.nn.latent_network import LatentMotion, LatentNetwork, LatentSource
from animators.training import Training, check_weights

if TYPE_CHECKING:
    from datamodules.batch import PairBatch


class LatentAnimator(AnimatorModule):
    """Base of the animators that walk in a latent space; its networks are `LatentNetwork`s.

    Args:
        build: makes the network.
        arguments: primitives that rebuild the animator, as `AnimatorModule` takes them;
            "image_size" is among them.
        discriminator_multiplier: factor on the discriminator's widths; None trains without one.
        r1_weight: weight of the discriminator's R1 penalty.
        r1_every: batches between two R1 penalties.
        perceptual: network of the perceptual loss; None switches the loss off.
        perceptual_scales: pictures of the loss's pyramid, each half the one before.
        loss_weights: a weight for each loss that is on, and for no other.
        training: optimiser, schedule, accumulation and clipping.
        further: names of losses that a subclass adds.

    Raises:
        ValueError: loss weights that do not match the losses, or a size out of range.
    """

    network: LatentNetwork
    name: ClassVar[str]
    """What the model is called on the command line."""
    sweep: ClassVar[tuple[float, ...]]

    def __init__(
        self,
        build: Callable[[], LatentNetwork],
        *,
        arguments: Mapping[str, Any],
        discriminator_multiplier: float | None,
        r1_weight: float,
        r1_every: int,
        perceptual: Literal["vgg19", "vgg16"] | None,
        perceptual_scales: int,
        loss_weights: Mapping[str, float],
        training: Training,
        further: frozenset[str] = frozenset(),
    ) -> None:
        image_size = arguments["image_size"]
        adversarial = discriminator_multiplier is not None
        wanted = {"reconstruction", *further}
        wanted |= {"perceptual"} if perceptual else set()
        wanted |= {"adversarial"} if adversarial else set()
        # before a network of a billion weights is built
        check_weights(loss_weights, wanted)
        adversary = None
        if discriminator_multiplier is not None:
            adversary = ImageAdversary(
                StyleGan2Discriminator(image_size, discriminator_multiplier),
                r1_weight=r1_weight,
                r1_every=r1_every,
            )
        super().__init__(
            build(),
            image_size=image_size,
            arguments=arguments,
            loss_weights=loss_weights,
            training=training,
            adversary=adversary,
            perceptual=FrozenPerceptual(perceptual, perceptual_scales, "grey")
            if perceptual
            else None,
        )

    @property
    @abstractmethod
    def directions(self) -> Mapping[str, Direction]:
        """The motion dictionary's directions by name; `d` and the index where none has a name."""

    def encode_source(self, source: Tensor) -> LatentSource:
        """Encode (B, 3, H, W): latent z_s, magnitudes A_s and feature maps.

        Raises:
            ValueError: several views.
        """
        check_single_view(source, self.name)
        return self.network.encode_source(source)

    def encode_motion(self, frames: Tensor, pair: LatentSource | None = None) -> LatentMotion:
        """Magnitudes A_t of (B, 3, H, W); nothing depends on the pair."""
        return self.network.encode_motion(frames)

    def transfer(
        self,
        source: LatentSource,
        driving: LatentMotion,
        reference: LatentMotion | None,
        mode: Mode,
    ) -> LatentMotion:
        """Eq. 11 (absolute) and 12 (relative) of LIA, on magnitudes: w is linear in them.

        Raises:
            ValueError: relative mode without a reference frame, or an edited source in absolute
                mode, whose z_s + w(A_t) does not contain A_s.
        """
        if mode is Mode.ABSOLUTE:
            if source.shift is not None:
                raise ValueError(
                    "an edited source follows a clip in relative mode only: absolute motion "
                    "replaces the edited pose"
                )
            return driving
        if reference is None:
            raise ValueError("relative mode needs the driving clip's reference frame")
        moved = (driving.magnitudes - reference.magnitudes) + source.magnitudes
        return LatentMotion(moved)

    def render(self, source: LatentSource, motion: LatentMotion) -> Tensor:
        """Decode z_s + w(A) over the source's features into (B, 3, H, W), not clamped."""
        latent = source.latent + self.network.displacement(motion.magnitudes)
        return self.network.decode(latent, source.features)

    def motion_distance(self, source: LatentSource, motion: LatentMotion) -> Tensor:
        """(B,) L2 distance of the magnitudes, which the orthonormal directions keep."""
        return (source.magnitudes - motion.magnitudes).float().norm(dim=1)

    def edit(self, source: LatentSource, amounts: Mapping[str | int, float]) -> LatentSource:
        """Move the source's magnitudes along directions, by name or index; edits add up.

        Raises:
            ValueError: no such direction, or an animator without a dictionary.
        """
        known = self.directions
        shift = torch.zeros_like(source.magnitudes)
        for name, amount in amounts.items():
            shift[:, known[find_direction(known, name)].index] += amount
        total = shift if source.shift is None else source.shift + shift
        return replace(source, magnitudes=source.magnitudes + shift, shift=total)

    def pose(self, source: LatentSource) -> LatentMotion:
        """The source's own magnitudes, edits included (eq. 11 of LIA-X)."""
        return LatentMotion(source.magnitudes)

    def magnitudes(self, motion: LatentMotion) -> Tensor:
        """(B, D), A of each frame."""
        return motion.magnitudes

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

    def penalties(self, driving: LatentMotion) -> dict[str, Tensor]:
        """Losses on the driving frame's magnitudes, by the names in `further`; here none."""
        return {}

    def training_losses(self, batch: "PairBatch") -> Step:
        """Absolute mode on two frames of a clip (eq. 7-9 of LIA)."""
        driving = batch["driving"]
        source, motion = self.encode_source(batch["source"]), self.encode_motion(driving)
        prediction = self.render(source, motion)
        # on [-1, 1], as the paper's pixels are
        losses = {"reconstruction": 2 * (prediction - driving).abs().mean()}
        losses |= self.penalties(motion)
        if self.perceptual is not None and self.perceptual.loaded:
            losses["perceptual"] = self.perceptual(prediction, driving)
        return Step(losses, prediction)
