"""`python -m benchmarks run`: one checkpoint on the test clips of one set, beside copy-source."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import options

if TYPE_CHECKING:
    from animators.module import AnimatorModule


REFERENCES = ("--references 3", "--references 0")
"""How the user asks for references, and for none."""


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks run", description=__doc__, allow_abbrev=False
    )
    described.add_argument("--checkpoint", required=True, type=Path, help="a trained animator")
    options.add_data(described)
    described.add_argument(
        "--averaging", choices=("video", "frame"), default="video", help="mean over the clips' "
        "means (LIA, default), or over all frames (FOMM)",
    )  # fmt: skip
    described.add_argument(
        "--scored", choices=("remaining", "all"), default="remaining", help="frames that count: "
        "all but the source frame (LIA, default), or that one too (FOMM)",
    )  # fmt: skip
    described.add_argument(
        "--references", type=options.references_option, metavar="N", help="frames of each clip "
        "that are not scored, for the animator to see (default: the YAML's, which have 0)",
    )  # fmt: skip
    described.add_argument(
        "--best-of-views", action="store_true", help="for one-shot animators: run from the source "
        "and from each reference, and keep each clip's best by L1; the row says so in its name",
    )  # fmt: skip
    described.add_argument("--no-lpips", action="store_true", help="leave LPIPS out")
    described.add_argument("--name", help="what the row is called (default: the animator)")
    options.add_record(described)
    options.add_device(described)
    return described


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Score a checkpoint and copy-source under one protocol.

    Returns:
        The record.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged, or things do not fit each other.
    """
    from animators.animator import model_name
    from animators.metrics import Protocol, Scored, copy_source
    from animators.weights import load_animator
    from benchmarks import records
    from benchmarks.data import TestClips, build_data, data_file, public_options, read_options
    from benchmarks.views import Suites, Views

    file = data_file(arguments.data)
    settings = read_options(file, arguments.overrides)
    animator = load_animator(arguments.checkpoint, arguments.device)
    settings |= {"image_size": animator.image_size, "frames": arguments.frames}
    settings |= {} if arguments.root is None else {"root": arguments.root}
    settings |= {} if arguments.references is None else {"references": arguments.references}
    views = Views(settings["references"], arguments.best_of_views)
    name = arguments.name or model_name(type(animator))
    views.check(animator, name, "--best-of-views", *REFERENCES)
    data = build_data(settings)
    protocol = Protocol(
        image_size=animator.image_size,
        frames=arguments.frames,
        averaging=arguments.averaging,
        scored=arguments.scored,
        references=views.references,
        split=data.split_name,
        clips=data.test_names,
    )
    suites = Suites(protocol, lpips=not arguments.no_lpips)
    clips = TestClips(data, animator.device, "copy-source")
    copied = suites.evaluate(copy_source, clips, replace(views, best=False))
    clips.title = views.label(name)
    measured = suites.evaluate(animator.reconstruct, clips, views)
    frames = clips.frames - (clips.count if protocol.scored is Scored.REMAINING else 0)
    beside = {
        "metrics_with_references": measured.with_references,
        "copy_source_with_references": copied.with_references,
    }
    return {
        "format": records.FORMAT,
        "kind": "quality",
        "model": views.label(name),
        **({"views": views.words} if views.best else {}),
        "data": file.stem,
        "protocol": protocol.as_dict(),
        "metrics": measured.metrics,
        "copy_source": copied.metrics,
        **(beside if views.references else {}),
        "higher_is_better": suites.higher_is_better,
        "checkpoint": describe_checkpoint(arguments.checkpoint, animator),
        "clips": {"count": clips.count, "frames": frames, "sha256": clips.digest},
        "config": public_options(settings),
        "seed": settings["seed"],
        **records.provenance(animator.device),
    }


def describe_checkpoint(path: Path, animator: "AnimatorModule") -> dict[str, Any]:
    """Say which weights were measured: hash, network, and how long they were trained."""
    from animators.pretrained.files import sha256_of
    from animators.weights import read_checkpoint

    trained = read_checkpoint(path).get("training")
    description = animator.description()
    return {
        "file": path.name,
        "sha256": sha256_of(path),
        "class_path": description["class_path"],
        "init_args": description["init_args"],
        "parameters": sum(weight.numel() for weight in animator.network.parameters()),
        "trained": trained if isinstance(trained, dict) else None,
    }


def main(argv: Sequence[str]) -> int:
    """Measure and write the record; returns 0, or 2 after one line on stderr."""

    def work(arguments: argparse.Namespace) -> None:
        from benchmarks import records

        record = measure(arguments)
        folder = arguments.output or records.RESULTS
        path = records.write_record(record, folder, record["model"], record["data"])
        print(record["protocol"]["name"])
        for name, value in record["metrics"].items():
            print(f"  {name:18} {value:.6f}   copy-source {record['copy_source'][name]:.6f}")
        for name, value in record.get("metrics_with_references", {}).items():
            copied = record["copy_source_with_references"][name]
            print(f"  {name:18} {value:.6f}   copy-source {copied:.6f}   with the references")
        print(f"record: {path}")

    return options.run(parser(), work, argv)
