"""What every animator owes: the verbs, its own identities, a checkpoint that opens."""

from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml

from animators import load_animator
from animators.animator import Editable, Mode
from animators.inference import repeat_frames
from animators.weights import save_animator

TINY = sorted(Path(__file__).parents[1].glob("tiny/*.yaml"))

UNMOVED: dict[str, dict[str, str]] = {"lia": {}}
"""Parameters that three steps may leave alone, by animator, each with the reason."""


@pytest.fixture(params=TINY, ids=[p.stem for p in TINY])
def tiny(request):
    """The animator of one tiny YAML, with weights that do something."""
    config = yaml.safe_load(request.param.read_text())["model"]
    module, name = config["class_path"].rsplit(".", 1)
    torch.manual_seed(0)
    model = getattr(import_module(module), name)(**config["init_args"])
    model.name = request.param.stem
    with torch.no_grad():
        for p in model.network.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model.eval()


@pytest.fixture
def clip(tiny):
    """Two clips of four smooth frames."""
    size = tiny.image_size
    small = torch.rand(8, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    frames = torch.nn.functional.interpolate(small, (size, size), mode="bilinear")
    return frames.unflatten(0, (2, 4))


def batch_of(clip):
    """A training batch from two frames of each clip."""
    count = len(clip)
    return {
        "source": clip[:, 0],
        "driving": clip[:, 1],
        "references": clip[:, :0],
        "reference_index": torch.zeros(count, 0, dtype=torch.int64),
        "frame_index": torch.tensor([[0, 1]] * count),
        "identity": torch.arange(count),
        "key": torch.tensor([[0, 0, i] for i in range(count)]),
        "name": [str(i) for i in range(count)],
    }


def test_shapes_and_range(tiny, clip):
    for mode in set(tiny.modes) - {Mode.AVD}:
        out = tiny.animate(clip[:, 0], clip.flip(1), mode=mode)
        assert out.shape == clip.shape
        assert out.min() >= 0
        assert out.max() <= 1
        assert out.std() > 0


def test_rendered_values_are_not_clamped(tiny, clip):
    source = tiny.encode_source(clip[:, 0])
    raw = tiny.render(source, tiny.encode_motion(clip[:, 1]))
    assert raw.requires_grad
    assert raw.min() < 0 or raw.max() > 1


def test_reconstruct_is_absolute_animation(tiny, clip):
    absolute = tiny.animate(clip[:, 0], clip, mode="absolute")
    torch.testing.assert_close(tiny.reconstruct(clip), absolute, atol=1e-5, rtol=0)


def test_relative_is_absolute_when_the_source_is_the_first_driving_frame(tiny, clip):
    relative = tiny.animate(clip[:, 0], clip, mode="relative")
    absolute = tiny.animate(clip[:, 0], clip, mode="absolute")
    torch.testing.assert_close(relative, absolute, atol=1e-4, rtol=0)


def test_relative_and_absolute_differ_otherwise(tiny, clip):
    relative = tiny.animate(clip[:, 0], clip[:, 1:], mode="relative")
    absolute = tiny.animate(clip[:, 0], clip[:, 1:], mode="absolute")
    assert (relative - absolute).abs().mean() > 1e-3


def test_chunks_change_nothing(tiny, clip):
    one = tiny.animate(clip[:, 0], clip, chunk=1)
    three = tiny.animate(clip[:, 0], clip, chunk=3)
    torch.testing.assert_close(one, three, atol=1e-4, rtol=0)


def test_best_frame_is_the_source_itself(tiny, clip):
    best = tiny.best_frame(clip[:, 2], [clip[:, :2], clip[:, 2:]])
    assert best.tolist() == [2, 2]


def test_motion_of_the_source_itself_is_at_no_distance(tiny, clip):
    state = tiny.encode_source(clip[:, 0])
    distance = tiny.motion_distance(state, tiny.encode_motion(clip[:, 0]))
    assert distance.shape == (2,)
    assert distance.max() < 1e-4


def test_every_trainable_parameter_moves(tiny, clip):
    """Three optimiser steps of both players through the ordinary losses."""
    tiny.train()
    before = {n: p.detach().clone() for n, p in tiny.named_parameters() if p.requires_grad}
    optimizers, _ = tiny.configure_optimizers()
    batch = batch_of(clip)
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
            own = tiny.adversary.for_itself(
                step._replace(prediction=step.prediction.detach()), batch
            )
            torch.stack(list(own.values())).sum().backward()
            optimizers[1].step()
        tiny.zero_grad()
    still = {n for n, p in tiny.named_parameters() if n in before and torch.equal(p, before[n])}
    assert still == set(UNMOVED[tiny.name])
    assert all(p.isfinite().all() for p in tiny.parameters())


def test_a_saved_animator_opens_to_the_same_pictures(tiny, clip, tmp_path):
    save_animator(tiny, tmp_path / "a.ckpt")
    opened = load_animator(tmp_path / "a.ckpt", device="cpu")
    assert type(opened) is type(tiny)
    assert torch.equal(opened.animate(clip[:, 0], clip), tiny.animate(clip[:, 0], clip))


def test_edits(tiny, clip):
    if not isinstance(tiny, Editable):
        pytest.skip("this animator has no directions to edit along")
    source = tiny.encode_source(clip[:, 0])
    motion = tiny.encode_motion(clip[:, 0])
    own = tiny.render(source, tiny.transfer(source, motion, motion, Mode.RELATIVE))
    name, direction = next(iter(tiny.directions.items()))

    def edited(amounts):
        state = tiny.edit(source, amounts)
        return tiny.render(state, tiny.transfer(state, motion, motion, Mode.RELATIVE))

    torch.testing.assert_close(edited({name: 0.0}), own)
    assert (edited({name: direction.high}) - own).abs().mean() > 1e-3
    assert torch.equal(edited({name: 0.5}), edited({direction.index: 0.5}))
    with pytest.raises(ValueError, match="no motion direction"):
        tiny.edit(source, {"d999": 1.0})


def test_frames_of_one_sample_are_not_copied(tiny, clip):
    state = tiny.encode_source(clip[:1, 0])
    repeated = repeat_frames(state, 3)
    motion = repeat_frames(tiny.encode_motion(clip[:1, 1]), 3)
    assert tiny.render(repeated, motion).shape[0] == 3
