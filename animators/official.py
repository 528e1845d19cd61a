"""Authors' published checkpoints, read strictly into our networks."""

import argparse
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, TypeVar

import torch
from torch import Tensor

import animators
from animators.module import AnimatorModule
from animators.weights import animator_class, build, fill, module_exists, read_checkpoint, some

_Value = TypeVar("_Value")

# what reading sizes off tensors of unforeseen shapes ends in: 0-d tensors, maps of one entry
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError)


@dataclass(frozen=True)
class OfficialWeights:
    """How to read one model's published checkpoints; each model's `weights.py` has one, OFFICIAL.

    Patterns are regular expressions that match a whole key.

    Attributes:
        class_path: the animator that the weights are for.
        entries: top-level entries that hold state dicts -> what is put before the keys of each,
            so that they make one state. An entry "" is the whole file: a bare state dict.
        configs: names of the published configurations; the first is the default.
        landmarks: keys, prefixed, by which a file of this model is recognised.
        arguments: state and configuration's name -> constructor arguments; sizes are read off
            the tensors, and only what these cannot tell follows from the name.
        names: their keys, prefixed -> ours, within the network.
        optional: those of `entries` that a file may lack.
        ignored: top-level entries that are passed over.
        dropped: their keys that never influence an output -> the reason.
        constants: their fixed buffers -> the value built into our network, which is checked.
    """

    class_path: str
    entries: Mapping[str, str]
    configs: tuple[str, ...]
    landmarks: tuple[str, ...]
    arguments: Callable[[Mapping[str, Tensor], str], dict[str, Any]]
    names: Mapping[str, str | Callable[[re.Match[str]], str]]
    optional: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    dropped: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Tensor] = field(default_factory=dict)


def import_official(model: str, path: str | Path, config: str | None = None) -> AnimatorModule:
    """Read the authors' checkpoint of a model.

    Args:
        model: name of the model's folder, such as "lia".
        path: the authors' file.
        config: one of the model's published configurations; None takes the first.

    Returns:
        The animator with their weights, on the CPU, in eval mode.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no such model or configuration, or the file is not what the model's
            `weights.py` describes; everything missing or surplus is named.
    """
    path, official = Path(path), official_weights(model)
    if config is not None and config not in official.configs:
        known = ", ".join(official.configs)
        raise ValueError(f"{model} has no configuration {config!r}; it has: {known}")
    state = official_state(official, path, model)
    try:
        arguments = official.arguments(state, config or official.configs[0])
    except _UNREADABLE as error:
        raise ValueError(f"{path} is no {model} checkpoint: sizes unreadable ({error})") from error
    module = build(animator_class(official.class_path, path), arguments, path)
    fill(module, _renamed(official, state, path), path)
    return module.eval()


def official_weights(model: str) -> OfficialWeights:
    """Return the description in `animators.<model>.weights`.

    Raises:
        ValueError: no such model; those that there are get named.
    """
    known = [
        item.name
        for item in iter_modules(animators.__path__)
        if item.ispkg and module_exists(f"animators.{item.name}.weights")
    ]
    if model not in known:
        raise ValueError(f"no model {model!r} with published weights; there are: {known}")
    official: OfficialWeights = import_module(f"animators.{model}.weights").OFFICIAL
    return official


def official_state(official: OfficialWeights, path: Path, model: str) -> dict[str, Tensor]:
    """Return the state dicts inside the authors' file as one, their keys prefixed.

    Raises:
        FileNotFoundError: no such file.
        ValueError: unreadable, or not the entries that belong there.
    """
    content = read_checkpoint(path, allowed=(argparse.Namespace,))
    if "" in official.entries:
        content = {"": content}
    state: dict[str, Any] = {}
    for entry, prefix in official.entries.items():
        if entry in official.optional and entry not in content:
            continue
        part = content.get(entry)
        if not isinstance(part, dict):
            raise ValueError(
                f"{path} is no {model} checkpoint: no entry {entry!r}, it holds "
                f"{some(content)}; is it a file of another model?"
            )
        state |= {f"{prefix}{key}": value for key, value in part.items()}
    known = {*official.entries, *official.ignored}
    if surplus := sorted(str(key) for key in content if key not in known):
        raise ValueError(f"{path} has surplus entries {some(surplus)}: not a known {model} file")
    if odd := [str(key) for key, value in state.items() if not isinstance(value, Tensor)]:
        raise ValueError(f"{path} holds something other than tensors: {some(odd)}")
    if absent := [key for key in official.landmarks if key not in state]:
        raise ValueError(
            f"{path} is no {model} checkpoint: it lacks {some(absent)} and holds {some(state)}; "
            "is it a file of another model?"
        )
    return state


def _renamed(
    official: OfficialWeights, state: Mapping[str, Tensor], path: Path
) -> dict[str, Tensor]:
    """Return the state under our names, without what is dropped on purpose."""
    renamed: dict[str, Tensor] = {}
    surplus: list[str] = []
    for key, value in state.items():
        if any(re.fullmatch(pattern, key) for pattern in official.dropped):
            continue
        if constant := _first(official.constants, key):
            if not _same(value, constant[1]):
                raise ValueError(f"{path}: the fixed filter {key} differs from the one built in")
        elif target := _first(official.names, key):
            match, name = target
            renamed[match.expand(name) if isinstance(name, str) else name(match)] = value
        else:
            surplus.append(key)
    if surplus:
        raise ValueError(f"{path} has {len(surplus)} surplus key(s): {some(surplus)}")
    return renamed


def _same(value: Tensor, constant: Tensor) -> bool:
    """Tell whether a fixed buffer is ours, up to the rounding of its computation."""
    fits = value.shape == constant.shape
    return fits and torch.allclose(value.float(), constant.float(), rtol=0, atol=1e-6)


def _first(table: Mapping[str, _Value], key: str) -> tuple[re.Match[str], _Value] | None:
    """Return the first pattern's match and value."""
    for pattern, value in table.items():
        if match := re.fullmatch(pattern, key):
            return match, value
    return None
