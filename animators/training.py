"""Settings and arithmetic of the training loop that every animator shares."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from animators.animator import Step


@dataclass(frozen=True)
class Training:
    """How an animator's players are optimised; every paper of the zoo uses Adam.

    Attributes:
        learning_rate: of the generator side.
        betas: Adam's, of the generator side.
        adversary_learning_rate: None takes `learning_rate`.
        adversary_betas: None takes `betas`.
        warmup_steps: optimiser steps over which the rate rises linearly from 0.
        decay: shape of the rate after the warm-up: "none", "linear" or "cosine" to zero at
            `decay_steps`, or "steps": times `gamma` at each of `milestones`.
        decay_steps: optimiser steps, warm-up included, after which the rate is 0.
        milestones: optimiser steps of the "steps" decay.
        gamma: factor of the "steps" decay.
        accumulate: batches whose gradients are averaged into one optimiser step; the last
            window of an epoch may be shorter and is averaged over its own batches.
        clip_norm: largest L2 norm of the gradient of each player; None does not clip.
    """

    learning_rate: float = 0.002
    betas: tuple[float, float] = (0.0, 0.99)
    adversary_learning_rate: float | None = None
    adversary_betas: tuple[float, float] | None = None
    warmup_steps: int = 0
    decay: Literal["none", "linear", "cosine", "steps"] = "none"
    decay_steps: int = 0
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    accumulate: int = 1
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        """Refuse settings that could not train.

        Raises:
            ValueError: a non-positive rate or accumulation, or a decay without its steps.
        """
        if self.accumulate < 1:
            raise ValueError(f"training.accumulate must be at least 1, got {self.accumulate}")
        if self.learning_rate <= 0:
            raise ValueError(f"training.learning_rate must be positive, got {self.learning_rate}")
        if self.decay in ("linear", "cosine") and self.decay_steps <= self.warmup_steps:
            raise ValueError(
                f"training.decay={self.decay} needs decay_steps above warmup_steps "
                f"({self.warmup_steps}), got {self.decay_steps}"
            )

    def factor(self, step: int) -> float:
        """Multiple of the learning rate at optimiser step `step` (0-based)."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        if self.decay == "steps":
            return float(self.gamma ** sum(step >= m for m in self.milestones))
        if self.decay == "none":
            return 1.0
        done = min(1.0, (step - self.warmup_steps) / (self.decay_steps - self.warmup_steps))
        return 1.0 - done if self.decay == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))

    def optimizer(
        self, parameters: Iterable[nn.Parameter], *, adversary: bool
    ) -> tuple[Optimizer, LambdaLR]:
        """Build Adam and its schedule for one player."""
        rate, betas = self.learning_rate, self.betas
        if adversary:
            rate = rate if self.adversary_learning_rate is None else self.adversary_learning_rate
            betas = self.adversary_betas or betas
        # torch refuses an int among the betas, and YAML reads 0 as one
        adam = Adam(parameters, lr=rate, betas=(float(betas[0]), float(betas[1])))
        return adam, LambdaLR(adam, self.factor)


class Adversary(Protocol):
    """A second player: an image discriminator, or an identity classifier."""

    def for_generator(self, step: Step, batch: Any) -> dict[str, Tensor]:
        """Return raw losses that train the generator side."""
        ...

    def for_itself(self, step: Step, batch: Any) -> dict[str, Tensor]:
        """Return losses, already weighted, that train the adversary."""
        ...


def weighted_total(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Sum losses by their weights.

    Raises:
        ValueError: the two do not have the same names; both sets are shown.
    """
    if losses.keys() != weights.keys():
        raise ValueError(
            f"loss_weights {sorted(weights)} do not match the losses {sorted(losses)}: "
            "give every loss a weight, and no other"
        )
    return torch.stack([weights[name] * value for name, value in losses.items()]).sum()


def window(batch_index: int, batches: int, accumulate: int) -> tuple[int, bool]:
    """Size of the accumulation window of a batch, and whether the batch ends it.

    The last window of an epoch is shorter when `accumulate` does not divide `batches`.
    """
    start = batch_index - batch_index % accumulate
    size = min(accumulate, batches - start)
    return size, batch_index + 1 == start + size
