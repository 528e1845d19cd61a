import weakref
from itertools import pairwise

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from animators.nn.evolution import FIXED, METHODS, Dynamics, MotionEvolution, smooth_net

FIELD = (2, 2, 8, 8, 2)
"""Samples, views, height, width, xy."""


def lively(views=2, layers=3, **settings):
    """An evolution whose f does something, in double precision.

    From its silent start every test of solvers and gradients would pass.
    """
    torch.manual_seed(0)
    found = MotionEvolution(width=8, layers=layers, **settings).double()
    with torch.no_grad():
        for p in found.parameters():
            p.normal_(std=0.2 if p.ndim > 1 else 0.1)
    field = field_of(views)
    with torch.no_grad():
        assert (found(field) - field).abs().mean() > 0.05
    return found


def field_of(views=2):
    generator = torch.Generator().manual_seed(1)
    shape = (FIELD[0], views, *FIELD[2:])
    return 0.5 * torch.randn(shape, generator=generator, dtype=torch.float64)


def gradients(evolution, field):
    """Every gradient of a loss that no symmetry makes small, by name."""
    field = field.clone().requires_grad_()
    evolution.zero_grad()
    weights = torch.linspace(-1, 1, field.numel(), dtype=field.dtype).view(field.shape)
    (evolution(field) * weights).sum().backward()
    own = {name: p.grad.clone() for name, p in evolution.named_parameters() if p.grad is not None}
    return own | {"field": field.grad}


def differences(found, truth):
    """Norm of the difference over the truth's: of f's parameters together, and of the field."""
    names = [name for name in truth if name != "field"]
    off = torch.cat([(found[name] - truth[name]).flatten() for name in names]).norm()
    size = torch.cat([truth[name].flatten() for name in names]).norm()
    own = (found["field"] - truth["field"]).norm() / truth["field"].norm()
    return float(off / size), float(own)


def test_it_begins_as_the_identity():
    field = field_of()
    assert torch.equal(MotionEvolution().double()(field), field)


def test_the_adjoint_converges_to_back_propagation_through_the_same_steps():
    errors = []
    for steps in (4, 8, 16):
        pair = [lively(step_size=1 / steps, adjoint=adjoint) for adjoint in (True, False)]
        found, truth = (gradients(each, field_of()) for each in pair)
        assert found.keys() == truth.keys()
        errors.append(differences(found, truth))
    assert max(errors[0]) < 1e-3
    for coarse, fine in pairwise(errors):
        assert all(a > 8 * b > 0 for a, b in zip(coarse, fine, strict=True))


def test_plain_gradients_are_those_of_finite_differences():
    for adjoint, tolerance in ((False, 1e-7), (True, 1e-4)):
        evolution = lively(adjoint=adjoint)
        field = field_of()
        slope = gradients(evolution, field)["field"]
        way = torch.randn(field.shape, generator=torch.Generator().manual_seed(2)).double()
        weights = torch.linspace(-1, 1, field.numel(), dtype=field.dtype).view(field.shape)
        with torch.no_grad():
            ahead, back = ((evolution(field + s * way) * weights).sum() for s in (1e-4, -1e-4))
        expected = (ahead - back) / 2e-4
        torch.testing.assert_close((slope * way).sum(), expected, rtol=tolerance, atol=tolerance)


@torch.no_grad()
def test_there_and_back_is_the_coarse_field_again():
    evolution, field = lively(step_size=1 / 32), field_of()
    refined = evolution(field)
    back = evolution.trajectory(refined, (1.0, 0.0))[-1]
    assert (back - field).abs().max() < 1e-6


@torch.no_grad()
@pytest.mark.parametrize(
    ("method", "order"), [("euler", 1), ("midpoint", 2), ("heun2", 2), ("heun3", 3), ("rk4", 4)]
)
def test_half_the_step_shrinks_the_error_by_the_solvers_order(method, order):
    field = field_of()
    exact = lively(method="dopri8", rtol=1e-12, atol=1e-13)(field)
    errors = [
        float((lively(method=method, step_size=1 / n)(field) - exact).norm()) for n in (8, 16, 32)
    ]
    for coarse, fine in pairwise(errors):
        assert 0.7 * 2**order < coarse / fine < 1.5 * 2**order


@torch.no_grad()
def test_adaptive_solvers_keep_their_tolerance():
    field = field_of()
    exact = lively(step_size=1 / 64)(field)
    for method in set(METHODS) - FIXED:
        counts = []
        for tolerance in (1e-2, 1e-6):
            solver = lively(method=method, rtol=tolerance, atol=tolerance)
            found = solver(field)
            assert (found - exact).abs().max() < 10 * tolerance, method
            counts.append(solver.evaluations)
        # dopri8's first step is fine enough for both
        assert counts[0] < counts[1] or method == "dopri8", method


