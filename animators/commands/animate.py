"""`python -m animators animate`: a picture moves as a clip does."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from animators.commands.options import Parser, add_device, add_settings, crop_option, run


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    options = Parser(
        prog="python -m animators animate",
        description="Make a picture move like a clip.",
        allow_abbrev=False,
    )
    options.add_argument("--checkpoint", required=True, type=Path, help="a trained animator")
    options.add_argument(
        "--source", required=True, type=Path, help="picture: jpg, png, webp, of any size"
    )
    options.add_argument(
        "--references", nargs="+", default=[], type=Path, metavar="PICTURE",
        help="any number of further pictures of what the source shows, which become square as the "
        "source does; for animators of several views (dime)",
    )  # fmt: skip
    options.add_argument(
        "--driving", required=True, type=Path, help="video, gif, picture or folder of frames"
    )
    options.add_argument("--output", required=True, type=Path, help="OUT.mp4, OUT.gif or OUT.png")
    add_settings(options, "--edit", required=False)
    options.add_argument(
        "--mode", default="relative", help="relative (default): move away from the source as the "
        "driving clip moves away from its reference frame; absolute: take the driving poses; avd: "
        "take them fitted to the source's shape (animators with an AVD network)"
    )  # fmt: skip
    options.add_argument(
        "--reference-frame", default="first", metavar="first|best|N",
        help="driving frame that corresponds to the source, in relative mode; best: the nearest "
        "in the animator's motion space",
    )  # fmt: skip
    options.add_argument(
        "--crop", default="square", type=crop_option, metavar="none|square|stretch|X,Y,S",
        help="how the source becomes square: its centre (square, the default), as it is (none, if "
        "it is square), distorted (stretch), or the square X,Y,S (left, top, side in pixels)",
    )  # fmt: skip
    options.add_argument(
        "--driving-crop", type=crop_option, metavar="none|square|stretch|X,Y,S",
        help="the same for the driving clip (default: as --crop; square where that is X,Y,S)",
    )  # fmt: skip
    options.add_argument(
        "--side-by-side",
        action="store_true",
        help="source, its references (smaller, in one square), driving clip and result in a row",
    )
    add_device(options)
    return options


def main(argv: Sequence[str]) -> int:
    """Animate; returns 0, or 2 after one line on stderr."""

    def work(options: argparse.Namespace) -> None:
        from animators.commands.following import animate

        animate(options)

    return run(parser(), work, argv)
