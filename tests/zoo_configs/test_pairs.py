"""Every model, data set, trainer, logger and preset that the configs offer fits every other."""

import csv
import itertools
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from jsonargparse import ArgumentParser
from PIL import Image

from animators.commands import train
from datamodules import FramePairs
from datamodules.prepare import command as prepare

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "zoo_configs"
SMALL_PRESET_LIMIT = 4_000_000
LOCAL = ("actions", "animals", "bodies", "faces")  # small sets that nobody publishes
COMMON_SIZES = {128, 256, 512}  # which every model takes at its paper's size


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


def init_args(data: str) -> dict:
    return yaml.safe_load((CONFIGS / f"data/{data}.yaml").read_text())["data"]["init_args"]


def check_pair(config, data, trainer):
    # data owns the size
    assert config.model.init_args.image_size == init_args(data)["image_size"]
    # no later file has replaced the trainer's list of callbacks
    written = yaml.safe_load((CONFIGS / f"trainer/{trainer}.yaml").read_text())["trainer"]
    wanted = {item["class_path"] for item in written["callbacks"]}
    assert wanted
    assert wanted <= {item.class_path for item in config.trainer.callbacks}
    # the datamodule brings its own sampler
    assert config.trainer.use_distributed_sampler is False


@pytest.mark.parametrize("model", names("model"))
def test_every_pair_is_valid(model, parse):
    for data in names("data"):
        check_pair(parse(arguments(model, data)), data, "debug")


@pytest.mark.parametrize("model", names("model"))
def test_every_model_is_valid_with_every_trainer_and_logger(model, parse):
    """On two sets only: no file touches another kind's keys, as the next test holds."""
    combinations = [
        *(("toy", *both) for both in itertools.product(names("trainer"), names("logger"))),
        *(("vox", trainer, "wandb") for trainer in names("trainer")),
    ]
    for data, trainer, logger in combinations:
        check_pair(parse(arguments(model, data, trainer, logger)), data, trainer)


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("data", {"data"}),
        ("model", {"model", "data"}),
        ("trainer", {"trainer"}),
        ("logger", {"trainer"}),
        ("recipe", {"model", "data", "trainer"}),
        ("preset", {"model", "data", "trainer"}),
    ],
)
def test_files_keep_to_their_keys(kind, keys):
    for name in names(kind):
        content = yaml.safe_load((CONFIGS / f"{kind}/{name}.yaml").read_text())
        assert set(content) <= keys, name
        if kind in ("data", "model"):
            assert set(content[kind]) <= {"class_path", "init_args"}, name
        if kind == "model":
            # how many views a model is trained with; everything else of data is the set's
            wanted = content.get("data", {"init_args": {"references": 0}})
            assert wanted.keys() == {"init_args"}, name
            assert wanted["init_args"].keys() == {"references"}, name
        if kind in ("recipe", "preset"):
            # a paper's length is part of its recipe; devices and callbacks are the trainer's
            assert set(content.get("trainer", {})) <= {"max_epochs"}, name


def test_models_that_take_references_train_with_their_papers_number(parse):
    """DiME's three, on any set, under any preset, unless the command line says otherwise."""

    def references(model, data, *more, option=()):
        chosen = arguments(model, data, "debug", "csv", *more)
        return parse([*chosen, *option]).data.init_args.references

    for data in names("data"):
        assert references("dime", data) == 3
    option = ["--data.init_args.references=0"]
    assert references("dime", "taichi", option=option) == 0
    assert references("dime", "toy", "preset/dime-small") == 3
    assert {references(model, "vox") for model in names("model") if model != "dime"} == {0}


