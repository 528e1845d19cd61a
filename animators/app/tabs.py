"""The three tabs: a picture that follows a clip, a picture that is edited, a clip that is."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from animators.app.editor import QUEUE, Editor, Setting, read_crop
from animators.app.edits import Edits
from animators.app.messages import check_upload, telling
from animators.commands.options import Crop

HEIGHT = 230
"""Of an upload's place, in pixels."""
RESULT_HEIGHT = 400
PREVIEW_HEIGHT = 170
FILM_HEIGHT = 280
"""Of a result that shares its column with a preview."""

MODES = "relative: moves as the clip moves; absolute: takes its poses; avd: fits them to its shape"


def _picture(label: str) -> Any:
    return gr.Image(
        label=label, type="filepath", image_mode=None, sources=["upload", "clipboard"],
        height=HEIGHT, elem_classes="source", buttons=[],
    )  # fmt: skip


def _clip(label: str, kind: str) -> Any:
    return gr.Video(label=label, sources=["upload"], height=HEIGHT, elem_classes=kind, buttons=[])


def _result(height: int) -> Any:
    return gr.Video(
        label="Result", interactive=False, height=height, autoplay=True, loop=True,
        buttons=["download"], elem_classes="film",
    )  # fmt: skip


def _beside(label: str) -> Any:
    return gr.Checkbox(True, label=label, container=False)


def _checked(component: Any, kind: str) -> Any:
    """Refuse bad uploads; what comes after an upload goes on from the event returned."""
    return component.upload(
        partial(check_upload, kind=kind), component, component, preprocess=False,
        show_progress="hidden", **QUEUE,
    )  # fmt: skip


class AnimateTab:
    """A picture and a driving clip; a film."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        with gr.Row(elem_classes="work"):
            with gr.Column(elem_classes="inputs"), gr.Row(elem_classes="pair"):
                source, driving = _picture("Picture"), _clip("Driving clip", "driving")
            with gr.Column(elem_classes="result"):
                button = gr.Button("Animate", variant="primary", elem_classes="go")
                film = _result(RESULT_HEIGHT)
                beside = _beside("show picture and driving clip beside the result")
            with gr.Column(elem_classes="settings"):
                with gr.Row():
                    self.mode = gr.Radio(
                        ["relative"], value="relative", label="Mode", info=MODES, scale=3
                    )
                    reference = gr.Dropdown(
                        ["first", "best"], value="first", allow_custom_value=True, scale=2,
                        label="Reference frame", info="which looks like the picture; or a number",
                    )  # fmt: skip
                self.references = gr.File(
                    label="More pictures of the same person or thing (any number)",
                    file_count="multiple", file_types=["image"], visible=False, height=110,
                )  # fmt: skip
                self.editor = Editor(setting, source)
                with gr.Accordion("Edit the picture first", open=False) as self.editing:
                    self.editor.show_pair(PREVIEW_HEIGHT)
                    self.editor.show_buttons()
                    self.editor.show_sliders()
        self.editor.connect()
        self.editor.redraw(_checked(source, "picture").then)
        _checked(driving, "clip")
        self.mode.change(
            lambda mode: gr.update(visible=mode == "relative"), self.mode, reference,
            show_progress="hidden",
        )  # fmt: skip
        button.click(
            telling(self.animate),
            [
                *(self.editor.edits, setting.checkpoint, setting.crop, source, driving),
                *(self.references, self.mode, reference, beside),
            ],
            film,
            **QUEUE,
        )

    def animate(
        self,
        edits: Edits,
        checkpoint: str | None,
        crop: str,
        source: str | None,
        driving: str | None,
        references: Sequence[str] | None,
        mode: str,
        reference_frame: str,
        beside: bool,
        progress: gr.Progress = gr.Progress(track_tqdm=True),  # noqa: B008 - how gradio finds it
    ) -> str:
        """Make the film.

        Raises:
            ValueError: something is missing, or does not fit.
        """
        if checkpoint is None or source is None or driving is None:
            raise ValueError("choose a checkpoint, a picture and a driving clip first")
        film = self.setting.studio.animate(
            Path(checkpoint), Path(source), Path(driving), crop_word(crop), edits.amounts,
            references=[Path(path) for path in references or ()], mode=mode,
            reference_frame=str(reference_frame).strip() if mode == "relative" else "first",
            side_by_side=beside,
        )  # fmt: skip
        return str(film)


class PictureTab:
    """A picture, sliders, and the picture that they make."""

    def __init__(self, setting: Setting) -> None:
        with gr.Row(elem_classes=["work", "live"]):
            with gr.Column(elem_classes="inputs"):
                source = _picture("Picture")
            self.editor = Editor(setting, source)
            with gr.Column(elem_classes="result"):
                self.editor.show_pair(RESULT_HEIGHT - 60)
                self.editor.show_buttons()
            with gr.Column(elem_classes="settings"):
                self.editor.show_sliders()
        self.editor.connect()
        self.editor.redraw(_checked(source, "picture").then)


class VideoTab:
    """A clip, sliders that show its first frame edited, and the edited clip."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        with gr.Row(elem_classes=["work", "film-first"]):
            with gr.Column(elem_classes="inputs"):
                source = _clip("Clip", "source")
            self.editor = Editor(setting, source)
            with gr.Column(elem_classes="result"):
                with gr.Column(elem_classes="preview"):
                    self.editor.show_pair(PREVIEW_HEIGHT)
                    self.editor.show_buttons()
                with gr.Column(elem_classes="made"):
                    button = gr.Button("Edit the whole clip", variant="primary", elem_classes="go")
                    film = _result(FILM_HEIGHT)
                    beside = _beside("show the clip beside the result")
            with gr.Column(elem_classes="settings"):
                gr.Markdown("The sliders show the clip's first frame; the others follow it.")
                self.editor.show_sliders()
        self.editor.connect()
        self.editor.redraw(_checked(source, "clip").then)
        button.click(
            telling(self.edit),
            [self.editor.edits, setting.checkpoint, setting.crop, source, beside],
            film,
            **QUEUE,
        )

    def edit(
        self,
        edits: Edits,
        checkpoint: str | None,
        crop: str,
        source: str | None,
        beside: bool,
        progress: gr.Progress = gr.Progress(track_tqdm=True),  # noqa: B008 - how gradio finds it
    ) -> str:
        """Make the film.

        Raises:
            ValueError: something is missing, or does not fit.
        """
        if checkpoint is None or source is None:
            raise ValueError("choose a checkpoint and a clip first")
        film = self.setting.studio.edit_clip(
            Path(checkpoint), Path(source), crop_word(crop), edits.amounts, side_by_side=beside
        )
        return str(film)


def crop_word(text: object) -> str:
    """Say a crop as the commands' option takes it.

    Raises:
        ValueError: it is none.
    """
    crop: Crop = read_crop(text)
    return crop if isinstance(crop, str) else ",".join(map(str, crop))
