"""How good generated frames look by themselves, without anything to compare them with.

    quality_<judge> = mean over generated frames of judge(frame)

LIA-X's table 2 has HyperIQA as its judge; BRISQUE needs no file that has to be fetched by hand.
Their numbers run in opposite directions and share no column.
"""

import torch
from torch import Tensor

from animators.metrics.networks import Judge
from animators.metrics.pictures import NetworkAverage, pictures
from animators.metrics.protocol import Averaging
from animators.pretrained import Brisque


class ImageQuality(NetworkAverage):
    """Mean score that a judge gives the generated frames; the real ones play no part."""

    measure = "quality"
    higher_is_better: bool

    def __init__(
        self, averaging: Averaging = Averaging.VIDEO, network: Judge | None = None
    ) -> None:
        """Take the judge, or find BRISQUE's files.

        Args:
            averaging: mean of the clips' means, or mean of all frames.
            network: what scores a frame.

        Raises:
            WeightsNotFound: no judge is given and BRISQUE's files are nowhere.
        """
        network = Brisque() if network is None else network
        super().__init__(network, averaging)
        self.network: Judge = network
        # The judge's matter, which torchmetrics takes for the class's and refuses to have set.
        object.__setattr__(self, "higher_is_better", network.higher_is_better)

    def frame_values(self, prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:
        """Score each frame: (T, 3, H, W) twice, (3, H, W) -> (T,)."""
        scores = [self.network.score(picture) for picture in pictures(prediction)]
        return torch.tensor(scores, dtype=torch.float64)
