"""One trial of a W&B sweep, as an agent starts it: gives it a folder, then becomes `fit`."""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.sweep.fitting import FIT, words


def compose(argv: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Compose the command of `fit`.

    Args:
        argv: the options, and after `--` those of `fit`.
        environment: with the name that W&B gave to this run.

    Raises:
        ValueError: no agent started this, or the values are no JSON object.
    """
    described = argparse.ArgumentParser(
        prog="python -m benchmarks.sweep.trial", description=__doc__
    )
    described.add_argument("--folder", required=True, type=Path)
    described.add_argument("--seed", required=True, type=int)
    described.add_argument("--values", required=True, help="JSON, by dotted name")
    cut = list(argv).index("--") if "--" in argv else len(argv)
    arguments = described.parse_args(argv[:cut])
    run = environment.get("WANDB_RUN_ID")
    if run is None:
        raise ValueError(
            "there is no WANDB_RUN_ID: this is started by `wandb agent`, see make sweep"
        )
    values = json.loads(arguments.values)
    if not isinstance(values, dict):
        raise ValueError(f"--values must be a JSON object, got {arguments.values}")
    # one that was preempted goes on
    own = [f"--run_dir={arguments.folder / run}", f"--seed_everything={arguments.seed}"]
    return [sys.executable, *FIT, *argv[cut + 1 :], *own, "--resume=true", *words(values)]


def main(argv: Sequence[str] | None = None) -> int:
    """Become `fit`, so that the agent's signals, and the processes of DDP, are `fit`'s own.

    Returns:
        2, after one line on stderr, where it cannot.
    """
    try:
        command = compose(sys.argv[1:] if argv is None else argv, os.environ)
        os.execv(command[0], command)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
