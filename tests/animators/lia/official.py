"""Files as the authors' trainer wrote them, filled with known numbers."""

import json
import zlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

FIXTURES = Path(__file__).parents[2] / "fixtures" / "lia"
SEED = 0


def stream(name):
    """The fixtures' own generator of a key."""
    return np.random.default_rng(zlib.crc32(f"{SEED}:{name}".encode()))


def state_256():
    """The state dict that the fixtures were made with."""
    manifest = json.loads((FIXTURES / "manifest.json").read_text())
    state = {}
    for key, entry in manifest.items():
        if "value" in entry:
            state[key] = torch.tensor(entry["value"], dtype=torch.float32)
            continue
        values = entry["mean"] + entry["std"] * stream(key).standard_normal(entry["shape"])
        state[key] = torch.from_numpy(values.astype(np.float32))
    return state


def image(name):
    """A picture (1, 3, 256, 256) of the fixtures, in [-1, 1]."""
    noise = stream(name).uniform(-1, 1, size=(1, 3, 256, 256)).astype(np.float32)
    coarse = (F.avg_pool2d(torch.from_numpy(noise), 8) * 4).clamp(-1, 1)
    return F.interpolate(coarse, scale_factor=8, mode="bilinear", align_corners=False)


def small_state(latent=24, motion=5, width=16):
    """A state dict of a 64-pixel network under the authors' names, written from the spec."""
    sizes = {4: width, 8: width, 16: width, 32: width, 64: width // 2}
    ones = torch.tensor([1.0, 3.0, 3.0, 1.0])
    down, up = torch.outer(ones, ones) / 64, torch.outer(ones, ones) / 16
    shapes = {"enc.net_app.convs.0.0.weight": (width // 2, 3, 1, 1)}
    shapes["enc.net_app.convs.0.1.bias"] = (1, width // 2, 1, 1)
    filters = {}
    size = 64
    for block in range(1, 5):
        a, b = sizes[size], sizes[size // 2]
        at = f"enc.net_app.convs.{block}"
        shapes[f"{at}.conv1.0.weight"] = (a, a, 3, 3)
        shapes[f"{at}.conv1.1.bias"] = (1, a, 1, 1)
        shapes[f"{at}.conv2.1.weight"] = (b, a, 3, 3)
        shapes[f"{at}.conv2.2.bias"] = (1, b, 1, 1)
        shapes[f"{at}.skip.1.weight"] = (b, a, 1, 1)
        filters[f"{at}.conv2.0.kernel"] = filters[f"{at}.skip.0.kernel"] = down
        size //= 2
    shapes["enc.net_app.convs.5.weight"] = (latent, width, 4, 4)
    for layer in range(5):
        out = latent if layer < 4 else motion
        shapes[f"enc.fc.{layer}.weight"], shapes[f"enc.fc.{layer}.bias"] = (out, latent), (out,)
    shapes["dec.direction.weight"] = (latent, motion)
    shapes["dec.input.input"] = (1, width, 4, 4)

    def styled(at, a, b):
        shapes[f"{at}.conv.weight"] = (1, b, a, 3, 3)
        shapes[f"{at}.conv.modulation.weight"] = (a, latent)
        shapes[f"{at}.conv.modulation.bias"] = (a,)
        shapes[f"{at}.noise.weight"] = (1,)
        shapes[f"{at}.activate.bias"] = (1, b, 1, 1)

    def picture(at, a):
        shapes[f"{at}.conv.0.weight"] = (3, a, 1, 1)
        shapes[f"{at}.conv.1.bias"] = shapes[f"{at}.bias"] = (1, 3, 1, 1)

    styled("dec.conv1", width, width)
    picture("dec.to_rgb1", width)
    for level in range(4):
        a, b = sizes[4 * 2**level], sizes[8 * 2**level]
        styled(f"dec.convs.{2 * level}", a, b)
        styled(f"dec.convs.{2 * level + 1}", b, b)
        filters[f"dec.convs.{2 * level}.conv.blur.kernel"] = up
        picture(f"dec.to_rgbs.{level}", b)
        shapes[f"dec.to_flows.{level}.conv.weight"] = (1, 3, b, 1, 1)
        shapes[f"dec.to_flows.{level}.conv.modulation.weight"] = (b, latent)
        shapes[f"dec.to_flows.{level}.conv.modulation.bias"] = (b,)
        shapes[f"dec.to_flows.{level}.bias"] = (1, 3, 1, 1)
        for head in ("to_rgbs", "to_flows"):
            filters[f"dec.{head}.{level}.upsample.kernel"] = up
    draw = torch.Generator().manual_seed(0)
    state = {key: torch.randn(shape, generator=draw) for key, shape in shapes.items()}
    return state | {key: value.clone() for key, value in filters.items()}
