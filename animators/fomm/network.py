"""FOMM's network: keypoints with jacobians, dense motion, generator."""

import math
from dataclasses import dataclass

from torch import Tensor, nn

from animators.nn.dense_motion import DenseFlow, DenseMotion, affine_motions, with_background
from animators.nn.evolution import MotionEvolution, refine_flow
from animators.nn.hourglass import check_counts, check_heatmaps, check_image_size
from animators.nn.keypoints import KeypointDetector, Keypoints, gaussian_maps, heatmap_difference
from animators.nn.matrices import inverse_2x2
from animators.nn.occluded_generator import OccludedGenerator
from animators.nn.precision import full_precision
from animators.nn.resample import shrink


@dataclass(frozen=True)
class FommSource:
    """What is kept of a source picture: everything that no driving frame changes.

    Attributes:
        keypoints: K keypoints and jacobians.
        small: the picture, shrunken, (B, 3, h, w).
        gaussians: maps around its keypoints, (B, K, h, w).
        features: the generator's encoding.
    """

    keypoints: Keypoints
    small: Tensor
    gaussians: Tensor
    features: tuple[Tensor, ...]


@dataclass(frozen=True)
class Handover:
    """What a reference frame hands to every frame of its clip.

    Attributes:
        inverse: of its jacobians, (B, K, 2, 2).
        scale: factor on displacements, (B,); None is 1.
    """

    inverse: Tensor
    scale: Tensor | None


@dataclass(frozen=True)
class FommMotion:
    """What is kept of a driving frame.

    Attributes:
        keypoints: K keypoints and jacobians.
        handover: in a prepared reference frame.
    """

    keypoints: Keypoints
    handover: Handover | None = None


class FommNetwork(nn.Module):
    """Keypoint detector, dense motion and generator.

    Args:
        image_size: height and width in pixels.
        num_keypoints: K.
        keypoint_width: channels of the keypoint hourglass before its first halving.
        motion_width: channels of the dense-motion hourglass before its first halving.
        max_width: most channels of either hourglass.
        blocks: halvings of either hourglass.
        shrink_factor: how much smaller keypoints and dense motion see the picture.
        generator_width: channels of the generator at full size.
        generator_max_width: most channels of the generator.
        down_blocks: halvings of the generator before its warp.
        residual_blocks: of the generator's bottleneck.
        temperature: of the softmax over positions.
        single_jacobian_map: one map of jacobians for all keypoints instead of one for each.
        align_corners: how the sampler reads the corner-aligned grids.
        refine: solve DiME's evolution from the dense flow's displacements on.
        dynamics_width: channels of the evolution's f.

    Raises:
        ValueError: an image size that the halvings do not divide, or a size out of range.
    """

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
    ) -> None:
        super().__init__()
        check_counts(
            num_keypoints=num_keypoints,
            keypoint_width=keypoint_width,
            motion_width=motion_width,
            max_width=max_width,
            blocks=blocks,
            shrink_factor=shrink_factor,
            generator_width=generator_width,
            generator_max_width=generator_max_width,
            down_blocks=down_blocks,
            dynamics_width=dynamics_width,
        )
        check_counts(0, residual_blocks=residual_blocks)
        check_heatmaps(image_size, shrink_factor, padding=0, temperature=temperature)
        check_image_size(image_size, math.lcm(shrink_factor * 2**blocks, 2**down_blocks))
        self.keypoints = KeypointDetector(
            num_keypoints,
            width=keypoint_width,
            max_width=max_width,
            blocks=blocks,
            shrink_factor=shrink_factor,
            temperature=temperature,
            single_jacobian_map=single_jacobian_map,
        )
        self.dense_motion = DenseMotion(
            num_keypoints,
            width=motion_width,
            max_width=max_width,
            blocks=blocks,
            align_corners=align_corners,
        )
        self.generator = OccludedGenerator(
            width=generator_width,
            max_width=generator_max_width,
            down_blocks=down_blocks,
            residual_blocks=residual_blocks,
            skips=False,
            align_corners=align_corners,
        )
        self.evolution = None
        if refine:
            # one view: an f for references would never be trained
            self.evolution = MotionEvolution(width=dynamics_width, share_dynamics=True)
        self.shrink_factor = shrink_factor

    def encode_source(self, images: Tensor) -> FommSource:
        """Encode (B, 3, H, W) in [0, 1]."""
        keypoints: Keypoints = self.keypoints(images)
        small = shrink(images, self.shrink_factor)
        gaussians = gaussian_maps(keypoints.value, _size(small))
        return FommSource(keypoints, small, gaussians, self.generator.encode(images))

    def encode_motion(self, images: Tensor) -> FommMotion:
        """Detect the keypoints of (B, 3, H, W) in [0, 1]."""
        return FommMotion(self.keypoints(images))

    def coarse(self, source: FommSource, motion: FommMotion) -> DenseFlow:
        """Weigh the motions around the keypoints, J = J_source J_driving^-1 (eq. 4 to 8)."""
        size, driving = _size(source.small), motion.keypoints
        with full_precision(source.small):
            matrix = source.keypoints.jacobian @ inverse_2x2(driving.jacobian)
        motions = affine_motions(matrix, driving.value, source.keypoints.value, size)
        heat = heatmap_difference(gaussian_maps(driving.value, size), source.gaussians)
        found: DenseFlow = self.dense_motion(source.small, heat, with_background(motions, None))
        return found

    def flow(self, source: FommSource, motion: FommMotion) -> DenseFlow:
        """What is drawn with: the dense flow, refined where the network has an evolution."""
        return refine_flow(self.coarse(source, motion), self.evolution)

    def fields(self, source: FommSource, motion: FommMotion) -> tuple[Tensor, Tensor]:
        """Return displacements (B, h, w, 2) before and after the evolution, in units of [-1, 1].

        Without one they are the same.
        """
        coarse = self.coarse(source, motion)
        return coarse.displacements(), refine_flow(coarse, self.evolution).displacements()

    def draw(self, source: FommSource, motion: FommMotion) -> Tensor:
        """Draw (B, 3, H, W) in (0, 1): warp and mask the source's features, decode."""
        flow = self.flow(source, motion)
        return self.generator(source.features, flow.grid, flow.occlusion)


def _size(maps: Tensor) -> tuple[int, int]:
    return maps.shape[2], maps.shape[3]
