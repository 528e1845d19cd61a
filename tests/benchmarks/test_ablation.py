import csv
import json
import shlex
import subprocess
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from animators.commands import train as command
from animators.weights import load_animator, save_animator
from benchmarks import __main__ as benchmarks
from benchmarks import ablation
from benchmarks import ablation_rows as rows
from benchmarks.data import data_file
from benchmarks.records import read_few_shot_record
from tests.animators.tiny import tiny_animator
from tests.benchmarks.conftest import TOY

MODELS = sorted(path.stem for path in (rows.CONFIGS / "ablation").glob("*.yaml"))
SMALL = [
    "--model.init_args.latent_dim=32",
    "--model.init_args.motion_dim=5",
    "--model.init_args.channel_multiplier=0.0625",
    "--model.init_args.perceptual=null",
    "--model.init_args.adversarial=false",
    "--model.init_args.loss_weights={reconstruction: 1.0}",
    "--data.init_args.batch_size=2",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    *TOY,
]


def common(model, preset, *more, data="toy", trainer="debug"):
    files = rows.configs(model, data_file(data), preset=preset, trainer=trainer, logger="csv")
    return [*files, "--seed_everything=0", *more]


@cache
def planned(model, preset, *more, only=None):
    found = [row for row in rows.read_rows(model, preset) if only is None or row.name in only]
    return rows.plan(found, common(model, preset, *more))


def test_every_animator_has_its_ablation():
    assert MODELS == ["dime", "fomm", "lia", "lia_x", "mraa", "swin_tps", "tpsmm"]


@pytest.fixture
def parse_only(monkeypatch):
    """The training's own parser reads all that it is given, and nothing is built."""
    monkeypatch.setattr(command.ZooCli, "instantiate_classes", lambda self: None)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["small", "paper"])
@pytest.mark.parametrize("model", MODELS)
def test_every_row_can_be_built(model, preset):
    size = ["--data.init_args.image_size=256"] if preset == "paper" else []
    found = rows.read_rows(model, preset)
    assert len(rows.plan(found, common(model, preset, *size))) == len(found) > 1


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("preset", ["small", "paper"])
def test_every_row_differs_from_the_full_model_in_what_it_says_alone(model, preset, parse_only):
    plans = planned(model, preset)
    (whole,) = (plan for plan in plans if plan.row.whole)
    for plan in plans:
        assert rows.differences(whole.settings, plan.settings) == sorted(plan.row.changes)


def test_sizes_of_the_papers_models_are_those_of_the_presets(parse_only):
    """LIA-X's Base and Middle are its two presets, but for batch and accumulation."""
    sizes = ("Base (0.05B)", "Middle (0.3B)")
    for size, plan in zip(reversed(sizes), planned("lia_x", "paper", only=sizes), strict=True):
        preset = rows.CONFIGS / "preset" / f"lia_x-{size.split()[0].lower()}.yaml"
        wanted = yaml.safe_load(preset.read_text())["model"]["init_args"]
        wanted.pop("training", None)
        assert len(wanted) == 4
        assert {key: plan.settings["model"]["init_args"][key] for key in wanted} == wanted


def test_a_lost_part_takes_its_losses_along_and_leaves_the_users_weights():
    weights = {"reconstruction": 10.0, "equivariance": 2.0, "warp": 0.1, "background": 1.0}
    weights |= {"domain": -0.01, "identity": 0.01, "latent": 0.1}
    plans = planned(
        *("swin_tps", "small", f"--model.init_args.loss_weights={json.dumps(weights)}"),
        *("--model.init_args.perceptual=null", "--model.init_args.reconstruction=true"),
        only=("w/o DR",),
    )
    (one,) = plans
    left = {
        name: weights[name] for name in ("reconstruction", "equivariance", "warp", "background")
    }
    assert one.settings["model"]["init_args"]["loss_weights"] == left
    assert one.settings["model"]["init_args"]["decouple"] is False


def test_rows_are_scored_with_the_references_that_they_were_trained_with(parse_only):
    views = {plan.row.name: plan.views for plan in planned("dime", "small")}
    assert views == {"dime": "0-6", "w/o refine": "3", "w/o ID": "3", "one-shot": "0"}


