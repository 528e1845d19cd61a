"""fit, validate and test: one LightningCLI over model, data, trainer and logger YAMLs."""

import logging
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentError
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback

from animators.avd import AvdTraining
from animators.callbacks.csv import RunCsv
from animators.callbacks.evaluate import Evaluate
from animators.commands import starting
from animators.module import AnimatorModule
from animators.pretrained import resolve
from datamodules import FramePairs

COMMANDS = {"fit", "validate", "test"}
USER_ERRORS = (
    ArgumentError,
    MisconfigurationException,
    ValueError,
    OSError,
    FloatingPointError,
)


class SaveConfig(SaveConfigCallback):
    """Write the resolved configuration beside the checkpoints, and send it to the loggers."""

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Hand the configuration to every logger that takes it."""
        values = self.config.as_dict()
        for logger in trainer.loggers:
            if not isinstance(logger, RunCsv):
                logger.log_hyperparams(values)


class ZooCli(LightningCLI):
    """LightningCLI with a run folder, `--resume` and `--init_from`."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Declare the zoo's own options and the one link."""
        parser.add_argument(
            "--run_dir",
            type=str,
            default="runs/run",
            help="Folder of this run: its config.yaml, "
            "checkpoints/{best,last}.ckpt, samples/ and metrics.csv.",
        )
        parser.add_argument(
            "--resume", type=bool, default=False, help="Continue exactly from the run's last.ckpt."
        )
        parser.add_argument(
            "--overwrite", type=bool, default=False, help="Start anew in a folder that holds a run."
        )
        parser.add_argument(
            "--init_from",
            type=str | None,
            default=None,
            help="Checkpoint whose network weights to start from (fine-tuning).",
        )
        parser.link_arguments("data.init_args.image_size", "model.init_args.image_size")
        # the data's classes, for models that tell identities apart
        parser.link_arguments(
            "data.num_identities", "model.init_args.num_identities", apply_on="instantiate"
        )

    def before_instantiate_classes(self) -> None:
        """Put everything that the run writes under its folder."""
        config = self.config.get(str(self.subcommand), self.config)
        config.trainer.default_root_dir = config.run_dir
        if config.trainer.strategy == "auto" and device_count(config.trainer) > 1:
            # an adversary leaves the other player's parameters without gradients
            config.trainer.strategy = "ddp_find_unused_parameters_true"
            config.trainer.sync_batchnorm = torch.cuda.is_available()
        config.data.init_args.seed = int(config.seed_everything)
        if self.subcommand in ("validate", "test"):
            config.trainer.logger = False  # a run's log is its training's
        for logger in _as_list(config.trainer.logger):
            logger.init_args.save_dir = config.run_dir
        if config.trainer.enable_progress_bar is False:
            kept = [
                c
                for c in _as_list(config.trainer.callbacks)
                if not c.class_path.endswith(".Progress")
            ]
            config.trainer.callbacks = kept
        for callback in _as_list(config.trainer.callbacks):
            if callback.class_path.endswith(".SeedEachBatch"):
                callback.init_args.seed = int(config.seed_everything)

    def after_validate(self) -> None:
        """Print every metric, all digits."""
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Evaluate):
                for name, value in callback.rows.items():
                    print(f"{name} {value!r}")

    def after_test(self) -> None:
        """As validation."""
        self.after_validate()

    def _pretrained_files(self, model: AnimatorModule) -> list[str]:
        callbacks = self.trainer.callbacks  # type: ignore[attr-defined]
        scores = [c for c in callbacks if isinstance(c, Evaluate)]
        return [*model.pretrained_files(), *(n for c in scores for n in c.pretrained_files())]

    def fit(self, model: AnimatorModule, **kwargs: Any) -> None:
        """Train, afresh or from where the run stopped."""
        config = self.config.fit
        folder = Path(config.run_dir)
        starting.check_run(model, kwargs.get("datamodule"), str(self.trainer.precision))
        if kwargs.get("ckpt_path") is not None:
            raise ValueError(
                "fit takes no --ckpt_path: RESUME=1 (--resume=true) goes on with the run, INIT= "
                "(--init_from) starts from other weights"
            )
        last = folder / "checkpoints" / "last.ckpt"
        resume = starting.resume_from(last, bool(config.resume), bool(config.overwrite))
        data = kwargs.get("datamodule")
        if isinstance(data, FramePairs):
            # a set that is missing is said before weights to train on it are fetched
            _ = data.train_clips, data.test_clips
        # all in one call, so that one error names everything that is missing
        resolve(*self._pretrained_files(model))
        batches = -1  # a fresh start keeps no row
        if resume is not None:
            batches = starting.continue_from(model, resume)
        elif config.init_from is not None:
            starting.start_from(model, config.init_from)
        if isinstance(model, AvdTraining):
            model.check_started()
        for logger in self.trainer.loggers:
            if isinstance(logger, RunCsv):
                logger.keep_until(batches)
        self.trainer.fit(model, **{**kwargs, "ckpt_path": resume, "weights_only": True})

    def validate(self, model: AnimatorModule, **kwargs: Any) -> None:
        """Score a checkpoint on the validation clips."""
        starting.take_up(model, kwargs.get("ckpt_path"), str(self.trainer.precision))
        self.trainer.validate(model, **{**kwargs, "weights_only": True})

    def test(self, model: AnimatorModule, **kwargs: Any) -> None:
        """Score a checkpoint on the test clips."""
        starting.take_up(model, kwargs.get("ckpt_path"), str(self.trainer.precision))
        self.trainer.test(model, **{**kwargs, "weights_only": True})


