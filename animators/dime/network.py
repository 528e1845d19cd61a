"""DiME's network: keypoints, coarse motion of every view, evolution, self-flow, fusion."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from animators.dime.fusion import LEAST_CONFIDENCE, fusion_weights, resize
from animators.dime.self_flow import SelfFlow
from animators.dime.unet_features import UnetFeatures
from animators.nn.dense_motion import DenseMotion, with_background
from animators.nn.evolution import Method, MotionEvolution
from animators.nn.grid import coordinate_grid, warp
from animators.nn.hourglass import check_counts, check_heatmaps, check_image_size
from animators.nn.keypoints import (
    HeatmapPredictor,
    expectation,
    gaussian_maps,
    heatmap_difference,
)
from animators.nn.occluded_generator import OccludedGenerator
from animators.nn.precision import at_least_float32, full_precision
from animators.nn.resample import shrink


@dataclass(frozen=True)
class DimeSource:
    """What is kept of V views of a source: everything that no driving frame changes.

    Attributes:
        keypoints: (B, V, K, 2), the source's first, then the references'.
        small: the pictures, shrunken, (B, V, 3, h, w).
        gaussians: maps around their keypoints, (B, V, K, h, w).
        features: F_v, (B, V, C, H', W').
    """

    keypoints: Tensor
    small: Tensor
    gaussians: Tensor
    features: Tensor


@dataclass(frozen=True)
class DimeMotion:
    """What is kept of a driving frame.

    Attributes:
        keypoints: (B, K, 2).
        scale: in a prepared reference frame, the factor on displacements, (B,).
    """

    keypoints: Tensor
    scale: Tensor | None = None


@dataclass(frozen=True)
class DimeFlow:
    """Motion of every view.

    Attributes:
        coarse: phi(0), displacements (B, V, h, w, 2) in units of [-1, 1]: where a driving
            position, moved so, reads in the view (backward warp).
        refined: phi(1), likewise.
        confidence: C_v, (B, V, 1, h, w), above 0.
    """

    coarse: Tensor
    refined: Tensor
    confidence: Tensor


class DimeNetwork(nn.Module):
    """What animates; the paper's parts by its equations, see `animators.dime.Dime` for the whole.

    Args:
        image_size: height and width in pixels.
        num_keypoints: K.
        keypoint_width: channels of the keypoint hourglass before its first halving.
        motion_width: channels of the dense-motion hourglass before its first halving.
        self_flow_width: channels of the self-flow's hourglass before its first halving.
        max_width: most channels of any hourglass.
        blocks: halvings of any hourglass.
        shrink_factor: how much smaller keypoints and motion see the picture.
        generator_width: channels of the generator at full size.
        generator_max_width: most channels of the generator.
        down_blocks: halvings between picture and features.
        residual_blocks: of the generator's bottleneck.
        temperature: of the softmax over positions.
        features: where F_v comes from, the generator's own encoder or a U-Net.
        refine: solve the evolution; without it phi(1) = phi(0).
        self_flow: with F_id; without it the generator sees F_motion alone.
        share_dynamics: see `MotionEvolution`, as the six that follow.
        dynamics_width: its `width`.
        dynamics_layers: its `layers`.
        method: its solver.
        step_size: of a fixed-step solver.
        rtol: of an adaptive solver.
        atol: of an adaptive solver.
        adjoint: how its gradients are made.
        align_corners: how the sampler reads the corner-aligned grids.

    Raises:
        ValueError: an image size that the halvings do not divide, or a size out of range.
    """

    def __init__(
        self,
        image_size: int = 256,
        num_keypoints: int = 10,
        keypoint_width: int = 32,
        motion_width: int = 64,
        self_flow_width: int = 32,
        max_width: int = 1024,
        blocks: int = 5,
        shrink_factor: int = 4,
        generator_width: int = 64,
        generator_max_width: int = 512,
        down_blocks: int = 2,
        residual_blocks: int = 6,
        temperature: float = 0.1,
        features: Literal["generator", "unet"] = "generator",
        refine: bool = True,
        self_flow: bool = True,
        share_dynamics: bool = False,
        dynamics_width: int = 32,
        dynamics_layers: int = 3,
        method: Method = "rk4",
        step_size: float = 0.25,
        rtol: float = 1e-3,
        atol: float = 1e-4,
        adjoint: bool = True,
        align_corners: bool = True,
    ) -> None:
        super().__init__()
        check_counts(
            num_keypoints=num_keypoints,
            keypoint_width=keypoint_width,
            motion_width=motion_width,
            self_flow_width=self_flow_width,
            max_width=max_width,
            blocks=blocks,
            shrink_factor=shrink_factor,
            generator_width=generator_width,
            generator_max_width=generator_max_width,
            down_blocks=down_blocks,
        )
        check_counts(0, residual_blocks=residual_blocks)
        if features not in ("generator", "unet"):
            raise ValueError(f"features must be generator or unet, got {features!r}")
        check_heatmaps(image_size, shrink_factor, padding=0, temperature=temperature)
        # hourglasses stand both at the keypoints' size and at the features'
        check_image_size(image_size, math.lcm(shrink_factor, 2**down_blocks) * 2**blocks)
        trunk = {"max_width": max_width, "blocks": blocks}
        self.keypoints = HeatmapPredictor(
            num_keypoints,
            width=keypoint_width,
            shrink_factor=shrink_factor,
            temperature=temperature,
            padding=0,
            **trunk,
        )
        self.dense_motion = DenseMotion(
            num_keypoints, width=motion_width, align_corners=align_corners, **trunk
        )
        self.evolution = None
        if refine:
            self.evolution = MotionEvolution(
                width=dynamics_width,
                layers=dynamics_layers,
                share_dynamics=share_dynamics,
                method=method,
                step_size=step_size,
                rtol=rtol,
                atol=atol,
                adjoint=adjoint,
            )
        self.generator = OccludedGenerator(
            width=generator_width,
            max_width=generator_max_width,
            down_blocks=down_blocks,
            residual_blocks=residual_blocks,
            skips=False,
            align_corners=align_corners,
            encoder=features == "generator",
        )
        channels = self.generator.channels
        self.unet = None
        if features == "unet":
            self.unet = UnetFeatures(channels, 2**down_blocks, width=keypoint_width, **trunk)
        self.self_flow = None
        if self_flow:
            self.self_flow = SelfFlow(
                channels, width=self_flow_width, align_corners=align_corners, **trunk
            )
        self.fusion = nn.Conv2d(channels * (2 if self_flow else 1), channels, 3, padding=1)
        self.shrink_factor, self.align_corners = shrink_factor, align_corners

    def encode_source(self, views: Tensor) -> DimeSource:
        """Encode (B, V, 3, H, W) in [0, 1], the source first, then its references."""
        count = views.shape[1]
        pictures = views.flatten(0, 1)
        points = self.detect(pictures)
        small = shrink(pictures, self.shrink_factor)
        gaussians = gaussian_maps(points, _size(small))
        features = self.generator.encode(pictures)[-1] if self.unet is None else self.unet(pictures)
        parts = (points, small, gaussians, features)
        return DimeSource(*(torch.unflatten(part, 0, (-1, count)) for part in parts))

    def detect(self, pictures: Tensor) -> Tensor:
        """Keypoints (B, K, 2) of (B, 3, H, W) in [0, 1] (eq. 3)."""
        _, heatmap = self.keypoints(pictures)
        with full_precision(pictures):
            return expectation(heatmap)

    def coarse(self, source: DimeSource, motion: DimeMotion) -> DimeFlow:
        """Weigh the keypoints' displacements, x_v - x_driving, and 0 for the background (eq. 4, 5).

        Returns:
            The flow, not yet refined.
        """
        size, count = _size(source.small), source.small.shape[1]
        identity = coordinate_grid(*size, like=source.small)
        driving = at_least_float32(motion.keypoints)
        moved = (at_least_float32(source.keypoints) - driving[:, None]).flatten(0, 1)
        motions = with_background(identity + moved[:, :, None, None], None)
        gaussians = gaussian_maps(driving, size)[:, None].expand(-1, count, -1, -1, -1)
        heat = heatmap_difference(gaussians.flatten(0, 1), source.gaussians.flatten(0, 1))
        flow = self.dense_motion(source.small.flatten(0, 1), heat, motions)
        field = torch.unflatten(flow.grid - identity, 0, (-1, count))
        confidence = torch.unflatten(flow.occlusion, 0, (-1, count)) + LEAST_CONFIDENCE
        return DimeFlow(field, field, confidence)

    def flow(self, source: DimeSource, motion: DimeMotion) -> DimeFlow:
        """Coarse motion of every view, and the same refined by the evolution (eq. 4 to 8)."""
        flow = self.coarse(source, motion)
        if self.evolution is None:
            return flow
        return replace(flow, refined=self.evolution(flow.coarse))

    def fields(self, source: DimeSource, motion: DimeMotion) -> tuple[Tensor, Tensor]:
        """Return phi(0) and phi(1) of the source's own view, displacements (B, h, w, 2)."""
        flow = self.flow(source, motion)
        return flow.coarse[:, 0], flow.refined[:, 0]

    def fuse(self, source: DimeSource, flow: DimeFlow) -> Tensor:
        """Warp every view, weigh the views by confidence, join F_motion and F_id (eq. 9 to 12).

        Returns:
            (B, C, H', W'), what the generator decodes.
        """
        size, count = _size(source.features), source.features.shape[1]
        field = resize(flow.refined.flatten(0, 1).permute(0, 3, 1, 2), size).permute(0, 2, 3, 1)
        grid = coordinate_grid(*size, like=field) + field
        weights = fusion_weights(flow.confidence, size)
        moved = warp(source.features.flatten(0, 1), grid, align_corners=self.align_corners)
        sums = [(weights * torch.unflatten(moved, 0, (-1, count))).sum(dim=1)]
        if self.self_flow is not None:
            view = warp(source.small.flatten(0, 1), grid, align_corners=self.align_corners)
            filled = self.self_flow(moved, view)
            sums.append((weights * torch.unflatten(filled, 0, (-1, count))).sum(dim=1))
        fused: Tensor = self.fusion(torch.cat(sums, dim=1))
        return fused

    def draw(self, source: DimeSource, motion: DimeMotion) -> Tensor:
        """Draw (B, 3, H, W) in (0, 1)."""
        return self.generator.decode(self.fuse(source, self.flow(source, motion)))


def _size(maps: Tensor) -> tuple[int, int]:
    return maps.shape[-2], maps.shape[-1]
