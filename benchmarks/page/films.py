"""`python -m benchmarks films`: animators side by side in one film a clip, in step.

Columns from left to right: source, driving frame, every checkpoint. Where clips are rebuilt, a
second row shows how far each column is from the driving frame. Beside the films lie pictures of
the motion fields and differences at the frame that moved the most, and `index.json`, which
`python -m benchmarks page --films` reads.
"""

import argparse
import shlex
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import options

if TYPE_CHECKING:
    from torch import Tensor

    from animators.module import AnimatorModule
    from benchmarks.page.index import Film, Pictures
    from benchmarks.page.scenes import Scene

    Animators = Mapping[str, AnimatorModule]

LEAST_SIDE = 128
"""Pixels that a column should be wide: smaller pictures are enlarged by a whole factor."""
COLUMNS = ("source", "driving")
MODES = ("absolute", "relative", "avd")


def mosaic(columns: Sequence["Tensor"], target: "Tensor | None" = None) -> "Tensor":
    """Lay clips side by side, and below them their differences from one of them.

    Args:
        columns: each (T, 3, H, W) in [0, 1].
        target: (T, 3, H, W); None leaves the second row out.

    Returns:
        (T, 3, H, W * columns), twice as high with a target; pictures narrower than `LEAST_SIDE`
        enlarged by a whole factor, each pixel a square of pixels.
    """
    import torch

    from benchmarks.page.pictures import differences

    rows = [torch.cat(list(columns), dim=3)]
    if target is not None:
        rows.append(torch.cat([differences(column, target) for column in columns], dim=3))
    times = max(1, LEAST_SIDE // columns[0].shape[3])
    laid = torch.cat(rows, dim=2)
    return laid.repeat_interleave(times, dim=2).repeat_interleave(times, dim=3)


def write_film(path: Path, frames: "Tensor", fps: Fraction, crf: int) -> None:
    """Write (T, 3, H, W) in [0, 1] as an mp4.

    Raises:
        ValueError: an odd side, or NaN.
        OSError: it cannot be written.
    """
    from datamodules import media

    with media.ClipWriter(path, fps, encoding=media.Encoding(crf=crf)) as writer:
        for frame in media.to_frames(media.to_uint8(frames)):
            writer.write(frame)


def film_scene(
    scene: "Scene", animators: "Animators", folder: Path, number: int, crf: int
) -> "Film":
    """Write the film of a scene and its pictures.

    Args:
        scene: what is shown.
        animators: by name, in the order of the columns.
        folder: where the files go.
        number: of the scene, which begins their names.
        crf: quality of the film.
    """
    from benchmarks.gallery import rate
    from benchmarks.page.index import Film
    from benchmarks.page.pictures import furthest

    driving = scene.driving[0]
    made = {name: scene.made_by(animator) for name, animator in animators.items()}
    source = scene.source.expand_as(driving)
    target = driving if scene.mode is None else None
    stem = f"{number:02d}"
    fps = rate(scene.fps, scene.indices)
    write_film(folder / f"{stem}.mp4", mosaic([source, driving, *made.values()], target), fps, crf)
    frame = furthest(driving)
    stills = {"source": source[frame], "driving": driving[frame]}
    for what, still in stills.items():
        _write(folder / f"{stem}-{what}.png", still)
    return Film(
        name=scene.name,
        file=f"{stem}.mp4",
        columns=[*COLUMNS, *made],
        frames=len(driving),
        fps=str(fps),
        frame=frame,
        source=f"{stem}-source.png",
        driving=f"{stem}-driving.png",
        pictures=[
            _draw(scene, name, animator, made[name][frame], frame, folder / f"{stem}-{k}")
            for k, (name, animator) in enumerate(animators.items())
        ],
    )


def _draw(
    scene: "Scene", name: str, animator: "AnimatorModule", made: "Tensor", frame: int, stem: Path
) -> "Pictures":
    from benchmarks.page.index import Pictures
    from benchmarks.page.pictures import differences, draw_field

    field = scene.field_of(animator, frame)
    size = made.shape[-1]
    files: dict[str, str | None] = {"field": None, "difference": None}
    if field is not None:
        files["field"] = _write(stem.with_name(f"{stem.name}-field.png"), draw_field(field, size))
    if scene.mode is None:
        far = differences(made, scene.driving[0, frame])
        files["difference"] = _write(stem.with_name(f"{stem.name}-difference.png"), far)
    return Pictures(
        model=name,
        about="" if field is None else field.about,
        longest=None if field is None else 0.5 * (size - 1) * field.longest,
        **files,
    )


def _write(path: Path, picture: "Tensor") -> str:
    from benchmarks.page.pictures import to_picture
    from datamodules import media

    with media.ClipWriter(path, Fraction(1)) as writer:
        writer.write(to_picture(picture))
    return path.name


def open_all(words: Sequence[str], device: str) -> dict[str, tuple[Path, "AnimatorModule"]]:
    """Open `NAME=FILE` or `FILE` checkpoints; a folder is a run's, its best checkpoint is taken.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged, two have one name, or their sizes differ.
    """
    from animators.animator import model_name
    from animators.weights import load_animator

    found: dict[str, tuple[Path, AnimatorModule]] = {}
    for word in words:
        name, given, rest = word.partition("=")
        path = Path(rest if given else word)
        path = path / "checkpoints" / "best.ckpt" if path.is_dir() else path
        animator = load_animator(path, device)
        name = name if given else model_name(type(animator))
        if not name or name in found or name in COLUMNS:
            raise ValueError(
                f"{word!r}: a column cannot be called {name!r}: give NAME=FILE, each "
                f"name once, and none of {', '.join(COLUMNS)}"
            )
        found[name] = (path, animator)
    sizes = {animator.image_size for _, animator in found.values()}
    if len(sizes) > 1:
        raise ValueError(f"checkpoints of different sizes {sorted(sizes)}: make films for each")
    return found


def make(arguments: argparse.Namespace, command: str) -> Path:
    """Write films, pictures and index.

    Returns:
        The index.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged, or things do not fit each other.
    """
    from animators.animator import Mode
    from benchmarks import records
    from benchmarks.data import build_data, data_file, read_options
    from benchmarks.page import pictures, scenes
    from benchmarks.page.index import Index
    from benchmarks.run import describe_checkpoint

    file = data_file(arguments.data)
    settings = read_options(file, arguments.overrides)
    opened = open_all(arguments.checkpoint, arguments.device)
    animators = {name: animator for name, (_, animator) in opened.items()}
    first = next(iter(animators.values()))
    settings |= {"image_size": first.image_size, "frames": arguments.frames}
    settings |= {} if arguments.root is None else {"root": arguments.root}
    settings |= {} if arguments.references is None else {"references": arguments.references}
    mode = Mode(arguments.mode or Mode.RELATIVE) if arguments.cross else None
    if mode is not None:
        settings |= {"cross_pairs": settings["cross_pairs"] or arguments.clips}
    data = build_data(settings)
    shown = (
        scenes.rebuilt(data, arguments.clips)
        if mode is None
        else scenes.crossed(data, arguments.clips, mode)
    )
    folder = arguments.output or Path("runs") / "films" / file.stem
    index = Index(
        data=file.stem,
        mode=mode,
        gain=pictures.GAIN,
        wheel="wheel.png",
        command=command,
        models={n: describe_checkpoint(path, animator) for n, (path, animator) in opened.items()},
        provenance=records.provenance(first.device),
        films=[
            film_scene(scene, animators, folder, number, arguments.crf)
            for number, scene in enumerate(shown, 1)
        ],
    )
    _write(folder / index.wheel, pictures.wheel())
    return index.write(folder)


def parser() -> argparse.ArgumentParser:
    """Describe the command's options."""
    described = argparse.ArgumentParser(
        prog="python -m benchmarks films", description=__doc__, allow_abbrev=False
    )
    described.add_argument(
        "--checkpoint", required=True, nargs="+", metavar="NAME=FILE", help="a column each; a "
        "folder is a run's, its checkpoints/best.ckpt is taken; without NAME= the animator's name",
    )  # fmt: skip
    options.add_data(described)
    described.add_argument("--clips", type=int, default=8, help="how many films, 8 at most")
    described.add_argument(
        "--cross", action="store_true", help="frame 0 of one clip moved by another's clip"
    )
    described.add_argument(
        "--mode", choices=MODES, help="how motion is handed over with --cross (default: relative)"
    )
    described.add_argument(
        "--references", type=options.references_option, metavar="N", help="further views, for the "
        "animators that take them (default: the YAML's, which have 0)",
    )  # fmt: skip
    described.add_argument(
        "--crf", type=int, default=20, help="quality of the films, 0 (best) to 51 (default: 20)"
    )
    described.add_argument("--output", type=Path, help="folder (default: runs/films/DATA)")
    options.add_device(described)
    return described


def main(argv: Sequence[str]) -> int:
    """Write the films; returns 0, or 2 after one line on stderr."""

    def work(arguments: argparse.Namespace) -> None:
        from benchmarks.page.index import MOST_FILMS

        if not 1 <= arguments.clips <= MOST_FILMS:
            raise ValueError(f"--clips must be 1 to {MOST_FILMS}, got {arguments.clips}")
        if not 0 <= arguments.crf <= 51:
            raise ValueError(f"--crf must be 0 to 51, got {arguments.crf}")
        if arguments.mode and not arguments.cross:
            raise ValueError("--mode goes with --cross: clips are rebuilt in absolute mode")
        print(make(arguments, shlex.join(["python", "-m", "benchmarks", "films", *argv])))

    return options.run(parser(), work, argv)
