"""Linear probes: against scipy and numpy, on codes whose answer is known, and no leak."""

import numpy as np
import pytest
import scipy.optimize
import torch

from benchmarks.studies.probing import (
    PENALTIES,
    Frames,
    accuracy,
    classify,
    classify_left_out,
    constant_guess,
    deal,
    leave_out,
    logistic,
    mask,
    r_squared,
    regress,
    ridge,
    scaled,
    surely,
)

PERSONS = [i % 6 for i in range(24)]
"""Six persons with four recordings each."""
RECORDINGS = torch.arange(24).repeat_interleave(10)
LABELS = torch.tensor(PERSONS)[RECORDINGS]
EVERYONE = torch.ones(240, dtype=torch.bool)


def frames(seed=0):
    return mask(RECORDINGS, deal(PERSONS, seed), EVERYONE)


@pytest.mark.parametrize("seed", range(5))
def test_sides_share_no_recording_and_everybody_is_on_both(seed):
    sides = deal(PERSONS, seed)
    assert sum(map(len, sides)) == 24
    assert len(frozenset.union(*sides)) == 24
    for side, count in zip(sides, (1, 1, 2), strict=True):
        assert sorted(PERSONS[i] for i in side) == sorted(list(range(6)) * count)
    masks = frames(seed)
    assert torch.equal(masks.fit.int() + masks.choose.int() + masks.test.int(), EVERYONE.int())
    for one, other in ((masks.fit, masks.test), (masks.choose, masks.test)):
        assert not set(RECORDINGS[one].tolist()) & set(RECORDINGS[other].tolist())


def test_seeds_deal_differently_and_the_same_seed_equally():
    dealt = [deal(PERSONS, seed) for seed in range(5)]
    assert len({sides.test for sides in dealt}) > 1
    assert dealt == [deal(PERSONS, seed) for seed in range(5)]


def test_persons_with_few_recordings():
    sides = deal([0, 0, 1, 1, 1], 0)
    assert [sum(i < 2 for i in side) for side in sides] == [1, 0, 1]
    assert [sum(i >= 2 for i in side) for side in sides] == [1, 1, 1]
    with pytest.raises(ValueError, match="nobody has three recordings"):
        deal([0, 0, 1, 1], 0)
    with pytest.raises(ValueError, match="person 1 has one recording"):
        deal([0, 0, 0, 1], 0)


def test_everybody_is_left_out_once_with_all_recordings():
    folds = leave_out(PERSONS, 0)
    assert [{PERSONS[i] for i in fold.test} for fold in folds] == [{k} for k in range(6)]
    for fold in folds:
        fit, choose, test = ({PERSONS[i] for i in side} for side in fold)
        assert (len(fit), len(choose), len(test)) == (4, 1, 1)
        assert len(fit | choose | test) == 6
        assert sum(map(len, fold)) == 24
    assert folds != leave_out(PERSONS, 1)
    with pytest.raises(ValueError, match="wants three persons"):
        leave_out([0, 0, 1, 1], 0)


def test_a_code_that_holds_identity_is_read_without_error():
    code = torch.nn.functional.one_hot(LABELS).float() @ torch.randn(6, 20)
    assert [classify(code, LABELS, frames(seed)) for seed in range(3)] == [1, 1, 1]


def test_noise_is_read_at_chance():
    code = torch.randn(240, 20)
    found = [classify(code, LABELS, frames(seed)) for seed in range(5)]
    assert np.mean(found) == pytest.approx(1 / 6, abs=0.08)


def test_a_code_of_the_recording_alone_says_nothing_about_others_of_the_person():
    """Were frames dealt instead of recordings, all of them would be recognised."""
    code = torch.randn(24, 60)[RECORDINGS] + 0.01 * torch.randn(240, 60)
    found = [classify(code, LABELS, frames(seed)) for seed in range(5)]
    assert np.mean(found) < 0.35
    mixed = torch.arange(240) % 3
    leaking = Frames(*(mixed == k for k in range(3)))
    assert classify(code, LABELS, leaking) == 1


def test_a_collapsed_code_is_read_as_a_constant():
    """What float32 leaves of equal numbers is not scaled up to an answer."""
    code = 0.7 + 1e-8 * torch.randn(6, 20, dtype=torch.float64)[LABELS]
    assert scaled(code, EVERYONE).shape == (240, 0)
    assert classify(code, LABELS, frames()) == pytest.approx(1 / 6)
    assert regress(code, torch.randn(240, 2), frames()) < 0.05


def test_a_linear_map_is_read_off_whole_and_noise_not_at_all():
    code = torch.randn(240, 8)
    wanted = code @ torch.randn(8, 4) + 3
    assert regress(code, wanted, frames()) == pytest.approx(1, abs=1e-3)
    assert regress(torch.randn(240, 8), wanted, frames()) < 0.1