def test_times_go_one_way():
    with pytest.raises(ValueError, match="rise or fall"):
        lively().trajectory(field_of(), (0.0, 0.5, 0.25))


@torch.no_grad()
@pytest.mark.parametrize("method", ["rk4", "heun3", "dopri5"])
def test_a_linear_f_is_solved_by_the_matrix_exponential(method):
    evolution = MotionEvolution(method=method, step_size=1 / 32, rtol=1e-9, atol=1e-9).double()
    matrix = torch.tensor([[-0.3, 1.1], [-0.7, 0.4]], dtype=torch.float64)
    linear = torch.nn.Conv2d(3, 2, 1, bias=False).double()
    linear.weight.copy_(torch.cat([matrix, torch.zeros(2, 1)], dim=1)[:, :, None, None])
    evolution.dynamics.source = linear
    field = field_of(views=1)
    for time in (0.25, 1.0):
        found = evolution.trajectory(field, (0.0, time))[-1]
        expected = field @ torch.matrix_exp(time * matrix).T
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


@torch.no_grad()
def test_f_sees_how_far_the_evolution_is():
    """With f = 3 eps^2 alone every displacement grows by 1, and by 1/8 until half the way."""
    evolution = MotionEvolution().double()
    evolution.dynamics.source = Squared()
    field = field_of(views=1)
    found = evolution.trajectory(field, (0.0, 0.5, 1.0))
    assert found.shape == (3, *field.shape)
    torch.testing.assert_close(found[0], field)
    torch.testing.assert_close(found[1], field + 1 / 8)
    torch.testing.assert_close(found[2], field + 1)


class Squared(torch.nn.Module):
    def forward(self, seen):
        return 3 * seen[:, 2:].square().expand(-1, 2, -1, -1)


@torch.no_grad()
def test_every_view_has_the_f_that_is_its_own():
    evolution = lively(views=3)
    dynamics = evolution.dynamics
    field = field_of(views=3)
    found = evolution(field)
    source = evolution(field[:, :1])
    torch.testing.assert_close(found[:, :1], source)
    dynamics.source, dynamics.reference = dynamics.reference, dynamics.source
    for view in (1, 2):
        alone = evolution(field[:, view : view + 1])
        torch.testing.assert_close(found[:, view : view + 1], alone)
    assert (source - evolution(field[:, :1])).abs().max() > 1e-3
    shared = lively(views=3, share_dynamics=True)
    assert shared.dynamics.reference is None
    alike = shared(field[:, :1].expand_as(field))
    assert torch.equal(alike[:, 0], alike[:, 1])


@pytest.mark.parametrize(
    ("method", "steps", "forward"),
    [("rk4", 4, 16), ("rk4", 1, 4), ("euler", 8, 8), ("midpoint", 3, 6), ("heun3", 2, 6)],
)
def test_step_size_decides_how_often_f_is_called(method, steps, forward):
    """torchdiffeq left to itself would take one step."""
    evolution = lively(method=method, step_size=1 / steps)
    found = evolution(field_of().requires_grad_())
    assert evolution.evaluations == forward
    found.sum().backward()
    assert evolution.evaluations == 2 * forward
    plain = lively(method=method, step_size=1 / steps, adjoint=False)
    plain(field_of().requires_grad_()).sum().backward()
    assert plain.evaluations == forward


def test_without_references_their_f_is_left_alone():
    for adjoint in (True, False):
        evolution = lively(views=1, adjoint=adjoint)
        evolution(field_of(views=1)).square().sum().backward()
        assert all(p.grad is None for p in evolution.dynamics.reference.parameters())
        assert all(p.grad.any() for p in evolution.dynamics.source.parameters())
        evolution(field_of(views=2)).square().sum().backward()
        assert all(p.grad.any() for p in evolution.dynamics.reference.parameters())


class Allocations(TorchDispatchMode):
    """Bytes of all tensors made inside, and the most that lived at once."""

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self.known = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self.add(tensor.untyped_storage())
        return out

    def add(self, storage):
        key, size = storage.data_ptr(), storage.nbytes()
        if key not in self.known:
            self.known.add(key)
            self.now += size
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self.remove, key, size)

    def remove(self, key, size):
        self.now -= size
        self.known.discard(key)


