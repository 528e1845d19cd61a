"""What a user can get wrong in training: one line that names it, exit status 2, nothing lost."""

import csv
import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml

from animators.commands.train import device_count, main

ROOT = Path(__file__).parents[3]


@pytest.fixture
def arguments(tmp_path):
    """A run that would take two batches."""
    configs = [
        "zoo_configs/trainer/debug.yaml",
        "zoo_configs/logger/csv.yaml",
        "zoo_configs/data/toy.yaml",
        "tests/tiny/lia.yaml",
    ]
    options = [x for config in configs for x in ("--config", str(ROOT / config))]
    return [
        "fit",
        *options,
        f"--run_dir={tmp_path / 'run'}",
        "--data.init_args.toy={train_clips: 4, identities: 2, test_clips: 1, test_identities: 1, "
        "frames: 3}",
        "--data.init_args.batch_size=2",
        "--trainer.enable_progress_bar=false",
        "--trainer.enable_model_summary=false",
    ]


def one_line(capsys):
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["--model.init_args.motion_dimm=4"], ["motion_dimm", "correct the name"]),
        (["--data.init_args.sizes=4"], ["'sizes'", "correct the name"]),
        (["--trainer.epochs=4"], ["--trainer.epochs"]),
        (["--config", "nowhere.yaml"], ["nowhere.yaml"]),
        (["--model=animators.lia.Lio"], ["animators.lia.Lio"]),
        (["--data.init_args.image_size=63"], ["image_size must be one of", "63"]),
        (["--trainer.max_epochs=many"], ["trainer.max_epochs", "many"]),
        (["--init_from=nowhere.ckpt"], ["nowhere.ckpt", "does not exist"]),
        (["--model.init_args.loss_weights={l1: 1}"], ["['l1']", "reconstruction"]),
        (["--model.init_args.training.accumulate=0"], ["accumulate must be at least 1"]),
        (["--data.init_args.augment=vax"], ["vax"]),
        (["--data.init_args.batch_size=99"], ["does not fill one batch", "repeats"]),
        (
            [
                "--model.init_args.perceptual=vgg16",
                "--model.init_args.loss_weights.perceptual=1",
            ],
            ["perceptual_scales", "64", "3"],
        ),
        (["--trainer.precision=bf16-true"], ["bf16-true", "bf16-mixed", "32-true"]),
        (["--trainer.precision=16-true"], ["16-true", "16-mixed", "64-true"]),
        (["--ckpt_path=some.ckpt"], ["--ckpt_path", "RESUME=1", "INIT="]),
        (["--model.init_args.training.unit=weeks"], ["unit", "weeks"]),
        (["--model.init_args.training.rate_factors={lips: 0}"], ["no part 'lips'", "encoder"]),
        (["--model.init_args.training.clip_parts=[encoder]"], ["clip_parts", "clip_norm"]),
    ],
)
def test_a_mistake_is_one_line(extra, said, arguments, capsys, tmp_path):
    assert main([*arguments, *extra]) == 2
    line = one_line(capsys)
    assert all(word in line for word in said), line
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize("text", ["model: [1, 2\n", "model: 3\n", "modell: {a: 1}\n"])
def test_a_yaml_that_is_none_of_ours(text, arguments, capsys, tmp_path):
    (tmp_path / "bad.yaml").write_text(text)
    assert main([*arguments, "--config", str(tmp_path / "bad.yaml")]) == 2
    assert one_line(capsys)


def test_a_missing_set_is_said_before_training(arguments, capsys, tmp_path):
    extra = ["--data.init_args.toy=null", f"--data.init_args.root={tmp_path}/faces"]
    assert main([*arguments, *extra]) == 2
    line = one_line(capsys)
    assert "faces" in line
    assert "DATA_ROOT" in line


def test_a_missing_set_is_said_before_weights_are_asked_for(
    arguments, capsys, monkeypatch, tmp_path
):
    monkeypatch.setattr("animators.pretrained.files._find", lambda *_: (None, ["nowhere"]))
    extra = ["--data.init_args.toy=null", f"--data.init_args.root={tmp_path}/faces"]
    assert main([*arguments, *extra]) == 2
    assert "DATA_ROOT" in one_line(capsys)


