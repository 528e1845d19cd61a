"""Sliders of a checkpoint's own directions, and what they do to a source."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from animators.animator import Direction
from animators.app.edits import Edits
from animators.app.messages import telling
from animators.app.studio import Studio
from animators.commands.directions import name_with_index
from animators.commands.options import crop_option

FIRST = 8
"""Directions without names that are shown at once; the others are folded."""

QUEUE: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "animator"}
"""Everything that the animator does happens one after the other."""


@dataclass(frozen=True)
class Setting:
    """What all tabs share: the studio, and the components that hold checkpoint and crop."""

    studio: Studio
    checkpoint: Any
    crop: Any


def read_crop(text: object) -> Any:
    """Read a crop as the commands' option says it.

    Raises:
        ValueError: it is none.
    """
    try:
        return crop_option(str(text).replace(" ", ""))
    except Exception as error:
        raise ValueError(str(error)) from error


def grouped(
    directions: Mapping[str, Direction],
) -> tuple[dict[str, Direction], dict[str, Direction]]:
    """Split directions into those shown at once (the named ones, or the first) and the others."""
    named = {name: d for name, d in directions.items() if name != f"d{d.index}"}
    first = named or dict(list(directions.items())[:FIRST])
    return first, {name: d for name, d in directions.items() if name not in first}


def limits(direction: Direction) -> tuple[float, float]:
    """Give a slider's ends: the direction's range, with 0 in it."""
    return min(direction.low, 0.0), max(direction.high, 0.0)


class Editor:
    """Sliders, undo and a picture before and after, for the source of one tab.

    Args:
        setting: what all tabs share.
        source: the component that holds the picture or the clip.
    """

    def __init__(self, setting: Setting, source: Any) -> None:
        self.setting = setting
        self.source = source
        self.edits = gr.State(Edits())

    def show_pair(self, height: int) -> None:
        """Place the source before and after the edits."""
        with gr.Row(elem_classes="pair"):
            look: dict[str, Any] = {
                "type": "numpy", "format": "png", "interactive": False, "height": height,
            }  # fmt: skip
            self.before = gr.Image(
                label="Before", elem_classes="before", buttons=["fullscreen"], **look
            )
            self.after = gr.Image(
                label="After", elem_classes="after", buttons=["download", "fullscreen"], **look
            )

    def show_buttons(self) -> None:
        """Place undo and reset."""
        with gr.Row(elem_classes="pair"):
            self.undo = gr.Button("Undo last edit", interactive=False, elem_classes="undo")
            self.clear = gr.Button("Reset all to 0", elem_classes="clear")

    def show_sliders(self) -> None:
        """Place a slider for each direction of the checkpoint that is chosen, whichever it is."""

        def sliders(checkpoint: str | None) -> None:
            if checkpoint is not None:
                self._sliders(self.directions(checkpoint))

        gr.render(inputs=[self.setting.checkpoint], **QUEUE)(sliders)

    def connect(self) -> None:
        """Draw the pair again whenever the source, the crop or the checkpoint changes."""
        self.redraw(self.setting.checkpoint.change)
        self.redraw(self.setting.crop.change)
        self.redraw(self.source.clear)

    def redraw(self, event: Callable[..., Any]) -> None:
        """Draw the pair after an event."""
        event(
            telling(self.pair),
            [self.edits, self.setting.checkpoint, self.setting.crop, self.source],
            [self.before, self.after],
            show_progress="hidden",
            **QUEUE,
        )

    def directions(self, checkpoint: str) -> Mapping[str, Direction]:
        """Give a checkpoint's directions; none where it cannot be edited."""
        model = self.setting.studio.open(Path(checkpoint))
        found: Mapping[str, Direction] = getattr(model, "directions", {})
        return found

    def pair(
        self, edits: Edits, checkpoint: str | None, crop: str, source: str | None
    ) -> tuple[Any, Any]:
        """Draw a source before and after; nothing where there is no source or no direction."""
        if source is None or checkpoint is None or not self.directions(checkpoint):
            return None, None
        views = self.setting.studio.preview(
            Path(checkpoint), Path(source), read_crop(crop), edits.amounts
        )
        return views.before, views.after

    def slide(
        self,
        name: str,
        ended: bool,
        edits: Edits,
        checkpoint: str,
        crop: str,
        source: str | None,
        amount: float | None,
    ) -> tuple[Edits, Any, Any]:
        """Take a slider's amount; `ended` when it was let go.

        Returns:
            The edits, the picture after them, and whether there is something to undo.
        """
        edits = edits.move(name, float(amount or 0.0))
        edits = edits.let_go() if ended else edits
        return edits, self.pair(edits, checkpoint, crop, source)[1], _undo(edits)

    def change(
        self,
        names: list[str],
        step: Callable[[Edits], Edits],
        edits: Edits,
        checkpoint: str,
        crop: str,
        source: str | None,
    ) -> tuple[Any, ...]:
        """Undo or clear: the edits, the picture, whether there is something to undo, amounts."""
        edits = step(edits)
        after = self.pair(edits, checkpoint, crop, source)[1]
        return edits, after, _undo(edits), *(edits.amounts.get(name, 0.0) for name in names)

    def _sliders(self, directions: Mapping[str, Direction]) -> None:
        first, others = grouped(directions)
        made = self._group(first)
        if others:
            with gr.Accordion(f"Other directions ({len(others)})", open=False):
                made |= self._group(others)
        given = [self.edits, self.setting.checkpoint, self.setting.crop, self.source]
        drawn = [self.edits, self.after, self.undo]
        for name, slider in made.items():
            for event, ended, trigger in (
                (slider.input, False, "always_last"),
                (slider.release, True, "multiple"),
            ):
                event(
                    telling(partial(self.slide, name, ended)),
                    [*given, slider],
                    drawn,
                    trigger_mode=trigger,
                    show_progress="hidden",
                    **QUEUE,
                )
        for button, step in ((self.undo, Edits.undo), (self.clear, Edits.clear)):
            button.click(
                telling(partial(self.change, list(made), step)),
                given,
                [*drawn, *made.values()],
                show_progress="hidden",
                **QUEUE,
            )

    def _group(self, directions: Mapping[str, Direction]) -> dict[str, Any]:
        with gr.Row(elem_classes="sliders"):
            return {name: _slider(name, direction) for name, direction in directions.items()}


def _slider(name: str, direction: Direction) -> Any:
    low, high = limits(direction)
    return gr.Slider(
        *(low, high),
        value=0.0, step=0.01, label=name_with_index(name, direction), elem_id=None,
        elem_classes=[f"direction-{direction.index}"], min_width=120,
    )  # fmt: skip


def _undo(edits: Edits) -> Any:
    return gr.update(interactive=edits.before is not None)