def test_dime_trains_as_fomm_does_on_the_papers_nine_sets(parse):
    nine = {"vox", "dfdc", "nemo", "ted", "aist", "taichi", "fashion", "bair", "mgif"}
    assert nine == {n.removeprefix("dime-") for n in names("recipe") if n.startswith("dime-")}
    for data in nine:
        ours, theirs = parse(arguments("dime", data)), parse(arguments("fomm", data))
        for name in ("learning_rate", "betas", "decay", "milestones", "gamma", "unit"):
            settings = [x.model.init_args.training[name] for x in (ours, theirs)]
            assert settings[0] == settings[1], (data, name)
        known = f"fomm-{data}" in names("recipe")
        assert ours.trainer.max_epochs == (theirs.trainer.max_epochs if known else 100), data
        assert ours.data.init_args.batch_size == init_args(data)["batch_size"]
        assert ours.data.init_args.image_size == (384 if data == "ted" else 256)


def test_swin_tps_trains_as_tpsmm_does_on_the_papers_four_sets(parse):
    """Fashion, which TPSMM has no recipe for, is trained as VoxCeleb."""
    four = {"taichi", "fashion", "vox", "mgif"}
    assert four == {
        n.removeprefix("swin_tps-") for n in names("recipe") if n.startswith("swin_tps-")
    }
    for data in four:
        ours = parse(arguments("swin_tps", data))
        theirs = parse(arguments("tpsmm", "vox" if data == "fashion" else data))
        mine, other = ours.model.init_args, theirs.model.init_args
        for name in ("background", "background_start", "dropout"):
            assert mine[name] == other[name], (data, name)
        assert ours.trainer.max_epochs == theirs.trainer.max_epochs == 100
        additions = {"domain", "identity", "latent"}
        weights = [x.loss_weights or {} for x in (mine, other)]
        assert {k: v for k, v in weights[0].items() if k not in additions} == weights[1]


def presets() -> list[tuple[str, str]]:
    """(model, preset) of every file; the longest model name counts, as one may hold a hyphen."""
    found = []
    for name in names("preset"):
        owners = [model for model in names("model") if name.startswith(f"{model}-")]
        assert owners, f"zoo_configs/preset/{name}.yaml belongs to no model"
        found.append((max(owners, key=len), name))
    return found


def one_of_each_size() -> dict[int, str]:
    return {init_args(data)["image_size"]: data for data in names("data")}


@pytest.mark.parametrize(("model", "preset"), presets())
def test_every_preset_is_valid_for_every_size(model, preset, parse):
    for data in one_of_each_size().values():
        config = parse(arguments(model, data, "debug", "csv", f"preset/{preset}"))
        assert config.model.init_args.image_size == config.data.init_args.image_size


def built(command):
    with torch.device("meta"):
        return train.cli(command, run=False)


def test_every_recipe_and_preset_belongs_to_a_model_and_a_set():
    """A name that nothing matches would never be taken, and nobody would notice."""
    pairs = {f"{model}-{data}" for model in names("model") for data in names("data")}
    assert set(names("recipe")) <= pairs
    assert {preset for _, preset in presets()} == set(names("preset"))


@pytest.mark.parametrize(
    ("model", "preset"), [*((model, None) for model in names("model")), *presets()]
)
def test_every_model_can_be_built_for_every_size(model, preset):
    more = [f"preset/{preset}"] if preset else []
    refused = {}
    for wanted, data in one_of_each_size().items():
        try:
            cli = built(arguments(model, data, "debug", "csv", *more))
        except ValueError as error:
            refused[wanted] = str(error)
            continue
        size = cli.datamodule.image_size
        assert cli.model.image_size == size
        assert all(p.is_meta for p in cli.model.parameters())
        if preset and preset.endswith("-small"):
            assert size == 64
            assert sum(p.numel() for p in cli.model.network.parameters()) <= SMALL_PRESET_LIMIT
    # a model may not take every size, but then says which it takes
    assert not COMMON_SIZES & refused.keys(), refused
    assert all(re.search(r"image_size must be .*\b256\b", said) for said in refused.values())


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


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root in which every split of every data set has two clips, of two groups."""
    root = tmp_path_factory.mktemp("root")
    folders = {folder for data in names("data") if data != "folder" for folder in splits(data)}
    tables = {}
    for number, folder in enumerate(sorted(folders)):
        for clip in ("a", "b"):
            write_clip(root / folder / f"{clip}#1_x", seed=number)
            row = {"path": f"{folder}/{clip}#1_x", "who": f"{folder}{clip}"}
            tables.setdefault("MANIFEST.csv", []).append({"group": row["who"], "path": row["path"]})
            # what prepare writes lies in the set's own folder, and so do the paths in it begin
            own = Path(folder).parent
            row = {"identity": row["who"], "path": f"{Path(folder).name}/{clip}#1_x"}
            tables.setdefault(str(own / "manifest.csv"), []).append(row)
    for name, rows in tables.items():
        with (root / name).open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    return root


def splits(data: str) -> list[str]:
    options = init_args(data)
    return [options[split] for split in ("train", "test") if options.get(split)]


def of_root(data: str, root: Path, **changes) -> FramePairs:
    """The set's own settings, on that root; toy clips need none."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(FramePairs, "data")
    options = init_args(data)
    # `folder` is any prepared root, such as that of a published set
    root = root / "vox" if data == "folder" else root
    options |= {} if data == "toy" else {"root": str(root), "batch_size": 2, "num_workers": 0}
    return parser.instantiate(parser.parse_object({"data": options | changes})).data


