"""LPIPS with real AlexNet weights and no download."""

import torch
from torch import Tensor, nn

from animators.pretrained import alexnet_state


def lpips_network() -> nn.Module:
    """Build the `lpips` package's AlexNet v0.1, frozen.

    The package holds the linear heads, another package the trunk (`make weights`).

    Raises:
        WeightsNotFound: the trunk's file is nowhere.
    """
    trunk = alexnet_state()
    from lpips import LPIPS

    network = LPIPS(net="alex", pnet_rand=True, verbose=False)
    network.net.load_state_dict(
        {key: trunk[key.split(".", 1)[1]] for key in network.net.state_dict()}
    )
    return network.requires_grad_(False).eval()


class Lpips:
    """LPIPS (Zhang et al. 2018), one number a frame; no part of any module's state."""

    def __init__(self) -> None:
        self.network = lpips_network()

    @torch.no_grad()
    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare (T, 3, H, W) in [0, 1] in float32; returns (T,).

        Raises:
            ValueError: values outside [0, 1].
        """
        low = min(prediction.amin().item(), target.amin().item())
        high = max(prediction.amax().item(), target.amax().item())
        if not (low >= -1e-3 and high <= 1 + 1e-3):
            raise ValueError(f"LPIPS expects frames in [0, 1], got {low:g} to {high:g}")
        network = self.network.to(prediction.device)
        with torch.autocast(prediction.device.type, enabled=False):
            value: Tensor = network(prediction.float() * 2 - 1, target.float() * 2 - 1)
        return value.flatten()
