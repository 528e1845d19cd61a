"""What every animator owes: the verbs, its own identities, a checkpoint that opens."""

from dataclasses import replace
from fnmatch import fnmatch

import pytest
import torch

from animators import inference, load_animator
from animators.animator import Editable, Mode, model_name
from animators.inference import repeat_frames, views
from animators.weights import save_animator
from tests.animators.tiny import FOLDER, tiny_animator

# Every tiny YAML as it is, and what some models can also be.
VARIANTS: dict[str, tuple[str, dict[str, object]]] = {
    **{path.stem: (path.stem, {}) for path in sorted(FOLDER.glob("*.yaml"))},
    "lia-no-dictionary": ("lia", {"dictionary": False}),
    "dime-one-shot": ("dime", {}),
    "dime-unet": ("dime", {"features": "unet", "share_dynamics": True}),
    "dime-coarse": ("dime", {"refine": False, "self_flow": False}),
    "mraa-avd": ("mraa", {"avd": True, "background": False}),
    "swin_tps-avd": (
        "swin_tps",
        {
            "avd": True,
            "background": False,
            "identity": False,
            "loss_weights": {
                "reconstruction": 1.0,
                "equivariance": 1.0,
                "warp": 1.0,
                "domain": -1.0,
                "latent": 1.0,
            },
        },
    ),
    "tpsmm-avd": (
        "tpsmm",
        {
            "avd": True,
            "background": False,
            "loss_weights": {"reconstruction": 1.0, "equivariance": 1.0, "warp": 1.0},
        },
    ),
}

DIME = ("dime", "dime-one-shot", "dime-unet", "dime-coarse")
SEVERAL_VIEWS = set(DIME)
"""Animators that take several views of a source."""
REFERENCES = {name: 3 for name in DIME if name != "dime-one-shot"}
"""How many references come with a source here; others have none."""

UNMOVED: dict[str, dict[str, str]] = {
    "dime-one-shot": {"network.evolution.dynamics.reference.*": "it is of references"},
    "mraa-avd": {"network.avd.*": "trained in a second stage"},
    "swin_tps-avd": {"network.avd.*": "trained in a second stage"},
    "tpsmm-avd": {"network.avd.*": "trained in a second stage"},
}
"""Parameters that three steps leave alone, by variant: patterns, each with the reason."""

DRAWS_BETWEEN_0_AND_1 = {
    name: "a sigmoid is its last layer"
    for name in (
        "fomm",
        "mraa",
        "mraa-avd",
        "swin_tps",
        "swin_tps-avd",
        "tpsmm",
        "tpsmm-avd",
        *DIME,
    )
}
SEES_THE_PAIR = {
    name: "the background's motion is read off both pictures"
    for name in ("mraa", "swin_tps", "tpsmm")
}


@pytest.fixture(params=VARIANTS)
def tiny(request):
    """The animator of one variant, with weights that do something."""
    name, changes = VARIANTS[request.param]
    model = tiny_animator(name, **changes)
    model.name = request.param
    return model.eval()