def test_the_adjoints_memory_does_not_grow_with_the_steps():
    peaks = {}
    for adjoint in (True, False):
        for steps in (4, 32):
            evolution = MotionEvolution(width=8, layers=3, step_size=1 / steps, adjoint=adjoint)
            field = torch.zeros(1, 2, 32, 32, 2, requires_grad=True)
            with Allocations() as allocations:
                evolution(field).sum().backward()
            peaks[adjoint, steps] = allocations.peak
    assert peaks[True, 32] <= 1.05 * peaks[True, 4]
    assert peaks[False, 32] > 4 * peaks[False, 4]
    assert peaks[True, 4] < peaks[False, 4]


def test_the_memory_counter_counts_what_is_known():
    with Allocations() as allocations:
        a = torch.zeros(1000, dtype=torch.float64)
        b = a + 1  # 16 kB
        del a
        c = b.view(10, 100)
        del b
        assert allocations.now == 8000
        c = c + c
    assert allocations.peak == 16_000
    assert allocations.now == c.numel() * 8


@pytest.mark.parametrize("adjoint", [True, False])
def test_mixed_precision_changes_neither_solution_nor_gradients(adjoint):
    evolution, field = lively(adjoint=adjoint).float(), field_of().float()
    exact, truth = evolution(field), gradients(evolution, field)
    with torch.autocast("cpu", torch.bfloat16):
        mixed, inside = evolution(field), gradients(evolution, field)
        given = evolution(field.bfloat16())
    assert mixed.dtype == given.dtype == torch.float32
    assert torch.equal(mixed, exact)
    assert all(torch.equal(inside[name], truth[name]) for name in truth)
    assert (given - exact).abs().max() > 0
    leaf = field.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        outside = evolution(leaf)
    evolution.zero_grad()
    weights = torch.linspace(-1, 1, field.numel(), dtype=field.dtype).view(field.shape)
    (outside * weights).sum().backward()  # where the trainer goes back, outside of autocast
    assert torch.equal(leaf.grad, truth["field"])


def test_an_adaptive_solver_that_fails_says_what_to_do():
    evolution = lively(method="dopri5")
    with torch.no_grad():
        broken = field_of()
        broken[0, 0, 0, 0, 0] = torch.nan
        with pytest.raises(FloatingPointError, match=r"solver dopri5 failed .*rk4.*larger rtol"):
            evolution(broken)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"method": "rk45"}, r"^method 'rk45' is not known; known: euler, .*adaptive_heun$"),
        ({"step_size": 0.0}, r"^step_size must lie in \(0, 1\], got 0.0$"),
        ({"step_size": 1.5}, r"^step_size must lie in \(0, 1\], got 1.5$"),
        ({"step_size": float("nan")}, r"^step_size must lie in \(0, 1\], got nan$"),
        ({"rtol": 0.0}, r"^rtol and atol must be above 0, got 0.0 and 0.0001$"),
        ({"atol": -1.0}, r"^rtol and atol must be above 0, got 0.001 and -1.0$"),
        ({"width": 0}, r"^f takes width >= 1 and layers >= 2, got 0 and 3$"),
        ({"layers": 1}, r"^f takes width >= 1 and layers >= 2, got 32 and 1$"),
    ],
)
def test_settings_out_of_range_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        MotionEvolution(**settings)


def test_f_holds_nothing_that_a_second_pass_would_move():
    """The adjoint calls f again, going back: statistics or dropout would differ there."""
    f = smooth_net(8, 4)
    assert [type(part).__name__ for part in f] == ["Conv2d", "SiLU"] * 3 + ["Conv2d"]
    assert not list(f.buffers())
    # 3 -> 32 -> 32 -> 2 channels, 3 x 3 pixels
    both = sum(p.numel() for p in Dynamics(32, 3, share=False).parameters())
    assert both == 2 * (9 * (3 * 32 + 32 * 32 + 32 * 2) + 32 + 32 + 2)


@pytest.mark.parametrize("method", ["dopri5", "bosh3", "dopri8"])
@pytest.mark.parametrize("tolerance", [1e-4, 1e-6])
def test_an_adaptive_end_is_as_exact_as_its_steps(method, tolerance):
    """An end read off torchdiffeq's interpolation misses by far more, and so do its gradients."""
    field = field_of()
    fine = lively(method="rk4", step_size=1 / 64, adjoint=False)
    adaptive = lively(method=method, rtol=tolerance, atol=tolerance)
    wanted, found = fine(field), adaptive(field)
    assert (found - wanted).abs().max() < 10 * tolerance
    theirs, ours = gradients(fine, field), gradients(adaptive, field)
    for name, gradient in ours.items():
        assert (gradient - theirs[name]).norm() < 10 * tolerance * theirs[name].norm(), name
