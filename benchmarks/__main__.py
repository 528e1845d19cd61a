"""The commands: `python -m benchmarks COMMAND`, each imported when it is asked for."""

import sys
from collections.abc import Sequence

from datamodules.options import Command, enter

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "run": Command("benchmarks.run", "score a checkpoint on test clips, beside copy-source"),
    "compare": Command("benchmarks.compare", "measure what is missing of a table, and write it"),
    "table": Command("benchmarks.table", "write the tables of all records"),
    "gallery": Command("benchmarks.gallery", "side-by-side clips of several checkpoints"),
    "films": Command("benchmarks.page.films", "films of several checkpoints in step, for the page"),
    "page": Command("benchmarks.page.command", "one page: tables, bars, films, motion fields"),
    "speed": Command("benchmarks.speed", "time a checkpoint against the naive loop"),
    "loader": Command("benchmarks.loader", "time training pairs from every form of a clip"),
    "curves": Command("benchmarks.curves", "draw the L1 and LPIPS curves of runs"),
    "bars": Command("benchmarks.bars", "draw all models of some sets, with intervals over clips"),
    "ablation": Command("benchmarks.ablation", "train and score a paper's ablation, row by row"),
    "sweep": Command("benchmarks.sweep.command", "search an animator's settings"),
    "log": Command("benchmarks.wandb_log", "send benchmark rows and clips to W&B"),
    "study": Command("benchmarks.study", "answer one question about parts of animators"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the command's name and its options; the process's own when None.

    Returns:
        0 on success, 2 when the user has to change something (one line on stderr says what).
    """
    return enter("benchmarks", COMMANDS, argv)


if __name__ == "__main__":
    sys.exit(main())
