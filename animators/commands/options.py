"""What the commands' options share; imports nothing heavy, so that `--help` answers at once."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Literal

Crop = Literal["none", "square", "stretch"] | tuple[int, int, int]


def run(
    options: argparse.ArgumentParser,
    work: Callable[[argparse.Namespace], None],
    argv: Sequence[str],
) -> int:
    """Parse, work, and turn a user's mistake into one line on stderr.

    Returns:
        0, or 2 when the user has to change something.
    """
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
