"""`python -m animators sparsity`: which motion directions a clip takes, and how many."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from animators.commands.options import Parser, add_device, crop_option, run


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    options = Parser(
        prog="python -m animators sparsity",
        description="Draw the magnitudes of a clip's motion along every direction (directions x "
        "frames), and tell the share of active directions: those with |A_i(t)| above the "
        "threshold times the largest |A_j(t)| of the frame, averaged over the frames.",
        allow_abbrev=False,
    )
    options.add_argument("--checkpoint", required=True, type=Path, help="a trained animator")
    options.add_argument(
        "--driving", required=True, type=Path, help="video, gif, picture or folder of frames"
    )
    options.add_argument("--output", required=True, type=Path, help="the map, OUT.png")
    options.add_argument(
        "--threshold", type=float, help="share of the frame's largest magnitude (default: 0.1)"
    )
    options.add_argument(
        "--numbers", nargs="+", default=[], type=Path, metavar="FILE",
        help="also write OUT.json (shares and magnitudes) or OUT.csv (magnitudes, a row a frame)",
    )  # fmt: skip
    options.add_argument(
        "--crop", default="square", type=crop_option, metavar="none|square|stretch|X,Y,S",
        help="how the clip becomes square (default: its centre)",
    )  # fmt: skip
    add_device(options)
    return options


def main(argv: Sequence[str]) -> int:
    """Measure and draw; returns 0, or 2 after one line on stderr."""

    def work(options: argparse.Namespace) -> None:
        from animators.commands.activity import show

        show(options)

    return run(parser(), work, argv)
