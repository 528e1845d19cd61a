"""A user's mistakes, told on the page in the words of the commands."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from animators.commands.options import full_memory_told
from datamodules import media


@contextmanager
def told() -> Iterator[None]:
    """Show what a user can mend as a message; the page goes on.

    Raises:
        gr.Error: in place of the errors that commands turn into one line.
    """
    try:
        with full_memory_told():
            yield
    except (ValueError, OSError, FloatingPointError) as error:
        raise gr.Error(shown(error), title="This does not work", print_exception=False) from error


def telling(work: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a handler in `told`."""

    @wraps(work)
    def handler(*arguments: Any, **named: Any) -> Any:
        with told():
            return work(*arguments, **named)

    return handler


def shown(error: BaseException) -> str:
    """Give an error's one line, with uploads under their own names, as text that HTML leaves."""
    folder = re.escape(str(Path(get_upload_folder()).resolve()))
    text = re.sub(rf"{folder}\S*/", "", " ".join(str(error).split()))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def check_upload(payload: Any, kind: str) -> Any:
    """Take an upload, or empty its place and say why.

    It comes before the component has looked at the file, which would fail with words of its own.

    Args:
        payload: what the browser sent: a file's place.
        kind: picture or clip.

    Returns:
        What the component is to hold.
    """
    path = _place(payload)
    # what was not uploaded is not looked at
    if path is None or not path.resolve().is_relative_to(Path(get_upload_folder()).resolve()):
        return None
    try:
        if kind == "picture":
            media.read_image(path)
        else:
            with media.open_clip(path) as clip:
                clip.read([0])
    except (ValueError, OSError) as error:
        gr.Warning(shown(error), duration=None, title=f"Not a {kind} that can be used")
        return None
    return gr.skip()


def _place(payload: Any) -> Path | None:
    """The file that a component's raw value names."""
    if isinstance(payload, dict):
        payload = payload.get("path")
    else:
        payload = getattr(payload, "path", payload)
    return None if payload is None else Path(payload)
