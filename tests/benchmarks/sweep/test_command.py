import json
import subprocess
import sys

import pytest
import yaml

from benchmarks.sweep import command, fitting, online, runner
from benchmarks.sweep.journal import FILE
from benchmarks.sweep.runner import Outcome
from tests.benchmarks.sweep.conftest import CONFIG

RATE, SIZE = CONFIG["parameters"]
RESOLVED = {
    "trainer": {
        "max_epochs": 2,
        "callbacks": [{"class_path": "animators.callbacks.Evaluate"}],
        "logger": [{"class_path": "animators.callbacks.csv.RunCsv"}],
    },
    "model": {"init_args": {"rate": 1e-3, "size": 2}},
}


def words(space, folder, *more):
    return [
        *("--space", str(space.file), "--folder", str(folder), "--engine", "local"),
        *("--trials", "3", *more, "--", "--config", "a.yaml", "--x=1"),
    ]


@pytest.fixture
def started(monkeypatch):
    """Resolve nothing, train nothing; returns the commands of all trials."""
    commands = []

    def train(command, folder, metric, epochs, stop, lock):
        commands.append(list(command))
        folder.mkdir(exist_ok=True)
        size = next((float(w.split("=")[1]) for w in command if ".size=" in w), 2.0)
        return Outcome("finished", [size, size])

    monkeypatch.setattr(runner, "train", train)
    monkeypatch.setattr(fitting, "resolve", lambda given: RESOLVED)
    return commands


def test_a_sweep_on_this_machine(space, tmp_path, started, capsys):
    folder = tmp_path / "sweep"
    assert command.main(words(space(), folder)) == 0
    said = capsys.readouterr().out
    assert "trial-000 (default)" in said
    assert (folder / "table.md").is_file()
    assert (folder / "sweep.png").is_file()
    start = [sys.executable, "-m", "animators", "fit", "--config", "a.yaml", "--x=1"]
    assert started[0] == [*start, f"--run_dir={folder}/trial-000", "--seed_everything=0"]
    *shared, rate, size, run, seed = started[1]
    assert shared == start
    assert rate.startswith(f"--{RATE}=")
    assert size.startswith(f"--{SIZE}=")
    assert (run, seed) == (f"--run_dir={folder}/trial-001", "--seed_everything=0")
    # once more: nothing is trained
    count = len(started)
    assert command.main(words(space(), folder)) == 0
    assert len(started) == count
    first = json.loads((folder / FILE).read_text().splitlines()[0])
    assert first["configuration"] == RESOLVED


def test_another_sweep_in_the_same_folder_is_refused(space, tmp_path, started, fails):
    folder = tmp_path / "sweep"
    assert command.main(words(space(), folder)) == 0
    count = len(started)
    said = refused(fails, words(space(method="bayes"), folder))
    assert "holds a sweep with another space" in said
    assert "another seed" in refused(fails, words(space(), folder, "--seed", "4"))
    assert len(started) == count


def refused(fails, argv):
    return fails(command.main, *argv)


def test_an_unknown_parameter_is_refused_before_anything_is_trained(
    space, tmp_path, started, fails
):
    wrong = space(parameters={"model.init_args.breadth": {"values": [1, 2]}})
    assert "nothing is called breadth" in refused(fails, words(wrong, tmp_path / "sweep"))
    assert not started
    assert not (tmp_path / "sweep").exists()


def test_what_fit_refuses_is_said_in_its_own_words(space, tmp_path, started, fails, monkeypatch):
    def resolve(given):
        if any(SIZE in word for word in given):
            raise ValueError("model: size: Expected a <class 'bool'>")
        return RESOLVED

    monkeypatch.setattr(fitting, "resolve", resolve)
    said = refused(fails, words(space(), tmp_path / "sweep"))
    assert "space.yaml: model: size: Expected" in said
    assert not started


def test_trials_without_wandb_are_no_trials_of_wandb(space, tmp_path, started, fails, monkeypatch):
    monkeypatch.setattr(online, "check_server", lambda: None)
    argv = [w if w != "local" else "wandb" for w in words(space(), tmp_path / "sweep")]
    assert "LOGGER=wandb" in refused(fails, argv)


@pytest.mark.parametrize("count", ["1", "0", "many", "-3"])
def test_trials_are_the_default_and_another(count, space, tmp_path, capsys):
    options = ["--space", "x", "--folder", "y", f"--trials={count}"]
    assert command.main(options) == 2
    assert "is not a number from 2 on" in capsys.readouterr().err


def test_fit_itself_answers_what_a_run_is_made_of(monkeypatch):
    def run(argv, **options):
        assert argv[:4] == [sys.executable, "-m", "animators", "fit"]
        assert argv[-1] == "--print_config"
        good = "--bad" not in argv
        out = yaml.safe_dump(RESOLVED) if good else ""
        err = "a warning\n" + ("" if good else "error: no such thing\n")
        return subprocess.CompletedProcess(argv, 0 if good else 2, out, err)

    monkeypatch.setattr(subprocess, "run", run)
    assert fitting.resolve(["--config", "x"]) == RESOLVED
    with pytest.raises(ValueError, match=r"^no such thing$"):
        fitting.resolve(["--bad"])


@pytest.mark.slow
@pytest.mark.timeout(900)  # nine processes, one after another
def test_a_small_sweep_for_real(tmp_path, root, capsys):
    """Three trials of one epoch, a tiny LIA on toy clips, and the check under new seeds."""
    trainer = yaml.safe_load((root / "zoo_configs/trainer/debug.yaml").read_text())
    for callback in trainer["trainer"]["callbacks"]:
        if callback["class_path"].endswith(".Evaluate"):
            callback["init_args"] = {"lpips": False}
    (tmp_path / "trainer.yaml").write_text(yaml.safe_dump(trainer))
    space = {**CONFIG, "metric": {"name": "val/lpips", "goal": "minimize"}}
    space["parameters"] = {
        "model.init_args.motion_dim": {"values": [3, 5, 7]},
        "model.init_args.loss_weights.reconstruction": {"min": 0.1, "max": 1.0},
    }
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(space))
    files = [tmp_path / "trainer.yaml", root / "zoo_configs/logger/csv.yaml"]
    files += [root / "zoo_configs/data/toy.yaml", root / "tests/tiny/lia.yaml"]
    folder = tmp_path / "sweep"
    argv = ["--space", str(tmp_path / "space.yaml"), "--folder", str(folder), "--trials", "3"]
    argv += ["--engine", "local", "--", *(w for f in files for w in ("--config", str(f)))]
    argv += ["--data.init_args.batch_size=4", "--data.init_args.frames=4"]
    argv += [
        "--data.init_args.toy={train_clips: 8, identities: 4, test_clips: 2, test_identities: 2}"
    ]
    assert command.main(argv) == 0
    out, err = capsys.readouterr()
    assert "validation leaves LPIPS out: the metric is val/l1" in err
    table = (folder / "table.md").read_text()
    assert table in out
    for number in range(3):
        run = folder / f"trial-{number:03}"
        config = yaml.safe_load((run / "config.yaml").read_text())
        # all of the dictionary's entries are there, not only the one that is searched
        assert set(config["model"]["init_args"]["loss_weights"]) == {
            "reconstruction",
            "adversarial",
        }
        (value,) = runner.read_history(run / "metrics.csv", "val/l1")
        assert f"{value:.6f}" in table
        assert (run / "checkpoints/best.ckpt").is_file()
