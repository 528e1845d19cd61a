"""What the benchmark commands share: parsing, data from YAML, atomic files."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

CONFIGS = Path(__file__).resolve().parents[1] / "zoo_configs"


def run(
    options: argparse.ArgumentParser,
    work: Callable[[argparse.Namespace], None],
    argv: Sequence[str],
) -> int:
    """Parse and work; returns 0, or 2 after one line on stderr about the user's mistake."""
    try:
        arguments = options.parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        work(arguments)
    except (ValueError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def add_data(options: argparse.ArgumentParser) -> None:
    """Add the options that name a data set."""
    options.add_argument(
        "--data", required=True, help="a name in zoo_configs/data, such as faces, or a YAML file"
    )
    options.add_argument("--root", help="folder of the set (default: the YAML's)")
    options.add_argument(
        "--frames", default="32", help="equally spaced frames of each clip, or all (default: 32)"
    )


def data_options(arguments: argparse.Namespace, image_size: int) -> tuple[str, dict[str, Any]]:
    """Read the data set's name and the datamodule's arguments.

    Raises:
        FileNotFoundError: there is no such YAML.
        ValueError: the YAML describes no FramePairs, or `frames` is no number.
    """
    path = Path(arguments.data)
    if path.suffix not in (".yaml", ".yml"):
        path = CONFIGS / "data" / f"{arguments.data}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in (CONFIGS / "data").glob("*.yaml")))
        raise FileNotFoundError(f"there is no data set {arguments.data!r} ({path}); known: {known}")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))["data"]
        if config["class_path"] != "datamodules.FramePairs":
            raise ValueError(f"{path}: class_path {config['class_path']!r} is not FramePairs")
        options = dict(config.get("init_args", {}))
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ValueError(f"{path} describes no data set: {error!r}") from error
    if arguments.root is not None:
        options["root"] = arguments.root
    if arguments.frames != "all" and not arguments.frames.isdigit():
        raise ValueError(f"--frames is a number or all, got {arguments.frames!r}")
    frames = None if arguments.frames == "all" else int(arguments.frames)
    options |= {"image_size": image_size, "frames": frames, "num_workers": 0, "cache": False}
    return path.stem, options


def open_data(options: dict[str, Any], path: str) -> Any:
    """Build the datamodule and find its test clips.

    Raises:
        ValueError: an unknown argument, or a set that does not fit.
        FileNotFoundError: the set is not there.
    """
    from datamodules import FramePairs, ToySettings

    toy = options.pop("toy", None)
    try:
        data = FramePairs(**options, toy=None if toy is None else ToySettings(**toy))
    except TypeError as error:
        raise ValueError(f"{path}: {error}") from error
    data.setup("test")
    return data


def write_whole(path: Path, text: str) -> None:
    """Write a text file aside and move it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
