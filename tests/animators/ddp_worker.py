"""One process of the data-parallel tests: train a few steps in float64, save what happened."""

import os
from dataclasses import replace
from pathlib import Path

import torch
from lightning.pytorch import Callback, Trainer

from animators.callbacks import SeedEachBatch
from animators.lia import Lia
from animators.module import AnimatorModule
from datamodules import FramePairs
from datamodules.toy import ToySettings
from tests.animators.tiny import tiny_animator

STEPS = 5
GLOBAL_BATCH = 8
TINY = {
    "fomm": ("fomm", 0),
    "mraa": ("mraa", 0),
    "tpsmm": ("tpsmm", 0),
    "swin_tps": ("swin_tps", 0),
    "dime": ("dime", 3),
    "dime-one-shot": ("dime", 0),
    "lia_x": ("lia_x", 0),
}
"""Cases that are a tiny animator, with its adversary if it has one: its name, its references."""


class Record(Callback):
    """Keep the gradients of the first step of every player; optionally plant a fault."""

    def __init__(self, fault: bool):
        self.fault = fault
        self.gradients: dict[str, torch.Tensor] = {}

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        names = {id(p): n for n, p in pl_module.named_parameters()}
        for group in optimizer.param_groups:
            for p in group["params"]:
                if p.grad is not None and len(self.gradients) < len(names):
                    self.gradients.setdefault(names[id(p)], p.grad.clone())


class StoredStatistics(Callback):
    """Hold batch norm to its stored statistics, which no process counts for the others on a CPU."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        for module in pl_module.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.eval()


class NoReduction(Lia):
    """Planted fault: this rank's gradients are made without the others'."""

    def manual_backward(self, loss, *args, **kwargs):
        with self.trainer.strategy.model.no_sync():
            super().manual_backward(loss, *args, **kwargs)


def model(case: str) -> AnimatorModule:
    """Build the tiny network of a case from a fixed seed."""
    if case in TINY:
        tiny = tiny_animator(TINY[case][0])
        # The gradient of a bias in front of a norm is rounding alone, which Adam turns into a share
        # of the rate: at a small one that stays far below what a rank left out would do.
        tiny.training_settings = replace(tiny.training_settings, learning_rate=2e-6)
        return tiny
    torch.manual_seed(3)
    adversarial = case != "plain"
    weights = {"reconstruction": 1.0} | ({"adversarial": 1.0} if adversarial else {})
    kind = NoReduction if case == "fault" else Lia
    return kind(
        image_size=64,
        latent_dim=16,
        motion_dim=3,
        channel_multiplier=1 / 32,
        perceptual=None,
        adversarial=adversarial,
        r1_weight=10.0 if case == "r1" else 0.0,
        r1_every=2,
        loss_weights=weights,
    )


def train(case: str, world: int, folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Train `STEPS` steps of one case; returns first gradients and last parameters."""
    network = model(case)
    data = FramePairs(
        root=None,
        toy=ToySettings(
            train_clips=GLOBAL_BATCH * STEPS,
            identities=4,
            test_clips=1,
            test_identities=1,
            frames=5,
        ),
        image_size=network.image_size,
        batch_size=GLOBAL_BATCH // world,
        num_workers=0,
        augment="ted",
        seed=1,
        references=TINY[case][1] if case in TINY else 0,
    )
    record = Record(case == "fault")
    trainer = Trainer(
        accelerator="cpu",
        devices=world,
        strategy="ddp_find_unused_parameters_true" if world > 1 else "auto",
        precision="64-true",
        max_epochs=1,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[SeedEachBatch(1), StoredStatistics(), record],
        default_root_dir=folder,
    )
    trainer.fit(network, datamodule=data)
    assert network.optimizer_steps == STEPS
    weights = {n: p.detach().clone() for n, p in network.named_parameters()}
    return {"gradients": record.gradients, "parameters": weights}


def run(rank: int, port: int, cases: list[str], folder: Path) -> None:
    """Train every case as rank `rank` of two gloo processes; rank 0 saves the results."""
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "LOCAL_RANK": str(rank),
        "NODE_RANK": "0",
        "WORLD_SIZE": "2",
    }
    torch.set_num_threads(1)
    results = {case: train(case, 2, folder) for case in cases}
    if rank == 0:
        torch.save(results, folder / "two.pt")
