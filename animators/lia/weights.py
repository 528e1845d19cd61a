"""The authors' checkpoints (github.com/wyhsirius/LIA, commit b9f15fb) read into our network."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from animators.nn.resample import binomial_kernel
from animators.official import OfficialWeights


def _block(part: str) -> Callable[[re.Match[str]], str]:
    """Name a part of a residual block; theirs are counted behind the stem."""
    return lambda match: f"encoder.trunk.blocks.{int(match[1]) - 1}.{part}"


def _styled(part: str) -> Callable[[re.Match[str]], str]:
    """Name a part of a styled convolution; a level has two, the first raises the resolution."""

    def rename(match: re.Match[str]) -> str:
        level, second = divmod(int(match[1]), 2)
        return f"decoder.levels.{level}.{'conv' if second else 'up'}.{part}"

    return rename


def _arguments(state: Mapping[str, Tensor], config: str) -> dict[str, Any]:
    """Read the sizes off the tensors; the published configurations share the rest."""
    latent_dim, motion_dim = state["dec.direction.weight"].shape
    levels = sum(re.fullmatch(r"dec\.to_flows\.\d+\.bias", key) is not None for key in state)
    return {
        "image_size": 4 * 2**levels,
        "latent_dim": latent_dim,
        "motion_dim": motion_dim,
        "channel_multiplier": state["dec.input.input"].shape[1] / 512,
        "dictionary": True,
    }


_TRUNK = r"enc\.net_app\.convs\."
_STYLED = r"dec\.convs\.(\d+)\."

OFFICIAL = OfficialWeights(
    class_path="animators.lia.Lia",
    entries={"gen": ""},
    ignored=("dis", "g_optim", "d_optim", "args"),
    # the three published files share one configuration
    configs=("vox-256", "taichi-256", "ted-256"),
    landmarks=("dec.direction.weight", "dec.input.input"),
    arguments=_arguments,
    names={
        _TRUNK + r"0\.0\.weight": "encoder.trunk.stem.conv.weight",
        _TRUNK + r"0\.1\.bias": "encoder.trunk.stem.bias",
        _TRUNK + r"(\d+)\.conv1\.0\.weight": _block("first.conv.weight"),
        _TRUNK + r"(\d+)\.conv1\.1\.bias": _block("first.bias"),
        _TRUNK + r"(\d+)\.conv2\.1\.weight": _block("second.conv.weight"),
        _TRUNK + r"(\d+)\.conv2\.2\.bias": _block("second.bias"),
        _TRUNK + r"(\d+)\.skip\.1\.weight": _block("skip.weight"),
        _TRUNK + r"\d+\.weight": "encoder.to_latent.weight",
        r"enc\.fc\.(\d+)\.(weight|bias)": r"motion_head.\1.\2",
        r"dec\.direction\.weight": "dictionary.weight",
        r"dec\.input\.input": "decoder.constant",
        r"dec\.conv1\.conv\.(weight|modulation\.\w+)": r"decoder.start.\1",
        r"dec\.conv1\.activate\.bias": "decoder.start.bias",
        _STYLED + r"conv\.weight": _styled("weight"),
        _STYLED + r"conv\.modulation\.weight": _styled("modulation.weight"),
        _STYLED + r"conv\.modulation\.bias": _styled("modulation.bias"),
        _STYLED + r"activate\.bias": _styled("bias"),
        r"dec\.to_flows\.(\d+)\.conv\.(weight|modulation\.\w+)": r"decoder.levels.\1.stage.flow.\2",
        r"dec\.to_flows\.(\d+)\.bias": r"decoder.levels.\1.stage.flow.bias",
        r"dec\.to_rgbs\.(\d+)\.conv\.0\.weight": r"decoder.levels.\1.rgb.conv.conv.weight",
        r"dec\.to_rgbs\.(\d+)\.conv\.1\.bias": r"decoder.levels.\1.rgb.conv.bias",
        r"dec\.to_rgbs\.(\d+)\.bias": r"decoder.levels.\1.rgb.bias",
    },
    dropped={
        r"dec\.to_rgb1\..+": "their decoder never calls it",
        r"dec\.(conv1|convs\.\d+)\.noise\.weight": "their decoder is never given noise",
    },
    constants={
        r"enc\..+\.kernel": binomial_kernel(),
        r"dec\..+\.(blur|upsample)\.kernel": binomial_kernel(4.0),
    },
)
