"""Islands of full precision inside mixed precision: flows, grids, QR, statistics."""

import torch
from torch import Tensor


def full_precision(x: Tensor) -> torch.autocast:
    """Context in which autocast is off on the device of `x`."""
    return torch.autocast(x.device.type, enabled=False)


def at_least_float32(x: Tensor) -> Tensor:
    """Return `x` as float32, or unchanged when it already is float32 or float64."""
    return x if x.dtype == torch.float64 else x.float()
