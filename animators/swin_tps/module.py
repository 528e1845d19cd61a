"""The Swin/TPS decoupled model as an AnimatorModule."""

import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from torch import Tensor

from animators.animator import Mode, Step
from animators.losses.identity import Confusion, IdentityAdversary
from animators.losses.schedules import SplineDropout
from animators.module import AnimatorModule
from animators.nn.spline_network import SplineMotion, SplineSource
from animators.spline_animator import SplineAnimator
from animators.swin_tps.network import SwinSource, SwinTpsNetwork, move_coefficients
from animators.training import Training

if TYPE_CHECKING:
    from datamodules.batch import PairBatch

log = logging.getLogger(__name__)

PAPER_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "perceptual": 10.0,
        "equivariance": 10.0,
        "warp": 10.0,
        "background": 10.0,
        "domain": -1.0,
        "identity": 1.0,
        "latent": 10.0,
    }
)
PAPER_TRAINING = Training(
    learning_rate=2e-4,
    betas=(0.5, 0.999),
    weight_decay=1e-4,
    undecayed_parts=("flow_optimisers", "decoupling", "attention"),
    unit="epochs",
    decay="steps",
    milestones=(70, 90),
    clip_norm=10.0,
    clip_norm_type=math.inf,
    clip_parts=("keypoints", "dense_motion", "background"),
)


