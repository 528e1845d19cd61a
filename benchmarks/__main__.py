"""The commands: `python -m benchmarks COMMAND`, each imported when it is asked for."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

__all__ = ["COMMANDS", "main"]


class Command(NamedTuple):
    """Where a command's `main(argv) -> int` lives and what it does, in one line."""

    module: str
    summary: str


COMMANDS = {
    "run": Command("benchmarks.run", "score a checkpoint on test clips, beside copy-source"),
    "table": Command("benchmarks.table", "write the tables of all records"),
    "gallery": Command("benchmarks.gallery", "side-by-side clips of several checkpoints"),
    "speed": Command("benchmarks.speed", "time a checkpoint against the naive loop"),
    "loader": Command("benchmarks.loader", "time training pairs from every form of a clip"),
    "curves": Command("benchmarks.curves", "draw the L1 and LPIPS curves of runs"),
}


def usage() -> str:
    """Describe every command, one line each."""
    width = max(map(len, COMMANDS))
    rows = "\n".join(f"  {name:<{width}}  {item.summary}" for name, item in COMMANDS.items())
    return f"usage: python -m benchmarks COMMAND [options]\n\n{rows}\n\nCOMMAND --help says more."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the command's name and its options; the process's own when None.

    Returns:
        0 on success, 2 when the user has to change something (one line on stderr says what).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage(), file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in COMMANDS:
        print(f"error: no command {name!r}; there are: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    return int(import_module(COMMANDS[name].module).main(rest))


if __name__ == "__main__":
    sys.exit(main())
