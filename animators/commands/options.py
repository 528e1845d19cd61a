"""What the commands' options share; imports nothing heavy, so that `--help` answers at once."""

import argparse
from collections.abc import Callable, Sequence
from typing import Literal

from datamodules.options import Parser
from datamodules.options import run as attempt

__all__ = ["Crop", "Parser", "crop_option", "run"]

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
        try:
            work(arguments)
        except RuntimeError as error:
            # torch is not imported here: --help should not wait for it
            if type(error).__name__ != "OutOfMemoryError":
                raise
            raise ValueError(
                "the device's memory is full: take a smaller --chunk, or --device cpu"
            ) from error

    return attempt(options, guarded, argv, "interrupted: nothing was written")


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
