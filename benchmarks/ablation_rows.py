"""The rows of an ablation: read from YAML, turned into words of `fit`, judged before any training.

Every row has the same configuration files and the same words of the user; only its own overrides
come behind them. `losses` changes weights of `loss_weights` by name, so that a loss which goes with
a part can go with it whatever weights the user gave to the others.
"""

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmarks.records import slug

CONFIGS = Path(__file__).resolve().parent.parent / "zoo_configs"
PAPER = "paper"
KEYS = {"name", "paper", "overrides", "losses", "views", "presets"}
WEIGHTS = "model.init_args.loss_weights"
PLACES = (
    *("trainer.default_root_dir", "trainer.logger", "trainer.enable_progress_bar"),
    *("trainer.enable_model_summary", "data.init_args.root", "data.init_args.num_workers"),
)
"""Settings that say where a run lies and how it is shown, and change no weight."""


@dataclass(frozen=True)
class Row:
    """One row of an ablation.

    Attributes:
        name: as the table shows it.
        paper: where the paper has it.
        overrides: dotted keys of the training's configuration -> values.
        losses: names in `loss_weights` -> weights; None takes the loss out.
        views: what the scored animator is given, as `study references` has it; None for as many
            references as it was trained with.
        presets: the row is there with these presets only; None for all.
    """

    name: str
    paper: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    losses: Mapping[str, float | None] = field(default_factory=dict)
    views: str | None = None
    presets: tuple[str, ...] | None = None

    @property
    def slug(self) -> str:
        """The row's folder."""
        return slug(self.name)

    @property
    def whole(self) -> bool:
        """Whether it is the full model, which the others are held against."""
        return not self.overrides and not self.losses

    @property
    def changes(self) -> dict[str, Any]:
        """All that it changes, by dotted key."""
        return {**self.overrides, **{f"{WEIGHTS}.{key}": w for key, w in self.losses.items()}}


@dataclass(frozen=True)
class Plan:
    """A row as it will be trained and scored.

    Attributes:
        row: the row.
        words: options of `fit`.
        settings: the resolved configuration, as JSON has it.
        views: what the scored animator is given.
    """

    row: Row
    words: list[str]
    settings: dict[str, Any]
    views: str


