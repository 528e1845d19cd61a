"""`python -m animators manipulate`: what each motion direction does to a picture."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from animators.commands.options import Parser, add_device, crop_option, run


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    options = Parser(
        prog="python -m animators manipulate",
        description="Sweep motion directions of a picture: OUT.png is a table of pictures, one "
        "row a direction; OUT.mp4 or OUT.gif moves through the amounts, one tile a direction. "
        "Amounts are those that the animator's paper shows: lia_x -0.5 to 0.5 in steps of 0.1, "
        "lia -3 to 3 in 16 steps.",
        allow_abbrev=False,
    )
    options.add_argument("--checkpoint", required=True, type=Path, help="a trained animator")
    options.add_argument("--source", required=True, type=Path, help="picture: jpg, png, webp")
    options.add_argument("--output", required=True, type=Path, help="OUT.png, OUT.mp4 or OUT.gif")
    options.add_argument(
        "--direction", nargs="+", default=["all"], metavar="NAME",
        help="names or indices, such as yaw1 5, or all (default)",
    )  # fmt: skip
    options.add_argument(
        "--range", type=amounts, metavar="LOW,HIGH", help="amounts (default: the animator's own)"
    )
    options.add_argument("--steps", type=int, help="amounts shown (default: the animator's own)")
    options.add_argument(
        "--reference", action="store_true",
        help="instead: source, reference picture, and the source warped by its finest flow",
    )  # fmt: skip
    options.add_argument(
        "--crop", default="square", type=crop_option, metavar="none|square|stretch|X,Y,S",
        help="how the source becomes square (default: its centre)",
    )  # fmt: skip
    add_device(options, chunk=False)
    return options


def amounts(text: str) -> tuple[float, float]:
    """Read LOW,HIGH."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high)):
        raise argparse.ArgumentTypeError(f"{text!r} is not LOW,HIGH, such as -3,3")
    return low, high


def main(argv: Sequence[str]) -> int:
    """Sweep; returns 0, or 2 after one line on stderr."""

    def work(options: argparse.Namespace) -> None:
        from animators.commands.editing import manipulate

        manipulate(options)

    # argparse takes "-3,3" for an option of its own
    return run(parser(), work, _joined(list(argv)))


def _joined(argv: list[str]) -> list[str]:
    for i, word in enumerate(argv[:-1]):
        if word == "--range":
            return [*argv[:i], f"--range={argv[i + 1]}", *argv[i + 2 :]]
    return argv
