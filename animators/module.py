"""AnimatorModule: the verbs' loops and the one training loop, for every animator."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from animators import inference
from animators.animator import Mode, Step
from animators.losses.perceptual import FrozenPerceptual
from animators.training import FiniteWatch, Training, differing, weighted_total, window

if TYPE_CHECKING:
    from datamodules.batch import ClipBatch, PairBatch

CHECKPOINT_FORMAT = 1
AVD_PART = "avd."  # what an AVD network's entries in its network's state dict begin with
COUNTERS = ("optimizer_steps", "batches_seen", "pairs_seen")


class AnimatorModule(LightningModule):
    """Base of the animators: a subclass writes the verbs and `training_losses`.

    Optimisation is manual, so that accumulation and clipping mean the same with and without an
    adversary. Validation judges nothing: metrics live in a callback, out of checkpoints' reach.

    Args:
        network: the generator side; its parameters are the first player's.
        image_size: height and width, in pixels, that the network works at.
        arguments: primitives that rebuild `network` through the class's constructor.
        loss_weights: a weight for every raw loss, adversarial one included.
        training: optimiser, schedule, accumulation and clipping.
        adversary: second player, or None.
        perceptual: loss that a subclass adds once it is loaded, or None.

    Raises:
        ValueError: too many perceptual scales, or training settings for a part that is not there.
    """

    adversary: Any  # an `animators.training.Adversary`, or None
    modes: tuple[Mode, ...] = (Mode.ABSOLUTE, Mode.RELATIVE)
    mode_remedies: Mapping[Mode, str] = MappingProxyType({})
    several_views: ClassVar[bool] = False
    """Whether a source may come with references: views (B, V, 3, H, W), itself the first."""
    inference_arguments: ClassVar[frozenset[str]] = frozenset()
    """Arguments that change how a network is used and not the network: fine-tuning may."""

    def __init__(
        self,
        network: nn.Module,
        *,
        image_size: int,
        arguments: Mapping[str, Any],
        loss_weights: Mapping[str, float],
        training: Training,
        adversary: nn.Module | None = None,
        perceptual: FrozenPerceptual | None = None,
    ) -> None:
        super().__init__()
        if perceptual is not None:
            perceptual.check(image_size)
        training.check_parts(network)
        self.automatic_optimization = False
        self.network = network
        self.image_size = image_size
        self.arguments = dict(arguments)
        self.loss_weights = dict(loss_weights)
        self.training_settings = training
        self.adversary = adversary
        self.perceptual = perceptual
        self.optimizer_steps = self.batches_seen = self.pairs_seen = 0
        self._finite = FiniteWatch()

    # The verbs: see animators.animator.Animator.

    @abstractmethod
    def encode_source(self, source: Tensor) -> Any:
        """Keep what is needed of a source (B, 3, H, W), or of its views where `several_views`."""

    @abstractmethod
    def encode_motion(self, frames: Tensor, pair: Any | None = None) -> Any:
        """Read the motion of frames (B, 3, H, W)."""

    @abstractmethod
    def transfer(self, source: Any, driving: Any, reference: Any | None, mode: Mode) -> Any:
        """Combine the motions of source, driving frame and reference frame."""

    def prepare_reference(self, source: Any, reference: Any) -> Any:
        """Fill in, once a clip, what of its reference's motion stays the same; here nothing."""
        return reference

    @abstractmethod
    def render(self, source: Any, motion: Any) -> Tensor:
        """Draw (B, 3, H, W), not clamped."""

    @abstractmethod
    def motion_distance(self, source: Any, motion: Any) -> Tensor:
        """Return (B,) distances in motion space."""

    @abstractmethod
    def training_losses(self, batch: "PairBatch") -> Step:
        """Return the raw losses of a batch of pairs, and the prediction."""

    def pretrained_files(self) -> tuple[str, ...]:
        """Names in `animators.pretrained` of the files that training needs."""
        return () if self.perceptual is None else (self.perceptual.file,)

    def start_from(self, other: "AnimatorModule") -> None:
        """Take the network's weights from another animator (fine-tuning).

        Its AVD network is left behind where this one has none: it fits no network but its own.

        Raises:
            ValueError: it is another animator, or of other sizes; what differs is named.
        """
        theirs, ours = ({"class": type(m).__name__, **m.arguments} for m in (other, self))
        state = other.network.state_dict()
        if theirs.get("avd") and ours.get("avd") is False:
            theirs["avd"] = False
            state = {k: v for k, v in state.items() if not k.startswith(AVD_PART)}
        if said := differing(theirs, ours, self.inference_arguments):
            raise ValueError(said)
        self.network.load_state_dict(state)

    # What users call.

    def default_chunk(self) -> int:
        """Frames per call: on a CPU larger chunks only cost memory traffic (benchmarks/speed)."""
        return 1 if self.device.type == "cpu" else 8

    def stream(self, source: Tensor, frames: Iterable[Tensor], **options: Any) -> Iterator[Tensor]:
        """Animate chunk by chunk, not clamped; see `animators.inference.stream`."""
        return inference.stream(self, source, frames, **options)

    def best_frame(self, source: Tensor, frames: Iterable[Tensor], **options: Any) -> Tensor:
        """Return (B,) indices of the driving frames nearest to the source."""
        return inference.best_frame(self, source, frames, **options)

    def animate(
        self,
        source: Tensor,
        driving: Tensor,
        references: Tensor | None = None,
        mode: Mode | str = Mode.RELATIVE,
        reference: Literal["first", "best"] | int = "first",
        chunk: int | None = None,
    ) -> Tensor:
        """Make pictures (B, 3, H, W) move like clips (B, T, 3, H, W), all in [0, 1].

        References (B, N, 3, H, W) are further pictures of the same thing, for animators of
        `several_views`. As `animators.inference.animate`; `chunk` None takes `default_chunk`.
        """
        size = chunk or self.default_chunk()
        return inference.animate(
            self, source, driving, references, mode=mode, reference=reference, chunk=size
        )

    def reconstruct(
        self,
        video: Tensor,
        references: Tensor | None = None,
        chunk: int | None = None,
        mode: Mode | str = Mode.ABSOLUTE,
    ) -> Tensor:
        """Rebuild clips from their first frames; see `animators.inference.reconstruct`."""
        size = chunk or self.default_chunk()
        return inference.reconstruct(self, video, references, mode=mode, chunk=size)

    # Training.

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:
        """One Adam per player."""
        settings, length = self.training_settings, self.steps_per_epoch
        groups = settings.parameter_groups(self.network)
        pairs = [settings.optimizer(groups, adversary=False, steps_per_epoch=length)]
        if self.adversary is not None:
            own = [p for p in self.adversary.parameters() if p.requires_grad]
            pairs.append(settings.optimizer(own, adversary=True, steps_per_epoch=length))
        return [a for a, _ in pairs], [b for _, b in pairs]

    def steps_per_epoch(self) -> int:
        """Count the optimiser steps of an epoch; wants the trainer that fits this module."""
        if self.trainer.train_dataloader is None:
            self.trainer.fit_loop.setup_data()  # as Lightning does to estimate its steps
        return -(-int(self.trainer.num_training_batches) // self.training_settings.accumulate)

    def on_fit_start(self) -> None:
        """Load the perceptual network before the first batch."""
        if self.perceptual is not None:
            self.perceptual.load(self.device, next(self.network.parameters()).dtype)

    def training_step(self, batch: "PairBatch", batch_idx: int) -> None:
        """One step of the generator side, then one of the adversary on the same prediction."""
        optimizers = _listed(self.optimizers())
        batches = int(self.trainer.num_training_batches)
        size, last = window(batch_idx, batches, self.training_settings.accumulate)
        if self.adversary is not None:
            self.toggle_optimizer(optimizers[0])
        step = self.training_losses(batch)
        losses = dict(step.losses)
        if self.adversary is not None:
            losses |= self.adversary.for_generator(step, batch)
        total = weighted_total(losses, self.loss_weights)
        self._update(optimizers[0], total / size, last)
        if self.adversary is not None:
            self.untoggle_optimizer(optimizers[0])
            losses |= self._adversary_step(optimizers[1], step, batch, size, last)
        self.pairs_seen += len(batch["source"]) * self.trainer.world_size
        self.batches_seen += 1
        if last:
            self.optimizer_steps += 1
            for schedule in _listed(self.lr_schedulers()):
                schedule.step()
        self._report(losses, total, step.figures)

    def _adversary_step(
        self, optimizer: Any, step: Step, batch: "PairBatch", size: int, last: bool
    ) -> dict[str, Tensor]:
        self.toggle_optimizer(optimizer)
        own = self.adversary.for_itself(step.detached(), batch)
        self._update(optimizer, torch.stack(list(own.values())).sum() / size, last)
        self.untoggle_optimizer(optimizer)
        return {f"adversary/{name}": value for name, value in own.items()}

    def _update(self, optimizer: Any, loss: Tensor, last: bool) -> None:
        self.manual_backward(loss)
        if last:
            optimizer.step()
            optimizer.zero_grad()

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip here, where a gradient scaler has already unscaled."""
        second = optimizer is not self.trainer.optimizers[0]
        self.training_settings.clip(self.network, optimizer, adversary=second)

    def _report(
        self, losses: Mapping[str, Tensor], total: Tensor, figures: Mapping[str, float]
    ) -> None:
        """Log every so many batches, before a checkpoint of this batch can be written."""
        rows = {f"train/{name}": value.detach() for name, value in losses.items()}
        rows["train/total"] = total.detach()
        self._finite.add(rows.values())
        if self.batches_seen % self.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            self.check_finite()
            rate = _listed(self.lr_schedulers())[0].get_last_lr()[0]
            numbers = {f"train/{name}": value for name, value in figures.items()}
            numbers |= {name: float(value) for name, value in rows.items()}
            self.write(numbers | {"train/learning_rate": rate})
        self.log("loss", total.detach(), prog_bar=True, logger=False, batch_size=1)

    def write(self, rows: Mapping[str, float]) -> None:
        """Send a row to every logger, at the number of batches seen.

        Not through `log`, which writes after the batch's checkpoint: a resumed run would lack it.
        """
        row = {**rows, "pairs_seen": float(self.pairs_seen)}
        for logger in self.loggers:
            logger.log_metrics(row, step=self.batches_seen)

    def check_finite(self) -> None:
        """Raise FloatingPointError if a loss has become NaN or infinite since the last call."""
        self._finite.check(self.optimizer_steps)

    def validation_step(self, batch: "ClipBatch", batch_idx: int) -> Tensor:
        """Reconstruct a clip in float32, as the benchmarks do: both give the same digits."""
        with torch.autocast(self.device.type, enabled=False):
            return self.reconstruct(batch["video"], batch["references"])

    def test_step(self, batch: "ClipBatch", batch_idx: int) -> Tensor:
        """As validation."""
        return self.validation_step(batch, batch_idx)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say how to rebuild the network, and where training stands."""
        checkpoint["animator"] = self.description()
        checkpoint["training"] = {name: getattr(self, name) for name in COUNTERS}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the counters."""
        for name in COUNTERS:
            setattr(self, name, checkpoint["training"][name])

    def description(self) -> dict[str, Any]:
        """Return what `load_animator` needs: format, class path and primitives."""
        kind = type(self)
        return {
            "format": CHECKPOINT_FORMAT,
            "class_path": f"{kind.__module__.removesuffix('.module')}.{kind.__qualname__}",
            "init_args": dict(self.arguments),
        }


def _listed(x: Any) -> list[Any]:
    return x if isinstance(x, list) else [x]
