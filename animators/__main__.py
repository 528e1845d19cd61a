"""The commands: `python -m animators COMMAND`, each imported when it is asked for."""

import sys
from collections.abc import Sequence

from datamodules.options import Command, enter

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "fit": Command("animators.commands.train", "train an animator from YAML files"),
    "validate": Command("animators.commands.train", "score a checkpoint on the validation clips"),
    "test": Command("animators.commands.train", "score a checkpoint on the test clips"),
    "animate": Command(
        "animators.commands.animate", "move a picture, edited or not, as a clip moves"
    ),
    "edit": Command("animators.commands.edit", "move a picture or a clip along motion directions"),
    "manipulate": Command(
        "animators.commands.manipulate", "show what motion directions do to a picture"
    ),
    "sparsity": Command(
        "animators.commands.sparsity", "show how many motion directions a clip takes"
    ),
    "app": Command("animators.commands.app", "animate and edit on a page in the browser"),
    "import": Command("animators.commands.import_weights", "turn a published checkpoint into ours"),
}

# One module serves these three, so it is told which one was asked for.
_SHARED = ("fit", "validate", "test")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the command's name and its options; the process's own when None.

    Returns:
        0 on success, 2 when the user has to change something (one line on stderr says what).
    """
    return enter("animators", COMMANDS, argv, _SHARED)


if __name__ == "__main__":
    sys.exit(main())
