"""First Order Motion Model."""

from animators.fomm.module import Fomm

__all__ = ["Fomm"]