def read_rows(model: str, preset: str = PAPER, *, folder: Path = CONFIGS) -> list[Row]:
    """Read `zoo_configs/ablation/MODEL.yaml`.

    Args:
        model: a file of `zoo_configs/model`.
        preset: rows of other presets are left out.
        folder: the configurations.

    Raises:
        FileNotFoundError: the model has none; those that have are named.
        ValueError: the file is damaged, or does not have one row without overrides.
    """
    path = folder / "ablation" / f"{model}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml"))) or "nothing"
        raise FileNotFoundError(f"there is no ablation of {model!r}; {path.parent} has: {known}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or set(content) != {"rows"} or not content["rows"]:
        raise ValueError(f"{path} must have the one key 'rows' with a list")
    rows = [_read_row(path, item) for item in content["rows"]]
    rows = [row for row in rows if row.presets is None or preset in row.presets]
    slugs = [row.slug for row in rows]
    if twice := {one for one in slugs if slugs.count(one) > 1}:
        raise ValueError(f"{path}: rows share the folder {min(twice)!r}: rename one")
    if (whole := sum(row.whole for row in rows)) != 1:
        raise ValueError(
            f"{path}: {whole} rows without overrides with preset {preset}; the full model is one"
        )
    return rows


def _read_row(path: Path, item: Any) -> Row:
    if not isinstance(item, dict) or not {"name", "paper"} <= set(item):
        raise ValueError(f"{path}: a row needs a name and a paper, got {item!r}")
    name = item["name"]
    if surplus := sorted(map(str, set(item) - KEYS)):
        raise ValueError(f"{path}: row {name!r} has unknown keys {surplus}; {sorted(KEYS)} exist")
    if not slug(str(name)) or "=" in str(name):
        raise ValueError(f"{path}: {name!r} cannot be a row's name: give it letters, and no '='")
    for part in ("overrides", "losses"):
        if not isinstance(item.get(part, {}), dict):
            raise ValueError(f"{path}: row {name!r}: {part} must map keys to values")
    if any(key.startswith(WEIGHTS) for key in item.get("overrides", {})):
        raise ValueError(f"{path}: row {name!r}: say weights under 'losses', by the loss's name")
    presets, views = item.get("presets"), item.get("views")
    return Row(
        str(name),
        str(item["paper"]),
        item.get("overrides", {}),
        item.get("losses", {}),
        None if views is None else str(views),
        None if presets is None else tuple(map(str, presets)),
    )


def configs(
    model: str, data: Path, *, preset: str, trainer: str, logger: str, folder: Path = CONFIGS
) -> list[str]:
    """Name the configuration files of a run in the order of `make train`: later ones win.

    Raises:
        FileNotFoundError: there is no such file; those that there are get named.
    """
    recipe = folder / "recipe" / f"{model}-{data.stem}.yaml"
    chosen = [
        _config(folder, "trainer", trainer),
        _config(folder, "logger", logger),
        data,
        _config(folder, "model", model),
        *([recipe] if recipe.is_file() else []),
        *([] if preset == PAPER else [_config(folder, "preset", f"{model}-{preset}")]),
    ]
    return [f"--config={path}" for path in chosen]


def _config(folder: Path, kind: str, name: str) -> Path:
    path = folder / kind / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml")))
        raise FileNotFoundError(f"there is no {path}; {kind} has: {known}")
    return path


def plan(rows: Sequence[Row], words: Sequence[str]) -> list[Plan]:
    """Judge every row by the training's own parser, before the first is trained.

    Args:
        rows: as `read_rows` gives them, or some of them.
        words: what every row has in common: configuration files and the user's options.

    Returns:
        A plan for each row, in their order.

    Raises:
        ValueError: an option that the training does not take, a row whose overrides are unknown or
            do not fit the others, or one that changes nothing.
    """
    whole = resolve("the full model", words)
    return [_plan(row, list(words), whole) for row in rows]


def _plan(row: Row, words: list[str], whole: Mapping[str, Any]) -> Plan:
    where = f"row {row.name!r}"
    own = [f"--{key}={json.dumps(value)}" for key, value in row.overrides.items()]
    if row.losses:
        weights = dict(_at(whole, WEIGHTS))
        for name, weight in row.losses.items():
            if name not in weights:
                raise ValueError(f"{where}: the full model has no loss {name!r}: {sorted(weights)}")
            if weights.pop(name) == weight:
                raise ValueError(f"{where} ablates nothing: the loss {name} weighs {weight} anyway")
            weights |= {} if weight is None else {name: weight}
        own.append(f"--{WEIGHTS}={json.dumps(weights)}")
    settings = resolve(where, [*words, *own]) if own else dict(whole)
    for key in row.overrides:
        if _at(settings, key) == _at(whole, key):
            raise ValueError(
                f"{where} ablates nothing: {key} is {_at(whole, key)!r} in the full model too; "
                "leave the row out (--rows), or take back the option or preset that says so"
            )
    views = row.views or str(_at(settings, "data.init_args.references"))
    return Plan(row, [*words, *own], settings, views)


def resolve(where: str, words: Sequence[str]) -> dict[str, Any]:
    """Parse options of `fit`, build the run without weights, and give its whole configuration.

    Args:
        where: what an error names.
        words: the options.

    Returns:
        The values as JSON has them, without those of `PLACES`.

    Raises:
        ValueError: an option is unknown, or values do not fit each other.
    """
    import torch

    from animators.commands import train

    logging.disable(logging.INFO)  # what a trainer says of itself
    try:
        # the shapes of a billion weights, and none of them
        with torch.device("meta"), warnings.catch_warnings():
            # the words of this command are not those of the training
            warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
            found = train.cli(list(words), run=False).config.as_dict()
    except train.USER_ERRORS as error:
        raise ValueError(f"{where}: {train.brief(error)}") from error
    finally:
        logging.disable(logging.NOTSET)
    kept = ("seed_everything", "init_from", "model", "data", "trainer")
    settings = json.loads(json.dumps({key: found.get(key) for key in kept}, default=_plain))
    for place in PLACES:
        head, _, last = place.rpartition(".")
        _at(settings, head).pop(last, None)
    return dict(settings)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _at(settings: Mapping[str, Any], key: str) -> Any:
    """Give the value of a dotted key; None where there is no such place."""
    value: Any = settings
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Name the dotted keys at which two configurations differ, in order."""
    first, second = dict(_flat(a)), dict(_flat(b))
    keys = sorted(first.keys() | second.keys())
    return [key for key in keys if first.get(key, ...) != second.get(key, ...)]


def _flat(settings: Mapping[str, Any], head: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{head}{key}.")
        else:
            yield f"{head}{key}", value
