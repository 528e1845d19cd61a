"""The commands: `python -m datamodules COMMAND`, each imported when it is asked for."""

import sys
from collections.abc import Sequence

from datamodules.options import Command, enter

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "prepare": Command("datamodules.prepare.command", "make a training root from any videos"),
    "check": Command("datamodules.check.command", "look for broken clips and leaks in a root"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the command's name and its options; the process's own when None.

    Returns:
        0 on success, 1 when `check` found something, 2 when the user has to change something
        (one line on stderr says what).
    """
    return enter("datamodules", COMMANDS, argv)


if __name__ == "__main__":
    sys.exit(main())
