"""LPIPS (Zhang 2018) with AlexNet features, from weights that lie on this computer."""

import warnings
from pathlib import Path

import lpips
import torch
from torch import Tensor, nn

from animators.metrics.average import FrameAverage
from animators.metrics.protocol import Averaging
from animators.pretrained import alexnet_state

CHUNK = (
    8  # frames at a time, which bounds the memory; fixed, so that every caller gets the same digits
)


def build_lpips(path: str | Path | None = None) -> nn.Module:
    """Make the `lpips` package's AlexNet network, version 0.1, frozen.

    Args:
        path: file of AlexNet's convolutions; looked for by the resolver when it is None.

    Returns:
        A module that maps two batches of images (N, 3, H, W) in [-1, 1] to distances (N, 1, 1, 1).

    Raises:
        WeightsNotFound: the convolutions are nowhere.
    """
    trunk = alexnet_state(path)
    # The constructor draws random weights first; the caller's random numbers must not notice.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
        network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    # Its keys are `slice1.0.weight`; the second part is the index in torchvision's `features`.
    state = {key: trunk[key.split(".", 1)[1]] for key in network.net.state_dict()}
    network.net.load_state_dict(state)
    frozen: nn.Module = network.requires_grad_(False).eval()
    return frozen


class Lpips(FrameAverage):
    """Learned perceptual distance, AlexNet, version 0.1."""

    name = "lpips"
    higher_is_better = False
    network: nn.Module

    def __init__(
        self, averaging: Averaging = Averaging.VIDEO, network: nn.Module | None = None
    ) -> None:
        """Take the network, or find its weights.

        Args:
            averaging: mean of the clips' means, or mean of all frames.
            network: as `build_lpips` makes it.

        Raises:
            WeightsNotFound: no network is given and its weights are nowhere.
        """
        super().__init__(averaging)
        # Not a submodule: out of checkpoints, of optimisers and of the reach of `train()`.
        object.__setattr__(self, "network", build_lpips() if network is None else network)

    def frame_values(self, prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:
        """Measure each frame: (T, 3, H, W) twice, (3, H, W) -> (T,)."""
        network = self.network.to(prediction.device)
        pairs = zip(torch.split(prediction, CHUNK), torch.split(target, CHUNK), strict=True)
        return torch.cat([network(2 * one - 1, 2 * other - 1).flatten() for one, other in pairs])
