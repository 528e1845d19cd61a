"""Motion attention against eq. 12 written out."""

import torch

from animators.nn.motion_dictionary import orthonormal
from animators.swin_tps.attention import MotionAttention


def attention(pool_above=64, pooled=32):
    torch.manual_seed(0)
    made = MotionAttention(6, 10, pool_above=pool_above, pooled=pooled).double().eval()
    with torch.no_grad():
        made.gamma.fill_(0.7)
    return made


def inputs(side=8):
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(2, 10, generator=generator, dtype=torch.float64),
        torch.randn(2, 6, side, side, generator=generator, dtype=torch.float64),
    )


def by_hand(made, motion, warped, answers):
    """Loop over samples and positions."""
    out = torch.zeros_like(warped)
    for b in range(len(warped)):
        asked = made.query(warped[b : b + 1])[0] * made.motion(10**0.5 * motion[b])[:, None, None]
        key = made.key(answers[b : b + 1])[0].flatten(1)
        value = made.value(answers[b : b + 1])[0].flatten(1)
        for i in range(warped.shape[2]):
            for j in range(warped.shape[3]):
                scores = asked[:, i, j] @ key / 6**0.5
                out[b, :, i, j] = value @ scores.softmax(dim=0)
    return warped + made.gamma * out


@torch.no_grad()
def test_it_is_eq_12_with_our_query_and_residual():
    made, (motion, warped) = attention(), inputs()
    torch.testing.assert_close(made(motion, warped), by_hand(made, motion, warped, warped))


@torch.no_grad()
def test_keys_of_large_maps_are_means_of_squares():
    made, (motion, warped) = attention(pool_above=4, pooled=4), inputs()
    means = warped.unflatten(3, (4, 2)).unflatten(2, (4, 2)).mean(dim=(3, 5))
    torch.testing.assert_close(made(motion, warped), by_hand(made, motion, warped, means))


@torch.no_grad()
def test_the_answer_differs_between_positions_and_with_the_motion():
    made, (motion, warped) = attention(), inputs()
    answer = made.attend(motion, warped)
    assert answer.flatten(2).std(dim=2).min() > 1e-3
    assert (made.attend(-motion, warped) - answer).abs().mean() > 1e-3


@torch.no_grad()
def test_scores_differ_from_the_start_with_features_of_a_basis_of_the_papers_size():
    """F_m = y B has entries of some 0.2 there, of which plain products make equal scores."""
    torch.manual_seed(0)
    made = MotionAttention(64, 512, pool_above=64, pooled=32).eval()
    motion = torch.randn(2, 20) @ orthonormal(torch.randn(512, 20)).T
    warped = torch.randn(2, 64, 16, 16)
    answer = made.attend(motion, warped)
    assert answer.flatten(2).std(dim=2).mean() > 0.2 * answer.abs().mean()


@torch.no_grad()
def test_it_begins_as_the_identity():
    made, (motion, warped) = attention(), inputs()
    made.gamma.zero_()
    assert torch.equal(made(motion, warped), warped)
