"""The authors' checkpoint (github.com/wyhsirius/LIA-X, commit 6ec550a) read into our network."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from animators.nn.resample import binomial_kernel
from animators.official import OfficialWeights

DIRECTIONS: Mapping[str, tuple[int, float, float]] = {
    "yaw1": (37, -1.0, 0.5),
    "yaw2": (39, -1.0, 0.5),
    "pitch": (28, -1.0, 0.5),
    "roll1": (15, -0.5, 0.5),
    "roll2": (33, -0.5, 0.5),
    "neck": (31, -0.5, 0.5),
    "pout": (6, -0.4, 0.4),
    "mouth": (25, -0.4, 0.4),
    "o_mouth": (16, -0.4, 0.4),
    "smile": (19, -0.4, 0.4),
    "eyes": (13, -0.4, 0.4),
    "eyebrows": (24, -0.4, 0.4),
    "eyeballs1": (17, -0.2, 0.2),
    "eyeballs2": (26, -0.2, 0.2),
}
"""What the authors' demo calls 14 of the published model's 40 directions, and its sliders' ends.

yaw1 turns the head alone, yaw2 the shoulders too; mouth and eyes read from open to closed, and from
closed to open.
"""
PUBLISHED_DIRECTIONS = 40


def _level(number: str) -> int:
    """Index of a decoder level: `_512` is the first, at 8 pixels, and 2 to 7 follow."""
    return 0 if number == "_512" else int(number) - 1


def _encoder(part: str) -> Callable[[re.Match[str]], str]:
    """Name a part of a down block: 2 to 7, and `_512` behind them."""

    def rename(match: re.Match[str]) -> str:
        block = 6 if match[1] == "_512" else int(match[1]) - 2
        return f"encoder.trunk.blocks.{block}.{part}"

    return rename


def _decoder(part: str) -> Callable[[re.Match[str]], str]:
    """Name a part of a level; further groups of the pattern fill `part`."""

    def rename(match: re.Match[str]) -> str:
        further = [_HALVES.get(text, text) for text in match.groups()[1:]]
        return f"decoder.levels.{_level(match[1])}." + part.format(*further)

    return rename


_HALVES = {"conv1": "first", "conv2": "second"}
_STYLED = {
    r"conv\.weight": "weight",
    r"conv\.modulation\.weight": "modulation.weight",
    r"conv\.modulation\.bias": "modulation.bias",
    r"activate\.bias": "bias",
}
_UP = r"dec\.conv(_512|\d+)_1\."
_FLOW = r"dec\.conv(_512|\d+)_2\.(\d+)\."
_RENDER = r"dec\.conv(_512|\d+)_2_rgb\.(\d+)\."
_RENDER_UP = r"dec\.conv(\d+)_2_up\."
_FLOW_HEAD = r"dec\.flow(_512|\d+)\."
_RGB_HEAD = r"dec\.rgb(_512|\d+)\."
_DOWN = r"enc\.enc_2r\.block(_512|\d+)\.(?:0\.)?"


def _arguments(state: Mapping[str, Tensor], config: str) -> dict[str, Any]:
    """Read the sizes off the tensors."""
    latent_dim, motion_dim = state["dec.direction.weight"].shape
    levels = sum(re.fullmatch(_FLOW_HEAD + "bias", key) is not None for key in state)
    gains = [key for key in state if re.fullmatch(r"dec\.conv_512_2\.\d+\.gamma", key)]
    return {
        "image_size": 4 * 2**levels,
        "latent_dim": latent_dim,
        "motion_dim": motion_dim,
        "channel_multiplier": state["dec.input.input"].shape[1] / 512,
        "blocks": len(gains),
        "named_directions": dict(DIRECTIONS) if motion_dim == PUBLISHED_DIRECTIONS else {},
    }


OFFICIAL = OfficialWeights(
    class_path="animators.lia_x.LiaX",
    # the file is the state dict itself
    entries={"": ""},
    configs=("lia-x",),
    landmarks=("dec.direction.weight", "dec.input.input", "dec.flow_512.bias"),
    arguments=_arguments,
    names={
        r"enc\.enc_2r\.block1\.0\.weight": "encoder.trunk.stem.conv.weight",
        r"enc\.enc_2r\.block1\.1\.bias": "encoder.trunk.stem.bias",
        r"enc\.enc_2r\.block8\.weight": "encoder.to_latent.weight",
        _DOWN + r"conv1\.0\.weight": _encoder("first.conv.weight"),
        _DOWN + r"conv1\.1\.bias": _encoder("first.bias"),
        _DOWN + r"conv2\.1\.weight": _encoder("second.conv.weight"),
        _DOWN + r"conv2\.2\.bias": _encoder("second.bias"),
        _DOWN + r"skip\.1\.weight": _encoder("skip.weight"),
        r"enc\.enc_r2t\.0\.(weight|bias)": r"motion_head.\1",
        r"dec\.direction\.weight": "dictionary.weight",
        r"dec\.input\.input": "decoder.constant",
        **{r"dec\.conv1\." + theirs: f"decoder.start.{ours}" for theirs, ours in _STYLED.items()},
        **{_UP + theirs: _decoder(f"up.{ours}") for theirs, ours in _STYLED.items()},
        **{
            _FLOW + r"(conv1|conv2)\." + theirs: _decoder(f"blocks.{{}}.{{}}.{ours}")
            for theirs, ours in _STYLED.items()
        },
        _FLOW + r"norm\.(weight|bias)": _decoder("blocks.{}.norm.{}"),
        _FLOW + r"gamma": _decoder("blocks.{}.gamma"),
        _RENDER_UP + r"1\.weight": _decoder("render_up.conv.weight"),
        _RENDER_UP + r"2\.bias": _decoder("render_up.bias"),
        _RENDER + r"(conv1|conv2)\.0\.weight": _decoder("render.{}.{}.conv.weight"),
        _RENDER + r"(conv1|conv2)\.1\.bias": _decoder("render.{}.{}.bias"),
        _FLOW_HEAD + r"conv\.weight": _decoder("stage.flow.weight"),
        _FLOW_HEAD + r"conv\.modulation\.(weight|bias)": _decoder("stage.flow.modulation.{}"),
        _FLOW_HEAD + r"bias": _decoder("stage.flow.bias"),
        _RGB_HEAD + r"conv\.0\.weight": _decoder("rgb.conv.conv.weight"),
        _RGB_HEAD + r"conv\.1\.bias": _decoder("rgb.conv.bias"),
        _RGB_HEAD + r"bias": _decoder("rgb.bias"),
    },
    constants={
        r"enc\..+\.kernel": binomial_kernel(),
        r"dec\..+\.kernel": binomial_kernel(4.0),
    },
)
