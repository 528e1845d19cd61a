"""`python -m benchmarks run`: a checkpoint on a data set, one JSON record with its provenance."""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import options as shared

RESULTS = Path(__file__).resolve().parent / "results"


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks run",
        description="Score a checkpoint, and copy-source beside it, on a data set's test clips.",
        allow_abbrev=False,
    )
    options.add_argument("--checkpoint", required=True, type=Path, help="a trained animator")
    shared.add_data(options)
    options.add_argument(
        "--averaging", default="video", choices=("video", "frame"),
        help="mean of the clips' means (LIA, default) or of all frames (FOMM)",
    )  # fmt: skip
    options.add_argument(
        "--scored", default="remaining", choices=("remaining", "all"),
        help="remaining: without the source frame (LIA, default); all: with it (FOMM)",
    )  # fmt: skip
    options.add_argument("--no-lpips", action="store_true", help="leave LPIPS out")
    options.add_argument("--name", help="row in the tables (default: the animator's)")
    options.add_argument("--output", type=Path, default=RESULTS, help="folder of the records")
    options.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    return options


def main(argv: Sequence[str]) -> int:
    """Score; returns 0, or 2 after one line on stderr."""
    return shared.run(parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    records = measure(arguments)
    for record in records:
        day = datetime.now(UTC).date().isoformat()
        name = f"{record['name']}_{record['data']}_{record['short_device']}_{day}.json"
        path = arguments.output / name
        shared.write_whole(path, json.dumps(record, indent=1, sort_keys=True) + "\n")
        numbers = ", ".join(f"{k} {v:.4f}" for k, v in record["metrics"].items())
        print(f"{path}\n  {record['name']}: {numbers}")


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Score the checkpoint and copy-source under one protocol, in one run.

    Returns:
        Two records, copy-source first.

    Raises:
        ValueError: a checkpoint or data set that does not fit.
        OSError: a file that is missing.
        WeightsNotFound: LPIPS is wanted and its network is nowhere.
    """
    from animators.metrics import Protocol, ReconstructionSuite, copy_source, evaluate_clips
    from animators.weights import load_animator
    from benchmarks.provenance import provenance, sha256, short_device

    animator = load_animator(arguments.checkpoint, arguments.device)
    data_name, options = shared.data_options(arguments, animator.image_size)
    data = shared.open_data(dict(options), arguments.data)
    protocol = Protocol(
        image_size=animator.image_size,
        frames=data.frames,
        averaging=arguments.averaging,
        scored=arguments.scored,
        references=data.references,
    )
    suite = ReconstructionSuite(protocol, lpips=not arguments.no_lpips).to(animator.device)
    common = {
        "data": data_name,
        "clips": len(data.test_clips),
        "protocol": protocol.as_dict(),
        "config": {k: v for k, v in options.items() if k != "root"},
        "higher_is_better": suite.higher_is_better,
        "short_device": short_device(animator.device),
        **provenance(animator.device),
    }
    name = arguments.name or type(animator).__name__.lower()
    rows: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
        "copy-source": (copy_source, {}),
        name: (
            animator.reconstruct,
            {
                "animator": animator.description(),
                "checkpoint": str(arguments.checkpoint),
                "checkpoint_sha256": sha256(arguments.checkpoint),
                "training": _training(arguments.checkpoint),
                "parameters": sum(p.numel() for p in animator.network.parameters()),
            },
        ),
    }
    return [
        {
            "name": row,
            **common,
            **extra,
            "metrics": evaluate_clips(function, _clips(data, animator.device, row), suite),
        }
        for row, (function, extra) in rows.items()
    ]


def _clips(data: Any, device: Any, row: str) -> Iterator[Mapping[str, Any]]:
    """Yield the test clips in [0, 1] on the device, behind a progress bar."""
    from tqdm import tqdm

    from datamodules import media

    for batch in tqdm(data.test_dataloader(), desc=row, unit="clip"):
        yield {name: media.to_float(batch[name].to(device)) for name in ("video", "references")}


def _training(checkpoint: Path) -> dict[str, Any]:
    """Read how far the checkpoint was trained; nothing for an imported one."""
    from animators.weights import read_checkpoint

    state = read_checkpoint(checkpoint)
    training: dict[str, Any] = dict(state.get("training", {}))
    return training
