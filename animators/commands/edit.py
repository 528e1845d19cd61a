"""`python -m animators edit`: move a picture, or a whole clip, along motion directions."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from animators.commands.options import Parser, add_device, add_settings, crop_option, run


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    options = Parser(
        prog="python -m animators edit",
        description="Move a picture along motion directions, or a clip: its first frame is edited, "
        "and makes the clip's own motion. A picture that is to follow another clip: "
        "`animate --edit`.",
        allow_abbrev=False,
    )
    options.add_argument("--checkpoint", required=True, type=Path, help="a trained animator")
    options.add_argument(
        "--source", required=True, type=Path, help="picture, or video, gif, folder of frames"
    )
    options.add_argument("--output", required=True, type=Path, help="OUT.png, OUT.mp4 or OUT.gif")
    add_settings(options, "--set", required=True)
    options.add_argument(
        "--crop", default="square", type=crop_option, metavar="none|square|stretch|X,Y,S",
        help="how the source becomes square: its centre (square, the default), as it is (none, if "
        "it is square), distorted (stretch), or the square X,Y,S (left, top, side in pixels)",
    )  # fmt: skip
    options.add_argument("--side-by-side", action="store_true", help="source and result in a row")
    add_device(options)
    return options


def main(argv: Sequence[str]) -> int:
    """Edit; returns 0, or 2 after one line on stderr."""

    def work(options: argparse.Namespace) -> None:
        from animators.commands.editing import edit

        edit(options)

    return run(parser(), work, argv)
