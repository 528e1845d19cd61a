"""Latent Image Animator."""

from animators.lia.module import Lia

__all__ = ["Lia"]
