"""Adversarial losses, and the players that pair them with an image discriminator."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from animators.nn.discriminators import Judgement
from animators.nn.precision import at_least_float32, full_precision


class Predicted(Protocol):
    """A training step, as far as an adversary looks at it."""

    @property
    def prediction(self) -> Tensor:
        """Generated pictures (B, 3, H, W)."""
        ...


class Conditional(Predicted, Protocol):
    """A training step, as far as a conditional adversary looks at it."""

    @property
    def condition(self) -> Tensor | None:
        """Maps (B, C, H, W) that it sees beside the pictures, or None."""
        ...


def non_saturating_generator_loss(fake: Tensor) -> Tensor:
    """Mean of -log sigmoid(D(fake)) (eq. 10 of LIA; Goodfellow 2014).

    Args:
        fake: logits of generated pictures, any shape.

    Returns:
        A scalar.
    """
    return F.softplus(-at_least_float32(fake)).mean()


def logistic_discriminator_losses(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Means of -log sigmoid(D(real)) and -log(1 - sigmoid(D(fake))).

    Args:
        real: logits of real pictures.
        fake: logits of generated pictures.

    Returns:
        Two scalars; the discriminator minimises their sum.
    """
    real, fake = at_least_float32(real), at_least_float32(fake)
    return F.softplus(-real).mean(), F.softplus(fake).mean()


def r1_penalty(discriminator: nn.Module, real: Tensor) -> Tensor:
    """Squared gradient norm of the logits at real pictures (R1; Mescheder 2018), in full precision.

    Args:
        discriminator: maps pictures to logits.
        real: (B, 3, H, W).

    Returns:
        A scalar, mean over the batch, differentiable in the discriminator's parameters.
    """
    with full_precision(real), torch.enable_grad():
        pictures = at_least_float32(real.detach()).requires_grad_()
        logits = discriminator(pictures)
        (gradient,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
        return gradient.square().sum(dim=(1, 2, 3)).mean()


def least_squares_generator_loss(fake: Tensor) -> Tensor:
    """Mean of (1 - D(fake))^2 (LSGAN, Mao 2017; FOMM).

    Args:
        fake: logits of generated pictures, any shape.

    Returns:
        A scalar.
    """
    return (1 - at_least_float32(fake)).square().mean()


def least_squares_discriminator_losses(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Means of (1 - D(real))^2 and D(fake)^2 (LSGAN, Mao 2017; FOMM).

    Args:
        real: logits of real pictures.
        fake: logits of generated pictures.

    Returns:
        Two scalars; the discriminator minimises their sum.
    """
    return (1 - at_least_float32(real)).square().mean(), at_least_float32(fake).square().mean()


def feature_matching_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Sum over maps of the mean absolute difference (Wang 2018, pix2pixHD; FOMM).

    Args:
        real: the discriminator's maps of real pictures.
        fake: those of generated pictures.

    Returns:
        A scalar.
    """
    pairs = zip(real, fake, strict=True)
    terms = [(at_least_float32(a) - at_least_float32(b)).abs().mean() for a, b in pairs]
    return torch.stack(terms).sum()


class ImageAdversary(nn.Module):
    """A discriminator of pictures, trained against the generator side.

    Args:
        discriminator: maps (B, 3, H, W) in [0, 1] to logits.
        r1_weight: gamma of the R1 penalty, which counts gamma / 2; 0 switches it off.
        r1_every: batches between two penalties, each counting that much more (lazy
            regularisation, StyleGAN2 appendix B).

    Raises:
        ValueError: a negative weight, or an interval below 1.
    """

    batches: Tensor

    def __init__(
        self, discriminator: nn.Module, r1_weight: float = 0.0, r1_every: int = 16
    ) -> None:
        super().__init__()
        if r1_weight < 0 or r1_every < 1:
            raise ValueError(
                f"r1_weight must be at least 0 and r1_every at least 1, got {r1_weight}, {r1_every}"
            )
        self.discriminator = discriminator
        self.r1_weight, self.r1_every = r1_weight, r1_every
        # in the checkpoint, so that a resumed run penalises the same batches
        self.register_buffer("batches", torch.zeros((), dtype=torch.long))

    def for_generator(self, step: Predicted, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return {"adversarial": scalar}, to be weighted, of the step's prediction."""
        logits = self.discriminator(step.prediction)
        return {"adversarial": non_saturating_generator_loss(logits)}

    def for_itself(self, step: Predicted, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the discriminator's own losses, weighted; the real picture is the driving frame.

        Returns:
            Scalars "real" and "fake", and "r1" on the batches where it is due.
        """
        actual = batch["driving"]
        real, fake = logistic_discriminator_losses(
            self.discriminator(actual), self.discriminator(step.prediction.detach())
        )
        losses = {"real": real, "fake": fake}
        if self.r1_weight > 0:
            if int(self.batches) % self.r1_every == 0:
                factor = self.r1_weight / 2 * self.r1_every
                losses["r1"] = factor * r1_penalty(self.discriminator, actual)
            self.batches += 1
        return losses


class LeastSquaresAdversary(nn.Module):
    """A patch discriminator, trained against the generator side by least squares (FOMM).

    Args:
        discriminator: maps pictures, and the step's condition, to a `Judgement`.
    """

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator = discriminator

    def for_generator(self, step: Conditional, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the scalars "adversarial" and "feature_matching", to be weighted."""
        fake = self._judge(step.prediction, step)
        with torch.no_grad():
            real = self._judge(batch["driving"], step)
        return {
            "adversarial": least_squares_generator_loss(fake.logits),
            "feature_matching": feature_matching_loss(real.features, fake.features),
        }

    def for_itself(self, step: Conditional, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return its own losses "real" and "fake"; the real picture is the driving frame."""
        real, fake = least_squares_discriminator_losses(
            self._judge(batch["driving"], step).logits,
            self._judge(step.prediction.detach(), step).logits,
        )
        return {"real": real, "fake": fake}

    def _judge(self, images: Tensor, step: Conditional) -> Judgement:
        return self.discriminator(images, step.condition)
