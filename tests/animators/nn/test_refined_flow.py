"""DiME's evolution on the dense flows of FOMM and MRAA."""

import pytest
import torch

from animators import load_animator
from animators.nn.evolution import refine_flow
from animators.nn.grid import coordinate_grid
from animators.weights import save_animator
from tests.animators.tiny import tiny_animator


@pytest.fixture(params=["fomm", "mraa"])
def pair(request):
    """A plain animator, and one that refines, of otherwise equal weights."""
    plain = tiny_animator(request.param).eval()
    refined = tiny_animator(request.param, refine=True, dynamics_width=8).eval()
    missing, surplus = refined.network.load_state_dict(plain.network.state_dict(), strict=False)
    assert surplus == []
    assert missing
    assert all(name.startswith("evolution.dynamics.source.") for name in missing)
    return plain.double(), refined.double()


@pytest.fixture
def pictures():
    """Source and driving frame, two of each."""
    small = torch.rand(4, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    smooth = torch.nn.functional.interpolate(small, (64, 64), mode="bilinear")
    return smooth.double().unflatten(0, (2, 2))


def silence(network):
    last = network.evolution.dynamics.source[-1]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)


def seen(animator, pictures):
    return animator.encode_source(pictures[0]), animator.encode_motion(pictures[1])


@torch.no_grad()
def test_an_evolution_that_begins_changes_nothing_but_rounding(pair, pictures):
    plain, refined = pair
    moved = refined.render(*seen(refined, pictures))
    assert (moved - plain.render(*seen(plain, pictures))).abs().max() > 1e-6
    silence(refined.network)
    drawn = refined.render(*seen(refined, pictures))
    torch.testing.assert_close(drawn, plain.render(*seen(plain, pictures)), atol=1e-12, rtol=0)


@torch.no_grad()
def test_without_an_evolution_the_flow_is_the_coarse_one_bit_for_bit(pair, pictures):
    network = pair[0].network
    state = seen(pair[0], pictures)
    assert network.evolution is None
    flow = network.flow(*state)
    coarse = network.coarse(*state)
    assert torch.equal(flow.grid, coarse.grid)
    assert refine_flow(coarse, None) is coarse
    before, after = network.fields(*state)
    assert torch.equal(before, after)


@torch.no_grad()
def test_the_drawn_grid_is_the_identity_plus_the_solved_displacements(pair, pictures):
    network = pair[1].network
    state = seen(pair[1], pictures)
    coarse, flow = network.coarse(*state), network.flow(*state)
    identity = coordinate_grid(*coarse.grid.shape[1:3], like=coarse.grid)
    solved = network.evolution((coarse.grid - identity)[:, None])[:, 0]
    torch.testing.assert_close(flow.grid, identity + solved)
    assert torch.equal(flow.mask, coarse.mask)
    assert torch.equal(flow.occlusion, coarse.occlusion)
    before, after = network.fields(*state)
    torch.testing.assert_close(before, coarse.grid - identity)
    torch.testing.assert_close(after, solved)
    assert (after - before).abs().mean() > 1e-3


def test_the_evolution_is_trained_from_its_silent_start(pair, pictures):
    refined = pair[1]
    silence(refined.network)
    refined.train()
    keys = torch.tensor([[0, 0, 0], [0, 0, 1]])
    batch = {"source": pictures[0], "driving": pictures[1], "key": keys}
    own = dict(refined.network.evolution.named_parameters())
    optimizer = refined.configure_optimizers()[0][0]
    before = {name: value.clone() for name, value in own.items()}
    for _ in range(2):
        optimizer.zero_grad()
        step = refined.training_losses(batch)
        assert step.figures == {"evaluations": 16.0}  # four steps of rk4
        step.losses["reconstruction"].backward()
        optimizer.step()
    assert all(p.grad is not None and p.grad.any() for p in own.values())
    assert not any(torch.equal(value, before[name]) for name, value in own.items())


def test_plain_training_logs_no_evaluations(pair, pictures):
    keys = torch.tensor([[0, 0, 0], [0, 0, 1]])
    batch = {"source": pictures[0], "driving": pictures[1], "key": keys}
    assert pair[0].training_losses(batch).figures == {}


def test_files_keep_the_choice_and_older_files_open_without_it(pair, pictures, tmp_path):
    path = tmp_path / "a.ckpt"
    for animator in pair:
        animator.float()
        save_animator(animator, path)
        opened = load_animator(path, device="cpu")
        expected = animator.reconstruct(pictures.float().transpose(0, 1))
        assert torch.equal(opened.reconstruct(pictures.float().transpose(0, 1)), expected)
    save_animator(pair[0], path)
    content = torch.load(path, weights_only=True)
    for name in ("refine", "dynamics_width"):
        del content["animator"]["init_args"][name]
    torch.save(content, path)
    older = load_animator(path, device="cpu")
    assert older.arguments == pair[0].arguments | {"dynamics_width": 32}
    video = pictures.float().transpose(0, 1)
    assert torch.equal(older.reconstruct(video), pair[0].reconstruct(video))


@pytest.mark.parametrize("name", ["fomm", "mraa"])
def test_an_evolution_of_no_width_is_refused(name):
    with pytest.raises(ValueError, match=r"^dynamics_width must be at least 1, got 0$"):
        tiny_animator(name, refine=True, dynamics_width=0)
