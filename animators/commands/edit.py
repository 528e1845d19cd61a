"""`python -m animators edit`: move a picture along motion directions, then let it follow a clip."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from animators.commands.animate import add_driving
from animators.commands.options import Parser, run


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    options = Parser(
        prog="python -m animators edit",
        description="Move a picture along motion directions; with --driving, the edited picture "
        "then follows a clip, relative to the clip's reference frame.",
        allow_abbrev=False,
    )
    options.add_argument("--checkpoint", required=True, type=Path, help="a trained animator")
    options.add_argument("--source", required=True, type=Path, help="picture: jpg, png, webp")
    options.add_argument("--output", required=True, type=Path, help="OUT.png, OUT.mp4 or OUT.gif")
    options.add_argument(
        "--set", action="append", required=True, type=setting, metavar="DIRECTION=AMOUNT",
        help="such as 5=1.5 or d5=-0.5; may be given several times",
    )  # fmt: skip
    options.add_argument("--driving", type=Path, help="video, gif, picture or folder of frames")
    add_driving(options)
    return options


def setting(text: str) -> tuple[str, float]:
    """Read DIRECTION=AMOUNT."""
    name, _, amount = text.partition("=")
    try:
        number = float(amount)
    except ValueError:
        number = math.nan
    if not name or not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not DIRECTION=AMOUNT, such as 5=1.5")
    return name, number


def main(argv: Sequence[str]) -> int:
    """Edit; returns 0, or 2 after one line on stderr."""

    def work(options: argparse.Namespace) -> None:
        from animators.commands.editing import edit

        edit(options)

    return run(parser(), work, argv)
