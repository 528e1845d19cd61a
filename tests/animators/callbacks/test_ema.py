"""The average of the weights, on a network with batch norm."""

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader

from animators.callbacks import Ema

BATCHES = 8


class Normed(LightningModule):
    """A network whose input lies far from what batch norm's statistics begin at."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(self.network(batch).square().mean())
        optimizer.step()


class Keep(Callback):
    """Write a checkpoint while training is on, as ours do."""

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.save_checkpoint(f"{trainer.default_root_dir}/last.ckpt")


def test_weights_are_averaged_and_statistics_are_not(tmp_path):
    frames = 5 + 0.1 * torch.randn(4 * BATCHES, 3)
    module = Normed()
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=[Ema(decay=0.999), Keep()],
        default_root_dir=tmp_path,
    )
    trainer.fit(module, DataLoader(frames, batch_size=4))
    kept = torch.load(tmp_path / "last.ckpt", weights_only=True)
    average, newest = kept["state_dict"], kept["current_model_state"]
    assert not torch.allclose(average["network.1.weight"], newest["network.1.weight"])
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        assert torch.equal(average[f"network.0.{name}"], newest[f"network.0.{name}"]), name
    assert average["network.0.num_batches_tracked"] == BATCHES
    # a tenth of what is missing is made up at each batch
    wanted = 5 * (1 - 0.9**BATCHES)
    torch.testing.assert_close(
        average["network.0.running_mean"], torch.full((3,), wanted), rtol=0.05, atol=0
    )
