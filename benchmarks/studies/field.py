"""`python -m benchmarks study field`: a motion field as it evolves, and how smooth fields are.

The picture shows one driving frame: the field phi of each view at eps = 0, 1/4, 1/2, 3/4, 1 in flow
colours, the view warped by it, and the result. The record tells, over all test clips, the total
variation and the share of folded cells of the source's field at eps = 0 and 1, also by quartile of
the frames' motion. It serves every animator with a dense field of displacements: DiME, and FOMM and
MRAA with or without the evolution.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import options

if TYPE_CHECKING:
    from torch import Tensor

    from animators.module import AnimatorModule
    from benchmarks.data import TestClips
    from datamodules import FramePairs

PICTURES = Path("runs") / "field"
QUARTERS = 4


def check(animator: "AnimatorModule", path: Path) -> None:
    """Raise ValueError unless the animator moves pictures by a dense field."""
    if not callable(getattr(animator.network, "fields", None)):
        raise ValueError(
            f"{path} is a {type(animator).__name__}, which has no dense motion field to show: "
            "take a checkpoint of dime, fomm or mraa"
        )


def measure(animator: "AnimatorModule", clips: "TestClips") -> dict[str, list[float]]:
    """Measure the source's field at every frame of every clip but the source frame.

    Returns:
        A number for each frame: `motion`, copy-source's L1; `variation_0`, `folded_0`; with an
        evolution also `variation_1`, `folded_1`, and `change`, the mean length of phi(1) - phi(0).
    """
    import torch

    from animators.animator import Mode
    from animators.metrics.smoothness import folded_share, total_variation

    network: Any = animator.network
    found: dict[str, list[float]] = {}

    def add(**values: "Tensor") -> None:
        for name, value in values.items():
            found.setdefault(name, []).append(float(value))

    with torch.no_grad():
        for clip in clips:
            video = clip["video"].to(animator.device)
            source = animator.encode_source(video[:, 0])
            for frame in video[:, 1:].unbind(1):
                motion = animator.encode_motion(frame, source)
                moved = animator.transfer(source, motion, None, Mode.ABSOLUTE)
                coarse, refined = (field[0] for field in network.fields(source, moved))
                add(
                    motion=(frame - video[:, 0]).abs().mean(),
                    variation_0=total_variation(coarse),
                    folded_0=folded_share(coarse),
                )
                if network.evolution is not None:
                    add(
                        variation_1=total_variation(refined),
                        folded_1=folded_share(refined),
                        change=(refined - coarse).norm(dim=-1).mean(),
                    )
    return found


def summarise(found: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Average over all frames, and over each quarter of them by motion, the stillest first.

    Returns:
        `all`, `quarter 1` to `quarter 4` -> figure -> mean; `smoother` is the share of frames whose
        total variation is lower at eps = 1 than at 0.
    """
    import torch

    table = {name: torch.tensor(values, dtype=torch.float64) for name, values in found.items()}
    if "variation_1" in table:
        table["smoother"] = (table["variation_1"] < table["variation_0"]).double()
    order = table["motion"].argsort(stable=True)
    parts = {"all": order}
    for k, part in enumerate(order.tensor_split(QUARTERS), 1):
        parts[f"quarter {k}"] = part
    return {
        part: {"frames": len(chosen)}
        | {name: float(values[chosen].mean()) for name, values in table.items()}
        for part, chosen in parts.items()
        if len(chosen)
    }


