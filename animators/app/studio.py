"""What the page does, without a page: checkpoints listed and opened, pictures and clips made.

Pictures and clips come from the code of the commands `animate` and `edit`.
"""

import argparse
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import torch

from animators.animator import model_name
from animators.commands import animate as animate_command
from animators.commands import edit as edit_command
from animators.commands import editing, following, pictures
from animators.commands.directions import check_editable, drawn, moved
from animators.commands.options import Crop
from animators.module import AnimatorModule
from animators.weights import load_animator
from datamodules import media

KEPT = 4
"""Encoded sources that are kept, so that a slider costs no encoder."""


class Views(NamedTuple):
    """A source as the animator sees it and as it is edited, (S, S, 3) uint8 each."""

    before: media.Frames
    after: media.Frames


def find_checkpoints(runs: Path, given: Path | None = None) -> dict[str, Path]:
    """List checkpoints by what a user calls them.

    Args:
        runs: folder of runs: `NAME/checkpoints/best.ckpt`, or `last.ckpt` where that is missing;
            and of single files `NAME.ckpt`.
        given: one that comes first, wherever it lies.

    Returns:
        Paths by the run's name, or the file's.
    """
    found: dict[str, Path] = {}
    for folder in runs.glob("*/checkpoints"):
        for path in (folder / "last.ckpt", folder / "best.ckpt"):
            if path.is_file():
                found[folder.parent.name] = path
    found |= {path.name: path for path in runs.glob("*.ckpt") if path.is_file()}
    # without the key's last part `lia` comes before `lia_x`
    names = sorted(found, key=lambda name: (media.natural_key(name)[:-1], name))
    ordered = {name: found[name] for name in names}
    if given is None:
        return ordered
    own = [name for name, path in ordered.items() if path.exists() and _same(path, given)]
    first = own[0] if own else str(given)
    return {first: given} | {name: path for name, path in ordered.items() if name != first}


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)


class Studio:
    """One animator that is open, and what it makes; calls wait for each other.

    Args:
        device: as `load_animator` takes it.
        folder: where clips are written, each into a folder of its own.
        offered: the checkpoints that may be opened; None leaves it open, for one's own computer.
    """

    def __init__(self, device: str, folder: Path, offered: Iterable[Path] | None = None) -> None:
        self.device = device
        self.folder = folder
        self.offered = None if offered is None else {path.resolve() for path in offered}
        self._lock = Lock()
        self._opened: tuple[object, Any] | None = None
        self._encoded: OrderedDict[object, tuple[media.Frames, Any]] = OrderedDict()

    @property
    def busy(self) -> bool:
        """Whether the animator is at work."""
        return self._lock.locked()

    def open(self, checkpoint: Path) -> AnimatorModule:
        """Open a checkpoint, unless it is the one that is open.

        Raises:
            FileNotFoundError: no such file.
            ValueError: it is damaged, foreign, or of another kind.
        """
        with self._lock:
            model: AnimatorModule = self._model(checkpoint)
            return model

    def _model(self, checkpoint: Path) -> Any:
        # before the file is looked at: a visitor learns nothing about others
        if self.offered is not None and checkpoint.resolve() not in self.offered:
            raise ValueError(
                f"{checkpoint} is not among the checkpoints of this page, which is served to other "
                "computers and opens no others: choose one of the list"
            )
        state = checkpoint.stat() if checkpoint.is_file() else None
        # a run that goes on training replaces its file
        key = (checkpoint, state and state.st_mtime_ns, state and state.st_size)
        if self._opened is None or self._opened[0] != key:
            model = load_animator(checkpoint, self.device)
            self._encoded.clear()
            self._opened = key, model
        return self._opened[1]

    def describe(self, checkpoint: Path) -> str:
        """Say in a line what a checkpoint holds."""
        model = self.open(checkpoint)
        directions = getattr(model, "directions", {})
        moves = f"{len(directions)} motion directions" if directions else "no motion directions"
        return (
            f"**{model_name(type(model))}**, {model.image_size} pixels, "
            f"modes {', '.join(model.modes)}, {moves}"
        )

    @torch.no_grad()
    def preview(
        self, checkpoint: Path, source: Path, crop: Crop, amounts: Mapping[str, float]
    ) -> Views:
        """Edit a picture, or a clip's first frame, as `edit` does; a source is encoded once.

        Raises:
            ValueError: an animator without directions, no such direction, or a bad source.
            OSError: a file that is missing.
        """
        with self._lock:
            model = self._model(checkpoint)
            check_editable(model, checkpoint)
            key = (source, crop)
            if key not in self._encoded:
                with media.open_clip(source) as clip:
                    frame = pictures.fit(clip.read([0]), crop, model.image_size, source)
                self._encoded[key] = frame[0], model.encode_source(pictures.floats(frame, model))
            self._encoded.move_to_end(key)
            while len(self._encoded) > KEPT:
                self._encoded.popitem(last=False)
            first, state = self._encoded[key]
            return Views(first, drawn(model, moved(model, state, list(amounts.items()))))

    def animate(
        self,
        checkpoint: Path,
        source: Path,
        driving: Path,
        crop: str,
        amounts: Mapping[str, float],
        *,
        references: Sequence[Path] = (),
        mode: str = "relative",
        reference_frame: str = "first",
        side_by_side: bool = True,
    ) -> Path:
        """Do what `animate` does; returns the mp4.

        Raises:
            ValueError: inputs that do not fit.
            OSError: a file that is missing or cannot be written.
        """
        output = self._output(f"{source.stem}-{driving.stem}.mp4")
        words = [f"--source={source}", f"--driving={driving}", f"--mode={mode}"]
        words += [f"--reference-frame={reference_frame}"]
        words += ["--references", *map(str, references)] if references else []
        words += _settings("--edit", amounts) + ["--side-by-side"] * side_by_side
        options = self._options(animate_command.parser(), checkpoint, output, crop, words)
        with self._lock:
            following.animate(options, self._model(checkpoint))
        return output

    def edit_clip(
        self,
        checkpoint: Path,
        source: Path,
        crop: str,
        amounts: Mapping[str, float],
        *,
        side_by_side: bool = True,
    ) -> Path:
        """Do what `edit` does with a clip; returns the mp4.

        Raises:
            ValueError: nothing to edit, or inputs that do not fit.
            OSError: a file that is missing or cannot be written.
        """
        if not amounts:
            raise ValueError("every amount is 0: move a slider, or the clip stays as it is")
        output = self._output(f"{source.stem}-edited.mp4")
        words = [f"--source={source}", *_settings("--set", amounts)]
        words += ["--side-by-side"] * side_by_side
        options = self._options(edit_command.parser(), checkpoint, output, crop, words)
        with self._lock:
            editing.edit(options, self._model(checkpoint))
        return output

    def _output(self, name: str) -> Path:
        return self.folder / uuid.uuid4().hex / name

    def _options(
        self,
        parser: argparse.ArgumentParser,
        checkpoint: Path,
        output: Path,
        crop: str,
        words: Sequence[str],
    ) -> argparse.Namespace:
        """Let the command's own parser say what is not said here."""
        given = [f"--checkpoint={checkpoint}", f"--output={output}", f"--crop={crop}"]
        return parser.parse_args([*given, f"--device={self.device}", *words])


def _settings(option: str, amounts: Mapping[str, float]) -> list[str]:
    words = [f"{name}={amount!r}" for name, amount in amounts.items()]
    return [option, *words] if words else []
