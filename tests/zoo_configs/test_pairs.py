"""Every model, data set, trainer, logger and preset that the configs offer fits every other."""

import csv
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from animators.commands import train
from datamodules import FramePairs

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "zoo_configs"
SMALL_PRESET_LIMIT = 4_000_000


def names(kind: str) -> list[str]:
    return sorted(path.stem for path in (CONFIGS / kind).glob("*.yaml"))


def arguments(model, data, trainer="debug", logger="csv", *more):
    recipe = f"recipe/{model}-{data}"
    chosen = [f"trainer/{trainer}", f"logger/{logger}", f"data/{data}", f"model/{model}"]
    chosen += [recipe] if (CONFIGS / f"{recipe}.yaml").exists() else []
    return [x for name in [*chosen, *more] for x in ("--config", str(CONFIGS / f"{name}.yaml"))]


@pytest.fixture
def parse(monkeypatch):
    """Parse and validate, and build nothing."""
    monkeypatch.setattr(train.ZooCli, "instantiate_classes", lambda self: None)
    return lambda arguments: train.cli(arguments, run=False).config


@pytest.mark.parametrize("model", names("model"))
@pytest.mark.parametrize("data", names("data"))
def test_every_pair_is_valid_with_every_trainer_and_logger(model, data, parse):
    own = yaml.safe_load((CONFIGS / f"data/{data}.yaml").read_text())["data"]["init_args"]
    for trainer, logger in itertools.product(names("trainer"), names("logger")):
        config = parse(arguments(model, data, trainer, logger))
        # data owns the size
        assert config.model.init_args.image_size == own["image_size"]
        # no later file has replaced the trainer's list of callbacks
        written = yaml.safe_load((CONFIGS / f"trainer/{trainer}.yaml").read_text())["trainer"]
        wanted = {item["class_path"] for item in written["callbacks"]}
        assert wanted
        assert wanted <= {item.class_path for item in config.trainer.callbacks}
        # the datamodule brings its own sampler
        assert config.trainer.use_distributed_sampler is False


def presets() -> list[tuple[str, str]]:
    """(model, preset) of every file; the longest model name counts, as one may hold a hyphen."""
    found = []
    for name in names("preset"):
        owners = [model for model in names("model") if name.startswith(f"{model}-")]
        assert owners, f"zoo_configs/preset/{name}.yaml belongs to no model"
        found.append((max(owners, key=len), name))
    return found


@pytest.mark.parametrize(("model", "preset"), presets())
def test_every_preset_is_valid_with_every_data_set(model, preset, parse):
    for data in names("data"):
        config = parse(arguments(model, data, "debug", "csv", f"preset/{preset}"))
        assert config.model.init_args.image_size == config.data.init_args.image_size


def built(command):
    with torch.device("meta"):
        return train.cli(command, run=False)


@pytest.mark.parametrize(
    ("model", "preset"), [*((model, None) for model in names("model")), *presets()]
)
def test_every_model_can_be_built_for_every_size(model, preset):
    more = [f"preset/{preset}"] if preset else []
    seen = set()
    for data in names("data"):
        cli = built(arguments(model, data, "debug", "csv", *more))
        size = cli.datamodule.image_size
        if size in seen:
            continue
        seen.add(size)
        assert cli.model.image_size == size
        assert all(p.is_meta for p in cli.model.parameters())
        if preset and preset.endswith("-small"):
            assert size == 64
            assert sum(p.numel() for p in cli.model.network.parameters()) <= SMALL_PRESET_LIMIT


@pytest.mark.parametrize("trainer", names("trainer"))
@pytest.mark.parametrize("logger", names("logger"))
def test_every_trainer_and_logger_can_be_built(trainer, logger, tmp_path):
    command = [*arguments("lia", "toy", trainer, logger, "preset/lia-small")]
    # this machine may have a device that a setting does not fit; that it composes is what is asked
    command += ["--trainer.accelerator=cpu", "--trainer.devices=1", f"--run_dir={tmp_path}/run"]
    cli = built(command)
    assert cli.trainer.default_root_dir == f"{tmp_path}/run"
    assert cli.trainer.loggers
    for used in cli.trainer.loggers:
        assert used.save_dir == f"{tmp_path}/run"


def write_clip(folder: Path, seed: int) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for frame in range(4):
        picture = rng.integers(0, 255, (20, 20, 3), np.uint8)
        Image.fromarray(picture).save(folder / f"{frame}.png")


@pytest.fixture
def root(tmp_path):
    """A root in which every split of every data set has two clips, of two groups."""
    folders = {"train", "test"}
    for name in names("data"):
        options = yaml.safe_load((CONFIGS / f"data/{name}.yaml").read_text())["data"]["init_args"]
        folders |= {options[split] for split in ("train", "test") if split in options}
    rows = []
    for folder, clip in itertools.product(sorted(folders), ("a", "b")):
        if any(other.startswith(f"{folder}/") for other in folders):
            continue
        write_clip(tmp_path / folder / clip, seed=len(rows))
        rows.append({"path": f"{folder}/{clip}", "group": f"{folder}{clip}"})
    with (tmp_path / "MANIFEST.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["path", "group"])
        table.writeheader()
        table.writerows(rows)
    return tmp_path


@pytest.mark.parametrize("data", names("data"))
def test_every_data_set_gives_batches(data, root):
    options = yaml.safe_load((CONFIGS / f"data/{data}.yaml").read_text())["data"]["init_args"]
    if data == "toy":
        module = FramePairs(**options)
    else:
        module = FramePairs(**{**options, "root": str(root), "batch_size": 2})
    module.setup("fit")
    size, count = module.image_size, module.batch_size
    pairs = next(iter(module.train_dataloader()))
    assert pairs["source"].shape == pairs["driving"].shape == (count, 3, size, size)
    clip = next(iter(module.val_dataloader()))
    assert clip["video"].shape[2:] == (3, size, size)
    assert module.num_identities >= 2


@pytest.mark.parametrize("data", [name for name in names("data") if name != "toy"])
def test_a_missing_root_is_an_error_at_setup_and_not_before(data, tmp_path):
    options = yaml.safe_load((CONFIGS / f"data/{data}.yaml").read_text())["data"]["init_args"]
    module = FramePairs(**{**options, "root": str(tmp_path / "nowhere")})
    assert module.num_identities == 0
    with pytest.raises(FileNotFoundError, match="nowhere"):
        module.setup("fit")


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("--model.init_args.motion_dimm=3", "motion_dimm"),
        ("--data.init_args.image_sise=3", "image_sise"),
        ("--trainer.longest=3", "longest"),
        ("--model.init_args.motion_dim=many", "motion_dim"),
        ("--model=animators.lia.Liar", "Liar"),
    ],
)
def test_a_wrong_key_is_one_line_that_names_it(option, named, capsys, tmp_path):
    run = tmp_path / "run"
    command = ["fit", *arguments("lia", "toy"), f"--run_dir={run}", option]
    assert train.main(command) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert re.search(rf"\b{named}\b", error), error
    assert not run.exists()


def test_an_unknown_key_in_a_file_is_named(capsys, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("model:\n  init_args:\n    motion_dims: 3\n")
    assert train.main(["fit", *arguments("lia", "toy"), "--config", str(wrong)]) == 2
    error = capsys.readouterr().err
    assert "motion_dims" in error
    assert "Traceback" not in error
