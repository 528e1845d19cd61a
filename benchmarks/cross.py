"""Pictures moved by clips of somebody else, and scored against the picture."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from tqdm import tqdm

from animators.animator import Editable, Mode, find_direction
from animators.metrics import CROSS_WAYS, PER_CLIP, CrossProtocol
from benchmarks.data import TestClips
from benchmarks.extras import Extras
from benchmarks.views import ClipScore, Score
from datamodules import FramePairs
from datamodules.splits import fingerprint

if TYPE_CHECKING:
    from animators.module import AnimatorModule

Animate = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Source (1, 3, H, W), driving (1, T, 3, H, W), references (1, N, 3, H, W) -> (1, T, 3, H, W)."""


def pairs_of_way(label: str, data: FramePairs, wanted: int | str | None) -> int | str:
    """Say which pairs a protocol takes of a set, as `data.cross_pairs` has it.

    As many as asked for, else the paper's number, or `PER_CLIP` of each clip. Where the set has
    fewer, all there are are taken, which the protocol's name says.

    Args:
        label: one of `CROSS_WAYS`.
        data: set up for testing.
        wanted: as the user says it.

    Raises:
        ValueError: a list of pairs, of which the protocol's name would say nothing; there is no
            pair, or the sources are no folder of their own.
    """
    if isinstance(wanted, str):
        raise ValueError(
            f"data.cross_pairs {wanted}: the protocols draw their pairs; say --pairs N"
        )
    count = len(data.test_clips)
    every = count * len(data.source_clips)
    if data.sources is None:
        labels = [data.test_clips.identity(i) for i in range(count)]
        every = sum(a != b for a in labels for b in labels)
    elif Path(data.sources).is_absolute() or ".." in Path(data.sources).parts:
        raise ValueError(f"--sources {data.sources}: name a folder below the root")
    elif data.sources.strip("/") == data.folders["test"]:
        raise ValueError("--sources: pictures of the test clips are taken without it")
    if every == 0:
        raise ValueError(
            "the test clips show one identity, whom nobody else can move: take pictures from "
            "another folder, --sources"
        )
    if wanted is not None:
        return wanted
    paper = CROSS_WAYS[label].pairs
    return min(paper, every) if paper else f"each({PER_CLIP})"


class CrossClips(TestClips):
    """Pairs of a picture and a clip, with a progress bar; can be passed over again.

    Args:
        data: with `cross_pairs`.
        device: where the clips go.
        title: what the progress bar says.
        first: frames of each clip that are taken, from its beginning; None takes all.
    """

    pictures = ("source", "driving", "references")

    def __init__(
        self, data: FramePairs, device: torch.device, title: str, first: int | None = None
    ) -> None:
        super().__init__(data, device, title)
        self.first = first

    def batches(self) -> Iterator[Any]:
        """Give each pair: `source`, `driving`, `references`, and their names."""
        loader = self.data.predict_dataloader()
        for batch in tqdm(loader, desc=self.title, unit="pair"):
            yield batch | {"driving": batch["driving"][:, : self.first]}

    @staticmethod
    def label(batch: Mapping[str, Any]) -> Any:
        """What a pair is known by."""
        return batch["source_name"], batch["driving_name"], batch["frame_index"].tolist()


