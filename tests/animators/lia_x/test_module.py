import pytest
import torch

from animators import load_animator
from animators.animator import Mode
from animators.lia_x import LiaX
from animators.lia_x.module import CHOSEN_WEIGHTS
from animators.training import Training
from animators.weights import save_animator
from tests.animators.test_contract import batch_of
from tests.animators.tiny import tiny_animator

NAMES = {"yaw": (3, -1.0, 0.5), "mouth": (1, -0.4, 0.4)}


@pytest.fixture
def source():
    return torch.rand(2, 3, 64, 64)


def test_directions_without_names_are_indices():
    directions = tiny_animator("lia_x").directions
    assert list(directions) == ["d0", "d1", "d2", "d3", "d4"]
    assert [d.index for d in directions.values()] == list(range(5))
    assert {(d.low, d.high) for d in directions.values()} == {(-0.5, 0.5)}


def test_named_directions_come_first_and_every_direction_once():
    directions = tiny_animator("lia_x", named_directions=NAMES).directions
    assert list(directions) == ["yaw", "mouth", "d0", "d2", "d4"]
    assert (directions["yaw"].index, directions["yaw"].low, directions["yaw"].high) == (3, -1, 0.5)


@torch.no_grad()
def test_a_named_direction_is_reached_by_name_and_by_index(source):
    model = tiny_animator("lia_x", named_directions=NAMES)
    state = model.encode_source(source)
    for key in ("yaw", "d3", "3", 3):
        moved = model.edit(state, {key: 0.25}).magnitudes - state.magnitudes
        expected = torch.tensor([0.0, 0.0, 0.0, 0.25, 0.0]).expand(2, -1)
        torch.testing.assert_close(moved, expected)
    both = model.edit(model.edit(state, {"yaw": 0.1}), {"mouth": 0.2, "yaw": 0.15})
    assert torch.allclose(both.magnitudes, model.edit(state, {3: 0.25, 1: 0.2}).magnitudes)
    for wrong in ("nod", "d5", 5, -1):
        with pytest.raises(ValueError, match=r"no motion direction .* yaw, mouth, and d0 to d4"):
            model.edit(state, {wrong: 0.1})


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"d3": (0, -1.0, 1.0)}, "'d3' cannot be a direction's name"),
        ({"3": (0, -1.0, 1.0)}, "'3' cannot be a direction's name"),
        ({"": (0, -1.0, 1.0)}, "'' cannot be"),
        ({"a=b": (0, -1.0, 1.0)}, "'a=b' cannot be"),
        ({"yaw": (5, -1.0, 1.0)}, "yaw has index 5, but there are 5 directions: give 0 to 4"),
        ({"yaw": (1, -1.0, 1.0), "nod": (1, -1.0, 1.0)}, "yaw and nod both name direction 1"),
        ({"yaw": (1, 1.0, 1.0)}, "yaw has an empty range"),
    ],
)
def test_names_that_do_not_fit_are_refused(named, said):
    with pytest.raises(ValueError, match=said):
        tiny_animator("lia_x", named_directions=named)


def test_names_travel_with_the_checkpoint(tmp_path):
    model = tiny_animator("lia_x", named_directions=NAMES)
    save_animator(model, tmp_path / "a.ckpt")
    opened = load_animator(tmp_path / "a.ckpt", device="cpu")
    assert opened.directions == model.directions
    assert opened.description() == model.description()


def test_fine_tuning_from_named_weights_keeps_to_its_own_names():
    """What a direction does may change in training."""
    ours = tiny_animator("lia_x")
    ours.start_from(tiny_animator("lia_x", named_directions=NAMES))
    assert list(ours.directions) == ["d0", "d1", "d2", "d3", "d4"]
    with pytest.raises(ValueError, match="blocks 2 there, 1 here"):
        ours.start_from(tiny_animator("lia_x", blocks=2))


@torch.no_grad()
def test_edit_warp_render_moves_the_whole_clip_by_the_edit(source):
    """Eq. 10 and 11: z_s + w(A_s + v), then the clip's own motion on top."""
    model = tiny_animator("lia_x").double().eval()
    source, driving = source.double(), torch.rand(2, 3, 64, 64, dtype=torch.float64)
    state = model.encode_source(source)
    now, first = model.encode_motion(driving), model.encode_motion(driving.flip(0))
    edited = model.edit(state, {2: 0.4})
    w = model.network.displacement
    magnitudes = state.magnitudes.clone()
    magnitudes[:, 2] += 0.4
    latent = state.latent + (w(now.magnitudes) - w(first.magnitudes)) + w(magnitudes)
    expected = model.network.decode(latent, state.features)
    found = model.render(edited, model.transfer(edited, now, first, Mode.RELATIVE))
    torch.testing.assert_close(found, expected, atol=1e-8, rtol=0)


def batch():
    clip = torch.rand(2, 2, 3, 64, 64)
    return batch_of(clip, torch.zeros(2, 0, 3, 64, 64))


def test_losses_are_those_of_equation_9():
    model, pair = tiny_animator("lia_x"), batch()
    losses, prediction, *_ = model.training_losses(pair)
    assert losses.keys() == {"reconstruction", "sparsity"}  # the adversary adds its own
    l1 = (prediction * 2 - pair["driving"] * 2).abs().mean()
    torch.testing.assert_close(losses["reconstruction"], l1)
    magnitudes = model.encode_motion(pair["driving"]).magnitudes
    torch.testing.assert_close(losses["sparsity"], magnitudes.abs().sum() / 2)
    absolute = model.render(
        model.encode_source(pair["source"]), model.encode_motion(pair["driving"])
    )
    torch.testing.assert_close(prediction, absolute)


def test_the_penalty_can_be_left_out():
    weights = {"reconstruction": 1.0, "adversarial": 1.0}
    model = tiny_animator("lia_x", sparse=False, loss_weights=weights)
    assert model.training_losses(batch()).losses.keys() == {"reconstruction"}
    with pytest.raises(ValueError, match=r"do not match .*sparsity"):
        tiny_animator("lia_x", loss_weights=weights)


def test_the_penalty_makes_motion_sparse():
    """Its gradient alone takes the magnitudes of a frame towards zero."""
    model, pair = tiny_animator("lia_x"), batch()
    optimizer = torch.optim.Adam(model.network.parameters(), lr=0.002)
    sizes = []
    for _ in range(6):
        loss = model.training_losses(pair).losses["sparsity"]
        sizes.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert sizes[-1] < 0.8 * sizes[0]


def test_defaults_are_the_published_model():
    with torch.device("meta"):
        model = LiaX()
    assert model.image_size == 512
    assert model.loss_weights == dict(CHOSEN_WEIGHTS)
    assert model.training_settings == Training()
    assert model.arguments["named_directions"] == {}
    # LIA's discriminator at 512 pixels, whatever the generator's width
    with torch.device("meta"):
        same = LiaX(channel_multiplier=1.0, latent_dim=512)
    sizes = [sum(p.numel() for p in m.adversary.parameters()) for m in (model, same)]
    assert sizes[0] == sizes[1]
