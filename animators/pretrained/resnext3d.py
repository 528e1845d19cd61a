"""ResNeXt-101 with 3D convolutions, as trained on Kinetics: what LIA's video FID looks through.

Hara et al., "Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet?", 2018. The
names are those of the published file `resnext-101-kinetics.pth` (shortcut B, cardinality 32).
"""

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from animators.pretrained.trunks import read_tensors

RESNEXT101 = (3, 4, 23, 3)
"""Bottlenecks of the four stages."""

IGNORED = ("fc.",)
"""The classifier of the 400 actions is not wanted."""


class Bottleneck(nn.Module):
    """1x1x1, grouped 3x3x3, 1x1x1, and the input added.

    Args:
        before: channels of the input.
        after: channels of the output; half as many lie between.
        stride: of the middle convolution, in time and space.
        cardinality: groups of the middle convolution.
    """

    def __init__(self, before: int, after: int, stride: int, cardinality: int) -> None:
        super().__init__()
        middle = after // 2
        self.conv1 = nn.Conv3d(before, middle, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(middle)
        self.conv2 = nn.Conv3d(
            middle, middle, 3, stride=stride, padding=1, groups=cardinality, bias=False
        )
        self.bn2 = nn.BatchNorm3d(middle)
        self.conv3 = nn.Conv3d(middle, after, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(after)
        self.downsample: nn.Module | None = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(
                nn.Conv3d(before, after, 1, stride=stride, bias=False), nn.BatchNorm3d(after)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, before, T, H, W) to (B, after, T / stride, H / stride, W / stride)."""
        kept = x if self.downsample is None else self.downsample(x)
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        return (self.bn3(self.conv3(x)) + kept).relu()


class ResNeXt3dTrunk(nn.Module):
    """The network without its classifier.

    Args:
        blocks: bottlenecks of each of the four stages.
        width: channels of the first convolution; the last stage has 32 times as many.
        cardinality: groups of the grouped convolutions.
    """

    def __init__(
        self,
        blocks: tuple[int, int, int, int] = RESNEXT101,
        width: int = 64,
        cardinality: int = 32,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, width, 7, stride=(1, 2, 2), padding=3, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.maxpool = nn.MaxPool3d(3, stride=2, padding=1)
        widths = (width, 4 * width, 8 * width, 16 * width, 32 * width)
        for stage, (count, (before, after)) in enumerate(
            zip(blocks, pairwise(widths), strict=True), start=1
        ):
            strides = [1 if stage == 1 else 2] + [1] * (count - 1)
            inputs = [before] + [after] * (count - 1)
            pairs = zip(inputs, strides, strict=True)
            layers = [Bottleneck(inside, after, stride, cardinality) for inside, stride in pairs]
            self.add_module(f"layer{stage}", nn.Sequential(*layers))

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to (B, 32 width, T / 16, H / 32, W / 32), rounded up."""
        x = self.maxpool(self.bn1(self.conv1(x)).relu())
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
        return x


def load_resnext(trunk: ResNeXt3dTrunk, path: Path) -> None:
    """Give a trunk the tensors of a published checkpoint.

    Args:
        trunk: of the checkpoint's sizes.
        path: a file whose `state_dict` has the names of the trunk behind `module.`.

    Raises:
        ValueError: it is no such file, or has other names or sizes.
        OSError: the file cannot be read.
    """
    entries = read_tensors(path)
    state = entries.get("state_dict", entries)
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        raise ValueError(f"{path} has no named tensors under state_dict")
    state = {key.removeprefix("module."): value for key, value in state.items()}
    state = {key: value for key, value in state.items() if not key.startswith(IGNORED)}
    # Torch counted no batches yet when the file was written; nothing reads the count in eval mode.
    for name, value in trunk.state_dict().items():
        if name.endswith("num_batches_tracked"):
            state.setdefault(name, torch.zeros_like(value, device="cpu"))
    try:
        trunk.load_state_dict(state, assign=True)
    except (RuntimeError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{path} holds no such 3D ResNeXt: {reason}") from error
