import colorsys
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from animators.nn.draws import uniform
from datamodules.augment import SETTINGS, Augmentation, augment_pairs, named, prepare

EVERYTHING = Augmentation(
    reverse=0.5,
    mirror=0.9,
    zoom=(0.8, 1.3),
    brightness=0.4,
    contrast=0.4,
    saturation=0.4,
    hue=0.3,
)


def pair_batch(size: int = 8, references: int = 1, start: int = 0) -> dict:
    frames = torch.rand(64, 2 + references, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    frames = frames[start : start + size]
    return {
        "source": frames[:, 0],
        "driving": frames[:, 1],
        "references": frames[:, 2:],
        "key": torch.tensor([[3, 1, start + n] for n in range(size)]),
        "name": ["clip"] * size,
    }


def rows(batch, *names):
    return torch.cat([batch[name].reshape(len(batch["key"]), -1, 3, 12, 12) for name in names], 1)


def varied(batch, settings):
    return rows(augment_pairs(batch, settings), "source", "driving", "references")


@pytest.mark.parametrize("settings", [EVERYTHING, *SETTINGS.values()])
def test_one_batch_of_eight_equals_two_of_four(settings):
    whole = varied(pair_batch(8), settings)
    halves = [varied(pair_batch(4, start=start), settings) for start in (0, 4)]
    assert torch.equal(whole, torch.cat(halves))
    # dealt to two processes in turn, in any company
    batch = pair_batch(8)
    dealt = {k: v[1::2] if isinstance(v, Tensor) else v for k, v in batch.items()}
    assert torch.equal(whole[1::2], varied(dealt, settings))


def test_global_random_state_is_neither_read_nor_moved():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = varied(pair_batch(), EVERYTHING)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(6)
    assert torch.equal(first, varied(pair_batch(), EVERYTHING))


def test_all_frames_of_a_sample_share_one_draw_and_samples_do_not():
    batch = pair_batch(8, references=2)
    batch["driving"] = batch["source"].clone()
    batch["references"] = batch["source"][:, None].repeat(1, 2, 1, 1, 1)
    out = varied(batch, EVERYTHING)
    assert torch.equal(out[:, 0], out[:, 1])
    assert torch.equal(out[:, 0], out[:, 3])
    same = {**batch, **{k: v[:1].repeat(8, *[1] * (v.ndim - 1)) for k, v in batch.items()
                        if isinstance(v, Tensor) and k != "key"}}  # fmt: skip
    out = varied(same, EVERYTHING)
    assert all((out[0] - out[n]).abs().max() > 1e-3 for n in range(1, 8))


def test_values_stay_in_range_and_the_input_is_left_alone():
    batch = pair_batch()
    copy = batch["source"].clone()
    out = varied(batch, EVERYTHING)
    assert out.min() >= 0
    assert out.max() <= 1
    assert torch.equal(copy, batch["source"])


def test_nothing_asked_changes_nothing():
    batch = pair_batch()
    assert torch.equal(
        varied(batch, Augmentation()), rows(batch, "source", "driving", "references")
    )


def test_published_flips_never_do_both():
    """Reversed 50 %, mirrored 25 %, untouched 25 %."""
    keys = torch.tensor([[0, 0, n] for n in range(2000)])
    frames = torch.rand(1, 3, 1, 4).expand(2000, 3, 1, 4)
    batch = {"source": frames, "driving": frames, "references": frames[:, None][:, :0], "key": keys}
    out = augment_pairs(batch, SETTINGS["nemo"])["source"]
    mirrored = (out == frames.flip(-1)).flatten(1).all(1)
    untouched = (out == frames).flatten(1).all(1)
    assert torch.equal(mirrored, ~untouched)
    assert mirrored.float().mean() == pytest.approx(0.25, abs=0.03)
    backwards = uniform(keys, "reverse") < 0.5
    assert not (mirrored & backwards).any()


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
def test_colour_operations_against_their_formulas(name):
    """Against Pillow's definitions, written out; the factor is the documented draw."""
    batch = pair_batch(4, references=0)
    x = 0.3 + 0.4 * batch["source"]
    batch["source"] = x
    reach = 0.2
    out = augment_pairs(batch, replace(Augmentation(), **{name: reach}))["source"]
    low, high = (-reach, reach) if name == "hue" else (1 - reach, 1 + reach)
    factor = uniform(batch["key"], name, (), low, high)[:, None, None, None]
    grey = (x * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    if name == "brightness":
        expected = x * factor
    elif name == "contrast":
        expected = grey.mean((2, 3), keepdim=True) * (1 - factor) + x * factor
    elif name == "saturation":
        expected = grey * (1 - factor) + x * factor
    else:
        expected = torch.empty_like(x)
        for b, i, j in [(b, i, j) for b in range(4) for i in range(12) for j in range(12)]:
            h, s, v = colorsys.rgb_to_hsv(*x[b, :, i, j].tolist())
            turned = colorsys.hsv_to_rgb((h + float(factor[b])) % 1, s, v)
            expected[b, :, i, j] = torch.tensor(turned)
    assert (out - expected.clamp(0, 1)).abs().max() < 2e-3
    assert (out - x).abs().max() > 1e-2


def test_order_of_colours_is_each_samples_own():
    """Brightness and contrast do not commute where values are clipped."""
    settings = Augmentation(brightness=0.9, contrast=0.9)
    batch = pair_batch(32, references=0)
    out = augment_pairs(batch, settings)["source"]
    orders = set()
    for n in range(32):
        one = {k: v[n : n + 1] if isinstance(v, Tensor) else v for k, v in batch.items()}
        for first, second in (("brightness", "contrast"), ("contrast", "brightness")):
            step = augment_pairs(one, replace(Augmentation(), **{first: 0.9}))
            step = augment_pairs(step, replace(Augmentation(), **{second: 0.9}))["source"][0]
            if torch.allclose(step, out[n], atol=1e-6):
                orders.add(first)
                break
        else:
            pytest.fail(f"sample {n} follows neither order")
    assert orders == {"brightness", "contrast"}


def test_last_only_applies_one_operation():
    settings = Augmentation(brightness=0.5, hue=0.3, last_only=True)
    batch = pair_batch(16, references=0)
    out = augment_pairs(batch, settings)["source"]
    single = [
        augment_pairs(batch, replace(Augmentation(), **{name: reach}))["source"]
        for name, reach in (("brightness", 0.5), ("hue", 0.3))
    ]
    hits = torch.stack([(out == one).flatten(1).all(1) for one in single])
    assert hits.any(0).all()
    assert hits.any(1).all()


def test_zoom_in_cuts_a_square_and_zoom_out_repeats_the_edge():
    ramp = torch.linspace(0.1, 0.9, 16).expand(6, 3, 16, 16).clone()
    batch = {
        "source": ramp, "driving": ramp, "references": ramp[:, None],
        "key": torch.tensor([[0, 0, n] for n in range(6)]),
    }  # fmt: skip
    step = float(ramp[0, 0, 0, 1] - ramp[0, 0, 0, 0])
    grown = augment_pairs(batch, Augmentation(zoom=(2.0, 2.0)))["source"]
    slope = (grown[..., 8] - grown[..., 7]).mean()
    assert slope == pytest.approx(step / 2, rel=1e-3)
    starts = grown[:, 0, 8, 0]
    assert starts.max() - starts.min() > 2 * step  # cut at different places
    assert grown.min() >= 0.1 - 1e-5
    assert grown.max() <= 0.9 + 1e-5
    shrunk = augment_pairs(batch, Augmentation(zoom=(0.5, 0.5)))["source"][0, 0, 8]
    assert torch.allclose(shrunk[:4], torch.tensor(0.1), atol=1e-5)
    assert torch.allclose(shrunk[12:], torch.tensor(0.9), atol=1e-5)
    assert (shrunk[8] - shrunk[7]).item() == pytest.approx(2 * step, rel=1e-3)
    assert shrunk.mean().item() == pytest.approx(0.5, abs=1e-4)  # in the middle


def test_names_and_ranges():
    assert named("vox") is SETTINGS["vox"]
    assert named(EVERYTHING) is EVERYTHING
    with pytest.raises(ValueError, match=r"'voxx' is none of none, vox, taichi"):
        named("voxx")
    with pytest.raises(ValueError, match=r"hue must be 0 to 0\.5"):
        Augmentation(hue=0.7)
    with pytest.raises(ValueError, match="reverse"):
        Augmentation(reverse=1.5)
    with pytest.raises(ValueError, match="zoom"):
        Augmentation(zoom=(1.2, 1.1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_prepare_gives_floats_of_the_asked_type(dtype):
    batch = {
        "source": torch.tensor([[0, 51, 255]], dtype=torch.uint8),
        "frame_index": torch.tensor([[0, 5]]),
        "name": ["a"],
    }
    out = prepare(batch, dtype, None)
    assert out["source"].dtype == dtype
    assert torch.equal(out["source"], torch.tensor([[0.0, 0.2, 1.0]], dtype=dtype))
    assert out["frame_index"].dtype == torch.int64
    assert out["name"] == ["a"]


@pytest.mark.gpu
def test_a_gpu_gives_the_same_pictures():
    batch = pair_batch()
    moved = {k: v.cuda() if isinstance(v, Tensor) and k != "key" else v for k, v in batch.items()}
    there = varied(moved, EVERYTHING).cpu()
    assert (there - varied(batch, EVERYTHING)).abs().max() < 1e-4
