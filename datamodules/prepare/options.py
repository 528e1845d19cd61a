"""The options of `python -m datamodules prepare`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datamodules.options import Parser
from datamodules.prepare.published.sets import PUBLISHED, Published
from datamodules.processes import cores

if TYPE_CHECKING:
    from datamodules.prepare.jobs import Settings

LIMIT = 1800.0
ROOT = "training root to make or to go on with"


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = Parser(
        prog="python -m datamodules prepare",
        description="From videos as they are to a training root.",
    )
    kinds = described.add_subparsers(dest="kind", required=True, metavar="folder|SET")
    folder = kinds.add_parser(
        "folder", help="any folder of videos, gifs and pictures", allow_abbrev=False
    )
    folder.add_argument("source", type=Path, metavar="SRC", help="folder; those below it count")
    folder.add_argument("root", type=Path, metavar="DST", help=ROOT)
    _add_cut(folder)
    _add_split(folder)
    _add_making(folder, form="mp4")
    for name, published in PUBLISHED.items():
        one = kinds.add_parser(
            name, help=published.about, description=_described(published), allow_abbrev=False
        )
        one.add_argument("root", type=Path, metavar="DST", help=ROOT)
        one.add_argument("--metadata", required=True, type=Path, metavar="CSV", help="as published")
        one.add_argument(
            "--originals", required=True, type=Path, metavar="DIR", help="videos by their id"
        )
        one.add_argument(
            "--size",
            type=int,
            default=published.size,
            help=f"side of the frames (default: {published.size})",
        )
        one.add_argument(
            "--crop",
            choices=("box", "square", "head"),
            default="box",
            help="box: the published boxes (default); square, head: own crops of the published "
            "frames, where boxes are not to be had",
        )
        _add_head(one)
        one.add_argument(
            "--keep-aspect",
            action="store_true",
            help="widen a box that is not square instead of distorting what it holds",
        )
        one.add_argument("--test", type=Path, metavar="FILE", help="names or ids of the test split")
        _add_making(one, form="mp4")
    return described


def _described(published: Published) -> str:
    text = f"{published.about}. The list: {published.where}."
    return text.replace("%", "%%")  # argparse fills percent signs in


def _add_cut(options: argparse.ArgumentParser) -> None:
    options.add_argument("--size", type=int, default=256, help="side of the frames (default: 256)")
    options.add_argument(
        "--crop",
        choices=("none", "square", "head"),
        default="square",
        help="none: the whole picture, its shorter side resized; square: the middle (default); "
        "head: around the head, one square for the whole clip",
    )
    _add_head(options)
    options.add_argument("--fps", type=float, metavar="F", help="come down to this rate")
    options.add_argument(
        "--min-frames", type=int, default=2, metavar="N", help="skip shorter clips (default: 2)"
    )
    options.add_argument("--max-frames", type=int, metavar="N", help="end longer clips there")
    options.add_argument(
        "--pictures",
        choices=("auto", "frames", "stills"),
        default="auto",
        help="a folder's pictures are the frames of one clip, or each a clip of one frame "
        "(default: frames where their names differ in a number alone)",
    )


def _add_head(options: argparse.ArgumentParser) -> None:
    options.add_argument(
        "--face-index",
        type=int,
        default=0,
        metavar="N",
        help="with --crop head: follow the N-th largest face, from 0 (default: the largest)",
    )
    options.add_argument(
        "--min-head",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="with --crop head: skip clips that show the head in fewer frames (default: 0.5)",
    )


def _add_split(options: argparse.ArgumentParser) -> None:
    options.add_argument(
        "--split",
        type=float,
        metavar="SHARE",
        help="share that trains (default: folders train and test of SRC, else 0.9)",
    )
    options.add_argument(
        "--split-by",
        choices=("clip", "identity"),
        default="clip",
        help="what is dealt to train and test; identity keeps everybody in one of them",
    )
    options.add_argument(
        "--identities",
        default="folder",
        metavar="RULE",
        help="folder (the first below SRC, or the name before a #; default), clip, prefix(MARK), "
        "csv(PATH,COLUMN) of a table in SRC",
    )


def _add_making(options: argparse.ArgumentParser, form: str) -> None:
    options.add_argument(
        "--format",
        dest="form",
        choices=("mp4", "frames", "shards"),
        default=form,
        help=f"mp4 with close key frames, folders of png, tar files of mp4 (default: {form})",
    )
    options.add_argument("--crf", type=int, default=18, help="quality of mp4 (default: 18)")
    options.add_argument(
        "--key-interval", type=int, default=12, metavar="N", help="frames between key frames"
    )
    options.add_argument(
        "--shard-size", type=int, default=512, metavar="MB", help="of a shard (default: 512)"
    )
    options.add_argument(
        "--workers", type=int, default=cores(), help="processes (default: one a core)"
    )
    options.add_argument(
        "--limit",
        type=float,
        default=LIMIT,
        metavar="S",
        help=f"seconds after which a clip is given up (default: {LIMIT:g})",
    )


def settings_of(arguments: argparse.Namespace, **more: Any) -> "Settings":
    """Turn options into settings; ValueError names one out of its range."""
    from datamodules.prepare.jobs import Settings

    names = (
        "size",
        "crop",
        "face_index",
        "min_head",
        "fps",
        "min_frames",
        "max_frames",
        "form",
        "key_interval",
        "crf",
    )
    given = {name: getattr(arguments, name) for name in names if hasattr(arguments, name)}
    for name in ("workers", "limit", "shard_size"):
        if not getattr(arguments, name) > 0:
            raise ValueError(f"--{name.replace('_', '-')} must be above 0")
    return Settings(**{**given, **more})
