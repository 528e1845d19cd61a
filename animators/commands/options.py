"""What the commands' options share; imports nothing heavy, so that `--help` answers at once."""

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from datamodules.options import Parser
from datamodules.options import run as attempt

__all__ = ["Crop", "Parser", "add_device", "add_settings", "crop_option", "full_memory_told", "run"]

Crop = Literal["none", "square", "stretch"] | tuple[int, int, int]


def run(
    options: argparse.ArgumentParser,
    work: Callable[[argparse.Namespace], None],
    argv: Sequence[str],
) -> int:
    """Parse, work, and turn a user's mistake into one line on stderr.

    Returns:
        0, 2 when the user has to change something, 130 after an interruption.
    """

    def guarded(arguments: argparse.Namespace) -> None:
        with full_memory_told():
            work(arguments)

    return attempt(options, guarded, argv, "interrupted: nothing was written")


@contextmanager
def full_memory_told() -> Iterator[None]:
    """Turn a device's full memory into a ValueError with the remedy."""
    try:
        yield
    except RuntimeError as error:
        # torch is not imported here: --help should not wait for it
        if type(error).__name__ != "OutOfMemoryError":
            raise
        raise ValueError(
            "the device's memory is full: take a smaller --chunk, or --device cpu"
        ) from error


def crop_option(text: str) -> Crop:
    """Read `none`, `square`, `stretch` or `X,Y,S` (left, top, side in pixels)."""
    if text in ("none", "square", "stretch"):
        return text  # type: ignore[return-value]
    try:
        left, top, side = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is none of: none, square, stretch, X,Y,S (left, top, side in pixels)"
        ) from None
    return left, top, side


def add_device(options: argparse.ArgumentParser, chunk: bool = True) -> None:
    """Add where the network runs, and how many frames at a time."""
    options.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    if chunk:
        options.add_argument(
            "--chunk", type=int, help="frames per step (default: 1 on a CPU, 8 elsewhere)"
        )


def add_settings(options: argparse.ArgumentParser, name: str, *, required: bool) -> None:
    """Add the option that moves a source along motion directions; its value is a list of pairs."""
    options.add_argument(
        name, nargs="+", action="extend", required=required, default=None if required else [],
        type=_setting, metavar="DIRECTION=AMOUNT",
        help="how far to move the source along motion directions, by the names that the checkpoint "
        "has or by index, such as yaw1=0.3 mouth=-0.2 or 5=1.5; amounts of one direction add up",
    )  # fmt: skip


def _setting(text: str) -> tuple[str, float]:
    """Read DIRECTION=AMOUNT."""
    name, _, amount = text.partition("=")
    try:
        number = float(amount)
    except ValueError:
        number = math.nan
    if not name or not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not DIRECTION=AMOUNT, such as 5=1.5")
    return name, number
