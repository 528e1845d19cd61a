"""`python -m benchmarks study sparsity`: how many motion directions frames take (LIA-X, figure 3).

Side by side for several animators with a motion dictionary, such as one trained with the penalty on
magnitudes and one without: the share of active directions over all test clips, and the magnitudes
of one clip as maps. Active is |A_i(t)| above a threshold times the frame's largest.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import options

if TYPE_CHECKING:
    from torch import Tensor

    from animators.commands.heat_map import Map
    from animators.module import AnimatorModule
    from benchmarks.data import TestClips

PICTURES = Path("runs") / "sparsity"
THRESHOLDS = (0.05, 0.1, 0.2)


class Row(NamedTuple):
    """One row to measure: the user's name for it, and its checkpoint."""

    name: str
    path: Path


def read_rows(texts: Sequence[str]) -> list[Row]:
    """Read `NAME=CHECKPOINT`.

    Raises:
        ValueError: it is not of that form, or two rows have one name.
        FileNotFoundError: there is no such checkpoint.
    """
    rows: list[Row] = []
    for text in texts:
        name, _, path = text.partition("=")
        if not name or not path:
            raise ValueError(f"row {text!r} is not NAME=CHECKPOINT")
        if name in {row.name for row in rows}:
            raise ValueError(f"there is a row {name!r} already: call {path} something else")
        if not Path(path).is_file():
            raise FileNotFoundError(f"row {text!r}: there is no checkpoint {path}")
        rows.append(Row(name, Path(path)))
    return rows


def load(rows: Sequence[Row], device: str) -> list["AnimatorModule"]:
    """Open the animators.

    Raises:
        ValueError: a damaged file, one without directions, or animators of several sizes.
    """
    from animators.commands.directions import open_editable

    animators = [open_editable(row.path, device) for row in rows]
    sizes = {animator.image_size for animator in animators}
    if len(sizes) > 1:
        raise ValueError(f"the checkpoints work at {sorted(sizes)} pixels: a study for each size")
    return animators


def read(animators: Sequence[Any], clips: "TestClips") -> tuple[list[list["Tensor"]], list[str]]:
    """Encode every frame of every test clip once for each animator.

    Returns:
        For each animator and clip A, (T, D); and the clips' names.
    """
    import torch

    found: list[list[Tensor]] = [[] for _ in animators]
    names = []
    with torch.no_grad():
        for clip in clips:
            names.append(str(clip["name"][0]))
            for animator, own in zip(animators, found, strict=True):
                parts = torch.split(clip["video"][0], 8)
                codes = [animator.magnitudes(animator.encode_motion(part)) for part in parts]
                own.append(torch.cat(codes).cpu())
    return found, names


def summarise(clips: Sequence["Tensor"], thresholds: Sequence[float]) -> dict[str, Any]:
    """Average one animator's figures.

    Args:
        clips: A of each, (T, D).
        thresholds: shares of the frame's largest magnitude.

    Returns:
        `directions`; `l1`, mean over all frames; and by threshold `active`, the mean over all
        frames, `used`, the mean over clips of the share that is active in some frame, and
        `by_direction`, the share of frames in which each is active.

    Raises:
        ValueError: NaN, or a threshold out of range.
    """
    import torch

    from animators.metrics.sparsity import active, sparsity

    frames = torch.cat(list(clips))
    figures = []
    for threshold in thresholds:
        used = [sparsity(clip, threshold).used for clip in clips]
        figures.append(
            {
                "threshold": threshold,
                "active": sparsity(frames, threshold).active,
                "used": sum(used) / len(used),
                "by_direction": active(frames, threshold).double().mean(dim=0).tolist(),
            }
        )
    return {"directions": frames.shape[1], "l1": sparsity(frames).l1, "figures": figures}