def test_missing_networks_are_named_together_before_training(arguments, capsys, monkeypatch):
    """With every place to look emptied, one error names the loss's and the metric's network."""
    monkeypatch.setattr("animators.pretrained.files._find", lambda *_: (None, ["nowhere"]))
    extra = [
        "--model.init_args.perceptual=vgg19",
        "--model.init_args.perceptual_scales=3",
        "--model.init_args.loss_weights.perceptual=1",
    ]
    assert main([*arguments, *extra]) == 2
    line = one_line(capsys)
    assert "vgg19" in line
    assert "alexnet" in line


@pytest.fixture
def trained(arguments, tmp_path):
    assert main(arguments) == 0
    return tmp_path / "run"


def test_a_run_leaves_what_the_contract_says(trained):
    names = {p.relative_to(trained).as_posix() for p in trained.rglob("*") if p.is_file()}
    assert {
        "config.yaml",
        "metrics.csv",
        "curves.png",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "samples/batch-0000002.png",
    } == names
    header = (trained / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"step", "pairs_seen", "train/total", "val/l1", "val/copy_source_l1"} <= set(header)


def test_training_settings_come_whole_out_of_yaml(arguments, tmp_path):
    """A mapping, tuples, infinity and a schedule in epochs, through the run and its own config."""
    wanted = {
        "weight_decay": 1e-4,
        "rate_factors": {"encoder": 0.0},
        "unit": "epochs",
        "decay": "steps",
        "milestones": [1],
        "clip_norm": 10,
        "clip_norm_type": math.inf,
        "clip_parts": ["decoder", "encoder"],
    }
    yaml_file = tmp_path / "training.yaml"
    yaml_file.write_text(yaml.safe_dump({"model": {"init_args": {"training": wanted}}}))
    extra = ["--config", str(yaml_file), "--trainer.max_epochs=2", "--trainer.log_every_n_steps=1"]
    assert main([*arguments, *extra]) == 0
    last = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    generator, adversary = last["optimizer_states"]
    assert [g["lr"] for g in generator["param_groups"]] == pytest.approx([0.0002, 0.0])
    assert adversary["param_groups"][0]["lr"] == pytest.approx(0.0002)
    assert {g["weight_decay"] for g in generator["param_groups"]} == {1e-4}
    rows = list(csv.DictReader((tmp_path / "run/metrics.csv").open()))
    rates = [float(r["train/learning_rate"]) for r in rows if r["train/learning_rate"]]
    assert rates == pytest.approx([0.002, 0.0002, 0.0002, 0.0002])
    saved = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    assert saved["model"]["init_args"]["training"].items() >= wanted.items()


def test_its_config_is_a_config(trained, arguments, tmp_path):
    again = tmp_path / "again"
    assert main(["fit", "--config", str(trained / "config.yaml"), f"--run_dir={again}"]) == 0
    ours, theirs = (
        torch.load(p / "checkpoints/last.ckpt", weights_only=True) for p in (trained, again)
    )
    for name, value in theirs["state_dict"].items():
        assert torch.equal(value, ours["state_dict"][name])


def test_a_run_is_not_overwritten_by_accident(trained, arguments, capsys):
    before = (trained / "checkpoints/last.ckpt").read_bytes()
    assert main(arguments) == 2
    assert "already holds a run" in one_line(capsys)
    assert (trained / "checkpoints/last.ckpt").read_bytes() == before
    assert main([*arguments, "--overwrite=true"]) == 0


def test_resuming_a_damaged_checkpoint_keeps_it(trained, arguments, capsys):
    last = trained / "checkpoints/last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    assert main([*arguments, "--resume=true"]) == 2
    assert str(last) in one_line(capsys)
    assert last.stat().st_size == 1000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("--model.init_args.latent_dim=16", "latent_dim 32 there, 16 here"),
        ("--data.init_args.image_size=128", "--data.init_args.image_size=64"),
        ("--model.init_args.loss_weights={reconstruction: 1}", "weights are others: adversary."),
    ],
)
def test_a_run_of_other_sizes_is_not_gone_on_with(trained, arguments, change, said, capsys):
    last = trained / "checkpoints/last.ckpt"
    before = last.read_bytes()
    change = [change, "--model.init_args.adversarial=false"] if "loss" in change else [change]
    for extra in (["--resume=true"], [f"--ckpt_path={last}"]):
        words = ["validate", *arguments[1:]] if "ckpt" in extra[0] else arguments
        words = [w for w in words if words is arguments or "run_dir" not in w]
        assert main([*words, *extra, *change]) == 2
        line = one_line(capsys)
        assert str(last) in line
        assert said in line
    assert "config.yaml" in line
    assert last.read_bytes() == before


