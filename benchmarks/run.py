"""`python -m benchmarks run`: one checkpoint on the test clips of one set, beside copy-source."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import options, protocols
from benchmarks.scores import asked, command, rows

if TYPE_CHECKING:
    from animators.module import AnimatorModule
    from benchmarks.copies import Copies
    from benchmarks.groups import Networks


REFERENCES = ("--references 3", "--references 0")
"""How the user asks for references, and for none."""


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks run", description=__doc__, allow_abbrev=False
    )
    described.add_argument("--checkpoint", required=True, type=Path, help="a trained animator")
    options.add_data(described)
    protocols.add_protocol(described)
    protocols.add_edit(described)
    described.add_argument(
        "--best-of-views", action="store_true", help="for one-shot animators: run from the source "
        "and from each reference, and keep each clip's best by L1; the row says so in its name",
    )  # fmt: skip
    described.add_argument(
        "--plain", action="store_true", help="for one-shot animators under recon-few: from the "
        "source alone, on the frames that those with references are scored on",
    )  # fmt: skip
    described.add_argument("--name", help="what the row is called (default: the animator)")
    described.add_argument(
        "--trained-on", metavar="NAME", help="the set that the checkpoint was trained on, where it "
        "is another one: a zero-shot row",
    )  # fmt: skip
    options.add_record(described)
    options.add_device(described)
    return described


def measure(
    arguments: argparse.Namespace,
    networks: "Networks | None" = None,
    copies: "Copies | None" = None,
) -> dict[str, Any]:
    """Score a checkpoint and copy-source under one protocol.

    Args:
        arguments: as `parser` reads them.
        networks: those of metrics, where other rows have opened them already.
        copies: what copy-source scored for other rows.

    Returns:
        The record.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged, or things do not fit each other.
    """
    from animators.weights import load_animator
    from benchmarks.copies import Copies
    from benchmarks.data import data_file, read_options
    from benchmarks.groups import Networks

    file = data_file(arguments.data)
    settings = read_options(file, arguments.overrides)
    animator = load_animator(arguments.checkpoint, arguments.device)
    settings |= {"image_size": animator.image_size, "frames": arguments.frames}
    settings |= {} if arguments.root is None else {"root": arguments.root}
    score = _cross if arguments.protocol in protocols.CROSS else _reconstruction
    said = score(arguments, animator, settings, networks or Networks(), copies or Copies())
    return {
        **said,
        "data": file.stem,
        "asked": asked(arguments),
        "command": command(arguments),
        **({"trained_on": arguments.trained_on} if arguments.trained_on else {}),
        "checkpoint": describe_checkpoint(arguments.checkpoint, animator),
        "seed": settings["seed"],
        **_provenance(animator),
    }


def _reconstruction(
    arguments: argparse.Namespace,
    animator: "AnimatorModule",
    settings: Any,
    networks: "Networks",
    copies: "Copies",
) -> dict[str, Any]:
    from animators.metrics import WAYS, Protocol, Scored, copy_source
    from benchmarks import groups
    from benchmarks.data import TestClips, build_data
    from benchmarks.views import Suites, Views

    for option, value in (("pairs", None), ("sources", None), ("edit", []), ("mode", "relative")):
        if getattr(arguments, option) != value:
            raise ValueError(f"--{option} is for the cross-* protocols, not {arguments.protocol}")
    settings |= {"references": references_of(arguments, settings["references"])}
    aside = settings["references"]
    if arguments.plain and (arguments.best_of_views or not aside):
        raise ValueError("--plain is a row of its own under --protocol recon-few")
    name = _named(arguments, animator)
    if arguments.plain and animator.several_views:
        raise ValueError(f"{name} takes all references at once: leave --plain out")
    views = Views(0 if arguments.plain else aside, arguments.best_of_views)
    views.check(animator, name, "--best-of-views", *REFERENCES)
    way = WAYS.get(arguments.protocol, WAYS["recon-lia"])
    data = build_data(settings)
    protocol = Protocol(
        animator.image_size, arguments.frames, way.averaging, way.scored, aside,
        split=data.split_name, clips=data.test_names,
    )  # fmt: skip
    extras = groups.build(arguments.metrics or (), way.averaging, networks, cross=False)
    suites = Suites(protocol, not arguments.no_lpips, extras)
    clips = TestClips(data, animator.device, "copy-source")
    still = replace(views, best=False)
    said = [protocol.as_dict(), settings, arguments.metrics, arguments.no_lpips, still.references]
    copied = copies.score(said, clips, lambda: suites.evaluate(copy_source, clips, still))
    clips.title = views.label(name)
    measured = suites.evaluate(animator.reconstruct, clips, views)
    copies.check(said, clips)
    frames = clips.frames - (clips.count if protocol.scored is Scored.REMAINING else 0)
    beside = {
        "metrics_with_references": measured.with_references,
        "copy_source_with_references": copied.with_references,
    }
    return {
        **rows(protocol.as_dict(), measured, copied, extras, suites.higher_is_better),
        "model": views.label(name),
        **({"views": views.words} if views.best else {}),
        **(beside if aside else {}),
        "clips": {"count": clips.count, "frames": frames, "sha256": clips.digest},
        "config": _public(settings),
    }


def _cross(
    arguments: argparse.Namespace,
    animator: "AnimatorModule",
    settings: Any,
    networks: "Networks",
    copies: "Copies",
) -> dict[str, Any]:
    from animators.inference import check_mode
    from animators.metrics import CROSS_WAYS
    from benchmarks import cross, groups
    from benchmarks.data import build_data
    from benchmarks.views import Views

    label, name = arguments.protocol, _named(arguments, animator)
    if arguments.best_of_views:
        raise ValueError("--best-of-views needs the right frames, which no cross-* protocol has")
    if arguments.plain:
        raise ValueError(f"--plain is for recon-few, not {label}")
    amounts = cross.parse_edit(arguments.edit)
    check_mode(animator, arguments.mode)
    animate = cross.edited_animate(animator, arguments.mode, amounts)
    settings |= {"references": references_of(arguments, 0)}
    settings |= {} if arguments.sources is None else {"sources": arguments.sources}
    Views(settings["references"]).check(animator, name, "--best-of-views", *REFERENCES)
    if amounts and settings["references"]:
        raise ValueError("--edit moves one picture: leave --references out")
    wanted_pairs = arguments.pairs or settings["cross_pairs"] or None
    pairs = cross.pairs_of_way(label, build_data(settings), wanted_pairs)
    data = build_data(settings | {"cross_pairs": pairs})
    how = {"mode": arguments.mode, "references": settings["references"]}
    protocol = cross.protocol_of(label, animator, data, **how)
    wanted = arguments.metrics or ("faces", "distances", "quality")
    extras = groups.build(wanted, protocol.averaging, networks, cross=True)
    first = CROSS_WAYS[label].taken(arguments.frames)
    clips = cross.CrossClips(data, animator.device, "copy-source", first)
    said = [protocol.as_dict(), settings, pairs, wanted]
    copied = copies.score(said, clips, lambda: cross.evaluate(cross.hold_still, clips, extras))
    clips.title = name
    measured = cross.evaluate(animate, clips, extras)
    copies.check(said, clips)
    edit = " ".join(arguments.edit)
    return {
        **rows(protocol.as_dict(), measured, copied, extras, extras.higher_is_better),
        "model": f"{name} (edited {edit})" if edit else name,
        **({"views": f"edited {edit}"} if edit else {}),
        "clips": {"count": clips.count, "frames": clips.frames, "sha256": clips.digest},
        "config": _public(settings | {"cross_pairs": pairs}),
    }


def references_of(arguments: argparse.Namespace, usual: int) -> int:
    """Say how many references a protocol takes: as asked for, else its own number, else `usual`."""
    few = arguments.protocol == "recon-few"
    if arguments.references is not None:
        if few and not arguments.references:
            raise ValueError("recon-few wants references: --references 1 or more, or recon-lia")
        if arguments.references and arguments.protocol in ("recon-fomm", "recon-liax"):
            raise ValueError(f"{arguments.protocol} has no references: take --protocol recon-few")
        return int(arguments.references)
    return protocols.FEW if few else usual


def _named(arguments: argparse.Namespace, animator: "AnimatorModule") -> str:
    from animators.animator import model_name

    return str(arguments.name or model_name(type(animator)))


def _public(settings: dict[str, Any]) -> dict[str, Any]:
    from benchmarks.data import public_options

    return public_options(settings)


def _provenance(animator: "AnimatorModule") -> dict[str, Any]:
    from benchmarks.records import provenance

    return provenance(animator.device)


def describe_checkpoint(path: Path, animator: "AnimatorModule") -> dict[str, Any]:
    """Say which weights were measured: hash, network, and how long they were trained."""
    from animators.pretrained.files import sha256_of
    from animators.weights import read_checkpoint

    checkpoint = read_checkpoint(path)
    trained = checkpoint.get("training")
    if isinstance(trained, dict) and "training_seconds" in checkpoint:
        trained = trained | {"seconds": checkpoint["training_seconds"]}
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
