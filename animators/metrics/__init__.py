"""Metrics: pure functions of frames, and the suite that both validation and benchmarks run."""

from animators.metrics.lpips import Lpips
from animators.metrics.protocol import Protocol
from animators.metrics.suite import HIGHER_IS_BETTER, ReconstructionSuite

__all__ = ["HIGHER_IS_BETTER", "Lpips", "Protocol", "ReconstructionSuite"]
