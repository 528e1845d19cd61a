import pytest
import torch

from animators.losses.sparsity import magnitude_sparsity
from animators.metrics.sparsity import active, sparsity

CLIP = torch.tensor([[1.0, -0.2, 0.05, 0.0], [0.0, 0.0, -4.0, 0.41], [0.0, 0.0, 0.0, 0.0]])


def test_active_is_above_a_share_of_the_frames_own_largest_magnitude():
    """By hand: frame 0 has two above 0.1, frame 1 two above 0.4, a frame of zeros none."""
    wanted = [[True, True, False, False], [False, False, True, True], [False] * 4]
    assert active(CLIP, 0.1).tolist() == wanted
    assert active(CLIP, 0.2).tolist()[0] == [True, False, False, False]  # above, not at
    found = sparsity(CLIP, 0.1)
    assert found.active == pytest.approx(4 / 12)
    assert found.used == 1.0
    assert found.l1 == pytest.approx((1.25 + 4.41) / 3)


def test_shares_do_not_change_with_the_scale_of_the_magnitudes():
    magnitudes = torch.randn(50, 20)
    one, other = sparsity(magnitudes), sparsity(-7 * magnitudes)
    assert (one.active, one.used) == (other.active, other.used)
    assert other.l1 == pytest.approx(7 * one.l1, rel=1e-5)
    assert one.l1 == pytest.approx(magnitude_sparsity(magnitudes).item(), rel=1e-5)


def test_the_share_lies_between_one_direction_and_all():
    assert sparsity(torch.eye(10), 0.5).active == pytest.approx(0.1)
    assert sparsity(torch.ones(3, 8), 0.99).active == 1.0
    assert sparsity(torch.randn(9, 8).abs() + 0.1, 0.0).active == 1.0


@pytest.mark.parametrize(
    ("magnitudes", "threshold", "said"),
    [
        (CLIP, 1.0, "threshold"),
        (CLIP, -0.1, "threshold"),
        (CLIP, float("nan"), "threshold"),
        (CLIP * float("nan"), 0.1, "NaN"),
        (CLIP[:0], 0.1, "at least one"),
        (CLIP[0], 0.1, r"\(T, D\)"),
    ],
)
def test_what_cannot_be_measured_is_refused(magnitudes, threshold, said):
    with pytest.raises(ValueError, match=said):
        active(magnitudes, threshold)
