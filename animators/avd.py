"""Second stage of MRAA and TPSMM: training the network of animation via disentanglement (AVD).

Section 3.5 of Siarohin 2021 (MRAA) and the same in TPSMM: a driving pose is distorted by random
factors along x and y, and the network gives the undistorted pose back from the shape of a frame
of the same clip. Everything else stays as the first stage left it.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from animators.animator import Mode, Step, model_name
from animators.module import AVD_PART, AnimatorModule
from animators.nn.draws import uniform
from animators.training import Training, differing
from animators.weights import animator_class, build

if TYPE_CHECKING:
    from datamodules.batch import ClipBatch, PairBatch

PAPER_WEIGHTS: Mapping[str, float] = MappingProxyType({"avd": 1.0})
PAPER_TRAINING = Training(learning_rate=1e-3, betas=(0.5, 0.999), unit="epochs", decay="steps")


class AvdTraining(AnimatorModule):
    """Train the AVD network of an animator whose first stage is over; the rest is frozen.

    Until `start_from` or a resumed checkpoint brings an animator, this is a shell without values:
    the sizes are the checkpoint's, not arguments. What is saved opens as that animator, with
    AVD among its modes.

    Args:
        image_size: pixels of the data, which must be the checkpoint's.
        animator: class path of the animator, such as "animators.tpsmm.Tpsmm".
        random_scale: the factors lie in [1 - random_scale, 1 + random_scale).
        loss_weights: a weight for each of the animator's AVD losses.
        training: optimiser, schedule, accumulation and clipping.

    Raises:
        ValueError: a class without a second stage, or a scale outside [0, 1).
    """

    def __init__(
        self,
        image_size: int = 256,
        animator: str = "animators.tpsmm.Tpsmm",
        random_scale: float = 0.25,
        loss_weights: Mapping[str, float] = PAPER_WEIGHTS,
        training: Training = PAPER_TRAINING,
    ) -> None:
        kind = animator_class(animator, Path("model.init_args.animator"))
        if not hasattr(kind, "avd_losses"):
            raise ValueError(f"{animator} has no second stage: there is no AVD network in it")
        if not 0 <= random_scale < 1:
            raise ValueError(f"random_scale must lie in [0, 1), got {random_scale}")
        # on no device: the values come with the checkpoint
        with torch.device("meta"):
            shell: AnimatorModule = kind.for_inference({"avd": True})
        super().__init__(
            shell.network,
            image_size=image_size,
            arguments=shell.arguments,
            loss_weights=loss_weights,
            training=training,
        )
        self.random_scale = random_scale
        self.started = False
        self._take_in(shell)

    @property
    def inner(self) -> Any:
        """The animator that is trained; its network is this module's."""
        return self._held[0]

    def _take_in(self, inner: AnimatorModule) -> None:
        # in a tuple, because a submodule's weights would be saved twice
        self._held = (inner,)
        self.network, self.arguments, self.modes = inner.network, inner.arguments, inner.modes
        self.network.requires_grad_(False)
        self._avd().requires_grad_(True)
        self.train(self.training)

    def _avd(self) -> torch.nn.Module:
        return self.network.get_submodule(AVD_PART.rstrip("."))

    def train(self, mode: bool = True) -> "AvdTraining":
        """Switch the AVD network only: the others' batch-norm statistics stay as they are."""
        super().train(mode)
        self.network.eval()
        self._avd().train(mode)
        return self

    # Where the animator comes from.

    def start_from(self, other: AnimatorModule) -> None:
        """Take over a trained animator; its AVD network too, if it has one.

        Raises:
            ValueError: it is another animator, or of another picture size.
        """
        self._check(type(other), other.arguments)
        self._rebuild(type(other), other.arguments)
        found = self.network.load_state_dict(other.network.state_dict(), strict=False)
        absent = [key for key in found.missing_keys if not key.startswith(AVD_PART)]
        if absent or found.unexpected_keys:
            raise ValueError(f"weights differ: {[*absent, *found.unexpected_keys][:5]}")

    def continue_from(self, checkpoint: Mapping[str, Any], path: str | Path) -> None:
        """Take up the sizes of a checkpoint of this stage, before its weights are loaded.

        Raises:
            ValueError: it is none of this stage, animator and picture size.
        """
        said = checkpoint.get("animator")
        if not isinstance(said, dict) or not isinstance(said.get("init_args"), dict):
            raise ValueError("it does not say which animator it holds: start anew with INIT=")
        kind, arguments = animator_class(said.get("class_path"), Path(path)), said["init_args"]
        self._check(kind, arguments)
        if arguments.get("avd") is not True:
            raise ValueError(
                "it is a first stage, without an AVD network: start from it with INIT="
            )
        self._rebuild(kind, arguments, path)

    def _check(self, kind: type, arguments: Mapping[str, Any]) -> None:
        theirs = {"class": kind.__name__, "image_size": arguments.get("image_size")}
        ours = {"class": type(self.inner).__name__, "image_size": self.image_size}
        if said := differing(theirs, ours):
            raise ValueError(said)

    def _rebuild(
        self, kind: type, arguments: Mapping[str, Any], path: str | Path = "the checkpoint"
    ) -> None:
        self._take_in(build(kind, {**arguments, "avd": True}, Path(path)).to(self.device))
        self.started = True

    def check_started(self) -> None:
        """Raise ValueError as long as there is no animator to train."""
        if not self.started:
            name = model_name(type(self.inner))
            raise ValueError(
                f"the second stage of {name} starts from a checkpoint of the first: give "
                f"INIT=runs/{name}-DATA/checkpoints/best.ckpt (--init_from)"
            )

    # The verbs are the inner animator's.

    def encode_source(self, source: Tensor) -> Any:
        """As the inner animator."""
        return self.inner.encode_source(source)

    def encode_motion(self, frames: Tensor, pair: Any | None = None) -> Any:
        """As the inner animator."""
        return self.inner.encode_motion(frames, pair)

    def transfer(self, source: Any, driving: Any, reference: Any | None, mode: Mode) -> Any:
        """As the inner animator."""
        return self.inner.transfer(source, driving, reference, mode)

    def prepare_reference(self, source: Any, reference: Any) -> Any:
        """As the inner animator."""
        return self.inner.prepare_reference(source, reference)

    def render(self, source: Any, motion: Any) -> Tensor:
        """As the inner animator."""
        return self.inner.render(source, motion)

    def motion_distance(self, source: Any, motion: Any) -> Tensor:
        """As the inner animator."""
        return self.inner.motion_distance(source, motion)

    # Training.

    def training_losses(self, batch: "PairBatch") -> Step:
        """Losses of undoing one random scaling per sample; no picture is drawn."""
        low, high = 1 - self.random_scale, 1 + self.random_scale
        factors = uniform(batch["key"], "avd scale", (2,), low, high)
        losses = self.inner.avd_losses(batch, factors.to(batch["driving"]))
        # the driving frame stands for a prediction, which only an adversary would look at
        return Step(losses, batch["driving"])

    def validation_step(self, batch: "ClipBatch", batch_idx: int) -> Tensor:
        """Reconstruct a clip through the AVD network, in float32."""
        with torch.autocast(self.device.type, enabled=False):
            return self.reconstruct(batch["video"], batch["references"], mode=Mode.AVD)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up counters, and sizes if nobody has before."""
        if not self.started:
            self.continue_from(checkpoint, "the checkpoint")
        super().on_load_checkpoint(checkpoint)

    def description(self) -> dict[str, Any]:
        """Describe the inner animator, which is what the weights are."""
        description: dict[str, Any] = self.inner.description()
        return description
