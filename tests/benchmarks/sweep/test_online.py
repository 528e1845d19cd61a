"""What W&B is given, and what its agent would run; no server is asked."""

import io
import json
import runpy
import sys
import urllib.error
from pathlib import Path

import pytest
import wandb

from benchmarks.sweep import engine, online, trial
from tests.benchmarks.sweep.conftest import CONFIG

GIVEN = ["--config", "zoo_configs/trainer/ddp.yaml", "--trainer.devices=2"]
VALUES = {"model.init_args.rate": 1e-05, "model.init_args.range": None, "m.method": "rk4"}


def agent(command, values):
    """The words that W&B's agent would start."""
    from wandb.sdk.launch.sweeps import utils

    variables = utils.create_sweep_command_args(
        {"args": {name: {"value": value} for name, value in values.items()}}
    )
    variables |= {"env": ["/usr/bin/env"], "interpreter": ["python"]}
    found = []
    for word in utils.create_sweep_command(list(command)):
        macro = word.startswith("${") and word.endswith("}")
        found += variables[word[2:-1]] if macro else [word]
    return found


def test_what_is_registered_fits_the_schema(space):
    sweep = online.registered(space(), GIVEN, Path("runs/sweep-x"), 7, 3)
    assert engine.violations(sweep) == []
    assert (sweep["run_cap"], sweep["name"]) == (7, "sweep-x")
    assert {name: sweep[name] for name in CONFIG} == CONFIG


def test_an_agent_starts_this_python_and_every_trial_has_its_folder(space):
    sweep = online.registered(space(), GIVEN, Path("runs/sweep-x"), 7, 3)
    env, python, dash, module, *own = agent(sweep["command"], VALUES)
    assert env == "/usr/bin/env"
    assert Path(python).resolve() == Path(sys.executable).resolve()
    assert python != "python"
    assert [dash, module] == ["-m", "benchmarks.sweep.trial"]
    command = trial.compose(own, {"WANDB_RUN_ID": "ab12"})
    assert command[:4] == [sys.executable, "-m", "animators", "fit"]
    assert command[4 : 4 + len(GIVEN)] == GIVEN
    assert command[4 + len(GIVEN) :] == [
        *("--run_dir=runs/sweep-x/ab12", "--seed_everything=3", "--resume=true"),
        *("--model.init_args.rate=1e-05", "--model.init_args.range=null", "--m.method=rk4"),
    ]


def test_a_trial_becomes_fit(monkeypatch):
    """So that the agent's SIGTERM reaches Lightning, and DDP starts `fit` again, not this."""
    became = []
    monkeypatch.setattr("os.execv", lambda path, words: became.append((path, words)))
    monkeypatch.setenv("WANDB_RUN_ID", "ab12")
    trial.main(["--folder", "runs/s", "--seed", "0", "--values", json.dumps(VALUES), "--", *GIVEN])
    path, words = became[0]
    assert path == words[0] == sys.executable
    assert words[1:4] == ["-m", "animators", "fit"]


def test_a_second_process_of_ddp_gets_the_same_words(monkeypatch, tmp_path):
    """Lightning starts the other ranks with the main process's own argv, `-m` and all."""
    from lightning.fabric.strategies.launchers.subprocess_script import _basic_subprocess_cmd

    command = trial.compose(
        ["--folder", "runs/s", "--seed", "0", "--values", json.dumps(VALUES), "--", *GIVEN],
        {"WANDB_RUN_ID": "ab12"},
    )
    started = []
    monkeypatch.setattr(sys, "argv", ["animators", *command[3:]])
    monkeypatch.setattr(
        "datamodules.options.enter", lambda *_: started.append(_basic_subprocess_cmd()) or 0
    )
    main = sys.modules["__main__"]
    # it is about to run a second time, on purpose
    monkeypatch.delitem(sys.modules, "animators.__main__", raising=False)
    try:
        with pytest.raises(SystemExit):
            runpy.run_module("animators", run_name="__main__", alter_sys=True)
    finally:
        sys.modules["__main__"] = main
    (again,) = started
    assert list(again) == [sys.executable, "-m", "animators.__main__", *command[3:]]


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        (["--values", "{}"], {}, "no WANDB_RUN_ID"),
        (["--values", "[1]"], {"WANDB_RUN_ID": "a"}, "must be a JSON object"),
    ],
)
def test_a_trial_that_no_agent_started(words, environment, said):
    with pytest.raises(ValueError, match=said):
        trial.compose(["--folder", "f", "--seed", "0", *words], environment)


def test_trials_that_would_not_report(space):
    csv = {"class_path": "animators.callbacks.csv.RunCsv"}
    wand = {"class_path": "lightning.pytorch.loggers.WandbLogger"}
    online.check_logger({"trainer": {"logger": [csv, wand]}})
    with pytest.raises(ValueError, match="LOGGER=wandb"):
        online.check_logger({"trainer": {"logger": [csv]}})


def test_offline_is_one_clear_error(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    with pytest.raises(ValueError, match="WANDB_MODE is offline: ENGINE=local"):
        online.check_server()


def test_no_server_no_key_and_a_wrong_key(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")

    def unreachable(address, timeout):
        raise urllib.error.URLError("no such name")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    with pytest.raises(ValueError, match=r"out of reach .*no such name.*ENGINE=local"):
        online.check_server()

    def answers(address, timeout):
        raise urllib.error.HTTPError(address, 404, "nothing here", {}, io.BytesIO())

    monkeypatch.setattr("urllib.request.urlopen", answers)
    monkeypatch.setattr(wandb, "login", lambda prompt: prompt)
    with pytest.raises(ValueError, match=r"no API key: `\.venv/bin/wandb login`.*ENGINE=local"):
        online.check_server()

    def refuse(prompt):
        raise wandb.errors.AuthenticationError("bad key")

    monkeypatch.setattr(wandb, "login", refuse)
    with pytest.raises(ValueError, match="refuses the API key: bad key"):
        online.check_server()


def test_the_sweep_is_registered_and_worked_on(space, monkeypatch):
    asked = []
    monkeypatch.setattr(online, "check_server", lambda: None)
    monkeypatch.setattr(wandb, "sweep", lambda config, project: asked.append(config) or "s1")
    monkeypatch.setattr(wandb, "agent", lambda *words, **options: asked.append((words, options)))
    assert online.search(space(), GIVEN, Path("runs/s"), 5, 0, "zoo") == "s1"
    assert asked == [
        online.registered(space(), GIVEN, Path("runs/s"), 5, 0),
        (("s1",), {"project": "zoo", "count": 5}),
    ]

    def refuse(config, project):
        raise wandb.errors.CommError("no such entity")

    monkeypatch.setattr(wandb, "sweep", refuse)
    with pytest.raises(ValueError, match="W&B refuses: no such entity"):
        online.search(space(), GIVEN, Path("runs/s"), 5, 0, "zoo")
