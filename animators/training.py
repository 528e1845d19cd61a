"""Settings and arithmetic of the training loop that every animator shares."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
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
        weight_decay: Adam's L2 penalty, of both players.
        adversary_learning_rate: None takes `learning_rate`.
        adversary_betas: None takes `betas`.
        rate_factors: factor on the learning rate of a part of the network, by the part's name;
            at 0 the part stays as it is, but for its batch-norm statistics.
        undecayed_parts: parts without `weight_decay`, by Adam a full step where nothing else pulls.
        unit: what `warmup_steps`, `decay_steps` and `milestones` count: optimiser "steps", or
            "epochs".
        warmup_steps: units over which the rate rises linearly from 0.
        decay: shape of the rate after the warm-up: "none", "linear" or "cosine" to zero at
            `decay_steps`, or "steps": times `gamma` at each of `milestones`.
        decay_steps: units, warm-up included, after which the rate is 0.
        milestones: units of the "steps" decay.
        gamma: factor of the "steps" decay.
        accumulate: batches whose gradients are averaged into one optimiser step; the last
            window of an epoch may be shorter and is averaged over its own batches.
        clip_norm: largest norm of the gradient; None does not clip.
        clip_norm_type: which norm: 2.0, or .inf for the largest entry.
        clip_parts: names of the network's parts that are clipped, each by itself, and nothing
            else; without names, each player is clipped as a whole.
    """

    learning_rate: float = 0.002
    betas: tuple[float, float] = (0.0, 0.99)
    weight_decay: float = 0.0
    adversary_learning_rate: float | None = None
    adversary_betas: tuple[float, float] | None = None
    rate_factors: Mapping[str, float] = field(default_factory=dict)
    undecayed_parts: tuple[str, ...] = ()
    unit: Literal["steps", "epochs"] = "steps"
    warmup_steps: int = 0
    decay: Literal["none", "linear", "cosine", "steps"] = "none"
    decay_steps: int = 0
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    accumulate: int = 1
    clip_norm: float | None = None
    clip_norm_type: float = 2.0
    clip_parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse settings that could not train.

        Raises:
            ValueError: the setting and what it may be.
        """
        if self.accumulate < 1:
            raise ValueError(f"training.accumulate must be at least 1, got {self.accumulate}")
        if self.learning_rate <= 0:
            raise ValueError(f"training.learning_rate must be positive, got {self.learning_rate}")
        if self.weight_decay < 0:
            raise ValueError(f"training.weight_decay must not be negative, got {self.weight_decay}")
        if any(factor < 0 for factor in self.rate_factors.values()):
            raise ValueError(f"training.rate_factors must not be negative: {self.rate_factors}")
        if self.decay in ("linear", "cosine") and self.decay_steps <= self.warmup_steps:
            raise ValueError(
                f"training.decay={self.decay} needs decay_steps above warmup_steps "
                f"({self.warmup_steps}), got {self.decay_steps}"
            )
        self._check_clipping()

    def _check_clipping(self) -> None:
        if self.clip_norm is not None and self.clip_norm <= 0:
            raise ValueError(f"training.clip_norm must be positive or null, got {self.clip_norm}")
        if not self.clip_norm_type > 0:
            raise ValueError(f"training.clip_norm_type must be positive, got {self.clip_norm_type}")
        if self.clip_parts and self.clip_norm is None:
            raise ValueError(
                f"training.clip_parts {list(self.clip_parts)} clip nothing without "
                "training.clip_norm: give it a number"
            )

    def factor(self, step: int, unit: int = 1) -> float:
        """Multiple of the learning rate.

        Args:
            step: optimiser steps taken before.
            unit: optimiser steps that one warm-up step, decay step or milestone counts.
        """
        warmup, last = self.warmup_steps * unit, self.decay_steps * unit
        if step < warmup:
            return (step + 1) / warmup
        if self.decay == "steps":
            return float(self.gamma ** sum(step >= m * unit for m in self.milestones))
        if self.decay == "none":
            return 1.0
        done = min(1.0, (step - warmup) / (last - warmup))
        return 1.0 - done if self.decay == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))

    def optimizer(
        self,
        groups: Iterable[Any],
        *,
        adversary: bool,
        steps_per_epoch: Callable[[], int] | None = None,
    ) -> tuple[Optimizer, LambdaLR]:
        """Build Adam and its schedule for one player.

        Args:
            groups: parameters, or groups of them such as `parameter_groups` makes.
            adversary: whether the player is the adversary.
            steps_per_epoch: asked for when the schedule counts epochs, and not before a step
                where it matters.
        """
        rate, betas = self.learning_rate, self.betas
        if adversary:
            rate = rate if self.adversary_learning_rate is None else self.adversary_learning_rate
            betas = self.adversary_betas or betas
        groups = [
            {**group, "lr": rate * group["lr"]} if isinstance(group, dict) else group
            for group in groups
        ]
        # torch refuses an int among the betas, and YAML reads 0 as one
        adam = Adam(
            groups,
            lr=rate,
            betas=(float(betas[0]), float(betas[1])),
            weight_decay=self.weight_decay,
        )

        def factor(step: int) -> float:
            # the first step's rate is set before a trainer knows how long an epoch is
            wanted = self.unit == "epochs" and (step > 0 or self.warmup_steps > 0)
            if not wanted:
                return self.factor(step)
            if steps_per_epoch is None:
                raise ValueError("a schedule in epochs needs the number of steps of an epoch")
            return self.factor(step, steps_per_epoch())

        return adam, LambdaLR(adam, factor)

    def parameter_groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """Group a network's trainable parameters by learning rate and weight decay.

        Returns:
            Adam's groups, "lr" the factor: what no name matches first, then each named part.

        Raises:
            ValueError: a name that the network lacks.
        """
        names = (*self.rate_factors, *self.undecayed_parts)
        parts = {name: list(parameters(network, name)) for name in names}
        named = {id(p) for part in parts.values() for p in part}
        rest = [p for p in network.parameters() if id(p) not in named]
        groups: list[dict[str, Any]] = [{"params": rest, "lr": 1.0}]
        for name, part in parts.items():
            groups.append({"params": part, "lr": float(self.rate_factors.get(name, 1.0))})
            groups[-1] |= {"weight_decay": 0.0} if name in self.undecayed_parts else {}
        for group in groups:
            group["params"] = [p for p in group["params"] if p.requires_grad]
        return [group for group in groups if group["params"]]

    def clip(self, network: nn.Module, optimizer: Optimizer, *, adversary: bool) -> None:
        """Clip the gradients of one player in place, as the settings say.

        Args:
            network: the generator side, whose parts `clip_parts` names.
            optimizer: the player's.
            adversary: whether the player is the adversary.
        """
        if self.clip_norm is None or (adversary and self.clip_parts):
            return
        whole = [p for group in optimizer.param_groups for p in group["params"]]
        parts = [list(parameters(network, name)) for name in self.clip_parts] or [whole]
        for part in parts:
            nn.utils.clip_grad_norm_(part, self.clip_norm, self.clip_norm_type)

    def check_parts(self, network: nn.Module) -> None:
        """Raise ValueError if a setting names a part that is not there."""
        for setting in ("rate_factors", "undecayed_parts", "clip_parts"):
            for name in getattr(self, setting):
                try:
                    parameters(network, name)
                except ValueError as error:
                    raise ValueError(f"training.{setting}: {error}") from None


def parameters(network: nn.Module, part: str) -> Iterable[nn.Parameter]:
    """Return the parameters of a part of a network; none of a part that is switched off (None).

    Raises:
        ValueError: no such part; those that there are get named.
    """
    found = getattr(network, part, network)
    if found is None:
        return []
    if found is network or not isinstance(found, nn.Module):
        known = [name for name, _ in network.named_children()]
        raise ValueError(f"the network has no part {part!r}; it has: {', '.join(known)}")
    return found.parameters()


class Adversary(Protocol):
    """A second player: an image discriminator, or an identity classifier."""

    def for_generator(self, step: Step, batch: Any) -> dict[str, Tensor]:
        """Return raw losses that train the generator side."""
        ...

    def for_itself(self, step: Step, batch: Any) -> dict[str, Tensor]:
        """Return losses, already weighted, that train the adversary."""
        ...


class FiniteWatch:
    """Notices a loss that became NaN or infinite, without waiting for the device each batch."""

    def __init__(self) -> None:
        self._finite: Tensor | None = None

    def add(self, values: Iterable[Tensor]) -> None:
        """Take the scalars of one batch."""
        finite = torch.stack([v.isfinite().all() for v in values]).all()
        self._finite = finite if self._finite is None else self._finite & finite

    def check(self, step: int) -> None:
        """Raise FloatingPointError if one since the last check was not finite."""
        if self._finite is not None and not bool(self._finite):
            raise FloatingPointError(
                f"a loss became NaN or infinite by optimiser step {step}; the "
                "checkpoints hold the state before it: lower training.learning_rate, set "
                "training.clip_norm, or use precision bf16-mixed instead of 16-mixed"
            )
        self._finite = None


def check_weights(loss_weights: Mapping[str, float], wanted: set[str]) -> None:
    """Refuse weights that do not match the losses that are on.

    Args:
        loss_weights: a weight by the loss's name.
        wanted: names of the losses that are on.

    Raises:
        ValueError: the two differ; both are shown.
    """
    if set(loss_weights) != wanted:
        raise ValueError(
            f"loss_weights {sorted(loss_weights)} do not match the losses that are on, "
            f"{sorted(wanted)}: give every loss a weight, and no other"
        )


def differing(
    theirs: Mapping[str, Any], ours: Mapping[str, Any], ignored: frozenset[str] = frozenset()
) -> str:
    """Say which settings of two animators differ, "there" and "here"; "" where none does."""
    said = []
    for name in sorted((theirs.keys() | ours.keys()) - ignored):
        if theirs.get(name) != ours.get(name):
            said.append(f"{name} {theirs.get(name)} there, {ours.get(name)} here")
            if name == "image_size" and name in theirs:  # which the data decide
                said[-1] += f" (ARGS=--data.init_args.image_size={theirs[name]} takes theirs)"
    return "; ".join(said)


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
