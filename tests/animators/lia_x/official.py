"""Files as the authors published theirs, filled with known numbers."""

import json
import zlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

FIXTURES = Path(__file__).parents[2] / "fixtures" / "lia_x"
SEED = 0


def stream(name):
    """The fixtures' own generator of a key."""
    return np.random.default_rng(zlib.crc32(f"{SEED}:{name}".encode()))


def filled(manifest):
    """The state dict that a manifest describes."""
    state = {}
    for key, entry in json.loads(manifest.read_text()).items():
        if "value" in entry:
            state[key] = torch.tensor(entry["value"], dtype=torch.float32)
            continue
        # in place, as the largest tensors of the published width are large
        values = stream(key).standard_normal(entry["shape"])
        values *= entry["std"]
        values += entry["mean"]
        state[key] = torch.from_numpy(values.astype(np.float32))
    return state


def image(name):
    """A picture (1, 3, 512, 512) of the fixtures, in [-1, 1]."""
    noise = stream(name).uniform(-1, 1, size=(1, 3, 512, 512)).astype(np.float32)
    coarse = (F.avg_pool2d(torch.from_numpy(noise), 8) * 4).clamp(-1, 1)
    return F.interpolate(coarse, scale_factor=8, mode="bilinear", align_corners=False)


def small_state(latent=24, motion=5, width=32, blocks=2):
    """A state dict of a 512-pixel network under the authors' names, written from the spec."""
    a, b, c, d = width // 8, width // 4, width // 2, width
    ones = torch.tensor([1.0, 3.0, 3.0, 1.0])
    down, up = torch.outer(ones, ones) / 64, torch.outer(ones, ones) / 16
    shapes = {"enc.enc_2r.block1.0.weight": (a, 3, 1, 1), "enc.enc_2r.block1.1.bias": (a,)}
    filters = {}
    widths = {"2.0": (a, b), "3.0": (b, c), "4.0": (c, d), "_512": (d, d)}
    for block in ("2.0", "3.0", "4.0", "5.0", "6.0", "7.0", "_512"):
        at, (narrow, wide) = f"enc.enc_2r.block{block}", widths.get(block, (d, d))
        shapes[f"{at}.conv1.0.weight"] = (wide, narrow, 3, 3)
        shapes[f"{at}.conv2.1.weight"] = (wide, wide, 3, 3)
        shapes[f"{at}.skip.1.weight"] = (wide, narrow, 1, 1)
        shapes[f"{at}.conv1.1.bias"] = shapes[f"{at}.conv2.2.bias"] = (wide,)
        filters[f"{at}.conv2.0.kernel"] = filters[f"{at}.skip.0.kernel"] = down
    shapes["enc.enc_2r.block8.weight"] = (latent, d, 4, 4)
    shapes["enc.enc_r2t.0.weight"], shapes["enc.enc_r2t.0.bias"] = (motion, latent), (motion,)
    shapes["dec.direction.weight"] = (latent, motion)
    shapes["dec.input.input"] = (1, d, 4, 4)

    def styled(at, narrow, wide):
        shapes[f"{at}.conv.weight"] = (1, wide, narrow, 3, 3)
        shapes[f"{at}.conv.modulation.weight"] = (narrow, latent)
        shapes[f"{at}.conv.modulation.bias"] = (narrow,)
        shapes[f"{at}.activate.bias"] = (wide,)

    styled("dec.conv1", d, d)
    levels = {"_512": (d, d), "2": (d, d), "3": (d, d), "4": (d, d)}
    levels |= {"5": (d, c), "6": (c, b), "7": (b, a)}
    for name, (narrow, wide) in levels.items():
        styled(f"dec.conv{name}_1", narrow, wide)
        filters[f"dec.conv{name}_1.conv.blur.kernel"] = up
        for block in range(blocks):
            flow, render = f"dec.conv{name}_2.{block}", f"dec.conv{name}_2_rgb.{block}"
            styled(f"{flow}.conv1", wide, wide)
            styled(f"{flow}.conv2", wide, wide)
            shapes[f"{flow}.norm.weight"] = shapes[f"{flow}.norm.bias"] = (wide,)
            shapes[f"{flow}.gamma"] = (1, wide, 1, 1)
            for half in ("conv1", "conv2"):
                shapes[f"{render}.{half}.0.weight"] = (wide, wide, 3, 3)
                shapes[f"{render}.{half}.1.bias"] = (wide,)
        if name != "_512":
            filters[f"dec.conv{name}_2_up.0.kernel"] = up
            shapes[f"dec.conv{name}_2_up.1.weight"] = (wide, narrow, 3, 3)
            shapes[f"dec.conv{name}_2_up.2.bias"] = (wide,)
        head = f"dec.flow{name}"
        shapes[f"{head}.conv.weight"] = (1, 3, wide, 1, 1)
        shapes[f"{head}.conv.modulation.weight"] = (wide, latent)
        shapes[f"{head}.conv.modulation.bias"] = (wide,)
        shapes[f"{head}.bias"] = shapes[f"dec.rgb{name}.bias"] = (1, 3, 1, 1)
        shapes[f"dec.rgb{name}.conv.0.weight"] = (3, wide, 1, 1)
        shapes[f"dec.rgb{name}.conv.1.bias"] = (3,)
        filters[f"{head}.up.kernel"] = filters[f"dec.rgb{name}.up.kernel"] = up
    draw = torch.Generator().manual_seed(0)
    state = {key: torch.randn(shape, generator=draw) for key, shape in shapes.items()}
    return state | {key: value.clone() for key, value in filters.items()}
