"""The authors' checkpoints (Thin-Plate-Spline-Motion-Model, c616878) read into our network."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from animators.nn.resample import blur_kernel
from animators.official import OfficialWeights

SIZES = {"vox-256": 256, "taichi-256": 256, "ted-384": 384, "mgif-256": 256}
"""Pixels of each published configuration, which no tensor tells."""


def _arguments(state: Mapping[str, Tensor], config: str) -> dict[str, Any]:
    """Read the sizes off the tensors."""

    def count(pattern: str) -> int:
        return sum(re.fullmatch(pattern, key) is not None for key in state)

    hourglass, generator = "motion.hourglass.", "generator."
    blocks = count(r"motion\.hourglass\.encoder\.down_blocks\.\d+\.conv\.bias")
    down_blocks = count(r"generator\.down_blocks\.\d+\.conv\.bias")
    num_splines = state["motion.maps.bias"].shape[0] - 1
    points = state["fg_encoder.fc.bias"].shape[0] // 2
    return {
        "image_size": SIZES[config],
        "num_splines": num_splines,
        "points_per_spline": points // num_splines,
        "keypoint_width": state["fg_encoder.layer1.0.conv1.weight"].shape[0],
        "motion_width": len(state[f"{hourglass}decoder.up_blocks.{blocks - 1}.conv.bias"]),
        "max_width": len(state[f"{hourglass}encoder.down_blocks.{blocks - 1}.conv.bias"]),
        "blocks": blocks,
        "shrink_factor": 2 ** count(r"motion\.up\.\d+\.conv\.bias"),
        "generator_width": len(state[f"{generator}first.conv.bias"]),
        "generator_max_width": len(state[f"{generator}down_blocks.{down_blocks - 1}.conv.bias"]),
        "down_blocks": down_blocks,
        "background": "bg_encoder.fc.bias" in state,
        "avd": "avd.decoder.0.bias" in state,
        "align_corners": True,
    }


def _residual(match: re.Match[str]) -> str:
    """Name a residual block; theirs are counted through, two before each doubling."""
    scale, second = divmod(int(match[1]), 2)
    return f"generator.residual.{scale}.{second}.{match[2]}"


OFFICIAL = OfficialWeights(
    class_path="animators.tpsmm.Tpsmm",
    entries={
        "inpainting_network": "generator.",
        "dense_motion_network": "motion.",
        "kp_detector": "",
        "bg_predictor": "",
        "avd_network": "avd.",
    },
    # mgif has no background; AVD is trained in a second stage
    optional=("bg_predictor", "avd_network"),
    ignored=("epoch", "optimizer", "optimizer_bg_predictor", "optimizer_avd"),
    configs=tuple(SIZES),
    landmarks=("motion.maps.weight", "fg_encoder.fc.weight", "generator.resblock.0.conv1.weight"),
    arguments=_arguments,
    names={
        r"fg_encoder\.(.+)": r"keypoints.encoder.\1",
        r"bg_encoder\.(.+)": r"background.encoder.\1",
        r"motion\.hourglass\.encoder\.down_blocks\.(.+)": r"dense_motion.hourglass.encoder.\1",
        r"motion\.hourglass\.decoder\.up_blocks\.(.+)": r"dense_motion.hourglass.decoder.\1",
        r"motion\.maps\.(weight|bias)": r"dense_motion.contribution.\1",
        r"motion\.((?:up|occlusion)\..+)": r"dense_motion.\1",
        r"generator\.((?:first|final)\..+)": r"generator.\1",
        r"generator\.down_blocks\.(.+)": r"generator.down.\1",
        r"generator\.up_blocks\.(.+)": r"generator.up.\1",
        r"generator\.resblock\.(\d+)\.(.+)": _residual,
        r"avd\.id_encoder\.(.+)": r"avd.identity_encoder.\1",
        r"avd\.((?:pose_encoder|decoder)\..+)": r"avd.\1",
    },
    constants={r"motion\.down\.weight": blur_kernel(4)},
)
