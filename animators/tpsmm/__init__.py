"""Thin-Plate Spline Motion Model."""

from animators.tpsmm.module import Tpsmm

__all__ = ["Tpsmm"]
