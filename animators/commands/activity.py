"""The magnitudes of a clip, behind `sparsity`."""

import argparse
import csv
import io
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from animators.commands import heat_map, pictures
from animators.commands.directions import name_with_index, open_editable
from animators.commands.following import check_chunk
from animators.metrics.sparsity import THRESHOLD, active, sparsity
from datamodules import media
from datamodules.files import write_whole

DEFINITION = "|A_i(t)| > threshold * max_j |A_j(t)|, averaged over directions and frames"


def show(options: argparse.Namespace) -> None:
    """Measure a clip's magnitudes, draw them, and write the numbers that are asked for.

    Raises:
        ValueError: outputs of another kind, a threshold out of range, or inputs that do not fit.
        OSError: a file that is missing or cannot be written.
    """
    threshold = THRESHOLD if options.threshold is None else options.threshold
    if not 0 <= threshold < 1:
        raise ValueError(f"--threshold must be from 0 to below 1, got {threshold:g}")
    _check_outputs(options)
    check_chunk(options.chunk)
    model = open_editable(options.checkpoint, options.device)
    with media.open_clip(options.driving) as clip:
        magnitudes = read_magnitudes(model, clip, options)
    directions = sorted(model.directions.items(), key=lambda pair: pair[1].index)
    names = [name for name, _ in directions]
    found = sparsity(magnitudes, threshold)
    title = (
        f"{options.driving.name}: {100 * found.active:.1f} % of {len(names)} directions active "
        f"(above {threshold:g} of the frame's largest)"
    )
    labels = [name_with_index(*pair) for pair in directions]
    heat_map.draw([heat_map.Map(magnitudes, labels, title)], options.output)
    for path in options.numbers:
        text = (
            _csv(magnitudes, names)
            if path.suffix.lower() == ".csv"
            else _json(magnitudes, names, threshold, options)
        )
        write_whole(path, text)
    print(
        f"active: {100 * found.active:.1f} % of {len(names)} directions in a frame, "
        f"{100 * found.used:.1f} % in some frame ({len(magnitudes)} frames; active is "
        f"|A_i(t)| > {threshold:g} max_j |A_j(t)|)"
    )
    print(f"L1 norm of the magnitudes: {found.l1:.4g} a frame")
    print(f"{', '.join(map(str, [options.output, *options.numbers]))}: written")


@torch.no_grad()
def read_magnitudes(model: Any, clip: media.Clip, options: argparse.Namespace) -> Tensor:
    """Read A of every frame of a clip: (T, D), on the CPU; each frame is encoded once."""
    size = options.chunk or model.default_chunk()
    found = []
    with tqdm(total=clip.num_frames, desc="magnitudes", unit="frame") as bar:
        for chunk in pictures.driving_chunks(clip, options.crop, model, size, "--crop"):
            found.append(model.magnitudes(model.encode_motion(chunk[0])).cpu())
            bar.update(chunk.shape[1])
    return torch.cat(found)


def _check_outputs(options: argparse.Namespace) -> None:
    wanted: list[tuple[Path, tuple[str, ...]]] = [(options.output, (".png",))]
    wanted += [(path, (".json", ".csv")) for path in options.numbers]
    for path, endings in wanted:
        if path.suffix.lower() not in endings:
            raise ValueError(f"output {path} must end in {' or '.join(endings)}")
        if path.is_dir():
            raise ValueError(f"output {path} is a folder: give a file name")
        above = next(p for p in path.parents if p.exists())
        if not above.is_dir():
            raise ValueError(f"output {path} cannot be made: {above} is a file, not a folder")
        pictures.refuse_inputs(path, options.driving, options.checkpoint)


def _csv(magnitudes: Tensor, names: list[str]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["frame", *names])
    rows.writerows([number, *row] for number, row in enumerate(magnitudes.tolist()))
    return text.getvalue()


def _json(
    magnitudes: Tensor, names: list[str], threshold: float, options: argparse.Namespace
) -> str:
    found = sparsity(magnitudes, threshold)
    shares = active(magnitudes, threshold).double().mean(dim=0).tolist()
    record = {
        "checkpoint": options.checkpoint.name,
        "driving": options.driving.name,
        "frames": len(magnitudes),
        "threshold": threshold,
        "definition": DEFINITION,
        **found._asdict(),
        "active_by_direction": dict(zip(names, shares, strict=True)),
        "magnitudes": magnitudes.tolist(),
    }
    return json.dumps(record, indent=1, allow_nan=False) + "\n"
