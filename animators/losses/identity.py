"""A second player that reads identities off codes (swin_tps eq. 9 and 10)."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from animators.nn.precision import at_least_float32, full_precision

Confusion = Literal["negative", "uniform"]


class Coded(Protocol):
    """A training step, as far as this adversary looks at it."""

    @property
    def codes(self) -> Mapping[str, Tensor]:
        """Features "motion" (B, C), and "identity" (B, C) where identities are classified."""
        ...


class IdentityAdversary(nn.Module):
    """Domain discriminator of the motion feature, and classifier of the identity feature.

    The discriminator tells whose motion feature it sees, and the generator side makes that hard.
    It sees features standardised over the batch (ours): else they shrink around a constant, which
    leaves a discriminator at chance and everything to be read by whoever standardises them.
    The classifier, which is ours, works with the generator side: without it nothing would read the
    identity feature. It learns here, so that no part of the animator depends on a data set.

    Args:
        latent_dim: size of a feature.
        num_identities: N, classes.
        weight: lambda_adv, of the discriminator's cross entropy on its own step.
        confusion: what the generator side gets of the discriminator: its cross entropy, to be
            given a negative weight, or ("uniform") the cross entropy of the uniform distribution.
        identity: with the classifier.

    Raises:
        ValueError: no identity, or a weight that is not positive.
    """

    def __init__(
        self,
        latent_dim: int,
        num_identities: int,
        *,
        weight: float,
        confusion: Confusion,
        identity: bool,
    ) -> None:
        super().__init__()
        if num_identities < 1 or not weight > 0:
            raise ValueError(
                "num_identities must be at least 1 and adversary_weight above 0, got "
                f"{num_identities} and {weight}"
            )
        if confusion not in ("negative", "uniform"):
            raise ValueError(f"confusion must be negative or uniform, got {confusion!r}")
        self.discriminator = nn.Sequential(
            nn.BatchNorm1d(latent_dim, affine=False),
            nn.Linear(latent_dim, latent_dim), nn.ReLU(),
            nn.Linear(latent_dim, latent_dim), nn.ReLU(),
            nn.Linear(latent_dim, num_identities),
        )  # fmt: skip
        self.classifier = nn.Linear(latent_dim, num_identities) if identity else None
        self.num_identities, self.weight, self.confusion = num_identities, weight, confusion

    def for_generator(self, step: Coded, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the scalars "domain", and "identity" with a classifier, to be weighted."""
        logits, whose = self._domain(step.codes["motion"]), batch["identity"]
        if self.confusion == "uniform":
            domain = -logits.log_softmax(dim=1).mean()
        else:
            domain = F.cross_entropy(logits, whose)
        losses = {"domain": domain}
        if self.classifier is not None:
            losses["identity"] = self._identity(step.codes["identity"], whose)
        return losses

    def for_itself(self, step: Coded, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return its own losses, weighted, of codes without gradient."""
        whose = batch["identity"]
        logits = self._domain(step.codes["motion"].detach())
        losses = {"domain": self.weight * F.cross_entropy(logits, whose)}
        if self.classifier is not None:
            losses["identity"] = self._identity(step.codes["identity"].detach(), whose)
        return losses

    def _domain(self, feature: Tensor) -> Tensor:
        if self.training and len(feature) < 2:
            raise ValueError(
                "the identity discriminator standardises features over a batch: give at least 2 "
                "pairs a device (data.init_args.batch_size), or set decouple to false"
            )
        with full_precision(feature):
            logits: Tensor = self.discriminator(at_least_float32(feature))
            return logits

    def _identity(self, feature: Tensor, whose: Tensor) -> Tensor:
        assert self.classifier is not None
        with full_precision(feature):
            return F.cross_entropy(self.classifier(at_least_float32(feature)), whose)
