"""TPSMM's whole network: control points, background, dense motion, inpainting, AVD.

Its flow and its features can be refined scale by scale from outside, which is how a model that
adds modules stays this one, weight for weight, when it adds none.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from animators.nn.avd import AvdNetwork
from animators.nn.dense_motion import with_background
from animators.nn.hourglass import check_counts, check_image_size
from animators.nn.inpainting import Inpainting, InpaintingGenerator, MixFeature, RefineFlow
from animators.nn.keypoints import gaussian_maps, heatmap_difference
from animators.nn.precision import full_precision
from animators.nn.resample import shrink
from animators.nn.residual_encoder import BackgroundMotion, ControlPoints
from animators.nn.spline_motion import DenseSplineMotion, SplineFlow, spline_motions

EMBEDDING = 128
"""Size of the AVD network's two embeddings in every published configuration."""


@dataclass(frozen=True)
class SplineSource:
    """What is kept of a source picture: everything that no driving frame changes.

    Attributes:
        points: control points (B, K N, 2), xy in [-1, 1].
        small: the picture, shrunken, (B, 3, h, w).
        gaussians: maps around its points, (B, K N, h, w).
        features: the generator's encoding, coarse to fine, the picture itself last.
        identity: the AVD network's embedding of its shape, (B, E), where there is one.
    """

    points: Tensor
    small: Tensor
    gaussians: Tensor
    features: tuple[Tensor, ...]
    identity: Tensor | None = None


@dataclass(frozen=True)
class SplineMotion:
    """What is kept of a driving frame; a reference frame also holds what it hands to every frame.

    Attributes:
        points: control points (B, K N, 2).
        background: driving to source coordinates, (B, 3, 3); None is no motion.
        scale: factor on displacements, (B,), in a prepared reference frame.
    """

    points: Tensor
    background: Tensor | None = None
    scale: Tensor | None = None


class SplineNetwork(nn.Module):
    """Control points, background motion, dense motion, inpainting generator and AVD network.

    Args:
        image_size: height and width in pixels.
        num_splines: K.
        points_per_spline: N.
        keypoint_width: channels of the first stage of the two ResNets (points, background).
        motion_width: channels of the hourglass before its first halving.
        max_width: most channels of the hourglass.
        blocks: halvings of the hourglass.
        shrink_factor: how much smaller dense motion sees the picture.
        generator_width: channels of the generator at full size.
        generator_max_width: most channels of the generator.
        down_blocks: halvings of the generator.
        background: estimate the background's motion between a frame and its own source.
        avd: build the network of AVD mode.
        align_corners: how the sampler reads the corner-aligned grids; flows are always resized
            corner to corner.

    Raises:
        ValueError: an image size that the halvings do not divide, or sizes that do not meet.
    """

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
        avd: bool = False,
        align_corners: bool = True,
    ) -> None:
        super().__init__()
        check_counts(
            num_splines=num_splines,
            points_per_spline=points_per_spline,
            keypoint_width=keypoint_width,
            motion_width=motion_width,
            max_width=max_width,
            blocks=blocks,
            shrink_factor=shrink_factor,
            generator_width=generator_width,
            generator_max_width=generator_max_width,
        )
        check_counts(2, down_blocks=down_blocks)
        check_image_size(image_size, math.lcm(shrink_factor * 2**blocks, 2**down_blocks))
        self.keypoints = ControlPoints(num_splines, points_per_spline, width=keypoint_width)
        self.background = BackgroundMotion(width=keypoint_width) if background else None
        self.dense_motion = DenseSplineMotion(
            num_splines,
            points_per_spline,
            width=motion_width,
            max_width=max_width,
            blocks=blocks,
            shrink_factor=shrink_factor,
            occlusion_maps=down_blocks + 1,
            align_corners=align_corners,
        )
        self.generator = InpaintingGenerator(
            width=generator_width,
            max_width=generator_max_width,
            down_blocks=down_blocks,
            align_corners=align_corners,
        )
        numbers = 2 * num_splines * points_per_spline
        self.avd = AvdNetwork(numbers, identity_dim=EMBEDDING, pose_dim=EMBEDDING) if avd else None
        self.num_splines, self.shrink_factor = num_splines, shrink_factor
        self.align_corners = align_corners

    def encode_source(self, images: Tensor) -> SplineSource:
        """Encode (B, 3, H, W) in [0, 1]."""
        points: Tensor = self.keypoints(images)
        small = shrink(images, self.shrink_factor)
        gaussians = gaussian_maps(points, _size(small))
        return SplineSource(points, small, gaussians, self.generator.encode(images))

    def encode_motion(self, images: Tensor, pair: SplineSource | None = None) -> SplineMotion:
        """Detect the control points of (B, 3, H, W) in [0, 1], and the background's motion.

        Args:
            images: driving frames.
            pair: the source of the same clip, against which the background moves; None leaves
                the background where it is.
        """
        matrix = None
        if pair is not None and self.background is not None:
            matrix = self.background(pair.features[-1], images)
        return SplineMotion(self.keypoints(images), matrix)

    def flow(
        self, source: SplineSource, motion: SplineMotion, keep: Tensor | None = None
    ) -> SplineFlow:
        """Weigh splines and background against each other.

        Args:
            source: an encoded source.
            motion: control points of the picture to draw.
            keep: (B, K + 1) of 0 and 1, which candidates take part (training); None keeps all.
        """
        size = _size(source.small)
        splines = spline_motions(motion.points, source.points, self.num_splines, size)
        heat = heatmap_difference(gaussian_maps(motion.points, size), source.gaussians)
        motions = with_background(splines, motion.background)
        return self.dense_motion(source.small, heat, motions, keep)

    def inpaint(
        self,
        source: SplineSource,
        flow: SplineFlow,
        refine_flow: RefineFlow | None = None,
        mix_feature: MixFeature | None = None,
    ) -> Inpainting:
        """Draw the source as the flow moves it; the two functions refine it scale by scale."""
        return self.generator(source.features, flow, refine_flow, mix_feature)

    def paint(self, source: SplineSource, motion: SplineMotion, flow: SplineFlow) -> Inpainting:
        """Draw the source as the flow moves it; a network that adds modules reads the motion."""
        return self.inpaint(source, flow)

    def draw(self, source: SplineSource, motion: SplineMotion) -> Tensor:
        """Draw (B, 3, H, W) in (0, 1)."""
        return self.paint(source, motion, self.flow(source, motion)).picture

    def identity(self, source: SplineSource) -> Tensor | None:
        """Embed the shape of a source for AVD mode, (B, E); None without the AVD network."""
        if self.avd is None:
            return None
        with full_precision(source.points):
            return self.avd.identity_encoder(source.points.flatten(1))

    def disentangle(self, source: SplineSource, motion: SplineMotion) -> SplineMotion:
        """Fit a driving pose to the source's shape (articulated animation, section 3.5).

        Raises:
            ValueError: no AVD network, or a source without its embedding.
        """
        if self.avd is None or source.identity is None:
            raise ValueError("this network has no AVD network, or the source was not embedded")
        with full_precision(motion.points):
            points: Tensor = self.avd.decode(source.identity, motion.points.flatten(1))
        return SplineMotion(torch.unflatten(points, 1, (-1, 2)))


def _size(maps: Tensor) -> tuple[int, int]:
    return maps.shape[2], maps.shape[3]
