"""The metric suite on the validation clips, beside copy-source."""

from typing import Any, cast

from lightning.pytorch import Callback, LightningModule, Trainer

from animators.metrics import Protocol, ReconstructionSuite, copy_source
from animators.module import AnimatorModule


class Evaluate(Callback):
    """Score each validation with the suite that the benchmark tables use.

    Metrics are logged as `val/<name>`, those of copy-source (every frame is the source) as
    `val/copy_source_<name>`. They live here and not in the module, so that no metric
    network reaches a checkpoint.

    Args:
        lpips: score LPIPS too; its network comes from a package (`make weights`).

    Attributes:
        rows: the newest validation's metrics.

    Raises:
        WeightsNotFound: LPIPS is on and its network is nowhere; before training starts.
    """

    def __init__(self, lpips: bool = True) -> None:
        self.lpips = lpips
        self.rows: dict[str, float] = {}
        self._suites: dict[str, ReconstructionSuite] = {}

    def pretrained_files(self) -> tuple[str, ...]:
        """Names in `animators.pretrained` of the files that the metrics need."""
        return ("alexnet_trunk",) if self.lpips else ()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Build the suites, which fails here when a network is missing."""
        if not self._suites:
            data: Any = trainer.datamodule  # type: ignore[attr-defined]
            protocol = Protocol(
                image_size=data.image_size,
                frames=data.frames,
                references=data.references,
                split=data.split_name,
                clips=data.test_names,
            )
            for name in ("", "copy_source_"):
                self._suites[name] = ReconstructionSuite(protocol, lpips=self.lpips)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start from nothing."""
        for suite in self._suites.values():
            suite.reset()
            if pl_module.device.type != "mps":  # which has no float64 to add up in
                suite.to(pl_module.device)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Score one clip, unless it only fills up a round of several processes."""
        if not bool(batch["counts"].all()):
            return
        video = batch["video"].float()
        self._suites[""].update_clip(outputs.float(), video)
        self._suites["copy_source_"].update_clip(copy_source(video), video)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log every metric of both, under every logger."""
        self.rows = {
            f"val/{prefix}{name}": value
            for prefix, suite in self._suites.items()
            for name, value in suite.summary().items()
        }
        if trainer.sanity_checking:
            return
        pl_module.log_dict(self.rows, logger=False)
        cast(AnimatorModule, pl_module).write(self.rows)

    # `test` scores as validation does.

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start from nothing."""
        self.on_validation_epoch_start(trainer, pl_module)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Score one clip."""
        self.on_validation_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log every metric."""
        self.on_validation_epoch_end(trainer, pl_module)
