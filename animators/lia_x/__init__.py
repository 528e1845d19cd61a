"""LIA-X: interpretable latent portrait animator."""

from animators.lia_x.module import LiaX

__all__ = ["LiaX"]
