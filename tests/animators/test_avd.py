"""The second stage: from one checkpoint to another, through the commands."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from animators import load_animator
from animators.animator import Mode
from animators.avd import AvdTraining
from animators.commands import animate
from animators.commands.train import main
from animators.nn import draws
from animators.weights import save_animator
from tests.animators.tiny import tiny_animator

ROOT = Path(__file__).parents[2]
MODELS = {"mraa": {"avd_shift", "avd_affine"}, "tpsmm": {"avd"}, "swin_tps": {"avd"}}
DATA = [
    "--data.init_args.toy={train_clips: 8, identities: 4, test_clips: 1, test_identities: 1, "
    "frames: 3}",
    "--data.init_args.batch_size=4",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
]
AVERAGE = ["--trainer.callbacks+=animators.callbacks.Ema", "--trainer.callbacks.decay=0.5"]


def fit(folder, model, *extra):
    """Train on toy clips; 2 batches an epoch."""
    configs = ["trainer/debug", "logger/csv", "data/toy"]
    options = [x for c in configs for x in ("--config", str(ROOT / f"zoo_configs/{c}.yaml"))]
    return main(["fit", *options, "--config", str(model), f"--run_dir={folder}", *DATA, *extra])


def second_stage(name):
    return ROOT / f"zoo_configs/model/{name}-avd.yaml"


def state_of(path):
    return torch.load(path, weights_only=True)


@pytest.fixture(scope="module", params=sorted(MODELS))
def stages(request, tmp_path_factory):
    """Name, first stage's checkpoint, and a run of the second: two epochs of two steps."""
    folder = tmp_path_factory.mktemp(request.param)
    first = tiny_animator(request.param).eval()
    # no batch-norm statistics at their initial values, so that a drift would show
    with torch.no_grad():
        for name, buffer in first.network.named_buffers():
            if name.endswith("running_mean"):
                buffer.add_(0.1)
    save_animator(first, folder / "first.ckpt")
    extra = [*AVERAGE, f"--init_from={folder / 'first.ckpt'}", "--trainer.max_epochs=2"]
    assert fit(folder / "run", second_stage(request.param), *extra) == 0
    return request.param, folder / "first.ckpt", folder / "run"


