"""The authors' checkpoints (github.com/AliaksandrSiarohin/first-order-model) read into our network.

The configurations differ in nothing that the tensors do not show, so none of them is special here.
"""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from animators.nn.resample import blur_kernel
from animators.official import OfficialWeights

SHRINK_FACTOR = 4  # with it the pictures' size of 256: in every configuration, in no tensor

_KEYPOINTS = r"kp_detector\.predictor\."
_MOTION = r"generator\.dense_motion_network\."
_CONV_NORM = r"\.(\d+)\.((?:conv|norm)\.\w+)"


def _arguments(state: Mapping[str, Tensor], config: str) -> dict[str, Any]:
    """Read the sizes off the tensors."""
    num_keypoints = state["kp_detector.kp.weight"].shape[0]
    blocks = _count(state, _KEYPOINTS + r"encoder\.down_blocks\.\d+\.conv\.bias")
    # the decoder's last block has the hourglass's width
    last = f"decoder.up_blocks.{blocks - 1}.conv.bias"
    return {
        "image_size": 256,
        "num_keypoints": num_keypoints,
        "keypoint_width": len(state[f"kp_detector.predictor.{last}"]),
        "motion_width": len(state[f"generator.dense_motion_network.hourglass.{last}"]),
        "blocks": blocks,
        "shrink_factor": SHRINK_FACTOR,
        "generator_width": len(state["generator.first.conv.bias"]),
        "down_blocks": _count(state, r"generator\.down_blocks\.\d+\.conv\.bias"),
        "residual_blocks": _count(state, r"generator\.bottleneck\.r\d+\.conv1\.bias"),
        "single_jacobian_map": num_keypoints > 1 and len(state["kp_detector.jacobian.bias"]) == 4,
    }


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    return sum(re.fullmatch(pattern, key) is not None for key in state)


OFFICIAL = OfficialWeights(
    class_path="animators.fomm.Fomm",
    entries={"generator": "generator.", "kp_detector": "kp_detector."},
    # for training only, and absent from files cut down to what animates
    ignored=(
        "discriminator",
        "optimizer_generator",
        "optimizer_discriminator",
        "optimizer_kp_detector",
        "epoch",
    ),
    configs=(
        "vox-256",
        "vox-adv-256",
        "taichi-256",
        "taichi-adv-256",
        "fashion-256",
        "mgif-256",
        "nemo-256",
        "bair-256",
    ),
    landmarks=(
        "kp_detector.kp.weight",
        "kp_detector.jacobian.weight",
        "generator.dense_motion_network.mask.weight",
    ),
    arguments=_arguments,
    names={
        _KEYPOINTS + r"encoder\.down_blocks" + _CONV_NORM: (
            r"keypoints.heatmaps.hourglass.encoder.\1.\2"
        ),
        _KEYPOINTS + r"decoder\.up_blocks" + _CONV_NORM: (
            r"keypoints.heatmaps.hourglass.decoder.\1.\2"
        ),
        r"kp_detector\.kp\.(weight|bias)": r"keypoints.heatmaps.logits.\1",
        r"kp_detector\.jacobian\.(weight|bias)": r"keypoints.jacobian.\1",
        _MOTION + r"hourglass\.encoder\.down_blocks" + _CONV_NORM: (
            r"dense_motion.hourglass.encoder.\1.\2"
        ),
        _MOTION + r"hourglass\.decoder\.up_blocks" + _CONV_NORM: (
            r"dense_motion.hourglass.decoder.\1.\2"
        ),
        _MOTION + r"(mask|occlusion)\.(weight|bias)": r"dense_motion.\1.\2",
        r"generator\.first\.((?:conv|norm)\.\w+)": r"generator.first.\1",
        r"generator\.down_blocks" + _CONV_NORM: r"generator.down.\1.\2",
        r"generator\.up_blocks" + _CONV_NORM: r"generator.up.\1.\2",
        r"generator\.bottleneck\.r(\d+)\.((?:conv|norm)[12]\.\w+)": r"generator.bottleneck.\1.\2",
        r"generator\.final\.(weight|bias)": r"generator.final.\1",
    },
    constants={
        r"(kp_detector|generator\.dense_motion_network)\.down\.weight": (
            blur_kernel(SHRINK_FACTOR)
        ),
    },
)
