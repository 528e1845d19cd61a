"""DiME: differential motion evolution."""

from animators.dime.module import Dime

__all__ = ["Dime"]
