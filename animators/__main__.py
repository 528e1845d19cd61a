"""The commands: `python -m animators COMMAND`, each imported when it is asked for."""

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
    "fit": Command("animators.commands.train", "train an animator from YAML files"),
    "validate": Command("animators.commands.train", "score a checkpoint on the validation clips"),
    "test": Command("animators.commands.train", "score a checkpoint on the test clips"),
    "animate": Command("animators.commands.animate", "move one picture as one clip moves"),
    "edit": Command("animators.commands.edit", "move one picture along motion directions"),
    "manipulate": Command(
        "animators.commands.manipulate", "sweep one motion direction into a clip"
    ),
    "import": Command("animators.commands.import_weights", "turn a published checkpoint into ours"),
}

# One module serves these three, so it is told which one was asked for.
_SHARED = ("fit", "validate", "test")


def usage() -> str:
    """Describe every command, one line each."""
    width = max(map(len, COMMANDS))
    rows = "\n".join(f"  {name:<{width}}  {item.summary}" for name, item in COMMANDS.items())
    return f"usage: python -m animators COMMAND [options]\n\n{rows}\n\nCOMMAND --help says more."


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
    command = import_module(COMMANDS[name].module)
    return int(command.main([name, *rest] if name in _SHARED else rest))


if __name__ == "__main__":
    sys.exit(main())
