"""What `fit`, `validate` and `test` begin with, judged before anything is written."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from animators.animator import model_name
from animators.avd import AvdTraining
from animators.module import AnimatorModule
from animators.training import differing
from animators.weights import load_animator, read_checkpoint, some

PRECISIONS = ("32-true", "64-true", "bf16-mixed", "16-mixed")
"""Positions and matrices need 32 bits, which the others give to nothing."""


def check_run(model: AnimatorModule, data: object, precision: str) -> None:
    """Refuse a run that would fail, or train what nobody wants.

    Args:
        model: what is to be trained.
        data: the datamodule.
        precision: the trainer's.

    Raises:
        ValueError: the setting and what it may be.
    """
    _check_precision(precision)
    if own := getattr(model, "check_run", None):
        own(data, precision)
    second = isinstance(model, AvdTraining)
    if model.arguments.get("avd") and not second:
        name = model_name(type(model))
        raise ValueError(
            "the AVD network (avd: true) is trained in a second stage, and would stay untrained in "
            f"this one: leave avd out, then `make train MODEL={name}-avd DATA=... "
            f"INIT=runs/{name}-DATA/checkpoints/best.ckpt`"
        )
    if second and getattr(data, "batch_size", 2) < 2:
        raise ValueError(
            "the AVD network normalises over its batch, which needs two pairs at least: set "
            "data.init_args.batch_size to 2 or more"
        )


def _check_precision(precision: str) -> None:
    if precision not in PRECISIONS:
        raise ValueError(
            f"trainer.precision {precision} keeps positions in too few digits: take one of "
            f"{', '.join(PRECISIONS)}"
        )


def start_from(model: AnimatorModule, path: str) -> None:
    """Take the network's weights from a checkpoint, ours or imported; the average where kept.

    Raises:
        ValueError: the file is no checkpoint of this animator at these sizes.
    """
    other = load_animator(path, device="cpu")
    try:
        model.start_from(other)
    except ValueError as error:
        raise ValueError(f"cannot start from {path}: {error}: make them agree") from None
    kept = {name: other.arguments.get(name) for name in model.inference_arguments}
    ours = {name: model.arguments.get(name) for name in model.inference_arguments}
    if said := differing(kept, ours):
        sys.stderr.write(f"note: used otherwise than in {path}: {said}\n")
    if other.arguments.get("avd") and not model.arguments.get("avd"):
        name = model_name(type(model))
        sys.stderr.write(
            f"note: the AVD network of {path} is left behind: it belongs to the weights that it "
            f"was trained with; train one for the new weights with MODEL={name}-avd\n"
        )


def resume_from(last: Path, resume: bool, overwrite: bool) -> Path | None:
    """Return the checkpoint to continue from, or None for a fresh start."""
    if resume:
        if last.is_file():
            return last
        sys.stderr.write(f"note: no {last} yet, starting from the beginning\n")
        return None
    if last.exists() and not overwrite:
        raise ValueError(
            f"{last.parent.parent} already holds a run: RESUME=1 (--resume=true) continues it, "
            "another NAME= (--run_dir) keeps it, --overwrite=true replaces it"
        )
    return None


def continue_from(model: AnimatorModule, path: Path) -> int:
    """Make sure that a run can go on from its checkpoint.

    Returns:
        Batches that the checkpoint has seen.

    Raises:
        ValueError: it holds no training state, or another animator, stage or size.
    """
    state = read_checkpoint(path)
    if "training" not in state:
        raise ValueError(f"{path} holds no training state: start a new run from it with INIT=")
    try:
        _check_same(model, state, path)
    except ValueError as error:
        raise ValueError(
            f"cannot go on from {path}: {error}; make them agree, or another NAME= (--run_dir) "
            "keeps that run and --overwrite=true replaces it"
        ) from None
    return int(state["training"]["batches_seen"])


def take_up(model: AnimatorModule, path: str | None, precision: str) -> None:
    """Make sure that a checkpoint of a run can be scored.

    Args:
        model: what the checkpoint's weights will be loaded into.
        path: the checkpoint.
        precision: the trainer's.

    Raises:
        FileNotFoundError: no such file.
        ValueError: there is none, it is of no run, or of another animator, stage or size.
    """
    _check_precision(precision)
    if path is None:
        raise ValueError(
            "there is nothing to score without a checkpoint: give "
            "--ckpt_path=runs/NAME/checkpoints/best.ckpt"
        )
    state = read_checkpoint(Path(path))
    if "training" not in state:
        raise ValueError(
            f"{path} holds no training state, so it is of no run: score it with `python -m "
            f"benchmarks run --checkpoint {path} --data NAME`"
        )
    try:
        _check_same(model, state, path)
    except ValueError as error:
        raise ValueError(
            f"cannot score {path}: {error}; give the run's own --config runs/NAME/config.yaml"
        ) from None


def _check_same(model: AnimatorModule, state: Mapping[str, Any], path: str | Path) -> None:
    """Raise ValueError unless the module can load the checkpoint's state."""
    if isinstance(model, AvdTraining):
        model.continue_from(state, path)
    theirs, ours = state.get("animator"), model.description()
    if not isinstance(theirs, dict) or not isinstance(theirs.get("init_args"), dict):
        raise ValueError("it does not say which animator it holds")
    if theirs.get("format") != ours["format"]:
        raise ValueError(f"its format is {theirs.get('format')}, this version's {ours['format']}")
    if said := differing(_settings(theirs), _settings(ours), model.inference_arguments):
        raise ValueError(said)
    _check_weights(state["state_dict"], model.state_dict())


def _settings(description: Mapping[str, Any]) -> dict[str, Any]:
    name = str(description.get("class_path")).rpartition(".")[2]
    return {"class": name, **description["init_args"]}


def _check_weights(theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> None:
    """Raise ValueError unless names and shapes agree: an adversary is in no description."""
    names = sorted(theirs.keys() | ours.keys())
    differ = [n for n in names if n not in theirs or n not in ours]
    differ += [n for n in names if n not in differ and theirs[n].shape != ours[n].shape]
    if differ:
        raise ValueError(f"its weights are others: {some(differ)}")
