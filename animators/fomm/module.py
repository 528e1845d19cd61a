"""FOMM as an AnimatorModule: its losses and how it hands motion over."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from torch import Tensor

from animators.animator import Mode, Step, check_single_view
from animators.fomm.network import FommMotion, FommNetwork, FommSource, Handover
from animators.losses.adversarial import LeastSquaresAdversary
from animators.losses.equivariance import jacobian_equivariance, value_equivariance
from animators.losses.perceptual import FrozenPerceptual
from animators.module import AnimatorModule
from animators.nn.discriminators import PatchDiscriminator
from animators.nn.evolution import solver_figures
from animators.nn.hourglass import check_counts
from animators.nn.keypoints import Keypoints, gaussian_maps
from animators.nn.matrices import inverse_2x2
from animators.nn.precision import full_precision
from animators.nn.relative import (
    check_hull,
    compose,
    displace,
    hull_area,
    hull_scale,
    shape_distance,
)
from animators.nn.tps import RandomSpline, random_spline
from animators.training import Training, check_weights

if TYPE_CHECKING:
    from datamodules.batch import PairBatch

PAPER_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"perceptual": 10.0, "equivariance_value": 10.0, "equivariance_jacobian": 10.0}
)
ADVERSARIAL_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {**PAPER_WEIGHTS, "adversarial": 1.0, "feature_matching": 10.0}
)
"""With `adversarial`; fashion, mgif, nemo, bair and the two adv configurations."""
PAPER_TRAINING = Training(
    learning_rate=2e-4, betas=(0.5, 0.999), decay="steps", milestones=(60, 90), unit="epochs"
)


class Fomm(AnimatorModule):
    """First Order Motion Model (Siarohin et al., NeurIPS 2019).

    The defaults are the published configuration of VoxCeleb, vox-256.

    Args:
        image_size: pixels, a multiple of shrink_factor x 2^blocks.
        num_keypoints: K.
        keypoint_width: of the keypoint detector's hourglass.
        motion_width: of the dense-motion hourglass.
        max_width: most channels of either hourglass.
        blocks: halvings of either hourglass.
        shrink_factor: how much smaller than the picture both hourglasses work.
        generator_width: channels of the generator at full size.
        generator_max_width: its most channels.
        down_blocks: its halvings before the warp.
        residual_blocks: of its bottleneck.
        temperature: of the heatmaps' softmax.
        single_jacobian_map: one map of jacobians for all keypoints (mgif).
        align_corners: how the sampler reads corner-aligned grids. True: the published weights
            were trained on torch 1.0.0, which knew no other way; False is what the release does
            on torch 1.3 and later.
        refine: solve DiME's evolution from the dense flow's displacements on (not of the paper; see
            `animators.nn.evolution`).
        dynamics_width: channels of the evolution's f.
        hull_scaling: relative mode scales displacements by the square root of the ratio of hull
            areas, source to reference frame ("adapt scale"); False takes them as they are.
        perceptual: network of the perceptual loss; None switches the loss off.
        perceptual_scales: pictures of the loss's pyramid, each half the one before.
        reconstruction: add the mean absolute difference of pixels to the losses.
        adversarial: train against a patch discriminator, with feature matching.
        use_keypoints: the discriminator also sees gaussians around the driving keypoints.
        spectral_norm: of the discriminator's convolutions.
        discriminator_width: channels of its first block.
        loss_weights: a weight for each loss that is on, and for no other.
        training: optimiser, schedule, accumulation and clipping.

    Raises:
        ValueError: loss weights that do not match the losses, or a size out of range.
        WeightsNotFound: the perceptual network's file is nowhere (see `make weights`), at the
            start of training.
    """

    network: FommNetwork
    inference_arguments = frozenset({"hull_scaling"})

    def __init__(
        self,
        image_size: int = 256,
        num_keypoints: int = 10,
        keypoint_width: int = 32,
        motion_width: int = 64,
        max_width: int = 1024,
        blocks: int = 5,
        shrink_factor: int = 4,
        generator_width: int = 64,
        generator_max_width: int = 512,
        down_blocks: int = 2,
        residual_blocks: int = 6,
        temperature: float = 0.1,
        single_jacobian_map: bool = False,
        align_corners: bool = True,
        refine: bool = False,
        dynamics_width: int = 32,
        hull_scaling: bool = True,
        perceptual: Literal["vgg19", "vgg16"] | None = "vgg19",
        perceptual_scales: int = 4,
        reconstruction: bool = False,
        adversarial: bool = False,
        use_keypoints: bool = False,
        spectral_norm: bool = True,
        discriminator_width: int = 64,
        loss_weights: Mapping[str, float] = PAPER_WEIGHTS,
        training: Training = PAPER_TRAINING,
    ) -> None:
        sizes = {
            "image_size": image_size,
            "num_keypoints": num_keypoints,
            "keypoint_width": keypoint_width,
            "motion_width": motion_width,
            "max_width": max_width,
            "blocks": blocks,
            "shrink_factor": shrink_factor,
            "generator_width": generator_width,
            "generator_max_width": generator_max_width,
            "down_blocks": down_blocks,
            "residual_blocks": residual_blocks,
            "temperature": temperature,
            "single_jacobian_map": single_jacobian_map,
            "align_corners": align_corners,
            "refine": refine,
            "dynamics_width": dynamics_width,
        }
        wanted = {"equivariance_value", "equivariance_jacobian"}
        wanted |= {"perceptual"} if perceptual else set()
        wanted |= {"reconstruction"} if reconstruction else set()
        wanted |= {"adversarial", "feature_matching"} if adversarial else set()
        check_weights(loss_weights, wanted)
        if use_keypoints and not adversarial:
            raise ValueError("use_keypoints is the discriminator's: set adversarial to true too")
        network = FommNetwork(**sizes)  # type: ignore[arg-type]
        if hull_scaling:
            check_hull(num_keypoints, "raise num_keypoints, or set hull_scaling to false")
        adversary = None
        if adversarial:
            check_counts(discriminator_width=discriminator_width)
            discriminator = PatchDiscriminator(
                image_size,
                condition_channels=num_keypoints if use_keypoints else 0,
                width=discriminator_width,
                spectral_norm=spectral_norm,
            )
            adversary = LeastSquaresAdversary(discriminator)
        super().__init__(
            network,
            image_size=image_size,
            arguments={**sizes, "hull_scaling": hull_scaling},
            loss_weights=loss_weights,
            training=training,
            adversary=adversary,
            perceptual=(
                FrozenPerceptual(perceptual, perceptual_scales, "black") if perceptual else None
            ),
        )
        self.reconstruction, self.use_keypoints = reconstruction, use_keypoints

    @classmethod
    def for_inference(cls, arguments: Mapping[str, object]) -> "Fomm":
        """Build without a perceptual loss or an adversary, from `description()`'s primitives."""
        return cls(
            **arguments,  # type: ignore[arg-type]
            perceptual=None,
            loss_weights={"equivariance_value": 10.0, "equivariance_jacobian": 10.0},
        )

    def set_align_corners(self, value: bool) -> None:
        """Choose how the sampler reads grids from now on, also in what is saved."""
        self.network.dense_motion.align_corners = value
        self.network.generator.align_corners = value
        self.arguments["align_corners"] = value

    def encode_source(self, source: Tensor) -> FommSource:
        """Encode (B, 3, H, W): keypoints, their gaussians, shrunken picture, features.

        Raises:
            ValueError: several views.
        """
        check_single_view(source, "fomm")
        return self.network.encode_source(source)

    def encode_motion(self, frames: Tensor, pair: FommSource | None = None) -> FommMotion:
        """Keypoints and jacobians of (B, 3, H, W); nothing depends on the pair."""
        return self.network.encode_motion(frames)

    def prepare_reference(self, source: FommSource, reference: FommMotion) -> FommMotion:
        """Add to a reference frame what it hands to every frame of the clip.

        Raises:
            ValueError: its keypoints lie on one line.
        """
        return replace(reference, handover=self._handover(source, reference))

    def _handover(self, source: FommSource, reference: FommMotion) -> Handover:
        scale = None
        if self.arguments["hull_scaling"]:
            own, then = hull_area(source.keypoints.value), hull_area(reference.keypoints.value)
            scale = hull_scale(own, then)
        return Handover(inverse_2x2(reference.keypoints.jacobian), scale)

    def transfer(
        self, source: FommSource, driving: FommMotion, reference: FommMotion | None, mode: Mode
    ) -> FommMotion:
        """Relative mode (section 3.4): s (p_t - p_0) + p_source and J_t J_0^-1 J_source.

        Raises:
            ValueError: relative mode without a reference frame, or one whose keypoints lie on
                one line.
        """
        if mode is Mode.ABSOLUTE:
            return driving
        if reference is None:
            raise ValueError("relative mode needs the driving clip's reference frame")
        handover = reference.handover or self._handover(source, reference)
        own, now, then = source.keypoints, driving.keypoints, reference.keypoints
        scale = 1.0 if handover.scale is None else handover.scale
        with full_precision(own.value):
            value = displace(own.value, now.value, then.value, scale)
            jacobian = compose(now.jacobian, handover.inverse, own.jacobian)
        return FommMotion(Keypoints(value, jacobian))

    def render(self, source: FommSource, motion: FommMotion) -> Tensor:
        """Draw (B, 3, H, W), in (0, 1) by its sigmoid."""
        return self.network.draw(source, motion)

    def motion_distance(self, source: FommSource, motion: FommMotion) -> Tensor:
        """(B,) squared distance of the keypoints' shapes, centred and scaled by their hulls."""
        return shape_distance(source.keypoints.value, motion.keypoints.value)

    def training_losses(self, batch: "PairBatch") -> Step:
        """Absolute mode on two frames of a clip, and equivariance (section 3.3)."""
        driving = batch["driving"]
        source, motion = self.encode_source(batch["source"]), self.encode_motion(driving)
        prediction = self.render(source, motion)
        spline = random_spline(batch["key"], distance="l1", like=driving)
        losses = self.equivariance_losses(driving, motion.keypoints, spline)
        if self.perceptual is not None and self.perceptual.loaded:
            losses["perceptual"] = self.perceptual(prediction, driving)
        if self.reconstruction:
            losses["reconstruction"] = (prediction - driving).abs().mean()
        condition = None
        if self.use_keypoints:
            side = self.image_size
            condition = gaussian_maps(motion.keypoints.value.detach(), (side, side))
        return Step(losses, prediction, condition, solver_figures(self.network.evolution))

    def equivariance_losses(
        self, driving: Tensor, keypoints: Keypoints, spline: RandomSpline
    ) -> dict[str, Tensor]:
        """Keypoints and jacobians must follow a deformation of the driving frame (section 3.3).

        Args:
            driving: (B, 3, H, W) in [0, 1].
            keypoints: those of `driving`.
            spline: the deformation.

        Returns:
            The scalars "equivariance_value" and "equivariance_jacobian".
        """
        align_corners: bool = self.arguments["align_corners"]
        bent: Keypoints = self.network.keypoints(spline.warp(driving, align_corners=align_corners))
        return {
            "equivariance_value": value_equivariance(keypoints.value, bent.value, spline),
            "equivariance_jacobian": jacobian_equivariance(
                keypoints.jacobian, bent.jacobian, bent.value, spline, up_to_sign=False
            ),
        }
