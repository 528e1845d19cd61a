"""What the commands' options share; imports nothing heavy, so that `--help` answers at once."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Literal, NoReturn

Crop = Literal["none", "square", "stretch"] | tuple[int, int, int]

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """Leave with status 2 after one line on stderr."""
        self.exit(2, f"error: {' '.join(message.split())}; --help shows the options\n")


def run(
    options: argparse.ArgumentParser,
    work: Callable[[argparse.Namespace], None],
    argv: Sequence[str],
) -> int:
    """Parse, work, and turn a user's mistake into one line on stderr.

    Returns:
        0, 2 when the user has to change something, 130 after an interruption.
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
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return INTERRUPTED
    except RuntimeError as error:
        # torch is not imported here: --help should not wait for it
        if type(error).__name__ != "OutOfMemoryError":
            raise
        print(
            "error: the device's memory is full: take a smaller --chunk, or --device cpu",
            file=sys.stderr,
        )
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