@pytest.mark.parametrize(
    "data", [name for name in names("data") if init_args(name).get("train", 1)]
)
def test_every_data_set_gives_batches(data, root):
    module = of_root(data, root, repeats=2)
    module.setup("fit")
    size, count = module.image_size, module.batch_size
    pairs = next(iter(module.train_dataloader()))
    assert pairs["source"].shape == pairs["driving"].shape == (count, 3, size, size)
    clip = next(iter(module.val_dataloader()))
    assert clip["video"].shape[2:] == (3, size, size)
    assert module.num_identities >= 2
    assert module.test_names.startswith(f"{len(module.test_clips)}-")


@pytest.mark.parametrize("data", [n for n in names("data") if not init_args(n).get("train", 1)])
def test_a_set_without_a_train_split_is_for_testing(data, root):
    module = of_root(data, root)
    assert module.num_identities == 0
    with pytest.raises(ValueError, match="is a set to test on or to take sources from"):
        module.setup("fit")
    module.setup("test")
    assert len(list(module.test_dataloader())) == 2


@pytest.mark.parametrize("data", [name for name in names("data") if name != "toy"])
def test_a_missing_root_is_an_error_at_setup_and_not_before(data, tmp_path):
    module = of_root(data, tmp_path / "nowhere")
    assert module.num_identities == 0
    with pytest.raises(FileNotFoundError, match="nowhere") as caught:
        module.setup("test")
    said = str(caught.value)
    assert "\n" not in said
    assert "DATA_ROOT=" in said
    if data in LOCAL:
        return
    about = init_args(data)["about"]
    # the set's name in what it is, an address, a command that is one
    assert said.endswith(
        f"does not exist: {about['what']}; its owners publish it at {about['where']}; prepare it "
        f"with `{about['prepare']}`; or name another folder by DATA_ROOT=... of make or "
        "--data.init_args.root=..."
    )
    assert data == "folder" or "https://" in about["where"]
    start, *words = re.split(r"(?<=-m datamodules prepare) ", about["prepare"])
    assert start == "python -m datamodules prepare"
    wanted = prepare.parser().parse_args(shlex.split(words[0]))
    # what it makes is where the set is looked for
    folder = Path(splits(data)[-1]).parent
    assert wanted.root == Path("data") / folder
    if wanted.kind != "folder":
        assert str(wanted.metadata) in about["where"]
    # sets that are read at the size they are prepared at, or smaller
    assert wanted.size >= init_args(data)["image_size"]


def test_names_of_splits_differ_between_sets():
    """But for the two sizes of one set."""
    named = {}
    for data in names("data"):
        if data not in (*LOCAL, "toy", "folder"):
            named.setdefault(init_args(data)["split_name"], []).append(data)
    shared = [sets for sets in named.values() if len(sets) > 1]
    assert shared == [["ted", "ted256"]]
    assert "own" not in named


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
