"""TPSMM as an AnimatorModule: its losses, its schedules and its three modes."""

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from animators.animator import Mode, Step, check_single_view
from animators.losses.equivariance import value_equivariance
from animators.losses.perceptual import FrozenPerceptual
from animators.losses.schedules import SplineDropout, background_trains
from animators.losses.spline import background_consistency, warp_terms
from animators.module import AnimatorModule
from animators.nn.inpainting import Inpainting
from animators.nn.precision import full_precision
from animators.nn.relative import check_hull, displace, hull_area, hull_scale, shape_distance
from animators.nn.spline_motion import SplineFlow, keep_masks
from animators.nn.tps import random_spline
from animators.tpsmm.network import SplineMotion, SplineNetwork, SplineSource
from animators.training import Training, check_weights

if TYPE_CHECKING:
    from datamodules.batch import PairBatch

PAPER_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"perceptual": 10.0, "equivariance": 10.0, "warp": 10.0, "background": 10.0}
)
PAPER_TRAINING = Training(
    learning_rate=2e-4,
    betas=(0.5, 0.999),
    weight_decay=1e-4,
    unit="epochs",
    decay="steps",
    milestones=(70, 90),
    clip_norm=10.0,
    clip_norm_type=math.inf,
    clip_parts=("keypoints", "dense_motion", "background"),
)


