"""What the commands' options share; imports nothing heavy, so that `--help` answers at once."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from datamodules.options import INTERRUPTED

Work = Callable[[argparse.Namespace], None]


def run(options: argparse.ArgumentParser, work: Work, argv: Sequence[str]) -> int:
    """Parse, work, and turn a user's mistake into one line on stderr.

    Returns:
        0, 2 when the user has to change something, or 130 after an interruption.
    """
    try:
        arguments, rest = options.parse_known_args(argv)
        overrides = [word for word in rest if word.startswith("--data.")]
        if others := [word for word in rest if word not in overrides]:
            options.error(f"unrecognized arguments: {' '.join(others)}")
        if overrides and not hasattr(arguments, "data"):
            options.error(f"this command reads no data: {' '.join(overrides)}")
    except SystemExit as stop:
        return int(stop.code or 0)
    arguments.overrides = overrides
    try:
        work(arguments)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


def add_data(options: argparse.ArgumentParser, frames: int = 32, *, required: bool = True) -> None:
    """Add what names the clips, and how many frames are taken where nothing is said."""
    options.add_argument(
        "--data",
        required=required,
        metavar="NAME|FILE",
        help="a YAML of zoo_configs/data by its name, or a file; --data.init_args.KEY=VALUE "
        "changes one of its values",
    )
    options.add_argument("--root", help="folder that holds the clips, instead of the YAML's")
    options.add_argument(
        "--frames",
        type=frames_option,
        default=frames,
        metavar="N|full",
        help=f"equally spaced frames a clip (default: {frames})",
    )


def frames_option(text: str) -> int | None:
    """Read a number of frames, or `full` for all of them (None)."""
    if text == "full":
        return None
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number from 2 on nor 'full'")
    return count


def references_option(text: str) -> int:
    """Read a number of references, from 0 on."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return int(text)


def count_option(text: str) -> int:
    """Read a number of things, from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def add_device(options: argparse.ArgumentParser) -> None:
    """Add where the network runs."""
    options.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")


def add_record(options: argparse.ArgumentParser) -> None:
    """Add where the record lies."""
    options.add_argument(
        "--output", type=Path, help="folder of the record (default: benchmarks/results)"
    )
