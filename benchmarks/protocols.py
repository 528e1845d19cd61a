"""The protocols by name, and the options that say what of them is measured."""

import argparse
from pathlib import Path

from benchmarks import options

RECONSTRUCTION = ("recon-lia", "recon-fomm", "recon-liax", "recon-few")
CROSS = ("cross-dime", "cross-lia", "cross-liax")
GROUPS = ("faces", "bodies", "distances", "quality", "papers")
FEW = 3
"""References of `recon-few` where nothing is said: DiME's."""

ABOUT = """
protocols, whose names stand in the rows:
  recon-lia    each clip from its frame 0, which is not scored; mean of the clips' means
  recon-fomm   frame 0 is scored too; mean of all frames
  recon-liax   whole videos, frame 0 too; mean of the clips' means
  recon-few    as recon-lia, with N references that are not scored (--references, 3)
  cross-dime   random pairs of different identities (--pairs, 200); against the source
  cross-lia    random pairs (--pairs, 200); with --frames full the first 100 frames of each clip
  cross-liax   two pictures for each clip; with --edit also from an edited source
metrics beside the pixels' (--metrics):
  faces        akd, mkr (face mesh), aed, csim, id_distance, id_missing (dlib), eyes, mouth
  bodies       akd, mkr, jitter (BlazePose, the real frame's region), aed (MobileNetV2, a stand-in)
  distances    fd_vgg16 of frames, video_fd_vgg16 of clips; left out where there are too few
  quality      quality_brisque, which needs no reference
  papers       the papers' own networks (fid, fan, arcface, hyperiqa), where their files lie
"""


def add_protocol(described: argparse.ArgumentParser, *, one: bool = True) -> None:
    """Add how is measured, and what.

    Args:
        described: the command's options.
        one: one protocol; else several.
    """
    described.formatter_class = argparse.RawDescriptionHelpFormatter
    described.epilog = ABOUT
    if one:
        described.add_argument(
            "--protocol", choices=(*RECONSTRUCTION, *CROSS), default="recon-lia", metavar="NAME",
            help="how is measured; below (default: recon-lia)",
        )  # fmt: skip
    else:
        described.add_argument(
            "--protocols", choices=(*RECONSTRUCTION, *CROSS), default=["recon-lia"], nargs="+",
            metavar="NAME", help="how is measured; below (default: recon-lia)",
        )  # fmt: skip
    described.add_argument(
        "--metrics", choices=(*GROUPS, "pixels"), nargs="+", metavar="GROUP", help="beside pixels' "
        "(default: none in reconstruction, faces, distances, quality in cross-*)",
    )  # fmt: skip
    described.add_argument(
        "--references", type=options.references_option, metavar="N", help="further frames of "
        "the source's clip, which are not scored, for the animator to see (default: none, "
        f"recon-few {FEW})",
    )  # fmt: skip
    described.add_argument(
        "--pairs", type=options.count_option, metavar="N", help="cross-*: pairs of a picture and a "
        "clip (default: the paper's number, or as many as there are)",
    )  # fmt: skip
    described.add_argument(
        "--sources", metavar="FOLDER", help="cross-*: folder below the root whose first frames are "
        "the pictures, such as test/animals (default: the test clips)",
    )  # fmt: skip
    described.add_argument(
        "--mode", choices=("relative", "absolute", "avd"), default="relative",
        help="cross-*: how motion is handed over (default: relative)",
    )  # fmt: skip
    described.add_argument("--no-lpips", action="store_true", help="leave LPIPS out")


def add_edit(described: argparse.ArgumentParser) -> None:
    """Add an edit of the source before it is animated."""
    described.add_argument(
        "--edit", nargs="+", metavar="DIRECTION=AMOUNT", default=[], help="cross-*: move the "
        "source along motion directions first, such as d3=1; the row says so in its name",
    )  # fmt: skip


def checkpoint_of(runs: Path, model: str, data: str, seed: int) -> Path:
    """Say where training leaves the best checkpoint of a model on a set."""
    name = f"{model}-{data}" if seed == 0 else f"{model}-{data}-seed{seed}"
    return runs / name / "checkpoints" / "best.ckpt"
