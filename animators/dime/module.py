"""DiME as an AnimatorModule: its losses, its views, and how it hands motion over."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from animators.animator import Mode, Step
from animators.dime.network import DimeMotion, DimeNetwork, DimeSource
from animators.losses.equivariance import value_equivariance
from animators.losses.perceptual import FrozenPerceptual
from animators.module import AnimatorModule
from animators.nn.draws import integers
from animators.nn.evolution import FIXED, Method, solver_figures
from animators.nn.precision import full_precision
from animators.nn.relative import check_hull, displace, hull_area, hull_scale, shape_distance
from animators.nn.tps import random_spline
from animators.training import Training, check_weights

if TYPE_CHECKING:
    from datamodules.batch import PairBatch

PAPER_WEIGHTS: Mapping[str, float] = MappingProxyType({"perceptual": 10.0, "equivariance": 10.0})
PAPER_TRAINING = Training(
    learning_rate=2e-4, betas=(0.5, 0.999), decay="steps", milestones=(60, 90), unit="epochs"
)
SOLVER = frozenset({"method", "step_size", "rtol", "atol", "adjoint"})


class Dime(AnimatorModule):
    """DiME (differential motion evolution): coarse keypoint motion refined by a neural ODE.

    Two texts describe it and no code is public. Where they are silent, a choice of ours is marked
    below with (ours); the README lists the reasons. The source may be one picture or several views
    of it, in training and afterwards: `data.references` says how many come with a pair.

    Args:
        image_size: pixels, a multiple of 2^blocks times the shrink factor and the features' one.
        num_keypoints: K (ours: FOMM's).
        keypoint_width: of the keypoint detector's hourglass (ours: FOMM's, as all widths).
        motion_width: of F_C's hourglass.
        self_flow_width: of F_A's hourglass (ours).
        max_width: most channels of any hourglass.
        blocks: halvings of any hourglass.
        shrink_factor: how much smaller than the picture keypoints and motion are estimated.
        generator_width: channels of the generator at full size.
        generator_max_width: its most channels.
        down_blocks: halvings between picture and features.
        residual_blocks: of the generator's bottleneck.
        temperature: of the heatmaps' softmax.
        features: F_v from the generator's own encoder (ours, as the preprint), or from a "unet"
            (section 4.1).
        refine: the evolution (eq. 6 to 8); False takes the coarse motion (table 3, "w/o refine").
        self_flow: F_id (eq. 10); False draws from F_motion alone (table 3, "w/o ID").
        share_dynamics: one f for all views, as in the preprint, instead of f_0 and f_ref.
        dynamics_width: channels of f (ours).
        dynamics_layers: convolutions of f (ours).
        method: the solver (ours: rk4, torchdiffeq's 3/8 rule), see `MotionEvolution`.
        step_size: of a fixed-step solver, in (0, 1] (ours: four steps).
        rtol: relative tolerance of an adaptive solver.
        atol: absolute tolerance of an adaptive solver, in units of [-1, 1].
        adjoint: gradients by the adjoint equation; False goes back through the solver's steps.
        align_corners: how the sampler reads the corner-aligned grids; True: they mean what they
            say (ours, as no weights are published).
        hull_scaling: relative mode scales displacements by the square root of the ratio of hull
            areas, source to reference frame, as FOMM.
        reference_range: each training step uses a random number, from the first to the second, of
            the batch's references; None uses all of them.
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

    network: DimeNetwork
    several_views: ClassVar[bool] = True
    inference_arguments = frozenset({"hull_scaling", *SOLVER})

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
        hull_scaling: bool = True,
        reference_range: tuple[int, int] | None = None,
        perceptual: Literal["vgg19", "vgg16"] | None = "vgg19",
        perceptual_scales: int = 4,
        reconstruction: bool = False,
        loss_weights: Mapping[str, float] = PAPER_WEIGHTS,
        training: Training = PAPER_TRAINING,
    ) -> None:
        sizes = {
            "image_size": image_size,
            "num_keypoints": num_keypoints,
            "keypoint_width": keypoint_width,
            "motion_width": motion_width,
            "self_flow_width": self_flow_width,
            "max_width": max_width,
            "blocks": blocks,
            "shrink_factor": shrink_factor,
            "generator_width": generator_width,
            "generator_max_width": generator_max_width,
            "down_blocks": down_blocks,
            "residual_blocks": residual_blocks,
            "temperature": temperature,
            "features": features,
            "refine": refine,
            "self_flow": self_flow,
            "share_dynamics": share_dynamics,
            "dynamics_width": dynamics_width,
            "dynamics_layers": dynamics_layers,
            "method": method,
            "step_size": step_size,
            "rtol": rtol,
            "atol": atol,
            "adjoint": adjoint,
            "align_corners": align_corners,
        }
        wanted = {"equivariance"}
        wanted |= {"perceptual"} if perceptual else set()
        wanted |= {"reconstruction"} if reconstruction else set()
        check_weights(loss_weights, wanted)
        if reference_range is not None and not 0 <= reference_range[0] <= reference_range[1]:
            raise ValueError(f"reference_range must be two rising counts, got {reference_range}")
        network = DimeNetwork(**sizes)  # type: ignore[arg-type]
        if hull_scaling:
            check_hull(num_keypoints, "raise num_keypoints, or set hull_scaling to false")
        super().__init__(
            network,
            image_size=image_size,
            arguments={**sizes, "hull_scaling": hull_scaling},
            loss_weights=loss_weights,
            training=training,
            perceptual=(
                FrozenPerceptual(perceptual, perceptual_scales, "black") if perceptual else None
            ),
        )
        self.reconstruction, self.reference_range = reconstruction, reference_range

    @classmethod
    def for_inference(cls, arguments: Mapping[str, object]) -> "Dime":
        """Build without a perceptual loss, from `description()`'s primitives."""
        return cls(
            **arguments,  # type: ignore[arg-type]
            perceptual=None,
            loss_weights={"equivariance": 10.0},
        )

    def encode_source(self, source: Tensor) -> DimeSource:
        """Encode one view (B, 3, H, W), or (B, V, 3, H, W), the source first, then references."""
        return self.network.encode_source(source[:, None] if source.ndim == 4 else source)

    def encode_motion(self, frames: Tensor, pair: DimeSource | None = None) -> DimeMotion:
        """Keypoints of (B, 3, H, W); nothing depends on the pair."""
        return DimeMotion(self.network.detect(frames))

    def prepare_reference(self, source: DimeSource, reference: DimeMotion) -> DimeMotion:
        """Add to a reference frame the factor on displacements, which holds for the whole clip.

        Raises:
            ValueError: its keypoints, or the source's, lie on one line.
        """
        return replace(reference, scale=self._scale(source, reference))

    def _scale(self, source: DimeSource, reference: DimeMotion) -> Tensor:
        if not self.arguments["hull_scaling"]:
            return torch.ones_like(reference.keypoints[:, 0, 0])
        return hull_scale(hull_area(source.keypoints[:, 0]), hull_area(reference.keypoints))

    def transfer(
        self, source: DimeSource, driving: DimeMotion, reference: DimeMotion | None, mode: Mode
    ) -> DimeMotion:
        """Relative mode, as FOMM: s (x_t - x_0) + x_source, of the source's own view.

        Raises:
            ValueError: relative mode without a reference frame, or one whose keypoints lie on
                one line.
        """
        if mode is Mode.ABSOLUTE:
            return driving
        if reference is None:
            raise ValueError("relative mode needs the driving clip's reference frame")
        scale = self._scale(source, reference) if reference.scale is None else reference.scale
        own = source.keypoints[:, 0]
        with full_precision(own):
            return DimeMotion(displace(own, driving.keypoints, reference.keypoints, scale))

    def render(self, source: DimeSource, motion: DimeMotion) -> Tensor:
        """Draw (B, 3, H, W), in (0, 1) by its sigmoid."""
        return self.network.draw(source, motion)

    def motion_distance(self, source: DimeSource, motion: DimeMotion) -> Tensor:
        """(B,) squared distance of the source's own and the driving keypoints' shapes."""
        return shape_distance(source.keypoints[:, 0], motion.keypoints)

    def training_losses(self, batch: "PairBatch") -> Step:
        """Absolute mode on a driving frame and views of its clip; equivariance (eq. 13, 14).

        Raises:
            ValueError: fewer references in the batch than `reference_range` asks for.
        """
        driving, views = batch["driving"], self.views(batch)
        source, motion = self.encode_source(views), self.encode_motion(driving)
        prediction = self.render(source, motion)
        # the texts take the source here, FOMM's code the driving frame
        picture = batch["source"]
        spline = random_spline(batch["key"], distance="l1", like=picture)
        bent = self.network.detect(
            spline.warp(picture, align_corners=self.arguments["align_corners"])
        )
        losses = {"equivariance": value_equivariance(source.keypoints[:, 0], bent, spline)}
        if self.perceptual is not None and self.perceptual.loaded:
            losses["perceptual"] = self.perceptual(prediction, driving)
        if self.reconstruction:
            losses["reconstruction"] = (prediction - driving).abs().mean()
        return Step(losses, prediction, figures=solver_figures(self.network.evolution))

    def check_run(self, data: object, precision: str) -> None:
        """Refuse a run that would fail.

        Args:
            data: the datamodule, whose `references` come with each pair.
            precision: the trainer's.

        Raises:
            ValueError: fewer references than `reference_range` asks for, or an adaptive adjoint
                under a gradient scaler, whose infinite gradients no adaptive step can follow.
        """
        high = 0 if self.reference_range is None else self.reference_range[1]
        given = getattr(data, "references", high)
        if high > given:
            raise ValueError(
                f"reference_range asks for up to {high} references, a pair comes with {given}: "
                "raise data.init_args.references"
            )
        adaptive = self.arguments["refine"] and self.arguments["method"] not in FIXED
        if adaptive and self.arguments["adjoint"] and precision == "16-mixed":
            raise ValueError(
                f"the adaptive solver {self.arguments['method']} with adjoint=true does not train "
                "with precision 16-mixed: take bf16-mixed, method=rk4, or adjoint=false"
            )

    def views(self, batch: "PairBatch") -> Tensor:
        """Source and references of a step, (B, V, 3, H, W).

        Their number is drawn from the seed and the number of batches seen, so that all processes
        and a resumed run draw the same.

        Raises:
            ValueError: fewer references in the batch than `reference_range` asks for.
        """
        references = batch["references"]
        if self.reference_range is not None:
            low, high = self.reference_range
            if high > references.shape[1]:
                raise ValueError(
                    f"reference_range asks for up to {high} references, a batch has "
                    f"{references.shape[1]}: raise data.init_args.references"
                )
            key = torch.tensor([[int(batch["key"][0, 0]), 0, self.batches_seen]])
            count = int(integers(key, "number of references", (), low, high + 1))
            references = references[:, :count]
        return torch.cat([batch["source"][:, None], references], dim=1)