def edited_animate(
    animator: "AnimatorModule", mode: str, amounts: Mapping[str | int, float]
) -> Animate:
    """Make the function that animates a source, edited first where there are amounts.

    Args:
        animator: in eval mode.
        mode: how motion is handed over.
        amounts: direction -> amount (edit-warp-render, LIA-X).

    Raises:
        ValueError: an edit for an animator without directions, or in a mode that forgets it.
    """
    if not amounts:
        return lambda source, driving, references: animator.animate(
            source, driving, references, mode=mode
        )
    if not isinstance(animator, Editable) or not animator.directions:
        raise ValueError(
            f"{type(animator).__name__} has no motion directions to edit along: leave --edit out, "
            "or take lia or lia_x"
        )
    if mode != Mode.RELATIVE:
        raise ValueError(f"{mode} motion replaces the edited pose: --edit wants --mode relative")
    named = {find_direction(animator.directions, name): value for name, value in amounts.items()}
    editable: Any = animator

    @torch.no_grad()
    def animate(source: Tensor, driving: Tensor, references: Tensor) -> Tensor:
        state = editable.edit(editable.encode_source(source), named)
        pieces = torch.split(driving, editable.default_chunk(), dim=1)
        drawn = editable.stream(source, pieces, mode=mode, encoded=state)
        return torch.cat([piece.clamp(0, 1) for piece in drawn], dim=1)

    return animate


def parse_edit(words: Sequence[str]) -> dict[str | int, float]:
    """Read `d3=1`; amounts of one direction add up.

    Raises:
        ValueError: a word of another form.
    """
    amounts: dict[str | int, float] = {}
    for word in words:
        name, equals, amount = word.partition("=")
        try:
            amounts[name] = amounts.get(name, 0.0) + float(amount)
        except ValueError:
            equals = ""
        if not (name and equals):
            raise ValueError(f"--edit {word}: write DIRECTION=AMOUNT, such as d3=1")
    return amounts


def check_edit(words: Sequence[str], checkpoints: Iterable[Path]) -> None:
    """Hold an edit against the directions of all animators that are to be edited.

    Raises:
        OSError: a checkpoint is missing.
        ValueError: it is no edit, or one of them lacks the direction.
    """
    from animators.weights import load_animator

    amounts = parse_edit(words)
    for path in checkpoints:
        try:
            edited_animate(load_animator(path, "cpu"), Mode.RELATIVE, amounts)
        except ValueError as error:
            raise ValueError(f"--edit of {path}: {error}") from None


def hold_still(source: Tensor, driving: Tensor, references: Tensor) -> Tensor:
    """Repeat the source: copy-source, whose identity is perfect and whose motion is none."""
    return source[:, None].expand(-1, driving.shape[1], -1, -1, -1)


def evaluate(animate: Animate, clips: CrossClips, extras: Extras) -> Score:
    """Animate and score pairs.

    Args:
        animate: an animator's, or `hold_still`.
        clips: the pairs.
        extras: metrics; `target` is the driving clip, `source` the picture.

    Returns:
        The row's numbers; `motion` of a pair is how far the driving clip's frames are from its
        first one, mean absolute difference.

    Raises:
        ValueError: there is no pair.
    """
    extras.reset()
    found = []
    for pair in clips:
        source, driving = pair["source"], pair["driving"]
        with torch.no_grad():
            made = animate(source, driving, pair["references"])
            values = extras.update(made[0], driving[0], source[0])
        motion = (driving[0] - driving[0, :1]).abs().mean(dim=(1, 2, 3)).double().cpu()
        name = f"{pair['source_name'][0]} by {pair['driving_name'][0]}"
        found.append(ClipScore(name, values, 0, torch.full_like(motion, torch.nan), motion))
    if not found:
        raise ValueError("there is no pair to evaluate")
    return Score(extras.summary(), {}, found)


def protocol_of(
    label: str, animator: "AnimatorModule", data: FramePairs, *, mode: str, references: int
) -> CrossProtocol:
    """Name how pairs of a set are evaluated."""
    how = CrossProtocol(
        label, animator.image_size, len(data.pairs), data.frames, mode, references, seed=data.seed,
        split=data.split_name, clips=data.test_names,
    )  # fmt: skip
    if data.sources is None:
        return how
    pictures = data.source_clips
    names = fingerprint(pictures.name(i) for i in range(len(pictures)))
    folder = re.sub(r"[^A-Za-z0-9-]+", ".", data.sources).strip(".")
    return replace(how, sources=f"{folder}.{names}")
