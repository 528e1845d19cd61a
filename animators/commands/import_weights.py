"""`python -m animators import`: the authors' checkpoint in, one of ours out."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from animators.commands.options import Parser, run


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    options = Parser(
        prog="python -m animators import",
        description="Turn a published checkpoint into one that every command here opens.",
        allow_abbrev=False,
    )
    options.add_argument("--model", required=True, help="name of the animator, such as lia")
    options.add_argument(
        "--config", help="published configuration, such as taichi-256 (default: vox-256)"
    )
    options.add_argument("--input", required=True, type=Path, help="the authors' file")
    options.add_argument("--output", required=True, type=Path, help="the checkpoint to write")
    return options


def main(argv: Sequence[str]) -> int:
    """Import one file.

    Args:
        argv: the options.

    Returns:
        0, or 2 after one line on stderr about what the user has to change.
    """
    return run(parser(), _import, argv)


def _import(options: argparse.Namespace) -> None:
    # after the options, so that --help does not wait for torch
    from animators.official import import_official, official_weights
    from animators.weights import save_animator

    _check_output(options.input, options.output)
    config = options.config or official_weights(options.model).configs[0]
    module = import_official(options.model, options.input, config)
    save_animator(module, options.output)
    size = module.image_size
    count = sum(parameter.numel() for parameter in module.network.parameters())
    print(
        f"{options.output}: {options.model} read as {config}, {size}x{size} pixels, "
        f"{count:,} parameters"
    )


def _check_output(source: Path, target: Path) -> None:
    if target.is_dir():
        raise ValueError(f"output {target} is a folder: give a file name, such as lia-vox.ckpt")
    if target.exists() and source.exists() and target.samefile(source):
        raise ValueError(f"output {target} is the input itself: give another name")
