"""The training loop: accumulation, clipping, precision, averages, what a checkpoint holds."""

import time

import pytest
import torch
from lightning.pytorch import Callback, Trainer

from animators import load_animator
from animators.callbacks import Checkpoints, Ema, SeedEachBatch
from animators.lia import Lia
from animators.training import Training
from datamodules import FramePairs
from datamodules.toy import ToySettings
from tests.animators.tiny import tiny_animator


def lia(**options):
    torch.manual_seed(3)
    settings = {
        "image_size": 64,
        "latent_dim": 16,
        "motion_dim": 3,
        "channel_multiplier": 1 / 32,
        "perceptual": None,
        "adversarial": False,
        "loss_weights": {"reconstruction": 1.0},
    }
    return Lia(**(settings | options))


def pairs(batches, batch_size, repeats=1):
    toy = ToySettings(
        train_clips=batches * batch_size, identities=4, test_clips=1, test_identities=1, frames=4
    )
    return FramePairs(toy=toy, image_size=64, batch_size=batch_size, repeats=repeats, seed=1)


def fit(model, data, folder, callbacks=(), **options):
    settings = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "limit_val_batches": 0,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "default_root_dir": folder,
    }
    callbacks = [SeedEachBatch(1), *callbacks]
    if any(isinstance(c, Checkpoints) for c in callbacks):
        settings["enable_checkpointing"] = True
    trainer = Trainer(**(settings | options), callbacks=callbacks)
    trainer.fit(model, datamodule=data)
    return model


def lia_x(**options):
    weights = {"reconstruction": 1.0, "sparsity": 0.1}
    return tiny_animator("lia_x", adversarial=False, loss_weights=weights, **options)


@pytest.mark.parametrize("build", [lia, lia_x])
def test_accumulated_batches_equal_one_large_batch(build, tmp_path):
    """One window of 4 batches of 1 against a batch of 4; LIA-X's penalty is a mean over pairs."""
    small = build(training=Training(accumulate=4, learning_rate=0.01))
    large = build(training=Training(learning_rate=0.01))
    fit(small, pairs(8, 1), tmp_path, precision="64-true", limit_train_batches=4)
    fit(large, pairs(2, 4), tmp_path, precision="64-true", limit_train_batches=1)
    assert (small.optimizer_steps, large.optimizer_steps) == (1, 1)
    for (name, a), b in zip(small.named_parameters(), large.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-7, msg=name)


def test_the_last_window_of_an_epoch_is_flushed(tmp_path):
    model = fit(lia(training=Training(accumulate=4)), pairs(7, 1), tmp_path)
    assert (model.batches_seen, model.optimizer_steps, model.pairs_seen) == (7, 2, 7)


class GradientNorms(Callback):
    """Norms of the gradients that the optimiser has used."""

    def __init__(self):
        self.norms = []

    def on_train_start(self, trainer, pl_module):
        def record(optimizer, *_):
            grads = [p.grad for group in optimizer.param_groups for p in group["params"]]
            self.norms.append(torch.stack([g.norm() for g in grads]).norm().item())

        trainer.optimizers[0].register_step_post_hook(record)


def test_gradients_are_clipped(tmp_path):
    free, bound = GradientNorms(), GradientNorms()
    fit(lia(), pairs(2, 2), tmp_path, [free])
    limit = 0.5 * min(free.norms)
    fit(lia(training=Training(clip_norm=limit)), pairs(2, 2), tmp_path, [bound])
    assert max(bound.norms) == pytest.approx(limit, rel=1e-3)


def test_a_loss_that_is_no_number_stops_training_with_a_remedy(tmp_path):
    model = lia()
    with torch.no_grad():
        model.network.decoder.constant.fill_(torch.nan)
    with pytest.raises(FloatingPointError, match=r"NaN or infinite.*learning_rate"):
        fit(model, pairs(2, 2), tmp_path, [Checkpoints(every_n_steps=1)], log_every_n_steps=1)
    assert not (tmp_path / "checkpoints").exists()


def test_the_checkpoint_opens_to_the_average(tmp_path):
    began = time.monotonic()
    model = fit(lia(), pairs(4, 2), tmp_path, [Ema(decay=0.9), Checkpoints(every_n_steps=4)])
    state = torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)
    assert state["training"] == {"optimizer_steps": 4, "batches_seen": 4, "pairs_seen": 8}
    assert 0 < state["training_seconds"] < time.monotonic() - began
    average, raw = state["state_dict"], state["current_model_state"]
    assert any(not torch.equal(average[k], raw[k]) for k in raw)
    opened = load_animator(tmp_path / "checkpoints/last.ckpt", device="cpu")
    for name, value in opened.network.state_dict().items():
        assert torch.equal(value, average[f"network.{name}"]), name
    # Lightning leaves the average in the module when training has ended
    for name, value in model.state_dict().items():
        assert torch.equal(value, average[name]), name