@pytest.fixture
def clip(tiny):
    """Two clips of four smooth frames."""
    size = tiny.image_size
    small = torch.rand(8, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    frames = torch.nn.functional.interpolate(small, (size, size), mode="bilinear")
    return frames.unflatten(0, (2, 4))


@pytest.fixture
def references(tiny):
    """Further views of the sources of `clip`, in number as many as the variant is given."""
    size, count = tiny.image_size, REFERENCES.get(tiny.name, 0)
    if not count:
        return torch.zeros(2, 0, 3, size, size)
    small = torch.rand(2 * count, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    pictures = torch.nn.functional.interpolate(small, (size, size), mode="bilinear")
    return pictures.unflatten(0, (2, count))


def batch_of(clip, references):
    """A training batch from two frames of each clip."""
    count = len(clip)
    return {
        "source": clip[:, 0],
        "driving": clip[:, 1],
        "references": references,
        "reference_index": torch.arange(references.shape[1]).expand(count, -1),
        "frame_index": torch.tensor([[0, 1]] * count),
        "identity": torch.arange(count),
        "key": torch.tensor([[0, 0, i] for i in range(count)]),
        "name": [str(i) for i in range(count)],
    }


def test_shapes_and_range(tiny, clip, references):
    for mode in tiny.modes:
        out = tiny.animate(clip[:, 0], clip.flip(1), references, mode=mode)
        assert out.shape == clip.shape
        assert out.min() >= 0
        assert out.max() <= 1
        assert out.std() > 0


def test_rendered_values_are_not_clamped(tiny, clip, references):
    source = tiny.encode_source(views(tiny, clip[:, 0], references))
    raw = tiny.render(source, tiny.encode_motion(clip[:, 1]))
    assert raw.requires_grad
    if tiny.name in DRAWS_BETWEEN_0_AND_1:
        assert raw.min() > 0
        assert raw.max() < 1
    else:
        assert raw.min() < 0 or raw.max() > 1


def test_reconstruct_is_absolute_animation_that_sees_the_pair(tiny, clip, references):
    # in double precision: a spline through few points makes much of a rounding
    tiny, clip, references = tiny.double(), clip.double(), references.double()
    source = views(tiny, clip[:, 0], references)
    rebuilt = tiny.reconstruct(clip, references)
    pieces = inference.stream(tiny, source, [clip], mode="absolute", pair=True)
    raw = torch.cat(list(pieces), dim=1)
    torch.testing.assert_close(rebuilt, raw.clamp(0, 1), atol=1e-8, rtol=0)
    absolute = tiny.animate(clip[:, 0], clip, references, mode="absolute")
    if tiny.name in SEES_THE_PAIR:
        assert (rebuilt - absolute).abs().mean() > 1e-4
    else:
        torch.testing.assert_close(rebuilt, absolute, atol=1e-8, rtol=0)


def test_relative_is_absolute_when_the_source_is_the_first_driving_frame(tiny, clip, references):
    tiny, clip, references = tiny.double(), clip.double(), references.double()
    relative = tiny.animate(clip[:, 0], clip, references, mode="relative")
    absolute = tiny.animate(clip[:, 0], clip, references, mode="absolute")
    torch.testing.assert_close(relative, absolute, atol=1e-8, rtol=0)


def test_relative_and_absolute_differ_otherwise(tiny, clip, references):
    relative = tiny.animate(clip[:, 0], clip[:, 1:], references, mode="relative")
    absolute = tiny.animate(clip[:, 0], clip[:, 1:], references, mode="absolute")
    assert (relative - absolute).abs().mean() > 1e-3


def test_avd_is_neither_of_the_others(tiny, clip, references):
    if Mode.AVD not in tiny.modes:
        with pytest.raises(ValueError, match="not one of this animator's: absolute, relative"):
            tiny.animate(clip[:, 0], clip, references, mode="avd")
        return
    fitted = tiny.animate(clip[:, 0], clip[:, 1:], references, mode="avd")
    for mode in ("absolute", "relative"):
        other = tiny.animate(clip[:, 0], clip[:, 1:], references, mode=mode)
        assert (fitted - other).abs().mean() > 1e-5


def test_source_and_reference_are_read_once_a_clip(tiny, clip, references, monkeypatch):
    calls = []

    def count(name):
        verb = getattr(tiny, name)
        monkeypatch.setattr(tiny, name, lambda *args: (calls.append(name), verb(*args))[1])

    for name in ("encode_source", "prepare_reference", "render"):
        count(name)
    tiny.animate(clip[:, 1], clip, references, mode="relative", chunk=1)
    assert sorted(calls) == ["encode_source", "prepare_reference", *["render"] * 4]


def test_transfer_also_takes_a_reference_that_nobody_prepared(tiny, clip, references):
    source = tiny.encode_source(views(tiny, clip[:, 0], references))
    driving, reference = tiny.encode_motion(clip[:, 1]), tiny.encode_motion(clip[:, 2])
    prepared = tiny.prepare_reference(source, reference)
    pictures = [
        tiny.render(source, tiny.transfer(source, driving, against, Mode.RELATIVE))
        for against in (reference, prepared)
    ]
    torch.testing.assert_close(*pictures)
    with pytest.raises(ValueError, match="reference frame"):
        tiny.transfer(source, driving, None, Mode.RELATIVE)


def test_several_views_are_refused_by_those_who_take_one(tiny, clip):
    assert tiny.several_views == (tiny.name in SEVERAL_VIEWS)
    if tiny.several_views:
        alone = tiny.animate(clip[:, 0], clip[:, :2], mode="absolute")
        further = tiny.animate(clip[:, 0], clip[:, :2], clip[:, 2:], mode="absolute")
        assert (further - alone).abs().mean() > 1e-4
        return
    with pytest.raises(ValueError, match=r"one source view .* references to 0"):
        tiny.encode_source(clip[:, :2])
    with pytest.raises(ValueError, match=r"one source view .*\.references to 0"):
        tiny.reconstruct(clip, references=clip[:, 2:])
    with pytest.raises(ValueError, match="leave them out"):
        tiny.animate(clip[:, 0], clip, clip[:, 2:])


def test_animating_leaves_every_statistic_alone(tiny, clip, references):
    before = {name: value.clone() for name, value in tiny.state_dict().items()}
    for mode in tiny.modes:
        tiny.animate(clip[:, 0], clip, references, mode=mode)
    tiny.reconstruct(clip, references)
    assert all(torch.equal(value, before[name]) for name, value in tiny.state_dict().items())


def test_chunks_change_nothing(tiny, clip, references):
    tiny, clip, references = tiny.double(), clip.double(), references.double()
    one = tiny.animate(clip[:, 0], clip, references, chunk=1)
    three = tiny.animate(clip[:, 0], clip, references, chunk=3)
    torch.testing.assert_close(one, three, atol=1e-8, rtol=0)


def test_best_frame_is_the_source_itself(tiny, clip, references):
    best = tiny.best_frame(views(tiny, clip[:, 2], references), [clip[:, :2], clip[:, 2:]])
    assert best.tolist() == [2, 2]


def test_motion_of_the_source_itself_is_at_no_distance(tiny, clip, references):
    state = tiny.encode_source(views(tiny, clip[:, 0], references))
    distance = tiny.motion_distance(state, tiny.encode_motion(clip[:, 0]))
    assert distance.shape == (2,)
    assert distance.max() < 1e-4


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_it_is_called_as_on_the_command_line(name):
    assert model_name(type(tiny_animator(name))) == name
    assert model_name(dict) == "dict"


def test_every_trainable_parameter_moves(tiny, clip, references):
    """Three optimiser steps of both players through the ordinary losses."""
    tiny.train()
    # weight decay would move what no loss reaches
    tiny.training_settings = replace(tiny.training_settings, weight_decay=0.0)
    before = {n: p.detach().clone() for n, p in tiny.named_parameters() if p.requires_grad}
    optimizers, _ = tiny.configure_optimizers()
    batch = batch_of(clip, references)
    for _ in range(3):
        step = tiny.training_losses(batch)
        losses = dict(step.losses)
        if tiny.adversary is not None:
            losses |= tiny.adversary.for_generator(step, batch)
        assert losses.keys() == tiny.loss_weights.keys()
        torch.stack(list(losses.values())).sum().backward()
        optimizers[0].step()
        if tiny.adversary is not None:
            optimizers[1].zero_grad()
            own = tiny.adversary.for_itself(step.detached(), batch)
            torch.stack(list(own.values())).sum().backward()
            optimizers[1].step()
        tiny.zero_grad()
    still = {n for n, p in tiny.named_parameters() if n in before and torch.equal(p, before[n])}
    left = UNMOVED.get(tiny.name, {})
    assert {n for n in still if not any(fnmatch(n, pattern) for pattern in left)} == set()
    assert all(any(fnmatch(n, pattern) for n in still) for pattern in left)
    assert all(p.isfinite().all() for p in tiny.parameters())


def test_a_saved_animator_opens_to_the_same_pictures(tiny, clip, references, tmp_path):
    save_animator(tiny, tmp_path / "a.ckpt")
    opened = load_animator(tmp_path / "a.ckpt", device="cpu")
    assert type(opened) is type(tiny)
    pictures = [model.animate(clip[:, 0], clip, references) for model in (opened, tiny)]
    assert torch.equal(*pictures)


def test_edits(tiny, clip):
    if not isinstance(tiny, Editable):
        assert not hasattr(tiny, "edit")  # all of it or nothing
        assert not hasattr(tiny, "directions")
        return
    source = tiny.encode_source(clip[:, 0])
    if not tiny.directions:
        with pytest.raises(ValueError, match=r"has none \(no dictionary\)"):
            tiny.edit(source, {0: 1.0})
        return
    motion = tiny.encode_motion(clip[:, 0])
    own = tiny.render(source, tiny.transfer(source, motion, motion, Mode.RELATIVE))
    name, direction = next(iter(tiny.directions.items()))

    def edited(amounts):
        state = tiny.edit(source, amounts)
        return tiny.render(state, tiny.transfer(state, motion, motion, Mode.RELATIVE))

    assert torch.equal(edited({name: 0.0}), own)
    assert torch.equal(tiny.render(source, tiny.pose(source)), own)
    assert tiny.magnitudes(motion).shape == (len(clip), len(tiny.directions))
    assert list(tiny.sweep) == sorted(tiny.sweep)
    assert (edited({name: direction.high}) - own).abs().mean() > 1e-3
    assert torch.equal(edited({name: 0.5}), edited({direction.index: 0.5}))
    with pytest.raises(ValueError, match="in relative mode only"):
        tiny.transfer(tiny.edit(source, {name: 0.5}), motion, None, Mode.ABSOLUTE)
    with pytest.raises(ValueError, match="no motion direction"):
        tiny.edit(source, {"d999": 1.0})


def test_edits_add_up_in_any_order_and_zero_is_none(tiny, clip):
    if not isinstance(tiny, Editable) or not tiny.directions:
        return
    tiny = tiny.double()
    source = tiny.encode_source(clip[:, 0].double())
    motions = [tiny.encode_motion(clip[:, i].double()) for i in (1, 2)]
    first, second = list(tiny.directions)[:2]

    def followed(*edits):
        state = source
        for amounts in edits:
            state = tiny.edit(state, amounts)
        return tiny.render(state, tiny.transfer(state, *motions, Mode.RELATIVE))

    plain = followed()
    assert torch.equal(followed({name: 0.0 for name in tiny.directions}), plain)
    at_once = followed({first: 0.5, second: -0.3})
    for edits in (
        [{first: 0.5}, {second: -0.3}],
        [{second: -0.3}, {first: 0.5}],
        [{first: 0.7, second: -0.3}, {tiny.directions[first].index: -0.2}],
    ):
        torch.testing.assert_close(followed(*edits), at_once, atol=1e-8, rtol=0)
    assert (at_once - plain).abs().mean() > 1e-3
    torch.testing.assert_close(followed({first: 0.5}, {first: -0.5}), plain, atol=1e-8, rtol=0)


def test_frames_of_one_sample_are_not_copied(tiny, clip, references):
    state = tiny.encode_source(views(tiny, clip[:1, 0], references[:1]))
    repeated = repeat_frames(state, 3)
    motion = repeat_frames(tiny.encode_motion(clip[:1, 1]), 3)
    assert tiny.render(repeated, motion).shape[0] == 3
