"""How good a picture looks by itself, by HyperIQA, which LIA-X's table 2 measures with.

Su et al., "Blindly Assess Image Quality in the Wild Guided by a Self-Adaptive Hyper Network", 2020:
a ResNet-50 sees what is in the picture, a hyper network makes from it the weights of a small
network, and that one turns features of four depths into a number. Modules are named as in the file
`HyperIQA-resnet50-koniq10k-c96c41b1.pth` (taught on KonIQ-10k), which is not for commercial use:
nothing here fetches it.
"""

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from animators.pretrained.files import resolve
from animators.pretrained.person import normalised, read_state
from animators.pretrained.registry import version_of

SIDE = 224
"""Pixels of the network's square input."""

STEPS = 5
"""Crops along each axis, equally far apart: 25 in all, as the file's publisher scores a picture."""

CHUNK = 5
"""Crops at a time, which bounds the memory; fixed, so that every caller gets the same digits."""

DISTORTION = ((256, 16, 8), (512, 32, 4), (1024, 64, 2))
"""Channels in, channels kept and cells a side of what is taken from the first three depths."""

DEEPEST = 2048
LOCAL = 16
"""Numbers of each of those three."""

TARGET = (224, 112, 56, 28, 14, 1)
"""Sizes of the small network's layers."""

HYPER = 112
"""Channels of what its weights are made from."""

CELLS = 7
"""Cells a side of the deepest features."""


def _pooled(channels: int, size: int) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, size))


class HyperNetwork(nn.Module):
    """Picture in, number out; its state is named as in the published file."""

    def __init__(self) -> None:
        """Make the layers, with random weights."""
        super().__init__()
        import timm

        self.base_model = timm.create_model("resnet50", pretrained=False, features_only=True)
        depths: list[nn.Module] = [
            nn.Sequential(
                nn.Conv2d(channels, kept, 1, bias=False),
                nn.AvgPool2d(CELLS),
                nn.Flatten(),
                nn.Linear(kept * cells**2, LOCAL),
            )
            for channels, kept, cells in DISTORTION
        ]
        rest = TARGET[0] - LOCAL * len(DISTORTION)
        depths.append(nn.Sequential(nn.AvgPool2d(CELLS), nn.Flatten(), nn.Linear(DEEPEST, rest)))
        self.lda_modules = nn.ModuleList(depths)
        self.conv1 = nn.Sequential(
            nn.Conv2d(DEEPEST, 1024, 1),
            nn.ReLU(),
            nn.Conv2d(1024, 512, 1),
            nn.ReLU(),
            nn.Conv2d(512, HYPER, 1),
            nn.ReLU(),
        )
        pairs = list(itertools.pairwise(TARGET))
        weights: list[nn.Module] = [
            nn.Conv2d(HYPER, before * after // CELLS**2, 3, padding=1)
            for before, after in pairs[:-1]
        ]
        self.fc_w_modules = nn.ModuleList([*weights, _pooled(HYPER, TARGET[-2])])
        self.fc_b_modules = nn.ModuleList([_pooled(HYPER, after) for _, after in pairs])

    def forward(self, crops: Tensor) -> Tensor:
        """Score crops.

        Args:
            crops: (N, 3, 224, 224), normalised as ImageNet's.

        Returns:
            (N,), about 0 to 1, higher is better.
        """
        depths = self.base_model(crops)[1:]
        local = [of(depth) for of, depth in zip(self.lda_modules, depths, strict=True)]
        values = torch.cat(local, dim=1)
        content = self.conv1(depths[-1])
        for layer, size in enumerate(TARGET[1:]):
            weight = self.fc_w_modules[layer](content).reshape(len(crops), size, -1)
            bias = self.fc_b_modules[layer](content)
            values = torch.einsum("noi,ni->no", weight, values) + bias
            if size > 1:
                values = values.sigmoid()
        return values[:, 0]


def crops_of(picture: Tensor) -> Tensor:
    """Cut a picture into overlapping squares, after blowing it up if it is small.

    Args:
        picture: (3, H, W) in [0, 1].

    Returns:
        (N, 3, 224, 224): 25 from the upper left corner on, in steps of a fifth of what is left of
        each axis; 1 where there is no step, because then all were the same.
    """
    if min(picture.shape[1:]) <= SIDE:
        factor = (SIDE + 1) / min(picture.shape[1:])
        picture = F.interpolate(picture[None], scale_factor=factor, mode="bilinear")[0]
    down, across = ((length - SIDE) // STEPS for length in picture.shape[1:])
    rows, columns = (range(STEPS) if step else range(1) for step in (down, across))
    places = [(row * down, column * across) for row in rows for column in columns]
    return torch.stack([picture[:, y : y + SIDE, x : x + SIDE] for y, x in places])


def read_network(path: Path) -> HyperNetwork:
    """Make the network from the published file, frozen.

    Args:
        path: named tensors, or these under `params`.

    Returns:
        The network.

    Raises:
        ValueError: the file holds something else.
        OSError: the file cannot be read.
    """
    state = read_state(path)
    # Weights that are never drawn leave the caller's random numbers as they are.
    with torch.device("meta"):
        network = HyperNetwork()
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        wrong = " ".join(str(error).split())
        raise ValueError(f"{path} does not hold HyperIQA's layers: {wrong[:300]}") from error
    return network.requires_grad_(False).eval()


class HyperIqa:
    """HyperIQA of a frame: about 0 for a bad picture, 1 for a good one.

    Attributes:
        name: `hyperiqa`.
        version: the network's file.
        higher_is_better: True.
    """

    name = "hyperiqa"
    higher_is_better = True

    def __init__(self, path: str | Path | None = None, device: str | torch.device = "cpu") -> None:
        """Read the network.

        Args:
            path: the published file, where it does not lie in the cache folder.
            device: where it runs; a frame of 256 pixels is 25 passes of a ResNet-50.

        Raises:
            WeightsNotFound: the file is nowhere, or what is given is another file.
            ValueError: the file holds something else.
        """
        self.version = version_of("hyperiqa")
        found = resolve("hyperiqa", paths=None if path is None else {"hyperiqa": path})
        self._device = torch.device(device)
        self._network = read_network(found["hyperiqa"]).to(self._device)

    @torch.no_grad()
    def score(self, frame: npt.NDArray[np.uint8]) -> float:
        """Score a frame.

        Args:
            frame: (H, W, 3) uint8 RGB.

        Returns:
            The mean over its crops; higher is better.

        Raises:
            ValueError: the frame is something else.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
            raise ValueError(
                f"quality is judged of (H, W, 3) uint8, got {frame.dtype} {frame.shape}"
            )
        pixels = torch.from_numpy(frame.copy()).permute(2, 0, 1).to(self._device).float() / 255
        with torch.autocast(self._device.type, enabled=False):
            parts = torch.split(normalised(crops_of(pixels)), CHUNK)
            scores = torch.cat([self._network(part) for part in parts])
        return float(scores.double().mean())