def test_fine_tuning_starts_from_the_weights_given(trained, arguments, tmp_path):
    """With a rate of almost nothing, the weights stay where they started."""
    start = torch.load(trained / "checkpoints/best.ckpt", weights_only=True)["state_dict"]
    extra = [
        f"--run_dir={tmp_path / 'tuned'}",
        f"--init_from={trained / 'checkpoints/best.ckpt'}",
        "--model.init_args.training.learning_rate=1e-12",
        "--seed_everything=5",
    ]
    assert main([*arguments, *extra]) == 0
    tuned = torch.load(tmp_path / "tuned/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    for name in (n for n in start if n.startswith("network.")):
        torch.testing.assert_close(tuned[name], start[name], atol=1e-6, rtol=0)


def test_fine_tuning_another_size_is_refused(trained, arguments, capsys, tmp_path):
    extra = [
        f"--run_dir={tmp_path / 'tuned'}",
        f"--init_from={trained / 'checkpoints/best.ckpt'}",
        "--model.init_args.motion_dim=7",
    ]
    assert main([*arguments, *extra]) == 2
    assert "motion_dim 5 there, 7 here" in one_line(capsys)


@pytest.mark.parametrize(
    ("devices", "nodes", "count"),
    [("auto", 1, 1), (1, 1, 1), (2, 1, 2), ("2", 3, 6), ([0, 1], 1, 2), ("0,1,", 1, 2)],
)
def test_devices_are_counted(devices, nodes, count):
    trainer = SimpleNamespace(devices=devices, num_nodes=nodes, accelerator="cpu")
    assert device_count(trainer) == count


def test_validation_gives_the_digits_of_training_and_of_the_benchmark(trained, tmp_path, capsys):
    """The debug trainer scored one clip; so does the toy's test split here."""
    from benchmarks.__main__ import main as benchmarks

    rows = list(csv.DictReader((trained / "metrics.csv").open()))
    logged = {k: float(v) for k, v in rows[-1].items() if k.startswith("val/") and v}
    before = (trained / "metrics.csv").read_bytes(), (trained / "config.yaml").read_bytes()
    checkpoint = trained / "checkpoints/best.ckpt"
    options = ["--config", str(trained / "config.yaml"), f"--ckpt_path={checkpoint}"]
    capsys.readouterr()
    assert main(["validate", *options]) == 0
    shown = dict(x.split() for x in capsys.readouterr().out.splitlines() if x.startswith("val/"))
    assert {k: float(v) for k, v in shown.items()} == logged
    after = (trained / "metrics.csv").read_bytes(), (trained / "config.yaml").read_bytes()
    assert before == after
    data = yaml.safe_load((trained / "config.yaml").read_text())["data"]
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({"data": data}))
    words = ["run", "--checkpoint", str(checkpoint), "--data", str(tmp_path / "tiny.yaml")]
    assert benchmarks([*words, "--output", str(tmp_path / "r"), "--device", "cpu"]) == 0
    (path,) = (tmp_path / "r").glob("*.json")
    record = json.loads(path.read_text())
    for part, prefix in (("metrics", "val/"), ("copy_source", "val/copy_source_")):
        record[part].pop("flicker")  # of a group beside the suite's
        assert {prefix + name: value for name, value in record[part].items()} == {
            name: value for name, value in logged.items()
            if name.startswith("val/copy_source_") == (part == "copy_source")
        }  # fmt: skip


def test_offline_wandb_and_tensorboard_need_no_account(arguments, monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.chdir(tmp_path)
    for name, left in (("tensorboard", "events.out.tfevents*"), ("wandb", "run-*.wandb")):
        config = str(ROOT / f"zoo_configs/logger/{name}.yaml")
        assert main([*arguments, "--config", config, "--overwrite=true"]) == 0
        assert list((tmp_path / "run").rglob(left)), name
