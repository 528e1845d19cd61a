"""The page: a checkpoint, and three tabs to work with it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from animators.animator import Mode
from animators.app.editor import QUEUE, Editor, Setting
from animators.app.edits import Edits
from animators.app.messages import shown
from animators.app.studio import Studio
from animators.app.tabs import AnimateTab, PictureTab, VideoTab

SWEEP_EVERY, KEEP_FOR = 600, 6 * 3600
"""Seconds: how often uploads and results are looked through, and how old they may become."""

TABS = 3

NOTHING = "No checkpoint was found in {runs}: train one with `make demo`"
NOT_EDITABLE = (
    "It animates only: editing pictures and videos wants an animator with motion directions, such "
    "as lia or lia_x."
)


class Doors(NamedTuple):
    """What follows from a checkpoint: components that a choice of one changes."""

    checkpoint: Any
    picker: Any
    about: Any
    tabs: Any
    picture: Any
    video: Any
    mode: Any
    references: Any
    editing: Any
    edits: tuple[Any, ...]


def build(studio: Studio, checkpoints: Mapping[str, Path], runs: Path) -> gr.Blocks:
    """Build the page.

    Args:
        studio: what does the work.
        checkpoints: those to choose from, by name; the first is opened.
        runs: where they were looked for.
    """
    first = next((str(path) for path in checkpoints.values()), None)
    paths = studio.offered is None
    nothing = NOTHING.format(runs=runs) + (", or type the path of one." if paths else ".")
    with gr.Blocks(
        title="Image animators",
        analytics_enabled=False,
        delete_cache=(SWEEP_EVERY, KEEP_FOR),
        fill_width=True,
    ) as page:
        checkpoint = gr.State(None)
        with gr.Row(elem_id="top"):
            gr.Markdown("# Image animators", elem_id="title")
            about = gr.Markdown(nothing if first is None else "", elem_id="about")
        with gr.Row(elem_id="head"):
            picker = gr.Dropdown(
                [(name, str(path)) for name, path in checkpoints.items()],
                value=first, allow_custom_value=paths, label="Checkpoint", scale=3,
                info="one of these runs" + ", or the path of a file" * paths, elem_id="checkpoint",
            )  # fmt: skip
            crop = gr.Dropdown(
                ["square", "stretch", "none"], value="square", allow_custom_value=True, scale=2,
                label="Crop", info="how pictures become square; or left,top,side", elem_id="crop",
            )  # fmt: skip
        setting = Setting(studio, checkpoint, crop)
        with gr.Tabs(selected="animate") as tabs:
            with gr.Tab("Animate", id="animate"):
                animate = AnimateTab(setting)
            with gr.Tab("Edit picture", id="picture") as picture_door:
                picture = PictureTab(setting)
            with gr.Tab("Edit video", id="video") as video_door:
                video = VideoTab(setting)
        editors: tuple[Editor, ...] = (animate.editor, picture.editor, video.editor)
        doors = Doors(
            *(checkpoint, picker, about, tabs, picture_door, video_door),
            *(animate.mode, animate.references, animate.editing),
            tuple(editor.edits for editor in editors),
        )
        outputs = [*doors[:-1], *doors.edits]

        def chosen(picked: str | None, before: str | None) -> list[Any]:
            return choose(studio, picked, before)

        for event in (page.load, picker.input):
            event(chosen, [picker, checkpoint], outputs, show_progress_on=about, **QUEUE)
    return page


def choose(studio: Studio, picked: str | None, before: str | None) -> list[Any]:
    """Open a checkpoint; one that cannot be opened leaves the one before, and a message.

    Args:
        studio: what opens it.
        picked: its path.
        before: the path of the one that is open.

    Returns:
        Updates in the order of `Doors`.
    """
    # the last field stands for one state for each tab
    count = len(Doors._fields) - 1 + TABS
    if not picked:
        return [gr.skip()] * count
    try:
        model = studio.open(Path(picked))
        said = studio.describe(Path(picked))
    except (ValueError, OSError) as error:
        gr.Warning(shown(error), duration=None, title="This checkpoint cannot be opened")
        return [gr.skip(), gr.update(value=before), *[gr.skip()] * (count - 2)]
    editable = bool(getattr(model, "directions", {}))
    # the one that commands take where none is asked for comes first
    modes = sorted((mode.value for mode in model.modes), key=lambda mode: mode != Mode.RELATIVE)
    return [
        picked,
        gr.skip(),
        said if editable else f"{said}. {NOT_EDITABLE}",
        gr.skip() if editable else gr.update(selected="animate"),
        gr.update(interactive=editable),
        gr.update(interactive=editable),
        gr.update(choices=modes, value=modes[0]),
        gr.update(visible=model.several_views),
        gr.update(visible=editable),
        *[Edits()] * TABS,
    ]
