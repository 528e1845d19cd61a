"""Perceptual loss: distances of VGG features over an image pyramid (Johnson 2016; eq. 9 of LIA)."""

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from animators.nn.precision import at_least_float32, full_precision
from animators.nn.resample import shrink
from animators.pretrained.trunks import vgg16_state, vgg19_state

# Convolutions in each block up to relu5_1; a 2x2 pooling stands between blocks.
BLOCKS = {"vgg16": (2, 2, 3, 3, 1), "vgg19": (2, 2, 4, 4, 1)}
WIDTHS = (64, 128, 256, 512, 512)
SMALLEST = 16
"""Pixels below which nothing reaches relu5_1 behind four poolings."""
Border = Literal["grey", "black"]
_STATES = {"vgg16": vgg16_state, "vgg19": vgg19_state}
_FILES = {"vgg16": "vgg16_trunk", "vgg19": "vgg19"}
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def most_scales(size: int) -> int:
    """Number of scales, each half the one before, that pictures of `size` pixels allow."""
    scales = 0
    while -(-size // 2**scales) >= SMALLEST:
        scales += 1
    return scales


class VggFeatures(nn.Module):
    """VGG up to relu5_1, frozen.

    Args:
        net: "vgg16" or "vgg19".
        state: convolutions by torchvision's names in `features`: "0.weight", "0.bias", ...

    Raises:
        ValueError: a convolution is missing or has another shape.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, net: Literal["vgg16", "vgg19"], state: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        self.counts = BLOCKS[net]
        width, index = 3, 0
        for count, wider in zip(self.counts, WIDTHS, strict=True):
            for _ in range(count):
                self.layers.append(_convolution(state, index, width, wider, net))
                width, index = wider, index + 2  # a ReLU follows
            index += 1  # a pooling follows
        self.register_buffer("mean", torch.tensor(_MEAN).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(_STD).view(3, 1, 1))
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "VggFeatures":
        """Stay in eval mode whatever the owner does."""
        return super().train(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return relu1_1, 2_1, 3_1, 4_1 and 5_1 of (B, 3, H, W) in [0, 1]."""
        x = (images - self.mean) / self.std
        features: list[Tensor] = []
        layers = iter(self.layers)
        for count in self.counts:
            x = F.max_pool2d(x, 2) if features else x
            for position in range(count):
                x = F.relu(next(layers)(x))
                if position == 0:
                    features.append(x)
        return features


def _convolution(
    state: Mapping[str, Tensor], index: int, width: int, wider: int, net: str
) -> nn.Conv2d:
    layer = nn.Conv2d(width, wider, 3, padding=1)
    for name, parameter in layer.named_parameters():
        given = state.get(f"{index}.{name}")
        if given is None or given.shape != parameter.shape:
            found = "nothing" if given is None else f"shape {tuple(given.shape)}"
            raise ValueError(
                f"these are no {net} weights: features.{index}.{name} should have shape "
                f"{tuple(parameter.shape)}, found {found}"
            )
        parameter.data.copy_(given)
    return layer


class PerceptualLoss(nn.Module):
    """Mean absolute difference of VGG features, summed over five layers and all scales.

    It runs in at least float32 also under mixed precision. It is frozen; hold it outside the
    module tree, so that it reaches neither checkpoints nor averages.

    Args:
        net: "vgg19" as in the papers, or "vgg16".
        scales: pictures of the pyramid, each half the one before.
        border: what the pyramid's blur meets beyond the picture. "grey": zeros of [-1, 1], values
            clamped before and after (LIA); "black": zeros of [0, 1], nothing clamped (FOMM, MRAA,
            TPSMM).
        state: VGG's convolutions; None finds the file through `animators.pretrained`.

    Raises:
        ValueError: another network, no scales, or weights of something else.
        WeightsNotFound: the network's file is nowhere.
    """

    def __init__(
        self,
        net: Literal["vgg19", "vgg16"] = "vgg19",
        scales: int = 4,
        state: Mapping[str, Tensor] | None = None,
        border: Border = "grey",
    ) -> None:
        super().__init__()
        _check(net, scales, border)
        self.vgg = VggFeatures(net, _STATES[net]() if state is None else state)
        self.scales = scales
        self.border = border

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare two (B, 3, H, W) in [0, 1].

        Returns:
            A scalar; no gradient flows into `target`.

        Raises:
            ValueError: the pictures are too small for the number of scales.
        """
        most = most_scales(min(prediction.shape[2:]))
        if self.scales > most:
            height, width = prediction.shape[2:]
            raise ValueError(
                f"{width}x{height} pixels allow {most} perceptual scales, not {self.scales}: the "
                f"smallest picture must keep {SMALLEST} pixels"
            )
        # Near a good prediction features differ by less than bfloat16 resolves: with noise of 0.005
        # the gradient's cosine to that of float32 is 0.89, and the loss a tenth too high.
        with full_precision(prediction):
            prediction, target = at_least_float32(prediction), at_least_float32(target.detach())
            total = prediction.new_zeros(())
            for scale in range(self.scales):
                with torch.no_grad():
                    wanted = self.vgg(self.picture(target, 2**scale))
                found = self.vgg(self.picture(prediction, 2**scale))
                for a, b in zip(found, wanted, strict=True):
                    total = total + (a - b).abs().mean()
            return total

    def picture(self, x: Tensor, factor: int) -> Tensor:
        """Shrink (B, 3, H, W) to one picture of the pyramid, `factor` times smaller."""
        if self.border == "black":
            return shrink(x, factor)
        return (shrink(x * 2 - 1, factor).clamp(-1, 1) + 1) / 2


class FrozenPerceptual:
    """A perceptual loss as an animator holds it: outside the module tree, loaded to train.

    It is no module, so that its weights reach neither checkpoints, averages nor optimisers.

    Args:
        net: "vgg19" as in the papers, or "vgg16".
        scales: pictures of the pyramid, each half the one before.
        border: see `PerceptualLoss`.

    Raises:
        ValueError: another network or border, or no scales.
    """

    def __init__(self, net: Literal["vgg19", "vgg16"], scales: int, border: Border) -> None:
        _check(net, scales, border)
        self.net: Literal["vgg19", "vgg16"] = net
        self.scales = scales
        self.border: Border = border
        self.loss: nn.Module | None = None

    @property
    def file(self) -> str:
        """Name in `animators.pretrained` of the network's weights."""
        return _FILES[self.net]

    @property
    def loaded(self) -> bool:
        """Whether the weights are there."""
        return self.loss is not None

    def check(self, image_size: int) -> None:
        """Refuse more scales than pictures of this size allow.

        Raises:
            ValueError: too many; the largest number is named.
        """
        most = most_scales(image_size)
        if self.scales > most:
            raise ValueError(
                f"perceptual_scales is {self.scales}, pictures of {image_size} pixels allow "
                f"{most}: set it to {most} or less"
            )

    def load(self, device: torch.device, dtype: torch.dtype) -> None:
        """Fetch the weights, once; later calls only move them.

        Raises:
            WeightsNotFound: the network's file is nowhere.
        """
        if self.loss is None:
            self.loss = PerceptualLoss(self.net, self.scales, border=self.border)
        self.loss.to(device, torch.promote_types(dtype, torch.float32))

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare two (B, 3, H, W) in [0, 1]; see `PerceptualLoss`.

        Raises:
            RuntimeError: nothing is loaded yet.
        """
        if self.loss is None:
            raise RuntimeError("the perceptual network is not loaded: call load() first")
        value: Tensor = self.loss(prediction, target)
        return value


def _check(net: str, scales: int, border: str) -> None:
    if net not in BLOCKS or scales < 1:
        raise ValueError(
            f"net must be one of {sorted(BLOCKS)} and scales at least 1, got {net!r}, {scales}"
        )
    if border not in ("grey", "black"):
        raise ValueError(f"border must be grey or black, got {border!r}")
