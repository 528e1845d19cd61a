"""Motion Representations for Articulated Animation."""

from animators.mraa.module import Mraa

__all__ = ["Mraa"]
