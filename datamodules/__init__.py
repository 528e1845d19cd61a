"""Clips in, batches out: one datamodule for every animator; knows no model.

Names are imported when asked for, so that reading media does not load Lightning.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datamodules.augment import Augmentation
    from datamodules.pairs import FramePairs
    from datamodules.splits import About
    from datamodules.toy import ToyClips, ToySettings

_HOMES = {
    "About": "datamodules.splits",
    "Augmentation": "datamodules.augment",
    "FramePairs": "datamodules.pairs",
    "ToyClips": "datamodules.toy",
    "ToySettings": "datamodules.toy",
}

__all__ = ["About", "Augmentation", "FramePairs", "ToyClips", "ToySettings"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
