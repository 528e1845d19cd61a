"""Animators: networks that move a still picture as a video moves.

Nothing heavy is imported before it is asked for (PEP 562), so that `--help` answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from animators.animator import Animator, Editable
    from animators.weights import load_animator

__all__ = ["Animator", "Editable", "load_animator"]

_HOMES = {
    "Animator": "animators.animator",
    "Editable": "animators.animator",
    "load_animator": "animators.weights",
}


def __getattr__(name: str) -> object:
    """Import a public name from its home when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names before any of them was imported."""
    return sorted({*globals(), *__all__})