def report(record: Mapping[str, Any]) -> str:
    """Write a record as Markdown."""
    result = record["result"]
    columns = {
        "frames": "frames",
        "motion": "L1 of copy-source",
        "variation_0": "variation at 0",
        "variation_1": "at 1",
        "smoother": "frames smoother at 1",
        "folded_0": "folded at 0",
        "folded_1": "at 1",
        "change": "length of phi(1) - phi(0)",
    }
    columns = {name: title for name, title in columns.items() if name in result["all"]}
    lines = [
        f"### {record['name']}, {record['data']}: smoothness of the source's motion field",
        "",
        "Total variation as displacement a unit of length; folded cells as a share of all; "
        "quarters of the frames by their motion.",
        "",
        f"| frames by motion | {' | '.join(columns.values())} |",
        f"|---|{'---:|' * len(columns)}",
    ]
    for part, row in result.items():
        cells = [_cell(name, row[name]) for name in columns]
        lines.append(f"| {part} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(name: str, value: float) -> str:
    if name == "frames":
        return str(int(value))
    if name.startswith(("folded", "smoother")):
        return f"{100 * value:.2f} %"
    return f"{value:.4f}"


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks study field",
        description="Draw how a motion field evolves at one frame, and measure how smooth the "
        "fields of all test clips are. --data.init_args.references=N shows N references too.",
        allow_abbrev=False,
    )
    described.add_argument("--checkpoint", required=True, type=Path, help="a trained animator")
    options.add_data(described)
    described.add_argument("--clip", type=int, default=0, metavar="N", help="test clip, from 0 on")
    described.add_argument(
        "--frame", type=int, metavar="K", help="driving frame, among those scored, the source's "
        "being 0 (default: the one furthest from the source)",
    )  # fmt: skip
    described.add_argument(
        "--picture", type=Path, help="the picture, .png (default: runs/field/NAME-DATA.png)"
    )
    described.add_argument("--picture-only", action="store_true", help="measure nothing")
    described.add_argument("--name", help="what it is called (default: the animator)")
    options.add_record(described)
    options.add_device(described)
    return described


def main(argv: Sequence[str]) -> int:
    """Draw, measure, write and print; returns 0, or 2 after one line on stderr."""
    return options.run(parser(), work, argv)


def work(arguments: argparse.Namespace) -> None:
    """Draw and measure as the options say.

    Raises:
        OSError: a file is missing.
        ValueError: the animator has no field, or there is no such clip or frame.
    """
    if arguments.picture is not None and arguments.picture.suffix != ".png":
        raise ValueError(f"picture {arguments.picture} must end in .png")
    from animators.animator import model_name
    from animators.weights import load_animator
    from benchmarks.data import TestClips, build_data, data_file, public_options, read_options
    from benchmarks.studies.field_picture import draw, look

    file = data_file(arguments.data)
    settings = read_options(file, arguments.overrides)
    animator = load_animator(arguments.checkpoint, arguments.device)
    check(animator, arguments.checkpoint)
    settings |= {"image_size": animator.image_size, "frames": arguments.frames}
    settings |= {} if arguments.root is None else {"root": arguments.root}
    name = arguments.name or model_name(type(animator))
    data = build_data(settings)
    clip = find_clip(data, arguments.clip)
    picture = arguments.picture or PICTURES / f"{name}-{file.stem}.png"
    draw(look(animator, clip, arguments.frame), picture)
    print(f"picture: {picture}")
    if arguments.picture_only:
        return
    clips = TestClips(data, animator.device, name)
    _record(arguments, animator, clips, (name, file.stem), public_options(settings))


def find_clip(data: "FramePairs", number: int) -> dict[str, Any]:
    """Read one test clip as `TestClips` gives it.

    Raises:
        ValueError: there is no such clip.
    """
    from datamodules import media

    dataset = data.test_dataloader().dataset
    count = len(data.test_clips)
    if not 0 <= number < count:
        raise ValueError(f"--clip must be 0 to {count - 1}, got {number}")
    clip: dict[str, Any] = dict(dataset[(number, True)])
    floats = {name: media.to_float(clip[name])[None] for name in ("video", "references")}
    return clip | floats


def _record(
    arguments: argparse.Namespace,
    animator: "AnimatorModule",
    clips: "TestClips",
    names: tuple[str, str],
    config: Mapping[str, Any],
) -> None:
    from benchmarks import records
    from benchmarks.run import describe_checkpoint

    result = summarise(measure(animator, clips))
    record = {
        "format": records.FORMAT,
        "kind": "field",
        "name": names[0],
        "data": names[1],
        "checkpoint": describe_checkpoint(arguments.checkpoint, animator),
        "settings": {"frames": arguments.frames, "view": "source"},
        "clips": {
            "count": clips.count,
            "frames": clips.frames - clips.count,  # the source frames are not measured
            "sha256": clips.digest,
        },
        "config": dict(config),
        "result": result,
        **records.provenance(animator.device),
    }
    path = records.write_record(record, arguments.output or records.RESULTS, "field", *names)
    print(f"\n{report(record)}\n\nrecord: {path}")
