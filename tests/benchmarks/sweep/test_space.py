import pytest
import yaml

from animators.commands import train
from benchmarks.sweep import engine, fitting
from benchmarks.sweep.space import read_space
from tests.benchmarks.sweep.conftest import CONFIG, STOPPING

RATE, SIZE = CONFIG["parameters"]
SHIPPED = ("dime", "lia", "lia_x", "swin_tps")
# what the issue asks to be searched, by the names of the classes' arguments
SEARCHED = {
    "lia": {"motion_dim", "training.learning_rate", "loss_weights.perceptual"},
    "lia_x": {"loss_weights.sparsity", "motion_dim", "blocks"},
    "dime": {
        *("method", "step_size", "reference_range", "num_keypoints"),
        "loss_weights.equivariance",
    },
    "swin_tps": {
        *("adversary_weight", "loss_weights.domain", "loss_weights.latent"),
        *("identity_dim", "motion_dim"),
    },
}


@pytest.fixture
def parse(monkeypatch, root):
    """Parse and validate as `fit` does, and build nothing."""
    monkeypatch.setattr(train.ZooCli, "instantiate_classes", lambda self: None)

    def parse(model, options):
        files = ("trainer/cpu", "logger/csv", "data/bodies", f"model/{model}")
        words = [w for f in files for w in ("--config", str(root / f"zoo_configs/{f}.yaml"))]
        return train.cli([*words, *options], run=False).config.as_dict()

    return parse


def test_what_the_method_refuses_is_said_before_anything_is_trained(space):
    with pytest.raises(ValueError, match=r"space\.yaml: Parameter .*rate.* grid"):
        space(method="grid")


def test_a_missing_engine_is_no_fault_of_the_file(space, monkeypatch):
    def load():
        raise ValueError("the engine: `make sweep-local`")

    monkeypatch.setattr(engine, "load", load)
    with pytest.raises(ValueError, match=r"^the engine: `make sweep-local`$"):
        space()


def test_all_are_here(root):
    assert {path.stem for path in (root / "zoo_configs/sweep").glob("*.yaml")} == set(SHIPPED)


@pytest.mark.parametrize("model", SHIPPED)
def test_shipped_sweeps_fit_wandb_and_search_what_they_say(model, root):
    file = root / f"zoo_configs/sweep/{model}.yaml"
    space = read_space(file)
    assert engine.violations(space.config) == []
    # W&B's own reader of such files
    from wandb.sdk.launch.sweeps.utils import load_sweep_config

    assert load_sweep_config(str(file)) == space.config
    assert {n.removeprefix("model.init_args.") for n in space.parameters} == SEARCHED[model]
    assert (space.metric, space.maximise) == ("val/lpips", False)
    stopping = space.config["early_terminate"]
    assert stopping["type"] == "hyperband"
    assert stopping["min_iter"] < 10  # epochs, not steps


@pytest.mark.parametrize("model", SHIPPED)
def test_every_proposal_is_a_command_line_that_fit_takes(model, root, parse):
    space = read_space(root / f"zoo_configs/sweep/{model}.yaml")
    untouched = parse(model, [])
    default = fitting.defaults(untouched, space)
    assert space.contains(default), "the engine is to know the model's default"
    shared = fitting.dictionaries(untouched, space)
    proposals = [engine.propose(space.config, [], str(seed)) for seed in range(4)]
    for values in [*proposals, default, space.examples()]:
        assert space.contains(values)
        found = parse(model, [*shared, *fitting.words(values)])
        assert fitting.defaults(found, space) == {
            name: tuple(v) if isinstance(v, list) else v for name, v in values.items()
        }
        # what the sweep does not name stays as it was, dictionaries' other entries too
        for name, value in default.items():
            put(found, name, value)
        assert found["model"] == untouched["model"]
        assert found["data"] == untouched["data"]


def put(config, name, value):
    *path, last = name.split(".")
    for key in path:
        config = config[key]
    config[last] = value


