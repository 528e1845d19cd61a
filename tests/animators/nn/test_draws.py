import pytest
import torch

from animators.nn import draws

KEYS = torch.tensor([[0, 3, index] for index in range(8)])


def test_a_batch_of_eight_is_two_of_four():
    for draw in (
        lambda k: draws.uniform(k, "shift", (2, 3), -1, 1),
        lambda k: draws.normal(k, "noise", (5,)),
        lambda k: draws.integers(k, "crop", (2,), 0, 100),
        lambda k: draws.permutations(k, "order", 6),
    ):
        whole = draw(KEYS)
        assert torch.equal(whole, torch.cat([draw(KEYS[:4]), draw(KEYS[4:])]))
        assert torch.equal(whole.flip(0), draw(KEYS.flip(0)))
        assert len(torch.unique(whole, dim=0)) > 6


def test_every_part_of_the_key_matters():
    key = torch.tensor([[1, 2, 3]])
    first = draws.uniform(key, "a", (4,))
    assert not torch.equal(first, draws.uniform(key, "b", (4,)))
    for column in range(3):
        other = key.clone()
        other[0, column] += 1
        assert not torch.equal(first, draws.uniform(other, "a", (4,)))
    # (1, 2, 31) and (1, 23, 1) must not run together
    a, b = draws.generator(1, 2, 31), draws.generator(1, 23, 1)
    assert a.initial_seed() != b.initial_seed()


def test_draws_leave_the_global_stream_alone_and_ignore_it():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = draws.normal(KEYS, "x", (3,))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(first, draws.normal(KEYS, "x", (3,)))


def test_values_stay_the_same_over_releases():
    # a resumed run must go on with the draws it began with
    assert draws.generator(0, 1, "x").initial_seed() == 3045193078471163020
    expected = torch.tensor([0.5914])
    torch.testing.assert_close(draws.uniform(KEYS[:1], "x"), expected, atol=1e-4, rtol=0)


def test_ranges():
    keys = torch.tensor([[0, 0, index] for index in range(200)])
    u = draws.uniform(keys, "x", (10,), -2, 3)
    assert u.min() >= -2
    assert u.max() < 3
    assert abs(u.mean() - 0.5) < 0.15
    n = draws.normal(keys, "x", (10,), mean=1, std=2)
    assert abs(n.mean() - 1) < 0.2
    assert abs(n.std() - 2) < 0.2
    assert set(draws.integers(keys, "x", (), 3, 6).tolist()) == {3, 4, 5}
    assert torch.equal(draws.permutations(keys, "x", 4).sort(dim=1).values[7], torch.arange(4))


def test_keys_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(B, 3\)"):
        draws.uniform(torch.zeros(4, 2, dtype=torch.long), "x")
