"""The Makefile composes runs as it says, and offers nothing that does not exist."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from animators.__main__ import COMMANDS
from animators.commands import animate, app, edit
from benchmarks import ablation, compare
from benchmarks.sweep import command as sweep
from datamodules.__main__ import COMMANDS as DATA_COMMANDS
from datamodules.prepare import command as prepare

ROOT = Path(__file__).resolve().parents[1]
HANDED_ON = ("ARGS", "MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS")
TEXT = (ROOT / "Makefile").read_text(encoding="utf-8")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


def dry(*arguments: str, fails: bool = False) -> str:
    """What make would run, or its complaint."""
    # `make test ARGS=...` hands its own variables on to what it starts
    own = {name: value for name, value in os.environ.items() if name not in HANDED_ON}
    done = subprocess.run(
        # the environment is taken for built, whatever the files' dates say
        ["make", "--dry-run", "--no-print-directory", "-o", ".venv/.ready", *arguments],
        cwd=ROOT,
        env=own,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout


def configs(line: str) -> list[str]:
    return re.findall(r"--config zoo_configs/(\S+)\.yaml", line)


def test_files_are_merged_in_the_stated_order():
    line = dry("train", "MODEL=lia", "DATA=faces", "TRAINER=cpu", "LOGGER=wandb", "PRESET=small")
    assert configs(line) == [
        "trainer/cpu",
        "logger/wandb",
        "data/faces",
        "model/lia",
        "preset/lia-small",
    ]


def test_defaults_are_the_papers_model_on_toy_clips():
    line = dry("train")
    files = ["trainer/auto", "logger/csv", "data/toy", "model/lia", "recipe/lia-toy"]
    assert configs(line) == files
    assert "--run_dir=runs/lia-toy" in line
    assert "--seed_everything=0" in line
    assert "--trainer.devices=auto" in line
    assert "--trainer.num_nodes=1" in line
    for absent in ("root", "resume", "init_from"):
        assert f"--{absent}" not in line
        assert f".{absent}=" not in line


def test_variables_reach_the_command():
    line = dry(
        *("train", "DATA=faces", "DATA_ROOT=clips", "NAME=mine", "SEED=7", "DEVICES=2", "NODES=3"),
        *("RESUME=1", "INIT=a.ckpt", "ARGS=--trainer.max_epochs=2"),
    )
    for option in (
        "--data.init_args.root=clips",
        "--run_dir=runs/mine",
        "--seed_everything=7",
        "--trainer.devices=2",
        "--trainer.num_nodes=3",
        "--resume=true",
        "--init_from=a.ckpt",
        "--trainer.max_epochs=2",
    ):
        assert option in line


@pytest.mark.parametrize(
    ("variable", "kind"),
    [("MODEL", "model"), ("DATA", "data"), ("TRAINER", "trainer"), ("LOGGER", "logger")],
)
def test_an_unknown_name_is_answered_with_the_known_ones(variable, kind):
    error = dry("train", f"{variable}=nothing", fails=True)
    assert f"there is no zoo_configs/{kind}/nothing.yaml" in error
    for path in (ROOT / "zoo_configs" / kind).glob("*.yaml"):
        assert path.stem in error


def test_an_unknown_preset_is_answered_with_the_known_ones():
    error = dry("train", "PRESET=huge", fails=True)
    assert "there is no zoo_configs/preset/lia-huge.yaml" in error
    assert "lia-small" in error


def test_what_is_needed_is_asked_for():
    assert "SOURCE= is missing" in dry("animate", fails=True)
    assert "INPUT= is missing" in dry("import", fails=True)
    assert "SET= is missing" in dry("edit", "SOURCE=a.png", "OUTPUT=b.png", fails=True)
    assert "SRC= is missing" in dry("prepare", "DST=data", fails=True)
    assert "DST= is missing" in dry("prepare", "SRC=videos", fails=True)


def test_a_folder_is_prepared():
    line = dry("prepare", "SRC=my videos", "DST=data", "ARGS=--size 128 --crop head")
    start = ".venv/bin/python -m datamodules prepare "
    assert line.startswith(start)
    wanted = prepare.parser().parse_args(shlex.split(line.removeprefix(start)))
    assert (wanted.kind, str(wanted.source), str(wanted.root)) == ("folder", "my videos", "data")
    assert (wanted.size, wanted.crop) == (128, "head")


def test_references_reach_the_command_where_there_are_any():
    words = ("animate", "SOURCE=me.png", "DRIVING=talk.mp4", "OUTPUT=out.mp4")
    start = ".venv/bin/python -m animators animate "
    for given in ([], ["a.png", "b.png"]):
        line = dry(*words, f"REFERENCES={' '.join(given)}", "ARGS=--side-by-side")
        wanted = animate.parser().parse_args(
            shlex.split(line.replace("\\\n", "").removeprefix(start))
        )
        assert list(map(str, wanted.references)) == given
        assert (str(wanted.source), str(wanted.output)) == ("me.png", "out.mp4")
        assert wanted.side_by_side


def test_edits_reach_both_commands_that_take_them():
    given = ("SOURCE=a.png", "OUTPUT=b.mp4", "SET=5=1.5 d3=-1")
    for target, command, extra in (
        ("edit", edit, []),
        ("animate", animate, ["DRIVING=c.mp4"]),
    ):
        line = dry(target, *given, *extra).replace("\\\n", "")
        start = f".venv/bin/python -m animators {target} "
        wanted = command.parser().parse_args(shlex.split(line.removeprefix(start)))
        amounts = wanted.set if target == "edit" else wanted.edit
        assert amounts == [("5", 1.5), ("d3", -1.0)]
    assert "--edit" not in dry("animate", "SOURCE=a.png", "OUTPUT=b.mp4", "DRIVING=c.mp4")


def test_the_page_opens_with_the_run_that_is_named():
    start = ".venv/bin/python -m animators app "
    for given, opened in (
        ([], None),
        (["CHECKPOINT=my lia.ckpt"], "my lia.ckpt"),
        (["NAME=mine"], "runs/mine/checkpoints/best.ckpt"),
        (["MODEL=fomm", "DATA=faces"], "runs/fomm-faces/checkpoints/best.ckpt"),
    ):
        lines = dry("app", *given, "ARGS=--port 8000").replace("\\\n", "").splitlines()
        wanted = app.parser().parse_args(shlex.split(lines[-1].removeprefix(start)))
        assert (wanted.checkpoint and str(wanted.checkpoint)) == opened
        assert (wanted.port, wanted.host) == (8000, "127.0.0.1")
        assert ".[app]" in lines[0] + lines[1]


def test_a_benchmark_compares_the_models_on_their_set():
    line = dry("benchmark", "MODELS=lia other", "DATA=faces", "DATA_ROOT=clips", "ARGS=--seeds 0 1")
    words = shlex.split(line.replace("\\\n", ""))
    asked = compare.parser().parse_args(words[4:])
    assert words[:4] == [".venv/bin/python", "-m", "benchmarks", "compare"]
    assert (asked.models, asked.data, asked.root) == (["lia", "other"], "faces", "clips")
    assert asked.seeds == [0, 1]
    assert "--root" not in dry("benchmark")


def test_an_ablation_is_trained_as_a_run_is(monkeypatch):
    line = dry(
        *("ablation", "MODEL=dime", "DATA=bodies", "PRESET=small", "TRAINER=cpu", "LOGGER=wandb"),
        *("SEED=3", "DEVICES=2", "DATA_ROOT=clips", "INIT=a.ckpt", "ARGS=--trainer.max_epochs=2"),
    )
    start = ".venv/bin/python -m benchmarks ablation "
    words = shlex.split(line.replace("\\\n", ""))
    assert line.startswith(start)
    given = []
    monkeypatch.setattr(ablation, "work", lambda *a, **kw: given.append((*a, *kw.values())))
    assert ablation.main(words[4:]) == 0
    ((wanted, passed),) = given
    assert passed == ["--init_from=a.ckpt", "--trainer.max_epochs=2"]
    assert (wanted.model, wanted.data, wanted.root, wanted.seed) == ("dime", "bodies", "clips", 3)
    assert (wanted.preset, wanted.trainer, wanted.logger) == ("small", "cpu", "wandb")
    assert wanted.devices == "2"
    assert "--root" not in dry("ablation", "DATA=toy")


def test_a_sweep_shares_what_a_run_is_made_of():
    start = ".venv/bin/python -m benchmarks sweep "
    for words, engine, logger in (
        ((), "wandb", "wandb"),
        (("ENGINE=local", "TRIALS=6", "SEED=3", "DEVICES=2"), "local", "csv"),
    ):
        given = ("MODEL=dime", "DATA=bodies", "ARGS=--trainer.max_epochs=4", "RESUME=1")
        line = dry("sweep", *given, *words).replace("\\\n", "")
        own, _, shared = line.removeprefix(start).partition(" -- ")
        wanted = sweep.parser().parse_args(shlex.split(own))
        assert (wanted.engine, str(wanted.folder)) == (engine, "runs/sweep-dime-bodies")
        assert str(wanted.space) == "zoo_configs/sweep/dime.yaml"
        files = ["trainer/auto", f"logger/{logger}", "data/bodies", "model/dime"]
        assert configs(shared) == files
        assert "--data.init_args.root=data" in shared
        assert "--trainer.max_epochs=4" in shared
        # these are each trial's own
        for option in ("--run_dir", "--seed_everything", "--resume"):
            assert option not in shared
    assert (wanted.trials, wanted.seed) == (6, 3)
    assert "--trainer.devices=2" in shared


def test_the_sweep_engine_comes_without_its_needs_and_pinned():
    lines = dry("sweep-local").replace("\\\n", "")
    assert re.search(r"install .*--constraint .ci/constraints.txt --no-deps sweeps$", lines, re.M)
    pins = (ROOT / ".ci/constraints.txt").read_text(encoding="utf-8").splitlines()
    assert "sweeps==0.3.0" in pins
    named = re.search(r"constraints.txt (scikit-learn .*?) &&", lines)
    assert named is not None
    for name in named[1].split():
        assert any(pin.startswith(f"{name}==") for pin in pins), name


def test_every_target_is_explained_and_every_command_exists():
    targets = re.findall(r"^\.PHONY: (.*)$", TEXT.replace("\\\n", ""), re.MULTILINE)[0].split()
    explained = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert targets
    for target in targets:
        assert re.search(rf"^  {target} +\S", explained, re.MULTILINE), target
    used = re.findall(r"-m animators (\w+)", TEXT)
    assert used
    assert set(used) <= set(COMMANDS)
    prepared = re.findall(r"-m datamodules (\w+)", TEXT)
    assert prepared
    assert set(prepared) <= set(DATA_COMMANDS)
    benchmarks = (ROOT / "benchmarks" / "__main__.py").read_text(encoding="utf-8")
    for command in re.findall(r"-m benchmarks (\w+)", TEXT):
        assert f'"{command}"' in benchmarks, command


def test_setup_pins_every_version():
    pins = (ROOT / ".ci/constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in pins if line and not line.startswith("#")]
    assert len(pins) > 50
    for pin in pins:
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.+!-]+", pin), pin
    assert not [pin for pin in pins if pin.startswith(("nvidia", "triton", "cuda"))]