def test_an_entry_alone_would_be_the_only_one(parse):
    """Why `dictionaries` is there."""
    name = "model.init_args.loss_weights.equivariance"
    alone = parse("dime", [f"--{name}=3.0"])
    assert set(alone["model"]["init_args"]["loss_weights"]) == {"equivariance"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metric": None}, "has no metric"),
        ({"metric": {"name": "train/total"}}, "take one of the validation"),
        ({"method": "guess"}, "W&B's schema: 'guess' is not one of"),
        ({"parameters": {SIZE: {"min": 2.0, "max": 1.0}}}, "min 2.0 is not less than max 1.0"),
        ({"parameters": {SIZE: {"choices": [1]}}}, "W&B's schema"),
        ({"parameters": {SIZE: 3}}, "Invalid configuration for hyperparameter"),
        ({"parameters": None}, "names no parameters"),
        ({"early_terminate": {"type": "hyperband"}}, "W&B's schema"),
        ({"command": ["python"]}, "command, which `make sweep` fills in"),
        ({"parameters": {"a": {"parameters": {"b": {"values": [1]}}}}}, "with dots"),
        ({"parameters": {SIZE: {"distribution": "beta"}}}, "neither values nor min"),
        (
            {"parameters": {"data.init_args.references": {"values": [0, 3]}}},
            "changes which frames validation scores",
        ),
    ],
)
def test_what_could_not_be_searched_is_refused(space, changes, said):
    with pytest.raises(ValueError, match=r"space\.yaml") as caught:
        space(**changes)
    assert said in str(caught.value)


def test_files_that_are_none(tmp_path, root):
    with pytest.raises(FileNotFoundError, match="sweep has: dime, lia, lia_x, swin_tps"):
        read_space(root / "zoo_configs/sweep/fomm.yaml")
    (tmp_path / "x.yaml").write_text("a: [")
    with pytest.raises(ValueError, match="is no YAML"):
        read_space(tmp_path / "x.yaml")


def test_what_a_space_holds(space):
    found = space()
    assert found.contains({RATE: 1e-4, SIZE: 4})
    assert not found.contains({RATE: 0.2, SIZE: 4})
    assert not found.contains({RATE: 1e-4, SIZE: 5})
    assert not found.contains({RATE: None, SIZE: 4})
    assert (found.best([3.0, 1.0, 2.0]), found.better(1.0, 2.0)) == (1.0, True)
    most = space(metric={"name": "val/psnr", "goal": "maximize"})
    assert (most.best([3.0, 1.0, 2.0]), most.better(1.0, 2.0)) == (3.0, False)


EVALUATE = {"class_path": "animators.callbacks.Evaluate", "init_args": {"lpips": True}}


def of(**trainer):
    return {"trainer": {"max_epochs": 4, "callbacks": [EVALUATE], **trainer}}


def test_trials_are_counted_in_epochs(space):
    stopping, plain = space(**STOPPING), space()
    assert fitting.epochs(of(), stopping) == 4
    assert fitting.epochs(of(check_val_every_n_epoch=2), plain) == 4
    for bad in ({"check_val_every_n_epoch": 2}, {"val_check_interval": 0.5}):
        with pytest.raises(ValueError, match="counts epochs by their validations"):
            fitting.epochs(of(**bad), stopping)
    with pytest.raises(ValueError, match="max_epochs is -1"):
        fitting.epochs(of(max_epochs=-1), plain)


def test_the_metric_is_lpips_where_it_can_be_had(space, monkeypatch):
    from animators import pretrained

    lpips = space(metric={"name": "val/lpips", "goal": "minimize"})
    monkeypatch.setattr(pretrained, "resolve", lambda *names, download: {})
    assert fitting.score_by(of(), lpips) == (lpips, "")

    def missing(*names, download):
        assert not download
        raise pretrained.WeightsNotFound({"alexnet_trunk": ["nowhere"]})

    monkeypatch.setattr(pretrained, "resolve", missing)
    for config in (of(), of(callbacks=[{**EVALUATE, "init_args": {"lpips": False}}])):
        found, said = fitting.score_by(config, lpips)
        assert found.metric == "val/l1"
        assert said
    found, said = fitting.score_by(of(), space())
    assert (found.metric, said) == ("val/l1", "")
    with pytest.raises(ValueError, match="lack animators"):
        fitting.score_by(of(callbacks=[]), lpips)


def test_unknown_parameters_are_named(space):
    with pytest.raises(ValueError, match=r"no model.init_args.rate.*nothing is called rate"):
        fitting.defaults({"model": {"init_args": {}}, "trainer": {}}, space())


def test_words_are_yaml_of_the_same_values():
    values = {"a": None, "b": [0, 3], "c": 1e-05, "d": "rk4", "e": True, "f": {"x": 1.5}}
    said = dict(word.removeprefix("--").split("=", 1) for word in fitting.words(values))
    assert said["d"] == "rk4"
    read = {name: yaml.safe_load(text) for name, text in said.items()}
    assert float(read.pop("c")) == values.pop("c")
    assert read == values
