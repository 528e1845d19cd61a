"""`python -m benchmarks sweep`: search settings of an animator, here or with W&B's server."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datamodules import options

LEAST = 2  # the default and one other

HELP = """What follows `--` goes to `python -m animators fit`: its --config files and whatever each
trial is to share. `make sweep MODEL=dime DATA=bodies` fills in all of it."""


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = options.Parser(
        prog="python -m benchmarks sweep", description=__doc__, epilog=HELP, allow_abbrev=False
    )
    described.add_argument(
        "--space", required=True, type=Path, help="a YAML of zoo_configs/sweep, in W&B's schema"
    )
    described.add_argument(
        "--folder", required=True, type=Path, help="of the sweep, such as runs/sweep-lia-toy"
    )
    described.add_argument(
        "--engine",
        choices=("local", "wandb"),
        default="wandb",
        help="W&B's server, which wants an account, or W&B's engine on this machine",
    )
    described.add_argument(
        "--trials", type=_trials, default=20, help="with the default among them (default: 20)"
    )
    described.add_argument("--seed", type=int, default=0, help="of the trials and of the proposals")
    described.add_argument("--project", default="animator-zoo", help="W&B's name for the sweep's")
    return described


def _trials(text: str) -> int:
    if not text.isdecimal() or int(text) < LEAST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {LEAST} on")
    return int(text)


def search(arguments: argparse.Namespace) -> None:
    """Search.

    Raises:
        OSError: a file is missing.
        ValueError: what the user has to change.
    """
    from benchmarks.sweep import fitting
    from benchmarks.sweep.space import read_space

    space, given = read_space(arguments.space), list(arguments.given)
    if arguments.engine == "local":
        _local(arguments, space, given)
        return
    from benchmarks.sweep import online

    online.check_server()  # before all that takes time
    config = fitting.resolve(given)
    online.check_logger(config)
    space, given = _prepared(space, given, config)
    name = online.search(
        space, given, arguments.folder, arguments.trials, arguments.seed, arguments.project
    )
    print(
        f"the sweep {name} has ended; runs: {arguments.folder}. The model's default is no trial of "
        "W&B's: train it with the same options (make train LOGGER=wandb), and compare."
    )


def _prepared(space: Any, given: list[str], config: dict[str, Any]) -> tuple[Any, list[str]]:
    from benchmarks.sweep import fitting

    fitting.defaults(config, space)  # every name is one of the run's
    given = [*given, *fitting.dictionaries(config, space)]
    fitting.check_names(given, space)
    fitting.epochs(config, space)
    space, said = fitting.score_by(config, space)
    if said:
        print(f"note: {said}", file=sys.stderr)
    return space, given


def _local(arguments: argparse.Namespace, space: Any, given: list[str]) -> None:
    from benchmarks.sweep import fitting, report, runner
    from benchmarks.sweep.engine import Values
    from benchmarks.sweep.journal import Journal
    from benchmarks.sweep.search import Search

    folder: Path = arguments.folder
    config = fitting.resolve(given)
    space, shared = _prepared(space, given, config)
    count, found = fitting.epochs(config, space), fitting.defaults(config, space)
    with Journal(folder) as journal:
        settings = {"space": space.config, "seed": arguments.seed, "options": given}
        journal.begin({**settings, "configuration": config}, folder)

        def train(
            name: str, values: Values, seed: int, *, again: bool, stop: runner.Stop | None
        ) -> runner.Outcome:
            own = [f"--run_dir={folder / name}", f"--seed_everything={seed}"]
            own += ["--resume=true"] if again else []
            # nothing is changed for the default, down to how it is written
            changed = [*shared, *fitting.words(values)] if values else given
            command = [sys.executable, *fitting.FIT, *changed, *own]
            return runner.train(command, folder / name, space.metric, count, stop, journal.lock)

        result = Search(space, journal, found, arguments.seed, train).run(arguments.trials)
    print("\n" + report.write(space, result, arguments.seed, folder))
    print(f"table: {folder / 'table.md'}\npicture: {folder / 'sweep.png'}")


def main(argv: Sequence[str]) -> int:
    """Search; returns 0, 2 after one line on stderr, or 130 when interrupted."""
    words = list(argv)
    cut = words.index("--") if "--" in words else len(words)
    own, given = words[:cut], words[cut + 1 :]

    def work(arguments: argparse.Namespace) -> None:
        arguments.given = given
        search(arguments)

    return options.run(parser(), work, own, "interrupted: the same command goes on with it")


__all__ = ["main", "parser"]
