"""What metrics that ask outside networks have in common: pictures, names, provenance."""

from typing import ClassVar

import numpy as np
from torch import Tensor

from animators.metrics.average import FrameAverage
from animators.metrics.networks import Network, Picture
from animators.metrics.protocol import Averaging


def pictures(frames: Tensor) -> list[Picture]:
    """Turn frames into what detectors take: bytes, rounded to the nearest and not cut off.

    Args:
        frames: (T, 3, H, W) in [0, 1]; what lies outside is clamped.

    Returns:
        T pictures (H, W, 3) uint8 RGB.
    """
    levels = (frames.detach().float().clamp(0, 1) * 255).round().byte()
    return [np.ascontiguousarray(frame) for frame in levels.permute(0, 2, 3, 1).cpu().numpy()]


class NetworkAverage(FrameAverage):
    """Mean over frames of what a network from outside sees in them.

    Attributes:
        name: what is measured and by which network, such as `akd_mesh`.
        detector: the network's version, for records.
    """

    measure: ClassVar[str]

    def __init__(self, network: Network, averaging: Averaging = Averaging.VIDEO) -> None:
        """Take the network's name and version.

        Args:
            network: what looks at the frames.
            averaging: mean of the clips' means, or mean of all frames.
        """
        super().__init__(averaging)
        self.name = f"{self.measure}_{network.name}"
        self.detector = network.version
