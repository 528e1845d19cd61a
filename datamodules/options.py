"""What all commands share, from their door to their last line.

It stands on the lowest floor and imports nothing heavy, so that `--help` answers at once.
"""

import argparse
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from typing import NamedTuple, NoReturn

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


class Command(NamedTuple):
    """Where a command's `main(argv) -> int` lives and what it does, in one line."""

    module: str
    summary: str


def usage(package: str, commands: Mapping[str, Command]) -> str:
    """Describe the commands of a package, one line each."""
    width = max(map(len, commands))
    rows = "\n".join(f"  {name:<{width}}  {item.summary}" for name, item in commands.items())
    return f"usage: python -m {package} COMMAND [options]\n\n{rows}\n\nCOMMAND --help says more."


def enter(
    package: str,
    commands: Mapping[str, Command],
    argv: Sequence[str] | None,
    shared: Collection[str] = (),
) -> int:
    """Run one command of a package, importing it only now.

    Args:
        package: that `python -m` is given.
        commands: by name.
        argv: the command's name and its options; the process's own when None.
        shared: commands that one module serves, which is told which one was asked for.

    Returns:
        The command's exit status; 2 where there is no such command.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage(package, commands), file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in commands:
        print(f"error: no command {name!r}; there are: {', '.join(commands)}", file=sys.stderr)
        return 2
    command = import_module(commands[name].module)
    return int(command.main([name, *rest] if name in shared else rest))


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
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return INTERRUPTED