@pytest.mark.parametrize("name", ["fomm", "mraa", "tpsmm"])
def test_averages_of_batch_norm_models_open(name, tmp_path):
    """The average has its own parameters, and the statistics and counters of the newest weights."""
    model = tiny_animator(name)
    fit(model, pairs(3, 4), tmp_path, [Ema(decay=0.5), Checkpoints(every_n_steps=3)])
    state = torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)
    average, raw = state["state_dict"], state["current_model_state"]
    assert average.keys() == raw.keys()
    counters = {k for k in raw if k.endswith("num_batches_tracked")}
    assert max(int(raw[k]) for k in counters) >= 3
    statistics = counters | {k for k in raw if ".running_" in k}
    same = {k for k in raw if torch.equal(average[k], raw[k])}
    assert statistics
    assert statistics <= same < raw.keys()
    opened = load_animator(tmp_path / "checkpoints/last.ckpt", device="cpu")
    assert not opened.training
    for key, value in opened.network.state_dict().items():
        assert torch.equal(value, average[f"network.{key}"]), key
    clip = torch.rand(1, 2, 3, 64, 64)
    assert opened.animate(clip[:, 0], clip).isfinite().all()


def test_fine_tuning_may_change_how_a_network_is_used_and_not_what_it_is():
    other, ours = tiny_animator("fomm"), tiny_animator("fomm", hull_scaling=False)
    with torch.no_grad():
        other.network.keypoints.heatmaps.logits.bias.add_(1.0)
    ours.start_from(other)
    assert ours.arguments["hull_scaling"] is False
    for key, value in ours.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[key]), key
    with pytest.raises(
        ValueError, match=r"^blocks 2 there, 1 here; temperature 0.1 there, 0.2 here$"
    ):
        tiny_animator("fomm", blocks=1, temperature=0.2).start_from(other)
    with pytest.raises(ValueError, match="class Fomm there, Lia here"):
        lia().start_from(other)


def test_a_schedule_in_epochs_and_a_rate_by_part_in_a_fit(tmp_path):
    settings = Training(
        learning_rate=0.01,
        unit="epochs",
        decay="steps",
        milestones=(1, 2),
        accumulate=3,
        rate_factors={"encoder": 0.5},
    )
    rates = []

    class Rates(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            rates.append([group["lr"] for group in optimizer.param_groups])

    # 4 batches are 2 steps of an epoch, as the last window is flushed
    fit(lia(training=settings), pairs(4, 1), tmp_path, [Rates()], max_epochs=3)
    expected = [[0.01 * f, 0.005 * f] for f in (1, 1, 0.1, 0.1, 0.01, 0.01)]
    assert rates == [pytest.approx(row) for row in expected]


class Distance(torch.nn.Linear):
    """A loss with weights of its own."""

    def __init__(self):
        super().__init__(1, 1)

    def forward(self, prediction, target):
        return (prediction - target).abs().mean()


def test_no_metric_or_loss_network_reaches_the_checkpoint(tmp_path):
    model = lia(
        perceptual="vgg16",
        perceptual_scales=3,
        loss_weights={"reconstruction": 1.0, "perceptual": 1.0},
    )
    model.perceptual.loss = Distance()
    fit(model, pairs(2, 2), tmp_path, [Checkpoints(every_n_steps=1)])
    state = torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)
    assert {k.split(".")[0] for k in state["state_dict"]} == {"network"}


class Totals(Callback):
    def __init__(self):
        self.values = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.values.append(trainer.callback_metrics["loss"].item())


@pytest.mark.slow
@pytest.mark.parametrize("adversarial", [False, True])
def test_bfloat16_follows_float32(adversarial, tmp_path):
    curves = {}
    for precision in ("32-true", "bf16-mixed"):
        weights = {"reconstruction": 1.0} | ({"adversarial": 0.1} if adversarial else {})
        model = lia(
            adversarial=adversarial,
            loss_weights=weights,
            r1_weight=1.0 if adversarial else 0.0,
            training=Training(learning_rate=0.001),
        )
        totals = Totals()
        fit(model, pairs(50, 4, repeats=4), tmp_path, [totals], precision=precision)
        assert model.optimizer_steps == 200
        assert all(p.isfinite().all() for p in model.parameters())
        curves[precision] = sum(totals.values[-50:]) / 50
    assert curves["bf16-mixed"] == pytest.approx(curves["32-true"], rel=0.05)
