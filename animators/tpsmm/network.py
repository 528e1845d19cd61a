"""TPSMM's network; it is shared, so it stands in `animators.nn.spline_network`."""

from animators.nn.spline_network import SplineMotion, SplineNetwork, SplineSource

__all__ = ["SplineMotion", "SplineNetwork", "SplineSource"]
