"""MRAA's network (Siarohin et al., CVPR 2021): regions, background, flow, generator, AVD."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from animators.mraa.regions import RegionPredictor, Regions
from animators.nn.avd import AvdNetwork
from animators.nn.background import IDENTITY, background_matrix
from animators.nn.blocks import DownBlock
from animators.nn.dense_motion import DenseFlow, DenseMotion, affine_motions, with_background
from animators.nn.evolution import MotionEvolution, refine_flow
from animators.nn.hourglass import check_counts, check_heatmaps, check_image_size
from animators.nn.keypoints import covariance_maps, heatmap_difference
from animators.nn.matrices import inverse_2x2
from animators.nn.occluded_generator import OccludedGenerator
from animators.nn.precision import at_least_float32, full_precision
from animators.nn.resample import shrink

BACKGROUND_BLOCKS = 5
EMBEDDING = 64
"""Size of AVD's two embeddings."""


@dataclass(frozen=True)
class MraaSource:
    """What is kept of a source picture.

    Attributes:
        regions: of the picture.
        maps: the picture itself (B, 3, H, W) and the generator's maps, full size to coarsest.
        small: the picture, shrunken, (B, 3, h, w).
        gaussians: of its regions, (B, K, h, w).
    """

    regions: Regions
    maps: tuple[Tensor, ...]
    small: Tensor
    gaussians: Tensor


@dataclass(frozen=True)
class MraaMotion:
    """What is kept of a driving frame.

    Attributes:
        regions: of the frame.
        background: (B, 3, 3), the frame's background to the source's; None leaves it still.
        inverse: of a reference frame, its inverse affine matrices (B, K, 2, 2).
        scale: of a reference frame, the factor (B,) on displacements.
    """

    regions: Regions
    background: Tensor | None = None
    inverse: Tensor | None = None
    scale: Tensor | None = None


def same_direction(matrix: Tensor) -> Tensor:
    """-1 where the first entry of (..., 2, 2) is negative, else 1, as (..., 1, 1).

    Principal axes have no sign: of a map between two regions only the one that does not turn
    x round is meant.
    """
    return torch.where(matrix[..., :1, :1] < 0, -1.0, 1.0).to(matrix.dtype)


class BackgroundPredictor(nn.Module):
    """Affine motion of the background between two pictures (section 3.3).

    Args:
        width: channels behind the first of five halvings; each of them doubles the channels.
        max_width: most channels.
    """

    def __init__(self, width: int, max_width: int) -> None:
        super().__init__()
        widths = [6, *(min(max_width, width * 2**i) for i in range(BACKGROUND_BLOCKS))]
        self.encoder = nn.Sequential(*(DownBlock(a, b, norm="batch") for a, b in pairwise(widths)))
        self.fc = nn.Linear(widths[-1], 6)
        nn.init.zeros_(self.fc.weight)
        self.fc.bias = nn.Parameter(torch.tensor(IDENTITY))

    def forward(self, source: Tensor, driving: Tensor) -> Tensor:
        """Map two (B, 3, H, W) in [0, 1] to driving-to-source matrices (B, 3, 3)."""
        features = self.encoder(torch.cat([source, driving], dim=1))
        with full_precision(source):
            # half precision would round the motion of the whole background
            return background_matrix(self.fc(at_least_float32(features).mean(dim=(2, 3))))


