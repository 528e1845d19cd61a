"""Files as the authors' trainers wrote them, and the pictures of the reference figures."""

import json
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

FIXTURES = Path(__file__).parents[1] / "fixtures"
VGG19_CONVOLUTIONS = (
    (0, 3, 64), (2, 64, 64), (5, 64, 128), (7, 128, 128), (10, 128, 256), (12, 256, 256),
    (14, 256, 256), (16, 256, 256), (19, 256, 512), (21, 512, 512), (23, 512, 512),
    (25, 512, 512), (28, 512, 512), (30, 512, 512), (32, 512, 512), (34, 512, 512),
)  # fmt: skip
"""(index, input width, output width) of each convolution in torchvision's `features`."""


def stream(text):
    """The reference figures' own generator of a name."""
    return np.random.default_rng(zlib.crc32(text.encode()))


@cache
def manifest(model):
    """Shapes and distributions of a model's published files."""
    return json.loads((FIXTURES / model / "manifest.json").read_text())


def figures(model, name="fixture_a.npz"):
    """The reference figures of a model."""
    return np.load(FIXTURES / model / name)


def fill(model, config, seed=0):
    """The published file's state dicts {top: {key: tensor}}, filled with known numbers."""
    tops = manifest(model)["configs"][config]
    return {
        top: {key: _filled(entry, f"{seed}:{top}.{key}") for key, entry in entries.items()}
        for top, entries in tops.items()
    }


def _filled(entry, text):
    kind = getattr(torch, entry["dtype"])
    if "value" in entry:
        return torch.tensor(entry["value"], dtype=kind).reshape(entry["shape"])
    mean = np.asarray(entry["mean"], dtype=np.float64)
    mean = mean.reshape(entry["shape"]) if mean.ndim else mean
    values = mean + entry["std"] * stream(text).standard_normal(entry["shape"])
    return torch.from_numpy(np.asarray(values, dtype=np.float32)).to(kind)


def image(name, seed=0):
    """A picture (1, 3, 256, 256) of the reference figures, in [0, 1]."""
    draw = stream(f"{seed}:{name}")
    noise = draw.uniform(0, 1, (1, 3, 256, 256)).astype(np.float32)
    cast = torch.from_numpy(draw.uniform(0.3, 0.7, (1, 3, 1, 1)).astype(np.float32))
    coarse = F.avg_pool2d(torch.from_numpy(noise), 8)
    smooth = F.interpolate(coarse, scale_factor=8, mode="bilinear", align_corners=False)
    return (cast + 6 * (smooth - 0.5)).clamp(0, 1)


def stand_in_vgg19():
    """VGG-19's convolutions by torchvision's names, filled as the perceptual figures were."""
    state = {}
    for index, narrow, wide in VGG19_CONVOLUTIONS:
        at = f"0:vgg19.features.{index}"
        noise = stream(f"{at}.weight").standard_normal((wide, narrow, 3, 3))
        weight = np.sqrt(2 / (9 * narrow)) * noise
        bias = 0.02 * stream(f"{at}.bias").standard_normal(wide)
        state[f"{index}.weight"] = torch.from_numpy(weight.astype(np.float32))
        state[f"{index}.bias"] = torch.from_numpy(bias.astype(np.float32))
    return state
