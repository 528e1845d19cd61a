"""The Swin/TPS decoupled model."""

from animators.swin_tps.module import SwinTps

__all__ = ["SwinTps"]
