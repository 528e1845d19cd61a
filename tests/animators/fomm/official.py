"""A small file as the authors' trainer wrote it, by the names and shapes of the spec."""

import torch

from animators.nn.resample import gaussian_taps

SIZES = {"points": 3, "keypoint": 4, "motion": 4, "blocks": 2, "generator": 4, "residual": 2}


def small_state(*, single_jacobian_map=False):
    """State dicts {"generator": ..., "kp_detector": ...} of a 256-pixel network."""
    points, shapes = SIZES["points"], {}

    def conv(at, a, b, side):
        shapes[f"{at}.weight"], shapes[f"{at}.bias"] = (b, a, side, side), (b,)

    def norm(at, channels):
        for name in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{at}.{name}"] = (channels,)

    def block(at, a, b, side=3):
        conv(f"{at}.conv", a, b, side)
        norm(f"{at}.norm", b)

    def hourglass(at, a, width):
        # two blocks: a -> 2 width -> 4 width, back over the skips
        block(f"{at}.encoder.down_blocks.0", a, 2 * width)
        block(f"{at}.encoder.down_blocks.1", 2 * width, 4 * width)
        block(f"{at}.decoder.up_blocks.0", 4 * width, 2 * width)
        block(f"{at}.decoder.up_blocks.1", 4 * width, width)

    hourglass("kp_detector/predictor", 3, SIZES["keypoint"])
    conv("kp_detector/kp", SIZES["keypoint"] + 3, points, 7)
    maps = 1 if single_jacobian_map else points
    conv("kp_detector/jacobian", SIZES["keypoint"] + 3, 4 * maps, 7)
    inputs = 4 * (points + 1)
    hourglass("generator/dense_motion_network.hourglass", inputs, SIZES["motion"])
    for name, channels in (("mask", points + 1), ("occlusion", 1)):
        conv(f"generator/dense_motion_network.{name}", SIZES["motion"] + inputs, channels, 7)
    width = SIZES["generator"]
    block("generator/first", 3, width, 7)
    block("generator/down_blocks.0", width, 2 * width)
    block("generator/down_blocks.1", 2 * width, 4 * width)
    for index in range(SIZES["residual"]):
        for half in "12":
            conv(f"generator/bottleneck.r{index}.conv{half}", 4 * width, 4 * width, 3)
            norm(f"generator/bottleneck.r{index}.norm{half}", 4 * width)
    block("generator/up_blocks.0", 4 * width, 2 * width)
    block("generator/up_blocks.1", 2 * width, width)
    conv("generator/final", width, 3, 7)
    return _drawn(shapes)


def _drawn(shapes):
    """Fill the shapes, add counters and the fixed filters."""
    draw = torch.Generator().manual_seed(0)
    state = {"generator": {}, "kp_detector": {}}
    for name, shape in shapes.items():
        top, key = name.split("/")
        # positive, as a variance has to be
        state[top][key] = 0.1 + 0.2 * torch.rand(shape, generator=draw)
        if key.endswith("running_var"):
            counter = key.replace("running_var", "num_batches_tracked")
            state[top][counter] = torch.tensor(0)
    taps = gaussian_taps(1.5)
    kernel = torch.outer(taps, taps).expand(3, 1, 13, 13).clone()
    state["kp_detector"]["down.weight"] = kernel
    state["generator"]["dense_motion_network.down.weight"] = kernel.clone()
    return state