class SwinTps(SplineAnimator):
    """TPSMM with flow optimisation by windowed attention and identity decoupled from motion.

    No code of the paper is public. Where it is silent, a choice of ours is marked with (ours); the
    README lists the reasons. Everything that the paper does not name is TPSMM's, and with
    `optimise_flow` and `decouple` both off this is TPSMM, weight for weight.

    Args:
        image_size: pixels, a multiple of shrink_factor * 2 ** blocks.
        num_splines: K, thin-plate splines.
        points_per_spline: N, control points of each.
        keypoint_width: channels of the first stage of the ResNets (points, background, encoder).
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
        align_corners: how the sampler reads its corner-aligned grids (TPSMM's).
        optimise_flow: the motion flow optimisation module; False is "w/o MOM" of table 2.
        decouple: identity and motion subspaces, motion attention, discriminator and latent
            regression; False is "w/o DR".
        identity: read off identity coefficients too, and classify F_id: without, nothing in the
            paper's losses reads the identity subspace, which then only shapes the other (ours).
        identity_dim: p, vectors of the identity subspace.
        motion_dim: q, vectors of the motion subspace.
        latent_dim: size of a vector.
        token_dim: C, channels of a token (ours).
        heads: attention heads of a Swin block (ours).
        depth: pairs of plain and shifted stages of the flow optimiser.
        pool_above: side of the maps above which motion attention pools its keys (ours).
        pooled_keys: side to which it then pools them (ours).
        num_identities: classes of the domain discriminator; the data say it. 0 builds none, as for
            animating.
        adversary_weight: lambda_adv, of the discriminator's own cross entropy.
        confusion: "negative", minus the cross entropy (the paper: its weight "domain" is negative),
            which has no lower bound; "uniform", the cross entropy to the uniform distribution,
            which has (ours: give "domain" a positive weight).
        perceptual: network of the perceptual loss; None switches the loss off.
        perceptual_scales: pictures of the loss's pyramid, each half the one before.
        reconstruction: add the mean absolute difference of the pictures; not in the paper.
        loss_weights: a weight for each loss that is on, and for no other.
        training: optimiser, schedule, accumulation and clipping.

    Raises:
        ValueError: loss weights that do not match the losses, or sizes that do not meet.
        WeightsNotFound: the perceptual network's file is nowhere (see `make weights`), at the
            start of training.
    """

    network: SwinTpsNetwork
    mode_remedies = MappingProxyType(
        {
            Mode.AVD: "train it with `make train MODEL=swin_tps-avd DATA=... "
            "INIT=<this checkpoint>`",
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
        optimise_flow: bool = True,
        decouple: bool = True,
        identity: bool = True,
        identity_dim: int = 20,
        motion_dim: int = 20,
        latent_dim: int = 512,
        token_dim: int = 128,
        heads: int = 4,
        depth: int = 1,
        pool_above: int = 64,
        pooled_keys: int = 32,
        num_identities: int = 0,
        adversary_weight: float = 10.0,
        confusion: Confusion = "negative",
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
            "optimise_flow": optimise_flow,
            "decouple": decouple,
            "identity": identity,
            "identity_dim": identity_dim,
            "motion_dim": motion_dim,
            "latent_dim": latent_dim,
            "token_dim": token_dim,
            "heads": heads,
            "depth": depth,
            "pool_above": pool_above,
            "pooled_keys": pooled_keys,
        }
        adversary = None
        if decouple and num_identities:
            adversary = IdentityAdversary(
                latent_dim,
                num_identities,
                weight=adversary_weight,
                confusion=confusion,
                identity=identity,
            )
        super().__init__(
            SwinTpsNetwork(**arguments),  # type: ignore[arg-type]
            arguments=arguments,
            background_start=background_start,
            dropout=dropout,
            perceptual=perceptual,
            perceptual_scales=perceptual_scales,
            reconstruction=reconstruction,
            loss_weights=loss_weights,
            training=training,
            further=_losses(decouple, identity),
            adversary=adversary,
        )
        if decouple and (loss_weights["domain"] > 0) != (confusion == "uniform"):
            raise ValueError(
                f"loss_weights.domain is {loss_weights['domain']} with confusion {confusion!r}: a "
                "negative cross entropy takes a weight up to 0, a uniform one a weight above 0"
            )

    @classmethod
    def for_inference(cls, arguments: Mapping[str, object]) -> "SwinTps":
        """Build without perceptual loss and discriminator, from `description()`'s primitives."""
        names = {"equivariance", "warp"}
        names |= {"background"} if arguments.get("background", True) else set()
        names |= _losses(
            bool(arguments.get("decouple", True)), bool(arguments.get("identity", True))
        )
        return cls(
            **arguments,  # type: ignore[arg-type]
            perceptual=None,
            loss_weights={name: -1.0 if name == "domain" else 1.0 for name in names},
        )

    def start_from(self, other: AnimatorModule) -> None:
        """Take the network's weights; the discriminator starts anew, for this set's identities.

        Raises:
            ValueError: it is another animator, or of other sizes; what differs is named.
        """
        super().start_from(other)
        if self.adversary is not None:
            log.info(
                "the identity discriminator starts anew, for %d identities",
                self.adversary.num_identities,
            )

    def encode_source(self, source: Tensor) -> SplineSource:
        """As TPSMM, with the source's own motion coefficients, which relative mode starts from.

        Raises:
            ValueError: several views.
        """
        state = super().encode_source(source)
        assert isinstance(state, SwinSource)
        return replace(state, coefficients=self.network.coefficients(source))

    def transfer(
        self,
        source: SplineSource,
        driving: SplineMotion,
        reference: SplineMotion | None,
        mode: Mode,
    ) -> SplineMotion:
        """As TPSMM; in relative mode the coefficients move as LIA's do: y_t - y_1 + y_source.

        Raises:
            ValueError: relative mode without a reference frame.
        """
        moved = super().transfer(source, driving, reference, mode)
        if mode is not Mode.RELATIVE or reference is None:
            return moved
        return move_coefficients(source, driving, reference, moved)

    def training_losses(self, batch: "PairBatch") -> Step:
        """TPSMM's losses, latent regression (eq. 11), and codes for the discriminator (eq. 9, 10).

        Raises:
            ValueError: data without a single identity.
        """
        drawn = self.draw_pair(batch)
        losses, picture = self.pair_losses(batch, drawn), drawn.inpainting.picture
        decoupling = self.network.decoupling
        if decoupling is None:
            return Step(losses, picture)
        if self.adversary is None:
            raise ValueError(
                "decoupling needs the number of identities of the training set: give "
                "model.init_args.num_identities, or set decouple to false"
            )
        wanted = self.network.motion_feature(drawn.motion)
        assert wanted is not None
        losses["latent"] = (decoupling.held(picture) - wanted.detach()).abs().mean()
        codes = {"motion": wanted}
        if decoupling.identity is not None:
            codes["identity"] = decoupling.identity_feature(batch["source"])
        return Step(losses, picture, codes=codes)


def _losses(decouple: bool, identity: bool) -> frozenset[str]:
    names = {"domain", "latent"} if decouple else set()
    return frozenset(names | ({"identity"} if decouple and identity else set()))