class MraaNetwork(nn.Module):
    """Every net of MRAA; arguments as of `Mraa`.

    Raises:
        ValueError: an image size that the halvings do not divide, or a size out of range.
    """

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
    ) -> None:
        super().__init__()
        check_counts(
            num_regions=num_regions,
            region_width=region_width,
            motion_width=motion_width,
            max_width=max_width,
            blocks=blocks,
            shrink_factor=shrink_factor,
            generator_width=generator_width,
            generator_max_width=generator_max_width,
            down_blocks=down_blocks,
            background_width=background_width,
            dynamics_width=dynamics_width,
        )
        check_counts(0, residual_blocks=residual_blocks)
        if region_padding not in (0, 3):
            raise ValueError(f"region_padding must be 0 or 3, got {region_padding}")
        check_heatmaps(image_size, shrink_factor, region_padding, temperature)
        check_image_size(image_size, shrink_factor * 2**blocks)
        check_image_size(image_size, 2 ** max(down_blocks, BACKGROUND_BLOCKS * background))
        self.regions = RegionPredictor(
            num_regions,
            width=region_width,
            max_width=max_width,
            blocks=blocks,
            shrink_factor=shrink_factor,
            temperature=temperature,
            padding=region_padding,
        )
        self.background = BackgroundPredictor(background_width, max_width) if background else None
        self.motion = DenseMotion(
            num_regions,
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
            skips=True,
            align_corners=align_corners,
        )
        self.avd = (
            AvdNetwork(6 * num_regions, identity_dim=EMBEDDING, pose_dim=EMBEDDING) if avd else None
        )
        self.evolution = None
        if refine:
            # one view: an f for references would never be trained
            self.evolution = MotionEvolution(width=dynamics_width, share_dynamics=True)
        self.shrink_factor = shrink_factor

    def encode_source(self, images: Tensor) -> MraaSource:
        """Keep of (B, 3, H, W) in [0, 1] all that does not depend on the driving frame."""
        return self.source_with(self.regions(images), images)

    def source_with(self, regions: Regions, images: Tensor) -> MraaSource:
        """As `encode_source`, with regions that are already there."""
        small = shrink(images, self.shrink_factor)
        gaussians = _gaussians(regions, small)
        return MraaSource(regions, self.generator.encode(images), small, gaussians)

    def encode_motion(self, images: Tensor, pair: MraaSource | None = None) -> MraaMotion:
        """Read regions of (B, 3, H, W), and the background's motion where the source is given."""
        matrix = None
        if pair is not None and self.background is not None:
            matrix = self.background(pair.maps[0], images)
        return MraaMotion(self.regions(images), matrix)

    def coarse(self, source: MraaSource, motion: MraaMotion) -> DenseFlow:
        """Dense flow and occlusion (eq. 6, 7)."""
        moved, small = motion.regions, source.small
        size = (small.shape[2], small.shape[3])
        heat = heatmap_difference(_gaussians(moved, small), source.gaussians)
        with full_precision(small):
            matrix = source.regions.affine @ inverse_2x2(moved.affine)
            matrix = matrix * same_direction(matrix)
        motions = affine_motions(matrix, moved.shift, source.regions.shift, size)
        found: DenseFlow = self.motion(small, heat, with_background(motions, motion.background))
        return found

    def flow(self, source: MraaSource, motion: MraaMotion) -> DenseFlow:
        """What is drawn with: the dense flow, refined where the network has an evolution."""
        return refine_flow(self.coarse(source, motion), self.evolution)

    def fields(self, source: MraaSource, motion: MraaMotion) -> tuple[Tensor, Tensor]:
        """Return displacements (B, h, w, 2) before and after the evolution, in units of [-1, 1].

        Without one they are the same.
        """
        coarse = self.coarse(source, motion)
        return coarse.displacements(), refine_flow(coarse, self.evolution).displacements()

    def render(self, source: MraaSource, motion: MraaMotion) -> Tensor:
        """Draw (B, 3, H, W), in (0, 1)."""
        flow = self.flow(source, motion)
        drawn: Tensor = self.generator(source.maps, flow.grid, flow.occlusion)
        return drawn

    def disentangle(self, identity: Regions, pose: Regions) -> Regions:
        """The pose's regions in the shape of the identity (animation via disentanglement).

        Raises:
            ValueError: a network without AVD.
        """
        if self.avd is None:
            raise ValueError("this network has no AVD part: build it with avd=True")
        with full_precision(pose.shift):
            turn = same_direction(identity.affine @ inverse_2x2(pose.affine))
            known = torch.cat([identity.shift, (identity.affine * turn).flatten(2)], dim=2)
            wanted = torch.cat([pose.shift, pose.affine.flatten(2)], dim=2)
            numbers = at_least_float32(self.avd(known.flatten(1), wanted.flatten(1)))
            numbers = torch.unflatten(numbers, 1, (-1, 6))
            affine = torch.unflatten(numbers[..., 2:], 2, (2, 2))
            return Regions(numbers[..., :2], affine @ affine.transpose(2, 3), affine)


def _gaussians(regions: Regions, small: Tensor) -> Tensor:
    return covariance_maps(regions.shift, regions.covariance, (small.shape[2], small.shape[3]))