def report(record: Mapping[str, Any]) -> str:
    """Write a record as Markdown."""
    clips = record["clips"]
    columns = [f"above {figure['threshold']:g}" for figure in record["rows"][0]["figures"]]
    lines = [
        f"### {record['name']}, {record['data']}: active motion directions",
        "",
        f"{clips['count']} clips, {clips['frames']} frames. Active: |A_i(t)| above a share of the "
        "frame's largest |A_j(t)|, as a share of the directions, mean over frames; in brackets "
        "those active in some frame, mean over clips. L1: sum of |A_i(t)|, mean over frames.",
        "",
        f"| row | directions | {' | '.join(columns)} | L1 | pairs seen |",
        f"|---|---:|{'---:|' * (len(columns) + 2)}",
    ]
    for row in record["rows"]:
        shares = [
            f"{100 * figure['active']:.1f} % ({100 * figure['used']:.1f} %)"
            for figure in row["figures"]
        ]
        seen = (row["checkpoint"]["trained"] or {}).get("pairs_seen")
        cells = [row["row"], str(row["directions"]), *shares, f"{row['l1']:.3f}"]
        lines.append(f"| {' | '.join([*cells, '' if seen is None else f'{seen:,}'])} |")
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Describe the study's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks study sparsity", description=__doc__, allow_abbrev=False
    )
    described.add_argument(
        "--rows",
        required=True,
        nargs="+",
        metavar="NAME=CHECKPOINT",
        help="such as with=C without=D",
    )
    options.add_data(described)
    described.add_argument(
        "--thresholds", nargs="+", type=float, default=THRESHOLDS, metavar="T",
        help="shares of the frame's largest magnitude (default: 0.05 0.1 0.2)",
    )  # fmt: skip
    described.add_argument("--clip", type=int, default=0, metavar="N", help="test clip of the maps")
    described.add_argument(
        "--picture", type=Path, help="the maps, .png (default: runs/sparsity/NAME-DATA.png)"
    )
    described.add_argument("--name", default="sparsity", help="what the study is called")
    options.add_record(described)
    options.add_device(described)
    return described


def main(argv: Sequence[str]) -> int:
    """Measure, draw, write and print; returns 0, or 2 after one line on stderr."""
    return options.run(parser(), work, argv)


def work(arguments: argparse.Namespace) -> None:
    """Measure and draw as the options say.

    Raises:
        OSError: a file is missing.
        ValueError: things do not fit each other.
    """
    if arguments.picture is not None and arguments.picture.suffix != ".png":
        raise ValueError(f"picture {arguments.picture} must end in .png")
    if bad := [t for t in arguments.thresholds if not 0 <= t < 1]:
        raise ValueError(f"--thresholds must be from 0 to below 1, got {bad[0]:g}")
    from animators.commands import heat_map
    from benchmarks import records

    record, maps = measure(arguments)
    name, data = record["name"], record["data"]
    picture = arguments.picture or PICTURES / f"{name}-{data}.png"
    heat_map.draw(maps, picture)
    path = records.write_record(record, arguments.output or records.RESULTS, "sparsity", name, data)
    print(f"{report(record)}\n\npicture: {picture}\nrecord: {path}")


def measure(arguments: argparse.Namespace) -> tuple[dict[str, Any], list["Map"]]:
    """Measure every row.

    Returns:
        The record, and the maps of one clip, a row each.
    """
    from animators.commands.directions import name_with_index
    from animators.commands.heat_map import Map
    from benchmarks import records
    from benchmarks.data import TestClips, build_data, data_file, public_options, read_options
    from benchmarks.run import describe_checkpoint

    # or two names could share a file
    if not arguments.name or arguments.name != records.slug(arguments.name):
        raise ValueError(
            f"--name {arguments.name!r} must be of small letters, digits and dashes, as penalty"
        )
    file = data_file(arguments.data)
    settings = read_options(file, arguments.overrides)
    rows = read_rows(arguments.rows)
    animators: list[Any] = load(rows, arguments.device)
    settings |= {"image_size": animators[0].image_size, "frames": arguments.frames}
    settings |= {} if arguments.root is None else {"root": arguments.root}
    data = build_data(settings)
    if not 0 <= arguments.clip < len(data.test_clips):
        raise ValueError(f"--clip must be 0 to {len(data.test_clips) - 1}, got {arguments.clip}")
    clips = TestClips(data, animators[0].device, "magnitudes")
    found, names = read(animators, clips)
    measured, maps = [], []
    for row, animator, own in zip(rows, animators, found, strict=True):
        about = describe_checkpoint(row.path, animator)
        measured.append(
            {"row": row.name, "checkpoint": about, **summarise(own, arguments.thresholds)}
        )
        order = sorted(animator.directions.items(), key=lambda pair: pair[1].index)
        labels = [name_with_index(*pair) for pair in order]
        maps.append(Map(own[arguments.clip], labels, f"{row.name}: {names[arguments.clip]}"))
    record = {
        "format": records.FORMAT,
        "kind": "sparsity",
        "name": arguments.name,
        "data": file.stem,
        "rows": measured,
        "settings": {
            "rows": [[row["row"], row["checkpoint"]["sha256"]] for row in measured],
            "thresholds": list(arguments.thresholds),
            "frames": arguments.frames,
        },
        "clips": {"count": clips.count, "frames": clips.frames, "sha256": clips.digest},
        "config": public_options(settings),
        **records.provenance(animators[0].device),
    }
    return record, maps
