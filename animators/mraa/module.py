"""MRAA as an AnimatorModule: its losses and how it hands motion over."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from animators.animator import Mode, Step, check_single_view
from animators.losses.equivariance import jacobian_equivariance, value_equivariance
from animators.losses.perceptual import FrozenPerceptual
from animators.module import AnimatorModule
from animators.mraa.network import MraaMotion, MraaNetwork, MraaSource
from animators.mraa.regions import Regions
from animators.nn.evolution import solver_figures
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
from animators.nn.tps import random_spline
from animators.training import Training, check_weights

if TYPE_CHECKING:
    from datamodules.batch import PairBatch

PAPER_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"perceptual": 10.0, "equivariance_shift": 10.0, "equivariance_affine": 10.0}
)
PAPER_TRAINING = Training(
    learning_rate=2e-4,
    betas=(0.5, 0.999),
    decay="steps",
    milestones=(60, 90),
    unit="epochs",
)


class Mraa(AnimatorModule):
    """Motion Representations for Articulated Animation (Siarohin et al., CVPR 2021).

    The defaults are the published configuration of VoxCeleb.

    Args:
        image_size: pixels, a multiple of shrink_factor x 2^blocks.
        num_regions: K.
        region_width: of the region net's hourglass.
        motion_width: of the flow net's hourglass.
        max_width: most channels of hourglasses and background net.
        blocks: halvings of both hourglasses.
        shrink_factor: how much smaller than the picture both hourglasses work.
        generator_width: channels of the generator at full size.
        generator_max_width: its most channels.
        down_blocks: its halvings before the warp.
        residual_blocks: of its bottleneck.
        background: predict the background's affine motion in training and reconstruction.
        background_width: channels of the background net behind its first halving.
        avd: with the network of animation via disentanglement.
        region_padding: of the convolution to the heatmaps: 3 for VoxCeleb, 0 for other sets.
        temperature: of the heatmaps' softmax.
        align_corners: how the sampler reads corner-aligned grids. False: the release ran, and was
            trained, on torch 1.4.0, whose default it is.
        refine: solve DiME's evolution from the dense flow's displacements on (not of the paper; see
            `animators.nn.evolution`).
        dynamics_width: channels of the evolution's f.
        perceptual: network of the perceptual loss; None switches the loss off.
        perceptual_scales: pictures of the loss's pyramid, each half the one before.
        reconstruction: add the mean absolute difference of pixels to the losses.
        loss_weights: a weight for each loss that is on, and for no other.
        training: optimiser, schedule, accumulation and clipping.

    Raises:
        ValueError: loss weights that do not match the losses, or a size out of range.
        WeightsNotFound: the perceptual network's file is nowhere (see `make weights`), at the
            start of training.
    """

    network: MraaNetwork
    mode_remedies: Mapping[Mode, str] = MappingProxyType(
        {Mode.AVD: "train it with `make train MODEL=mraa-avd DATA=... INIT=<this checkpoint>`"}
    )

    def __init__(
        self,
        image_size: int = 256,
        num_regions: int = 10,
        region_width: int = 32,
        motion_width: int = 64,
        max_width: int = 1024,
        blocks: int = 5,
        shrink_factor: int = 4,
        generator_width: int = 64,
        generator_max_width: int = 512,
        down_blocks: int = 2,
        residual_blocks: int = 6,
        background: bool = True,
        background_width: int = 64,
        avd: bool = False,
        region_padding: int = 3,
        temperature: float = 0.1,
        align_corners: bool = False,
        refine: bool = False,
        dynamics_width: int = 32,
        perceptual: Literal["vgg19", "vgg16"] | None = "vgg19",
        perceptual_scales: int = 4,
        reconstruction: bool = False,
        loss_weights: Mapping[str, float] = PAPER_WEIGHTS,
        training: Training = PAPER_TRAINING,
    ) -> None:
        arguments = {
            "image_size": image_size,
            "num_regions": num_regions,
            "region_width": region_width,
            "motion_width": motion_width,
            "max_width": max_width,
            "blocks": blocks,
            "shrink_factor": shrink_factor,
            "generator_width": generator_width,
            "generator_max_width": generator_max_width,
            "down_blocks": down_blocks,
            "residual_blocks": residual_blocks,
            "background": background,
            "background_width": background_width,
            "avd": avd,
            "region_padding": region_padding,
            "temperature": temperature,
            "align_corners": align_corners,
            "refine": refine,
            "dynamics_width": dynamics_width,
        }
        wanted = {"equivariance_shift", "equivariance_affine"}
        wanted |= {"perceptual"} if perceptual else set()
        wanted |= {"reconstruction"} if reconstruction else set()
        check_weights(loss_weights, wanted)
        check_hull(num_regions, "raise num_regions")
        super().__init__(
            MraaNetwork(**arguments),  # type: ignore[arg-type]
            image_size=image_size,
            arguments=arguments,
            loss_weights=loss_weights,
            training=training,
            perceptual=(
                FrozenPerceptual(perceptual, perceptual_scales, "black") if perceptual else None
            ),
        )
        self.reconstruction = reconstruction
        self.align_corners = align_corners
        self.modes = (Mode.ABSOLUTE, Mode.RELATIVE, *((Mode.AVD,) if avd else ()))

    @classmethod
    def for_inference(cls, arguments: Mapping[str, object]) -> "Mraa":
        """Build without a perceptual loss, from `description()`'s primitives."""
        return cls(
            **arguments,  # type: ignore[arg-type]
            perceptual=None,
            loss_weights={"equivariance_shift": 1.0, "equivariance_affine": 1.0},
        )

    def encode_source(self, source: Tensor) -> MraaSource:
        """Encode (B, 3, H, W): regions, their gaussians, the generator's maps.

        Raises:
            ValueError: several views.
        """
        check_single_view(source, "mraa")
        return self.network.encode_source(source)

    def encode_motion(self, frames: Tensor, pair: MraaSource | None = None) -> MraaMotion:
        """Regions of (B, 3, H, W); with `pair` also the background's motion to that source."""
        return self.network.encode_motion(frames, pair)

    def prepare_reference(self, source: MraaSource, reference: MraaMotion) -> MraaMotion:
        """Add to a reference frame what is the same for a whole clip: inverse and scale."""
        inverse, scale = _against(source, reference)
        return replace(reference, inverse=inverse, scale=scale)

    def transfer(
        self, source: MraaSource, driving: MraaMotion, reference: MraaMotion | None, mode: Mode
    ) -> MraaMotion:
        """Hand the driving frame's regions over.

        Relative: displacements, scaled by the hulls of the shifts, and affine matrices relative
        to the reference frame's; the covariances stay the driving frame's, as in the release.

        Raises:
            ValueError: relative mode without a reference frame, or AVD without its network.
        """
        moved = driving.regions
        if mode is Mode.ABSOLUTE:
            return driving
        if mode is Mode.AVD:
            return MraaMotion(self.network.disentangle(source.regions, moved))
        if reference is None:
            raise ValueError("relative mode needs the driving clip's reference frame")
        inverse, scale = _against(source, reference)
        own = source.regions
        with full_precision(moved.affine):
            affine = compose(moved.affine, inverse, own.affine)
        shift = displace(own.shift, moved.shift, reference.regions.shift, scale)
        return MraaMotion(Regions(shift, moved.covariance, affine))

    def render(self, source: MraaSource, motion: MraaMotion) -> Tensor:
        """Warp, mask and complete the source: (B, 3, H, W), which a sigmoid keeps in (0, 1)."""
        return self.network.render(source, motion)

    def motion_distance(self, source: MraaSource, motion: MraaMotion) -> Tensor:
        """(B,) squared distance of the centred and scaled shifts."""
        return shape_distance(source.regions.shift, motion.regions.shift)

    def training_losses(self, batch: "PairBatch") -> Step:
        """Absolute mode on two frames of a clip, and equivariance of the driving frame's regions.

        Perceptual loss (section 3.4) and equivariance of shift and of principal axes, up to sign.
        """
        driving = batch["driving"]
        source = self.encode_source(batch["source"])
        motion = self.encode_motion(driving, source)
        prediction = self.render(source, motion)
        spline = random_spline(batch["key"], distance="l1", like=driving)
        deformed = self.network.regions(spline.warp(driving, align_corners=self.align_corners))
        regions = motion.regions
        losses = {
            "equivariance_shift": value_equivariance(regions.shift, deformed.shift, spline),
            "equivariance_affine": jacobian_equivariance(
                regions.affine, deformed.affine, deformed.shift, spline, up_to_sign=True
            ),
        }
        if self.perceptual is not None and self.perceptual.loaded:
            losses["perceptual"] = self.perceptual(prediction, driving)
        if self.reconstruction:
            losses["reconstruction"] = (prediction - driving).abs().mean()
        return Step(losses, prediction, figures=solver_figures(self.network.evolution))

    def avd_losses(self, batch: "PairBatch", factors: Tensor) -> dict[str, Tensor]:
        """Second stage: undo a scaling of the driving frame's regions from the source's shape.

        Args:
            batch: pairs of frames.
            factors: (B, 2), of x and y.

        Returns:
            Mean absolute differences from the unscaled shift and affine matrices.
        """
        with torch.no_grad():
            source = self.network.regions(batch["source"])
            driving = self.network.regions(batch["driving"])
            factors = factors[:, None].to(driving.shift)
            scaled = replace(
                driving,
                shift=driving.shift * factors,
                affine=factors[..., None] * driving.affine,
            )
        found = self.network.disentangle(source, scaled)
        return {
            "avd_shift": F.l1_loss(found.shift, driving.shift),
            "avd_affine": F.l1_loss(found.affine, driving.affine),
        }


def _against(source: MraaSource, reference: MraaMotion) -> tuple[Tensor, Tensor]:
    """Inverse affine matrices of the reference frame and the factor on displacements."""
    regions, inverse, scale = reference.regions, reference.inverse, reference.scale
    if inverse is None:
        inverse = inverse_2x2(regions.affine)
    if scale is None:
        scale = hull_scale(hull_area(source.regions.shift), hull_area(regions.shift))
    return inverse, scale