def test_the_avd_network_is_trained_and_nothing_else_changes(stages):
    name, first, run = stages
    before = load_animator(first, device="cpu").network.state_dict()
    last = state_of(run / "checkpoints/last.ckpt")
    assert {key.split(".")[0] for key in last["state_dict"]} == {"network"}
    average, raw = (
        {k.removeprefix("network."): v for k, v in last[entry].items()}
        for entry in ("state_dict", "current_model_state")
    )
    added = {key for key in raw if key.startswith("avd.")}
    for after in (average, raw):
        assert after.keys() - added == before.keys()
        assert all(torch.equal(after[key], before[key]) for key in before)
    assert any(not torch.equal(average[key], raw[key]) for key in added)
    assert last["training"] == {"optimizer_steps": 4, "batches_seen": 4, "pairs_seen": 16}
    counters = [int(raw[key]) for key in added if key.endswith("num_batches_tracked")]
    assert set(counters) == {4}
    header = (run / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {f"train/{loss}" for loss in MODELS[name]} <= set(header)


def test_its_checkpoint_opens_as_the_animator_with_one_mode_more(stages):
    _, first, run = stages
    plain, tuned = (load_animator(p, device="cpu") for p in (first, run / "checkpoints/best.ckpt"))
    assert type(tuned) is type(plain)
    assert set(tuned.modes) - set(plain.modes) == {Mode.AVD}
    assert tuned.arguments == {**plain.arguments, "avd": True}
    clip = torch.rand(1, 3, 3, 64, 64)
    for mode in plain.modes:
        assert torch.equal(
            tuned.animate(clip[:, 0], clip, mode=mode), plain.animate(clip[:, 0], clip, mode=mode)
        )
    fitted = tuned.animate(clip[:, 0], clip, mode="avd")
    assert (fitted - tuned.animate(clip[:, 0], clip, mode="absolute")).abs().mean() > 1e-4


def test_the_command_animates_with_it_and_names_the_remedy_without(stages, tmp_path, capsys):
    name, first, run = stages
    pixels = np.random.default_rng(0).integers(0, 255, (80, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "me.png")
    paths = ["--source", "me.png", "--driving", "me.png", "--output", "out.png"]
    paths = [str(tmp_path / p) if p.endswith(".png") else p for p in paths]
    extra = [*paths, "--mode", "avd", "--device", "cpu"]
    assert animate.main(["--checkpoint", str(run / "checkpoints/best.ckpt"), *extra]) == 0
    assert (tmp_path / "out.png").exists()
    capsys.readouterr()
    (tmp_path / "me.png").unlink()  # a missing mode is said before any picture is read
    assert animate.main(["--checkpoint", str(first), *extra]) == 2
    line = capsys.readouterr().err.strip()
    assert line.count("\n") == 0
    assert f"MODEL={name}-avd" in line


def test_a_resumed_run_ends_as_the_unbroken_one(stages, tmp_path):
    """The sizes come out of the checkpoint, for the average too, and INIT= is no longer wanted."""
    name, first, run = stages
    resumed, model = tmp_path / "run", second_stage(name)
    start = [f"--init_from={first}", "--trainer.max_epochs=1"]
    assert fit(resumed, model, *AVERAGE, *start) == 0
    assert fit(resumed, model, *AVERAGE, "--trainer.max_epochs=2", "--resume=true") == 0
    ours, unbroken = (state_of(p / "checkpoints/last.ckpt") for p in (resumed, run))
    assert ours["training"] == unbroken["training"]
    for entry in ("state_dict", "current_model_state"):
        assert ours[entry].keys() == unbroken[entry].keys()
        for key, value in unbroken[entry].items():
            assert torch.equal(ours[entry][key], value), key


def test_a_trained_avd_network_is_taken_over(stages, tmp_path):
    name, _, run = stages
    start = [f"--init_from={run / 'checkpoints/last.ckpt'}", "--trainer.max_epochs=1"]
    still = [*start, "--model.init_args.training.learning_rate=1e-12"]
    assert fit(tmp_path / "run", second_stage(name), *still) == 0
    ours, theirs = (state_of(p / "checkpoints/last.ckpt") for p in (tmp_path / "run", run))
    assert "current_model_state" not in ours
    for key, value in theirs["state_dict"].items():
        if "running" not in key and "batches" not in key:
            torch.testing.assert_close(ours["state_dict"][key], value, atol=1e-9, rtol=0)


def test_validation_judges_the_avd_mode(stages, tmp_path):
    """The logged L1 is that of a reconstruction in AVD mode of the toy's test clip."""
    from datamodules import FramePairs
    from datamodules.toy import ToySettings

    _, _, run = stages
    rows = [r for r in csv.DictReader((run / "metrics.csv").open()) if r.get("val/l1")]
    model = load_animator(run / "checkpoints/last.ckpt", device="cpu")
    toy = ToySettings(train_clips=8, identities=4, test_clips=1, test_identities=1, frames=3)
    data = FramePairs(toy=toy, image_size=64, batch_size=4, seed=0)
    data.setup("test")
    video = next(iter(data.test_dataloader()))["video"].float() / 255
    expected = {
        mode: (model.reconstruct(video, mode=mode) - video).abs().mean(dim=(0, 2, 3, 4))
        for mode in ("avd", "absolute")
    }
    found = float(rows[-1]["val/l1"])
    frames = {mode: [x.mean().item(), x[1:].mean().item()] for mode, x in expected.items()}
    assert any(found == pytest.approx(x, rel=1e-4) for x in frames["avd"])
    assert not any(found == pytest.approx(x, rel=1e-4) for x in frames["absolute"])


def refused(capsys, *words):
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert len(lines) == 1
    assert all(word in lines[0] for word in words), lines


def test_what_does_not_fit_is_said_in_one_line(stages, tmp_path, capsys):
    name, first, _ = stages
    other = next(m for m in MODELS if m != name)
    run, model = tmp_path / "run", second_stage(name)
    assert fit(run, model) == 2
    refused(capsys, "second stage", "INIT=")
    assert fit(run, second_stage(other), f"--init_from={first}") == 2
    refused(capsys, "cannot start from", "class")
    assert fit(run, model, f"--init_from={first}", "--data.init_args.image_size=128") == 2
    size = "ARGS=--data.init_args.image_size=64"
    refused(capsys, "cannot start from", "image_size 64 there, 128 here", size)
    assert fit(run, model, f"--init_from={first}", "--data.init_args.batch_size=1") == 2
    refused(capsys, "data.init_args.batch_size")
    assert not run.exists()
    wrong = yaml.safe_load(model.read_text())
    wrong["model"]["init_args"]["loss_weights"] = {"other": 1.0}
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(wrong))
    assert fit(run, tmp_path / "wrong.yaml", f"--init_from={first}") == 2
    refused(capsys, "['other']", *MODELS[name])


def test_fine_tuning_a_first_stage_from_a_second_leaves_the_avd_network(stages, tmp_path, capsys):
    name, first, run = stages
    tiny, start = ROOT / f"tests/tiny/{name}.yaml", f"--init_from={run / 'checkpoints/last.ckpt'}"
    still = "--model.init_args.training.learning_rate=1e-12"
    assert fit(tmp_path / "run", tiny, start, still) == 0
    (note,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("note: ")]
    assert "AVD network" in note
    assert f"MODEL={name}-avd" in note
    tuned, plain = (
        load_animator(p, device="cpu") for p in (tmp_path / "run/checkpoints/last.ckpt", first)
    )
    assert tuned.arguments == plain.arguments
    theirs = plain.network.state_dict()
    for key, value in tuned.network.named_parameters():
        torch.testing.assert_close(value, theirs[key], atol=1e-6, rtol=0)


def test_a_first_stage_with_an_avd_network_is_refused(stages, tmp_path, capsys):
    """It would ship that network untrained, or stale."""
    name, _, _ = stages
    extra = ["--model.init_args.avd=true"]
    assert fit(tmp_path / "run", ROOT / f"tests/tiny/{name}.yaml", *extra) == 2
    refused(capsys, "second stage", f"MODEL={name}-avd")
    assert not (tmp_path / "run").exists()


def test_a_run_of_another_stage_or_size_is_not_gone_on_with(stages, tmp_path, capsys):
    name, _, run = stages
    last = run / "checkpoints/last.ckpt"
    ways = [str(last), "NAME=", "--overwrite"]
    assert fit(run, ROOT / f"tests/tiny/{name}.yaml", "--resume=true") == 2
    refused(capsys, "avd True there, False here", *ways)
    resume = ["--resume=true", "--data.init_args.image_size=128"]
    assert fit(run, second_stage(name), *resume) == 2
    size = "ARGS=--data.init_args.image_size=64"
    refused(capsys, "image_size 64 there, 128 here", size, *ways)
    begun = tmp_path / "run/checkpoints/last.ckpt"
    begun.parent.mkdir(parents=True)
    state = torch.load(last, weights_only=True)
    state["animator"]["init_args"]["avd"] = False
    torch.save(state, begun)
    assert fit(tmp_path / "run", second_stage(name), "--resume=true") == 2
    refused(capsys, str(begun), "first stage", "INIT=")


def score(verb, model, *extra):
    """Validate or test on the toy clips that `fit` trains on."""
    options = [
        x
        for c in ("trainer/debug", "data/toy")
        for x in ("--config", str(ROOT / f"zoo_configs/{c}.yaml"))
    ]
    return main([verb, *options, "--config", str(model), *DATA, *extra])


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_a_checkpoint_is_scored_and_what_is_none_of_this_stage_is_said(
    stages, tmp_path, capsys, verb
):
    name, first, run = stages
    model, last = second_stage(name), run / "checkpoints/last.ckpt"
    capsys.readouterr()
    assert score(verb, model, f"--ckpt_path={last}") == 0
    shown = dict(x.split() for x in capsys.readouterr().out.splitlines() if x.startswith("val/"))
    rows = [r for r in csv.DictReader((run / "metrics.csv").open()) if r.get("val/l1")]
    assert float(shown["val/l1"]) == float(rows[-1]["val/l1"])
    assert score(verb, model) == 2
    refused(capsys, "--ckpt_path")
    assert score(verb, model, f"--ckpt_path={first}") == 2
    refused(capsys, str(first), "training state", "benchmarks run")
    other = second_stage(next(m for m in MODELS if m != name))
    assert score(verb, other, f"--ckpt_path={last}") == 2
    refused(capsys, str(last), "class", "config.yaml")
    assert score(verb, ROOT / f"tests/tiny/{name}.yaml", f"--ckpt_path={last}") == 2
    refused(capsys, "avd True there, False here")
    assert score(verb, model, f"--ckpt_path={tmp_path / 'no.ckpt'}") == 2
    refused(capsys, "does not exist")


def test_the_factors_are_drawn_by_sample(stages):
    """Each in [0.75, 1.25), x and y apart, from the sample's key alone."""
    name, first, _ = stages
    options = yaml.safe_load(second_stage(name).read_text())["model"]["init_args"]
    module = AvdTraining(image_size=64, **options)
    module.start_from(load_animator(first, device="cpu"))
    seen = []
    module.inner.avd_losses = lambda batch, factors: seen.append(factors) or {}
    keys = torch.tensor([[0, 1, i] for i in range(8)])
    driving = torch.rand(8, 3, 64, 64)
    module.training_losses({"key": keys, "driving": driving})
    module.training_losses({"key": keys[3:5], "driving": driving[3:5]})
    assert torch.equal(seen[0], draws.uniform(keys, "avd scale", (2,), 0.75, 1.25))
    assert torch.equal(seen[0][3:5], seen[1])
    assert not torch.equal(seen[0][:, 0], seen[0][:, 1])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"animator": "animators.lia.Lia"}, "no second stage"),
        ({"animator": "torch.nn.Linear"}, "no animator of this version"),
        ({"random_scale": 1.0}, "random_scale"),
    ],
)
def test_what_cannot_be_trained_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        AvdTraining(**options)