def device_count(trainer: Any) -> int:
    """Count the processes that a trainer configuration asks for, over all nodes."""
    devices, nodes = trainer.devices, int(trainer.num_nodes)
    if isinstance(devices, str) and "," in devices:
        return len([d for d in devices.split(",") if d.strip()]) * nodes
    if isinstance(devices, list):
        return len(devices) * nodes
    if str(devices) in ("auto", "-1"):
        on_gpu = trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
        return (torch.cuda.device_count() if on_gpu else 1) * nodes
    return int(devices) * nodes


def _as_list(value: Any) -> list[Any]:
    if value is None or isinstance(value, bool):
        return []
    return list(value) if isinstance(value, list) else [value]


def cli(argv: Sequence[str], run: bool = True) -> ZooCli:
    """Parse, and with `run` execute, one of the training commands."""
    return ZooCli(
        AnimatorModule,
        LightningDataModule,
        save_config_callback=SaveConfig if list(argv)[:1] == ["fit"] else None,
        save_config_kwargs={"overwrite": True},
        subclass_mode_model=True,
        subclass_mode_data=True,
        seed_everything_default=0,
        parser_kwargs={"exit_on_error": False, "allow_abbrev": False},
        args=list(argv),
        run=run,
    )


def brief(error: Exception) -> str:
    """Say in one line what is wrong, out of the parser's nested report of every alternative."""
    text = " ".join(str(error).split())
    if "Does not validate" not in text:
        return text
    noise = ("Expected a <class 'NoneType'>", "Does not validate", "Expected a path but")
    parts = [part.split(" Given value")[0] for part in text.split(" - ")[1:]]
    found = "; ".join(dict.fromkeys(p for p in parts if not p.startswith(noise)))
    given = re.search(r"Given value: (\S{1,40})$", text)
    if found.startswith("Expected") and given is not None:
        found += f", got {given[1]}"
    key = re.match(r'Parser key "([^"]+)"', text)
    unknown = re.search(r"Option '([^']+)' is not accepted", found)
    if unknown is not None:
        found += f": correct the name; --{key[1] if key else 'model'}.help CLASS lists them"
    return f"{key[1]}: {found}" if key else found


def _quiet() -> None:
    """Keep other people's notices from the user, who can do nothing about them."""
    # the metrics are summed over processes by themselves
    messages = (
        "Experiment logs directory",
        "LightningCLI's args",
        ".*isinstance.treespec",
        ".*sync_dist=True",
        ".*in eval mode at the start of training",  # frozen on purpose in a second stage
    )
    for message in messages:
        warnings.filterwarnings("ignore", message=message)
    tips = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    tips.addFilter(lambda record: "Tip:" not in record.getMessage())


def main(argv: Sequence[str]) -> int:
    """Run `fit`, `validate` or `test`; a user's mistake is one line and exit status 2."""
    _quiet()
    try:
        cli(argv)
    except USER_ERRORS as error:
        sys.stderr.write(f"error: {brief(error)}\n")
        return 2
    except AssertionError as error:
        # torchdiffeq's adaptive solvers raise it out of `backward`, past everything of ours
        if "underflow in dt" not in str(error):
            raise
        sys.stderr.write(
            "error: the adaptive solver failed in the adjoint's backward pass: a gradient is not "
            "finite; take --model.init_args.method=rk4, adjoint=false, or a lower learning rate\n"
        )
        return 2
    return 0


__all__ = ["COMMANDS", "ZooCli", "brief", "cli", "main"]
