"""The authors' checkpoints (snap-research/articulated-animation, 03f1968) read into our network."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from animators.nn.resample import blur_kernel
from animators.official import OfficialWeights

CONFIGS = ("vox-256", "taichi-256", "ted-384", "ted-youtube-384", "mgif-256")

_LAYER = r"((?:conv|norm)[12]?)\.(\w+)"
_FLOW, _REGIONS = r"generator\.pixelwise_flow_predictor\.", r"region_predictor\."


def _arguments(state: Mapping[str, Tensor], config: str) -> dict[str, Any]:
    """Read the sizes off the tensors; picture size and padding are facts of the configuration."""

    def count(pattern: str) -> int:
        return sum(re.fullmatch(pattern, key) is not None for key in state)

    def width(key: str) -> int:
        return state[key].shape[0]

    blocks = count(_REGIONS + r"predictor\.encoder\.down_blocks\.\d+\.conv\.weight")
    background = count(r"bg_predictor\..+") > 0
    num_regions = width("region_predictor.regions.weight")
    _check_config(config, num_regions, background)
    last = f"up_blocks.{blocks - 1}.conv.weight"
    down = count(r"generator\.down_blocks\.\d+\.conv\.weight")
    flow = "generator.pixelwise_flow_predictor.hourglass"
    sizes: dict[str, Any] = {
        "image_size": int(config.rpartition("-")[2]),
        "num_regions": num_regions,
        "region_width": width(f"region_predictor.predictor.decoder.{last}"),
        "motion_width": width(f"{flow}.decoder.{last}"),
        "max_width": width(f"{flow}.encoder.down_blocks.{blocks - 1}.conv.weight"),
        "blocks": blocks,
        "generator_width": width("generator.first.conv.weight"),
        "down_blocks": down,
        "residual_blocks": count(r"generator\.bottleneck\.r\d+\.conv1\.weight"),
        "background": background,
        "avd": count(r"avd_network\..+") > 0,
        "region_padding": 3 if config == "vox-256" else 0,
    }
    # a width that no limit cut says nothing of the limit
    coarsest = width(f"generator.down_blocks.{down - 1}.conv.weight")
    if coarsest < sizes["generator_width"] * 2**down:
        sizes["generator_max_width"] = coarsest
    if background:
        sizes["background_width"] = width("bg_predictor.encoder.down_blocks.0.conv.weight")
    return sizes


def _check_config(config: str, num_regions: int, background: bool) -> None:
    """Refuse a configuration that the tensors contradict: its size or padding would be wrong too.

    Those with ten regions and a background have the same tensors and cannot be told apart.

    Raises:
        ValueError: the file is of another configuration, which is named.
    """
    fitting = [
        name
        for name in CONFIGS
        if (name == "ted-youtube-384") == (num_regions == 20)
        and (name == "mgif-256") == (not background)
    ]
    if config not in fitting:
        remedy = f"take --config {' or '.join(fitting)}" if fitting else "no configuration has both"
        raise ValueError(
            f"{config} contradicts {num_regions} regions {'with' if background else 'without'} "
            f"a background net: {remedy}"
        )


OFFICIAL = OfficialWeights(
    class_path="animators.mraa.Mraa",
    entries={
        "generator": "generator.",
        "region_predictor": "region_predictor.",
        "bg_predictor": "bg_predictor.",
        "avd_network": "avd_network.",
    },
    optional=("avd_network",),
    ignored=(
        "epoch",
        "epoch_reconstruction",
        "epoch_avd",
        "optimizer_reconstruction",
        "optimizer_avd",
    ),
    configs=CONFIGS,
    landmarks=("region_predictor.regions.weight", "generator.first.conv.weight"),
    arguments=_arguments,
    names={
        _FLOW + r"hourglass\.encoder\.down_blocks\.(\d+)\." + _LAYER: (
            r"motion.hourglass.encoder.\1.\2.\3"
        ),
        _FLOW + r"hourglass\.decoder\.up_blocks\.(\d+)\." + _LAYER: (
            r"motion.hourglass.decoder.\1.\2.\3"
        ),
        _FLOW + r"(mask|occlusion)\.(weight|bias)": r"motion.\1.\2",
        r"generator\.first\." + _LAYER: r"generator.first.\1.\2",
        r"generator\.down_blocks\.(\d+)\." + _LAYER: r"generator.down.\1.\2.\3",
        r"generator\.bottleneck\.r(\d+)\." + _LAYER: r"generator.bottleneck.\1.\2.\3",
        r"generator\.up_blocks\.(\d+)\." + _LAYER: r"generator.up.\1.\2.\3",
        r"generator\.final\.(weight|bias)": r"generator.final.\1",
        _REGIONS + r"predictor\.encoder\.down_blocks\.(\d+)\." + _LAYER: (
            r"regions.heatmaps.hourglass.encoder.\1.\2.\3"
        ),
        _REGIONS + r"predictor\.decoder\.up_blocks\.(\d+)\." + _LAYER: (
            r"regions.heatmaps.hourglass.decoder.\1.\2.\3"
        ),
        _REGIONS + r"regions\.(weight|bias)": r"regions.heatmaps.logits.\1",
        r"bg_predictor\.encoder\.down_blocks\.(\d+)\." + _LAYER: r"background.encoder.\1.\2.\3",
        r"bg_predictor\.fc\.(weight|bias)": r"background.fc.\1",
        r"avd_network\.id_encoder\.(\d+\..+)": r"avd.identity_encoder.\1",
        r"avd_network\.(pose_encoder|decoder)\.(\d+\..+)": r"avd.\1.\2",
    },
    constants={
        _FLOW + r"down\.weight": blur_kernel(4),
        _REGIONS + r"down\.weight": blur_kernel(4),
    },
)