def test_configuration_files_are_those_of_make():
    for variables in (
        {"model": "lia", "data": "toy", "preset": "paper", "trainer": "auto"},
        {"model": "dime", "data": "taichi", "preset": "small", "trainer": "cpu"},
    ):
        words = [f"{key.upper()}={value}" for key, value in variables.items()]
        line = subprocess.run(
            ["make", "--dry-run", "-o", ".venv/.ready", "train", *words],
            cwd=rows.CONFIGS.parent, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        said = shlex.split(line.replace("\\\n", ""))
        wanted = [said[i + 1] for i, word in enumerate(said) if word == "--config"]
        ours = rows.configs(**variables | {"data": data_file(variables["data"])}, logger="csv")
        names = [Path(word.removeprefix("--config=")).parts[-2:] for word in ours]
        assert names == [Path(word).parts[-2:] for word in wanted]


def refused(match, *given, **item):
    with pytest.raises(ValueError, match=match):
        rows.plan([rows.Row("row", "nowhere", **item)], common("lia", "small", *SMALL, *given))


def test_overrides_that_are_unknown_or_change_nothing_are_refused(parse_only):
    key = "model.init_args."
    refused("row 'row': .*'dictionery' is not accepted", overrides={f"{key}dictionery": False})
    refused("dictionary is True in the full model", overrides={f"{key}dictionary": True})
    taken = [f"--{key}dictionary=false"]
    refused("ablates nothing", *taken, overrides={f"{key}dictionary": False})
    refused("no loss 'adversarial'", losses={"adversarial": None})
    refused(r"weighs 1\.0 anyway", losses={"reconstruction": 1.0})
    refused("the full model: .*not accepted", "--model.init_args.wdth=1")


def test_judging_a_row_says_nothing_of_two_command_lines(monkeypatch, recwarn, parse_only):
    monkeypatch.setattr("sys.argv", ["benchmarks", "ablation", "lia"])
    rows.resolve("the full model", common("lia", "small", *SMALL))
    assert not [one for one in recwarn if "args parameter" in str(one.message)]


def test_overrides_that_do_not_fit_each_other_are_refused_before_any_training():
    refused("row 'row': motion_dim must be 1 to", overrides={"model.init_args.motion_dim": 33})
    refused("do not match the losses", losses={"reconstruction": None})
    refused("the full model: loss_weights", "--model.init_args.loss_weights={x: 1.0}")


def written(folder, text):
    (folder / "ablation").mkdir(exist_ok=True)
    (folder / "ablation" / "lia.yaml").write_text(text)
    return rows.read_rows("lia", folder=folder)


def test_files_that_are_no_ablation_are_refused(tmp_path):
    full = "rows:\n- {name: full, paper: p}\n"
    (one,) = written(
        tmp_path, full + "- {name: x, paper: p, presets: [small], overrides: {a: 1}}\n"
    )
    assert one.whole
    for match, text in (
        ("is no YAML", "rows: ["),
        ("one key 'rows'", "lines: []"),
        ("a name and a paper", "rows: [{name: full}]"),
        (r"unknown keys \['override'\]", "rows: [{name: full, paper: p, override: {}}]"),
        ("0 rows without overrides", "rows: [{name: a, paper: p, overrides: {b: 1}}]"),
        ("2 rows without overrides", full + "- {name: other, paper: p}"),
        ("share the folder 'full'", full + "- {name: Full, paper: p, overrides: {b: 1}}"),
        ("must map keys", full + "- {name: a, paper: p, overrides: [b]}"),
        ("no '='", full + "- {name: a=b, paper: p, overrides: {b: 1}}"),
        (
            "under 'losses'",
            full + "- {name: a, paper: p, overrides: {model.init_args.loss_weights: {}}}",
        ),
    ):
        with pytest.raises(ValueError, match=match):
            written(tmp_path, text)
    with pytest.raises(FileNotFoundError, match=r"no ablation of 'none'; .* has: lia"):
        rows.read_rows("none", folder=tmp_path)


@pytest.fixture
def trainings(monkeypatch, tmp_path):
    """Run in an empty folder; trainings stay in this process, `words` keeps what they are given.

    Those of the folders in `fail` fail; without `real`, the others leave an untrained checkpoint.
    """
    monkeypatch.chdir(tmp_path)
    kept = SimpleNamespace(words=[], fail=set(), real=False)

    def run(argv, check):
        words = argv[argv.index("animators") + 1 :]
        kept.words.append(words)
        (folder,) = (Path(w.partition("=")[2]) for w in words if w.startswith("--run_dir="))
        if folder.name in kept.fail:
            return SimpleNamespace(returncode=1)
        if kept.real:
            return SimpleNamespace(returncode=command.main(words))
        for name in ("best", "last"):
            save_animator(tiny_animator("lia"), folder / "checkpoints" / f"{name}.ckpt")
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(ablation, "subprocess", SimpleNamespace(run=run))
    return kept


ROWS = ["--rows", "full, 20 directions", "w-o-d-m"]


def call(*more, main=benchmarks.main):
    begin = ["ablation", "lia", "--data", "toy", "--preset", "small", "--trainer", "debug"]
    return main([*begin, "--frames", "4", "--no-lpips", "--output", "out", *SMALL, *more])


def test_rows_are_trained_alike_scored_together_and_not_trained_again(
    trainings, capsys, monkeypatch
):
    trainings.real = True
    assert call(*ROWS) == 0
    folder = Path("runs/ablation-lia-toy")
    full, without = trainings.words
    assert [*full[:-1], "--model.init_args.dictionary=false"] == without[:-1]
    for slug, has in (("full-20-directions", True), ("w-o-d-m", False)):
        animator = load_animator(folder / slug / "checkpoints" / "best.ckpt", "cpu")
        assert bool(animator.directions) is has
    (path,) = Path("out").iterdir()
    record = read_few_shot_record(path)
    assert [row["row"] for row in record["rows"]] == [
        "copy-source",
        "full, 20 directions",
        "w/o D_m",
    ]
    assert record["ablation"]["w/o D_m"]["changes"] == {"model.init_args.dictionary": False}
    assert record["protocol"]["averaging"] == "video"
    assert record["clips"]["count"] == 3
    table = (folder / "table.md").read_text()
    assert "| w/o D_m | `model.init_args.dictionary: false` |" in table
    lines = list(csv.DictReader((folder / "table.csv").open()))
    numbers = {line["row"]: float(line["value"]) for line in lines if line["metric"] == "l1"}
    assert numbers == {row["row"]: row["metrics"]["l1"] for row in record["rows"]}
    capsys.readouterr()

    # judged once is enough here
    monkeypatch.setattr(command.ZooCli, "instantiate_classes", lambda self: None)
    assert call(*ROWS) == 0
    assert len(trainings.words) == 2
    assert capsys.readouterr().out.count("trained  ") == 2
    assert len(list(Path("out").iterdir())) == 1

    # the same folder with other settings
    assert call(*ROWS, "--model.init_args.training.learning_rate=0.5") == 2
    assert "other settings, model.init_args.training.learning_rate" in capsys.readouterr().err
    (folder / "w-o-d-m" / "checkpoints" / "best.ckpt").unlink()
    assert call(*ROWS) == 2
    assert "lost its best.ckpt" in capsys.readouterr().err
    assert len(trainings.words) == 2


def test_what_was_interrupted_goes_on_and_a_failed_row_does_not_stop_the_others(
    trainings, capsys, parse_only
):
    trainings.fail = {"full-20-directions"}
    assert call(*ROWS) == 2
    assert "the training of 'full, 20 directions' failed" in capsys.readouterr().err
    assert len(trainings.words) == 2
    assert not Path("out").exists()
    folder = Path("runs/ablation-lia-toy")
    # as after a kill: a checkpoint, and no word that it is finished
    note = folder / "w-o-d-m" / "row.json"
    note.write_text(note.read_text().replace('"finished": true', '"finished": false'))
    trainings.fail = set()
    assert call(*ROWS) == 0
    again, resumed = trainings.words[2:]
    assert "--resume=true" not in again
    assert "--resume=true" in resumed


def test_rows_are_listed_without_training(trainings, capsys, parse_only):
    assert call(*ROWS, "--list") == 0
    out = capsys.readouterr().out
    assert "w-o-d-m" in out
    assert "to be trained" in out
    assert not trainings.words
    assert not Path("runs").exists()


def test_mistakes_are_one_line(trainings, fails, tmp_path, parse_only):
    def said(*words, model="lia"):
        common = ("--data", "toy", "--preset", "small", "--trainer", "debug", "--list")
        return fails(ablation.main, model, *common, *words)

    assert "there is no ablation of 'none'" in said(model="none")
    assert "there is no row 'full'" in said("--rows", "full")
    assert "has no value" in said("--trainer.max_epochs")
    assert "small letters" in said("--name", "Two Words")
    assert "preset has: " in said("--preset", "huge")
    assert "is not accepted" in said("--model.init_args.wdth=1")
    (tmp_path / "runs/ablation-lia-toy/w-o-d-m/checkpoints").mkdir(parents=True)
    assert "no ablation's" in said(*SMALL, *ROWS)