def test_logistic_regression_is_what_scipy_finds():
    x, labels = torch.randn(60, 5, dtype=torch.float64), torch.arange(60) % 3

    def loss(flat):
        scores = x.numpy() @ flat[:15].reshape(5, 3) + flat[15:]
        chosen = scores[np.arange(60), labels.numpy()]
        cross = np.log(np.exp(scores).sum(axis=1)) - chosen
        return cross.mean() + 0.05 * (flat[:15] ** 2).sum()

    best = scipy.optimize.minimize(loss, np.zeros(18), method="BFGS", options={"gtol": 1e-8})
    weight, bias = logistic(x, labels, 3, 0.1)
    np.testing.assert_allclose(weight.numpy(), best.x[:15].reshape(5, 3), atol=1e-5)
    # scores may all be raised together
    np.testing.assert_allclose(bias - bias.mean(), best.x[15:] - best.x[15:].mean(), atol=1e-5)


def test_ridge_regression_is_least_squares_of_the_longer_system():
    rng = np.random.default_rng(0)
    x, y, penalty = rng.normal(size=(50, 6)), rng.normal(size=(50, 3)), 0.3
    root = np.sqrt(50 * penalty)
    above = np.hstack([x, np.ones((50, 1))])
    below = np.hstack([root * np.eye(6), np.zeros((6, 1))])
    wanted = np.linalg.lstsq(np.vstack([above, below]), np.vstack([y, np.zeros((6, 3))]))[0]
    weight, bias = ridge(torch.from_numpy(x), torch.from_numpy(y), penalty)
    np.testing.assert_allclose(weight, wanted[:6], atol=1e-10)
    np.testing.assert_allclose(bias, wanted[6], atol=1e-10)


def test_the_span_of_the_features_gives_the_predictions_of_all_of_them():
    """More numbers than frames: ridge on all, standardised, against ridge in the span."""
    code, wanted = torch.randn(240, 300), torch.randn(240, 2, dtype=torch.float64)
    fit = frames().fit
    own = code.double()
    plain = (own - own[fit].mean(0)) / own[fit].std(0, correction=0)
    short = scaled(code, fit)
    assert short.shape[1] < int(fit.sum()) < 300
    found = []
    for x in (plain, short):
        weight, bias = ridge(x[fit], wanted[fit], 0.1)
        found.append(x @ weight + bias)
    torch.testing.assert_close(*found, rtol=1e-8, atol=1e-8)


def test_the_penalty_is_chosen_without_the_test_side():
    """Targets of the test side are exchanged: the answer to the other ones stays what it was."""
    code, truth = torch.randn(240, 12), torch.randn(240, 2)
    masks = frames()
    wrong = truth.clone()
    wrong[masks.test] = -truth[masks.test]
    one, other = regress(code, truth, masks), regress(code, wrong, masks)
    # |f - y|^2 + |f + y|^2 = 2 |f|^2 + 2 |y|^2 with one f for both, the strongest penalty's
    x, fitted = scaled(code, masks.fit | masks.choose), masks.fit | masks.choose
    weight, bias = ridge(x[fitted], truth[fitted].double(), PENALTIES[0])
    f, y = (x @ weight + bias)[masks.test], truth[masks.test].double()
    assert one == pytest.approx(r_squared(f, y))
    assert other == pytest.approx(r_squared(f, -y))


def test_scores_by_hand():
    found = torch.tensor([[0.1, 2.0], [3.0, 0.0]]).log()
    assert accuracy(found, torch.tensor([1, 1])) == 0.5
    found = torch.tensor([[0.25, 0.75], [0.5, 0.5]]).log()
    assert surely(found, torch.tensor([1, 0])) == (1, pytest.approx(np.log(0.75 * 0.5) / 2))
    y = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    assert r_squared(y, y) == 1
    assert r_squared(y.mean(0).expand(2, 2), y) == 0
    assert r_squared(torch.tensor([[1.0, 1.0], [3.0, 1.0]]), y) == 0  # 2 wrong of 2
    assert constant_guess(torch.tensor([3, 3, 0, 1])) == 0.5


def test_labels_on_persons_left_out_count_by_frames():
    labels = torch.tensor([i % 3 for i in range(24)])[RECORDINGS]
    persons = [i // 4 for i in range(24)]
    code = torch.nn.functional.one_hot(labels).float()
    folds = [mask(RECORDINGS, sides, EVERYONE) for sides in leave_out(persons, 0)]
    assert classify_left_out(code, labels, folds) == 1
    # one frame of the first person, whose code is another label's; all frames of the second
    tested = [torch.arange(240) == 0, (RECORDINGS >= 4) & (RECORDINGS < 8)]
    folds = [Frames(RECORDINGS >= 12, (RECORDINGS >= 8) & (RECORDINGS < 12), t) for t in tested]
    code[0] = torch.tensor([0.0, 1.0, 0.0])
    assert classify_left_out(code, labels, folds) == pytest.approx(40 / 41)
