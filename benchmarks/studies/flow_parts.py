"""What `study flow_cost` measures: parts of Swin/TPS at a size, operations, reach of a token."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from animators.nn.grid import coordinate_grid
from animators.swin_tps.flow_optimiser import FlowOptimiser
from animators.swin_tps.network import TOKENS

Work = Callable[[], Tensor]
FAINT = 1e-30
"""Gradients below this share of the largest are none: masked windows keep a weight of exp(-100)."""


def parts(network: Any, size: int, device: torch.device) -> dict[str, Work]:
    """Prepare the parts of a drawing, each to be called by itself.

    Args:
        network: a `SwinTpsNetwork`; it works at any size that its halvings divide.
        size: pixels of the picture's side.
        device: where the network is.

    Returns:
        `drawing` and `drawing without either`; `flow optimisers` and `motion attention`, all scales
        one after the other, where the network has them.
    """
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(2, 1, 3, size, size, generator=generator).to(device)
    with torch.no_grad():
        source, motion = network.encode_source(pictures[0]), network.encode_motion(pictures[1])
        flow, feature = network.flow(source, motion), network.motion_feature(motion)
    maps = source.features[:-1]
    found: dict[str, Work] = {
        "drawing": lambda: network.paint(source, motion, flow).picture,
        "drawing without either": lambda: network.inpaint(source, flow).picture,
    }
    if network.flow_optimisers is not None:
        grids = [coordinate_grid(m.shape[2], m.shape[3], like=m)[None] for m in maps]
        found["flow optimisers"] = partial(_each, network.flow_optimisers, grids, maps)
    if network.attention is not None:
        found["motion attention"] = partial(_each, network.attention, [feature] * len(maps), maps)
    return found


def _each(modules: nn.ModuleList, *inputs: Any) -> Tensor:
    """Call the module of every scale; only one result at a time is held."""
    for module, *own in zip(modules, *inputs, strict=True):
        result = module(*own)
    return cast(Tensor, result)


def count_flops(work: Work) -> int:
    """Count the operations of matrix products, convolutions and attention in one call."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def reach(depth: int, side: int = TOKENS) -> dict[str, Any]:
    """Measure on which tokens an output token of the flow optimiser's stages depends.

    Asked are the output tokens on the map's diagonal: rows and columns are treated alike, so that
    they stand for all. Weights are random, numbers in double precision.

    Args:
        depth: pairs of stages.
        side: of the map, in tokens.

    Returns:
        `rows` and `columns`: extent of what the furthest-seeing token depends on; `share`: mean
        over the tokens of the part of the map that each depends on.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        stages = FlowOptimiser(1, 1, dim=8, heads=2, depth=depth, tokens=side).stages.double()
        tokens = torch.randn(1, side, side, 8, dtype=torch.float64)
    copies = tokens.expand(side, -1, -1, -1).clone().requires_grad_()  # one for each output token
    every = torch.arange(side)
    (gradient,) = torch.autograd.grad(stages(copies)[every, every, every].sum(), copies)
    strength = gradient.abs().sum(dim=-1)
    seen = strength > FAINT * strength.amax(dim=(1, 2), keepdim=True)
    return {
        "depth": depth,
        "map": side,
        "rows": int(seen.any(dim=2).sum(dim=1).max()),
        "columns": int(seen.any(dim=1).sum(dim=1).max()),
        "share": float(seen.double().mean()),
    }
