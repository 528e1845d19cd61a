"""The part of a record that says what was asked for, and the part that holds the numbers."""

import argparse
import math
import re
import shlex
from pathlib import Path
from typing import Any

from benchmarks.protocols import CROSS

ROOT = "--data.init_args.root"


def asked(arguments: argparse.Namespace) -> dict[str, Any]:
    """Say what of a measurement the user chose: a record of the same is not made again."""
    names = (
        *("protocol", "metrics", "frames", "references", "pairs", "sources", "mode", "edit"),
        *("best_of_views", "plain", "no_lpips", "name", "trained_on"),
    )
    # where the clips lie is a matter of one machine, as is where a list lies
    overrides = [word for word in arguments.overrides if not word.startswith(ROOT)]
    overrides = [re.sub(r"=/.*/", "=", word) for word in overrides]
    return {name: getattr(arguments, name) for name in names} | {"overrides": overrides}


def command(arguments: argparse.Namespace) -> str:
    """Write the command that measures a row again, with /clips for where the clips lie."""
    words = ["--checkpoint", _public(arguments.checkpoint)]
    words += ["--data", _public(arguments.data), *(["--root", "/clips"] if arguments.root else [])]
    said = asked(arguments)
    words += ["--frames", "full" if said.pop("frames") is None else str(arguments.frames)]
    overrides = said.pop("overrides")
    if arguments.protocol not in CROSS:
        said.pop("mode")
    for name, value in said.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif isinstance(value, list):
            words += [option, *map(str, value)] if value else []
        elif value is not None and value is not False:  # 0 references are said too
            words += [option, str(value)]
    return shlex.join(["python", "-m", "benchmarks", "run", *words, *overrides])


def rows(
    protocol: dict[str, Any], measured: Any, copied: Any, extras: Any, better: dict[str, bool]
) -> dict[str, Any]:
    """Give the part of a record that holds numbers: means, and each clip's own.

    Args:
        protocol: its fields.
        measured: the animator's `Score`, over the same clips as
        copied: copy-source's.
        extras: the metrics beside the suite's, as the animator's row left them.
        better: metric -> whether more is better.
    """
    from benchmarks.records import FORMAT

    kept = [name for name in measured.metrics if name in copied.metrics]
    clips = [
        {
            "name": ours.name,
            "motion": _short(float(ours.motion.mean())),
            "metrics": {name: _short(value) for name, value in ours.metrics.items()},
            "copy_source": {name: _short(value) for name, value in theirs.metrics.items()},
            # animation of others has no right frames
            "l1": [_short(value) for value in ours.l1.tolist() if not math.isnan(value)],
            "motion_frames": [_short(value) for value in ours.motion.tolist()],
        }
        for ours, theirs in zip(measured.clips, copied.clips, strict=True)
    ]
    return {
        "format": FORMAT,
        "kind": "quality",
        "protocol": protocol,
        "metrics": {name: measured.metrics[name] for name in kept},
        "copy_source": {name: copied.metrics[name] for name in kept},
        "higher_is_better": {name: better[name] for name in kept},
        "left_out": extras.left_out,
        "detectors": extras.detectors,
        "samples": extras.samples,
        "per_clip": clips,
    }


def _public(path: Path | str) -> str:
    """Leave out the folders of one machine."""
    return Path(path).name if Path(path).is_absolute() else str(path)


def _short(value: float) -> float:
    """Six significant digits: enough for intervals, and a third of the file."""
    return float(f"{value:.6g}")
