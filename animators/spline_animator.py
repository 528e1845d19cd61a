"""What TPSMM and its descendant share as AnimatorModules: losses, schedules and three modes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch
from torch import Tensor

from animators.animator import Mode, Step, check_single_view, model_name
from animators.losses.equivariance import value_equivariance
from animators.losses.perceptual import FrozenPerceptual
from animators.losses.schedules import SplineDropout, background_trains
from animators.losses.spline import background_consistency, warp_terms
from animators.module import AnimatorModule
from animators.nn.inpainting import Inpainting
from animators.nn.precision import full_precision
from animators.nn.relative import check_hull, displace, hull_area, hull_scale, shape_distance
from animators.nn.spline_motion import SplineFlow, keep_masks
from animators.nn.spline_network import SplineMotion, SplineNetwork, SplineSource
from animators.nn.tps import random_spline
from animators.training import Training, check_weights

if TYPE_CHECKING:
    from datamodules.batch import PairBatch


class DrawnPair(NamedTuple):
    """A training pair on its way through the network."""

    source: SplineSource
    motion: SplineMotion
    flow: SplineFlow
    inpainting: Inpainting


class SplineAnimator(AnimatorModule):
    """Base of the animators that move pictures by splines; its networks are `SplineNetwork`s.

    Args:
        network: the network.
        arguments: primitives that rebuild it, as `AnimatorModule` takes them; "image_size", "avd"
            and the numbers of points are among them.
        background_start: epoch, from 0, at which the background's network begins to train.
        dropout: how splines are dropped in training.
        perceptual: network of the perceptual loss; None switches the loss off.
        perceptual_scales: pictures of the loss's pyramid, each half the one before.
        reconstruction: add the mean absolute difference of the pictures; not in the papers.
        loss_weights: a weight for each loss that is on, and for no other.
        training: optimiser, schedule, accumulation and clipping.
        further: names of losses that a subclass adds.
        adversary: second player, or None.

    Raises:
        ValueError: loss weights that do not match the losses, or too few points.
    """

    network: SplineNetwork

    def __init__(
        self,
        network: SplineNetwork,
        *,
        arguments: Mapping[str, Any],
        background_start: int,
        dropout: SplineDropout,
        perceptual: Literal["vgg19", "vgg16"] | None,
        perceptual_scales: int,
        reconstruction: bool,
        loss_weights: Mapping[str, float],
        training: Training,
        further: frozenset[str] = frozenset(),
        adversary: torch.nn.Module | None = None,
    ) -> None:
        wanted = {"equivariance", "warp", *further}
        wanted |= {"background"} if network.background is not None else set()
        wanted |= {"perceptual"} if perceptual else set()
        wanted |= {"reconstruction"} if reconstruction else set()
        check_weights(loss_weights, wanted)
        points = arguments["num_splines"] * arguments["points_per_spline"]
        check_hull(points, "raise num_splines or points_per_spline")
        pyramid = FrozenPerceptual(perceptual, perceptual_scales, "black") if perceptual else None
        super().__init__(
            network,
            image_size=arguments["image_size"],
            arguments=arguments,
            loss_weights=loss_weights,
            training=training,
            adversary=adversary,
            perceptual=pyramid,
        )
        self.background_start = background_start
        self.dropout = dropout
        self.reconstruction = reconstruction
        if network.avd is not None:
            self.modes = (*self.modes, Mode.AVD)

    def encode_source(self, source: Tensor) -> SplineSource:
        """Encode (B, 3, H, W): points, what dense motion and generator want, AVD's embedding.

        Raises:
            ValueError: several views.
        """
        check_single_view(source, model_name(type(self)))
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
        points = displace(source.points, driving.points, reference.points, scale)
        return SplineMotion(points)

    def render(self, source: SplineSource, motion: SplineMotion) -> Tensor:
        """Draw (B, 3, H, W), in (0, 1) by construction."""
        return self.network.draw(source, motion)

    def motion_distance(self, source: SplineSource, motion: SplineMotion) -> Tensor:
        """(B,) squared distance of the two sets of points, each centred and scaled to its hull."""
        return shape_distance(source.points, motion.points)

    def training_losses(self, batch: "PairBatch") -> Step:
        """Absolute mode on two frames of a clip, with the schedules of the current epoch."""
        drawn = self.draw_pair(batch)
        return Step(self.pair_losses(batch, drawn), drawn.inpainting.picture)

    def draw_pair(self, batch: "PairBatch") -> DrawnPair:
        """Draw the driving frame from the source, with the splines and background of this epoch."""
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
        return DrawnPair(source, motion, flow, self.network.paint(source, motion, flow))

    def pair_losses(self, batch: "PairBatch", drawn: DrawnPair) -> dict[str, Tensor]:
        """Raw losses of a drawn pair, by the paper's names."""
        driving, picture = batch["driving"], drawn.inpainting.picture
        losses = {
            "equivariance": self._equivariance(batch, drawn.motion.points),
            "warp": self._warp_loss(drawn, driving),
        }
        if self.network.background is not None:
            losses["background"] = self._background_loss(drawn.source, drawn.motion, driving)
        if self.perceptual is not None and self.perceptual.loaded:
            losses["perceptual"] = self.perceptual(picture, driving)
        if self.reconstruction:
            losses["reconstruction"] = (picture - driving).abs().mean()
        return losses

    def _equivariance(self, batch: "PairBatch", points: Tensor) -> Tensor:
        """Points of the driving frame against those of a deformed copy, led back."""
        spline = random_spline(batch["key"], distance="l2", like=batch["driving"])
        deformed = spline.warp(batch["driving"], align_corners=self.network.align_corners)
        return value_equivariance(points, self.network.keypoints(deformed), spline)

    def _warp_loss(self, drawn: DrawnPair, driving: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.network.generator.encode(driving)
        terms = warp_terms(
            drawn.source.features[:-1],
            wanted[:-1],
            drawn.inpainting.grids,
            drawn.flow.occlusion,
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
            raise ValueError(
                f"this {model_name(type(self))} has no AVD network: build it with avd=True"
            )
        with torch.no_grad():
            shape = self.network.keypoints(batch["source"]).flatten(1)
            pose: Tensor = self.network.keypoints(batch["driving"])
            stretched = (pose * factors.to(pose)[:, None]).flatten(1)
        with full_precision(pose):  # as `disentangle` runs it
            found = self.network.avd(shape, stretched)
            return {"avd": (found - pose.flatten(1)).abs().mean()}


def _scale(source: SplineSource, reference: SplineMotion) -> Tensor:
    return hull_scale(hull_area(source.points), hull_area(reference.points))
