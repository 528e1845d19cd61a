"""A training run in a forked process that kills itself, as `kill -9` does, at a chosen place."""

import os
import signal
import sys
import traceback
from pathlib import Path

import torch
import yaml
from lightning.pytorch import Callback

from animators.commands.train import main
from animators.lia import Lia

PLACES = ("batch_start", "gradients", "batch_end", "validation", "checkpoint")


class DropoutLia(Lia):
    """LIA with dropout, whose draws come from the global state."""

    def training_losses(self, batch):
        driving = torch.nn.functional.dropout(batch["driving"], 0.1)
        return super().training_losses({**batch, "driving": driving})


class KillAt(Callback):
    """Send SIGKILL to this process at the n-th visit of a place."""

    def __init__(self, place: str = "", visit: int = 0):
        self.place, self.visit = place, visit

    def _pass(self, place: str) -> None:
        if place != self.place:
            return
        self.visit -= 1
        if self.visit < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self._pass("batch_start")

    def on_after_backward(self, trainer, pl_module):
        self._pass("gradients")

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self._pass("batch_end")

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self._pass("validation")

    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        self._pass("checkpoint")


MODELS = {
    "lia": ["--model=tests.animators.resume_worker.DropoutLia", "--data.init_args.frames=3"],
    # a number of references that each step draws; frames of a clip are left for them
    "dime": [
        "--data.init_args.frames=2",
        "--data.init_args.references=3",
        "--model.init_args.reference_range=[0, 3]",
        "--data.init_args.image_size=32",
    ],
}
"""What differs between the animators that are killed."""


def arguments(
    folder: Path, workers: int, accumulate: int, ema: bool, model: str = "lia"
) -> list[str]:
    """The command line of the run."""
    root = Path(__file__).parents[2]
    trainer = yaml.safe_load((root / "zoo_configs/trainer/cpu.yaml").read_text())
    # a checkpoint at every optimiser step, so that runs resume inside epochs
    trainer["trainer"]["callbacks"][-1]["init_args"]["every_n_steps"] = 1
    frequent = folder.with_name(f"{folder.name}.yaml")
    frequent.write_text(yaml.safe_dump(trainer))
    configs = [
        frequent,
        root / "zoo_configs/logger/csv.yaml",
        root / "zoo_configs/data/toy.yaml",
        root / f"tests/tiny/{model}.yaml",
    ]
    argv = ["fit"]
    for config in configs:
        argv += ["--config", str(config)]
    averages = ["--trainer.callbacks+=animators.callbacks.Ema"] if ema else []
    return [
        *argv,
        f"--run_dir={folder}",
        *MODELS[model],
        f"--model.init_args.training.accumulate={accumulate}",
        # the rate falls in the middle of the run
        "--model.init_args.training.unit=epochs",
        "--model.init_args.training.decay=steps",
        "--model.init_args.training.milestones=[1]",
        "--data.init_args.toy={train_clips: 20, identities: 4, test_clips: 2, "
        "test_identities: 2, frames: 6}",
        "--data.init_args.repeats=1",
        "--data.init_args.batch_size=2",
        "--data.init_args.augment=ted",
        f"--data.init_args.num_workers={workers}",
        "--trainer.max_epochs=2",
        "--trainer.val_check_interval=4",
        "--trainer.log_every_n_steps=1",
        "--trainer.enable_progress_bar=false",
        "--trainer.enable_model_summary=false",
        *averages,
        "--trainer.callbacks+=tests.animators.resume_worker.KillAt",
    ]


def run(argv: list[str], place: str = "", visit: int = 0, resume: bool = False) -> int:
    """Fork, train, and return the child's wait status; -9 when it killed itself."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            torch.set_num_threads(1)
            extra = [
                f"--trainer.callbacks.place={place}" if place else "",
                f"--trainer.callbacks.visit={visit}" if place else "",
                "--resume=true" if resume else "",
            ]
            code = main([*argv, *(e for e in extra if e)])
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)
