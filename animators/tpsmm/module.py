"""TPSMM as an AnimatorModule."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from animators.animator import Mode
from animators.losses.schedules import SplineDropout
from animators.nn.spline_network import SplineNetwork
from animators.spline_animator import SplineAnimator
from animators.training import Training

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


class Tpsmm(SplineAnimator):
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
        super().__init__(
            SplineNetwork(**arguments),  # type: ignore[arg-type]
            arguments=arguments,
            background_start=background_start,
            dropout=dropout,
            perceptual=perceptual,
            perceptual_scales=perceptual_scales,
            reconstruction=reconstruction,
            loss_weights=loss_weights,
            training=training,
        )

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
