"""`python -m animators app`: animate and edit on a page in the browser."""

import argparse
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from animators.commands.options import Parser, add_device, run


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    options = Parser(
        prog="python -m animators app",
        description="Open a page for the browser: animate a picture, edit a picture, edit a "
        "video, with any checkpoint; the sliders are the checkpoint's own motion directions.",
        allow_abbrev=False,
    )
    options.add_argument(
        "--checkpoint", type=Path, help="the animator that is open at first (default: the first "
        "run's)",
    )  # fmt: skip
    options.add_argument(
        "--runs", type=Path, default=Path("runs"),
        help="folder whose runs are offered (default: runs)",
    )  # fmt: skip
    options.add_argument(
        "--host", default="127.0.0.1", help="address to listen to (default: 127.0.0.1, this "
        "computer alone; 0.0.0.0 lets everyone in who reaches it, without a password, to the "
        "checkpoints of --runs and --checkpoint alone)",
    )  # fmt: skip
    options.add_argument("--port", type=_port, help="default: the first free one from 7860 on")
    add_device(options, chunk=False)
    return options


def _port(text: str) -> int:
    """Read the number of a port."""
    if not (text.isdigit() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 1 to 65535")
    return int(text)


def main(argv: Sequence[str]) -> int:
    """Serve the page until Ctrl-C; returns 0, or 2 after one line on stderr."""

    def work(options: argparse.Namespace) -> None:
        if find_spec("gradio") is None:
            raise ValueError("the page wants gradio, which is missing: pip install -e .[app]")
        # before gradio is imported, which reads them then
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
        from animators.app.serving import serve

        serve(options, lambda address: print(f"{address}  (Ctrl-C ends it)", flush=True))

    return run(parser(), work, argv)
