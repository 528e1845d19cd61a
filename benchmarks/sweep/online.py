"""A sweep on W&B's server: registered, and worked on by an agent here."""

import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.sweep.fitting import interpreter
from benchmarks.sweep.space import Space

INSTEAD = "ENGINE=local searches the same space without an account"
TIMEOUT = 10.0  # seconds without an answer before the server counts as out of reach


def command(given: Sequence[str], folder: Path, seed: int) -> list[str]:
    """Compose what an agent runs for each trial.

    W&B's ${interpreter} is whatever `python` is found first, so this one is named. The values come
    as JSON, which keeps null, lists and numbers what they are.

    Args:
        given: options of `fit`.
        folder: below which each trial gets a folder of its own.
        seed: of every trial.
    """
    own = ["--folder", str(folder), "--seed", str(seed), "--values", "${args_json}"]
    return ["${env}", interpreter(), "-m", "benchmarks.sweep.trial", *own, "--", *given]


def registered(
    space: Space, given: Sequence[str], folder: Path, trials: int, seed: int
) -> dict[str, Any]:
    """Return the sweep as it is registered."""
    return {
        **space.config,
        "name": folder.name,
        "run_cap": trials,
        "command": command(given, folder, seed),
    }


def check_logger(config: Mapping[str, Any]) -> None:
    """Make sure that trials report to W&B.

    Raises:
        ValueError: they do not.
    """
    loggers = config["trainer"].get("logger") or []
    found = [str(item.get("class_path")) for item in loggers if isinstance(item, dict)]
    if not any(name.endswith("WandbLogger") for name in found):
        raise ValueError("the trials would not report to W&B: LOGGER=wandb, or ENGINE=local")


def check_server() -> None:
    """Make sure that there are an account and a server.

    Raises:
        ValueError: which of them is missing.
    """
    mode = os.environ.get("WANDB_MODE", "online")
    if mode != "online":
        raise ValueError(f"a sweep lives on W&B's server, and WANDB_MODE is {mode}: {INSTEAD}")
    import wandb

    address = str(wandb.setup().settings.base_url)
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT):
            pass
    except urllib.error.HTTPError:
        pass  # it answers
    except (OSError, ValueError) as error:
        raise ValueError(f"W&B's server {address} is out of reach ({error}): {INSTEAD}") from None
    try:
        known = wandb.login(prompt=False)
    except wandb.errors.Error as error:
        raise ValueError(f"W&B refuses the API key: {error}; {INSTEAD}") from None
    if not known:
        raise ValueError(f"W&B knows no API key: `.venv/bin/wandb login`; {INSTEAD}")


def search(
    space: Space, given: Sequence[str], folder: Path, trials: int, seed: int, project: str
) -> str:
    """Register the sweep and work on it until it has its trials.

    Returns:
        The sweep's name on the server.

    Raises:
        ValueError: W&B refuses.
    """
    check_server()
    import wandb

    try:
        sweep = wandb.sweep(registered(space, given, folder, trials, seed), project=project)
        wandb.agent(sweep, project=project, count=trials)
    except wandb.errors.Error as error:
        raise ValueError(f"W&B refuses: {error}") from None
    return str(sweep)