class Tpsmm(AnimatorModule):
    """Thin-Plate Spline Motion Model (Zhao and Zhang, CVPR 2022); defaults are those for vox.

    Args:
        image_size: pixels, a multiple of shrink_factor * 2 ** blocks.
        num_splines: K, thin-plate splines.
        points_per_spline: N, control points of each.
        keypoint_width: channels of the first stage of the two ResNets (points, background).
        motion_width: channels of the dense-motion hourglass before its first halving.
        max_width: most channels of the hourglass.
        blocks: halvings of the hourglass.
        shrink_factor: how much smaller dense motion sees the picture.
        generator_width: channels of the generator at full size.
        generator_max_width: most channels of the generator.
        down_blocks: halvings of the generator.
        background: estimate the background's motion in training and reconstruction.
        background_start: epoch, from 0, at which the background's network begins to train.
        dropout: how splines are dropped in training.
        avd: has the network of AVD mode, which a second stage trains.
        align_corners: how the sampler reads its corner-aligned grids. The authors' code says
            True itself, so the weights do not depend on a torch version.
        perceptual: network of the perceptual loss; None switches the loss off.
        perceptual_scales: pictures of the loss's pyramid, each half the one before.
        reconstruction: add the mean absolute difference of the pictures; not in the paper.
        loss_weights: a weight for each loss that is on, and for no other.
        training: optimiser, schedule, accumulation and clipping.

    Raises:
        ValueError: loss weights that do not match the losses, or a size that the halvings do
            not divide.
        WeightsNotFound: the perceptual network's file is nowhere (see `make weights`), at the
            start of training.
    """

    network: SplineNetwork
    mode_remedies = MappingProxyType(
        {
            Mode.AVD: "train it with `make train MODEL=tpsmm-avd DATA=... INIT=<this checkpoint>`",
        }
    )

    def __init__(
        self,
        image_size: int = 256,
        num_splines: int = 10,
        points_per_spline: int = 5,
        keypoint_width: int = 64,
        motion_width: int = 64,
        max_width: int = 1024,
        blocks: int = 5,
        shrink_factor: int = 4,
        generator_width: int = 64,
        generator_max_width: int = 512,
        down_blocks: int = 3,
        background: bool = True,
        background_start: int = 10,
        dropout: SplineDropout = SplineDropout(),  # noqa: B008  frozen
        avd: bool = False,
        align_corners: bool = True,
        perceptual: Literal["vgg19", "vgg16"] | None = "vgg19",
        perceptual_scales: int = 4,
        reconstruction: bool = False,
        loss_weights: Mapping[str, float] = PAPER_WEIGHTS,
        training: Training = PAPER_TRAINING,
    ) -> None:
        arguments = {
            "image_size": image_size,
            "num_splines": num_splines,
            "points_per_spline": points_per_spline,
            "keypoint_width": keypoint_width,
            "motion_width": motion_width,
            "max_width": max_width,
            "blocks": blocks,
            "shrink_factor": shrink_factor,
            "generator_width": generator_width,
            "generator_max_width": generator_max_width,
            "down_blocks": down_blocks,
            "background": background,
            "avd": avd,
            "align_corners": align_corners,
        }
        wanted = {"equivariance", "warp"}
        wanted |= {"background"} if background else set()
        wanted |= {"perceptual"} if perceptual else set()
        wanted |= {"reconstruction"} if reconstruction else set()
        check_weights(loss_weights, wanted)
        check_hull(num_splines * points_per_spline, "raise num_splines or points_per_spline")
        pyramid = FrozenPerceptual(perceptual, perceptual_scales, "black") if perceptual else None
        super().__init__(
            SplineNetwork(**arguments),  # type: ignore[arg-type]
            image_size=image_size,
            arguments=arguments,
            loss_weights=loss_weights,
            training=training,
            perceptual=pyramid,
        )
        self.background_start = background_start
        self.dropout = dropout
        self.reconstruction = reconstruction
        if avd:
            self.modes = (*self.modes, Mode.AVD)

    @classmethod
    def for_inference(cls, arguments: Mapping[str, object]) -> "Tpsmm":
        """Build without the perceptual loss, from `description()`'s primitives."""
        names = {"equivariance", "warp"}
        names |= {"background"} if arguments.get("background", True) else set()
        return cls(
            **arguments,  # type: ignore[arg-type]
            perceptual=None,
            loss_weights=dict.fromkeys(names, 1.0),
        )

    def encode_source(self, source: Tensor) -> SplineSource:
        """Encode (B, 3, H, W): points, what dense motion and generator want, AVD's embedding.

        Raises:
            ValueError: several views.
        """
        check_single_view(source, "tpsmm")
        state = self.network.encode_source(source)
        return replace(state, identity=self.network.identity(state))

    def encode_motion(self, frames: Tensor, pair: SplineSource | None = None) -> SplineMotion:
        """Points of (B, 3, H, W); against a pair's source also the background's motion."""
        return self.network.encode_motion(frames, pair)

    def prepare_reference(self, source: SplineSource, reference: SplineMotion) -> SplineMotion:
        """Measure once how much larger the source is than the reference frame's subject."""
        return replace(reference, scale=_scale(source, reference))

    def transfer(
        self,
        source: SplineSource,
        driving: SplineMotion,
        reference: SplineMotion | None,
        mode: Mode,
    ) -> SplineMotion:
        """Take the frame's points, or their scaled displacement, or what the AVD network says.

        Raises:
            ValueError: relative mode without a reference frame.
        """
        if mode is Mode.ABSOLUTE:
            return driving
        if mode is Mode.AVD:
            return self.network.disentangle(source, driving)
        if reference is None:
            raise ValueError("relative mode needs the driving clip's reference frame")
        scale = _scale(source, reference) if reference.scale is None else reference.scale
        return SplineMotion(displace(source.points, driving.points, reference.points, scale))

    def render(self, source: SplineSource, motion: SplineMotion) -> Tensor:
        """Draw (B, 3, H, W), in (0, 1) by construction."""
        return self.network.draw(source, motion)

    def motion_distance(self, source: SplineSource, motion: SplineMotion) -> Tensor:
        """(B,) squared distance of the two sets of points, each centred and scaled to its hull."""
        return shape_distance(source.points, motion.points)

    def training_losses(self, batch: "PairBatch") -> Step:
        """Absolute mode on two frames of a clip, with the schedules of the current epoch."""
        epoch = self.current_epoch
        driving = batch["driving"]
        moves = self.network.background is not None and background_trains(
            epoch, self.background_start
        )
        source = self.network.encode_source(batch["source"])
        motion = self.network.encode_motion(driving, source if moves else None)
        probability, keep = self.dropout.probability(epoch), None
        if probability is not None:
            keep = keep_masks(batch["key"], self.network.num_splines, probability).to(driving)
        flow = self.network.flow(source, motion, keep)
        drawn = self.network.inpaint(source, flow)
        losses = {
            "equivariance": self._equivariance(batch, motion.points),
            "warp": self._warp_loss(source, driving, flow, drawn),
        }
        if self.network.background is not None:
            losses["background"] = self._background_loss(source, motion, driving)
        if self.perceptual is not None and self.perceptual.loaded:
            losses["perceptual"] = self.perceptual(drawn.picture, driving)
        if self.reconstruction:
            losses["reconstruction"] = (drawn.picture - driving).abs().mean()
        return Step(losses, drawn.picture)

    def _equivariance(self, batch: "PairBatch", points: Tensor) -> Tensor:
        """Points of the driving frame against those of a deformed copy, led back."""
        spline = random_spline(batch["key"], distance="l2", like=batch["driving"])
        deformed = spline.warp(batch["driving"], align_corners=self.network.align_corners)
        return value_equivariance(points, self.network.keypoints(deformed), spline)

    def _warp_loss(
        self, source: SplineSource, driving: Tensor, flow: SplineFlow, drawn: Inpainting
    ) -> Tensor:
        with torch.no_grad():
            wanted = self.network.generator.encode(driving)
        terms = warp_terms(
            source.features[:-1],
            wanted[:-1],
            drawn.grids,
            flow.occlusion,
            align_corners=self.network.align_corners,
        )
        return torch.stack(terms).sum()

    def _background_loss(
        self, source: SplineSource, motion: SplineMotion, driving: Tensor
    ) -> Tensor:
        if motion.background is None or self.network.background is None:
            # not begun yet: Adam passes over the background's network, whose gradients are None
            return driving.new_zeros(())
        back = self.network.background(driving, source.features[-1])
        return background_consistency(motion.background, back)

    def avd_losses(self, batch: "PairBatch", factors: Tensor) -> dict[str, Tensor]:
        """Undo a stretch of the driving frame's points (second stage); only the AVD network learns.

        Args:
            batch: pairs of a clip.
            factors: (B, 2), of x and y.

        Raises:
            ValueError: no AVD network.
        """
        if self.network.avd is None:
            raise ValueError("this tpsmm has no AVD network: build it with avd=True")
        with torch.no_grad():
            shape = self.network.keypoints(batch["source"]).flatten(1)
            pose: Tensor = self.network.keypoints(batch["driving"])
            stretched = (pose * factors.to(pose)[:, None]).flatten(1)
        with full_precision(pose):  # as `disentangle` runs it
            found = self.network.avd(shape, stretched)
            return {"avd": (found - pose.flatten(1)).abs().mean()}


def _scale(source: SplineSource, reference: SplineMotion) -> Tensor:
    return hull_scale(hull_area(source.points), hull_area(reference.points))
