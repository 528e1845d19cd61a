"""What the commands' options share; imports nothing heavy, so that `--help` answers at once."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """Leave with status 2 after one line on stderr."""
        self.exit(2, f"error: {' '.join(message.split())}; --help shows the options\n")


def run(
    options: argparse.ArgumentParser,
    work: Callable[[argparse.Namespace], int | None],
    argv: Sequence[str],
    interrupted: str,
) -> int:
    """Parse, work, and turn a user's mistake into one line on stderr.

    Returns:
        What `work` returns, or 0; 2 when the user has to change something; 130 after an
        interruption.
    """
    try:
        arguments = options.parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        return work(arguments) or 0
    except (ValueError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return INTERRUPTED
