from types import SimpleNamespace

import pytest
import torch
from torch import nn

from animators.losses.adversarial import (
    ImageAdversary,
    LeastSquaresAdversary,
    feature_matching_loss,
    least_squares_discriminator_losses,
    least_squares_generator_loss,
    logistic_discriminator_losses,
    non_saturating_generator_loss,
    r1_penalty,
)
from animators.nn.discriminators import PatchDiscriminator, StyleGan2Discriminator


class Linear(nn.Module):
    """A discriminator whose gradient at any picture is its weight."""

    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, size, size))

    def forward(self, images):
        return (images * self.weight).sum(dim=(1, 2, 3))[:, None]


def pictures(count=4, size=8):
    prediction = torch.rand(count, 3, size, size, requires_grad=True)
    return SimpleNamespace(prediction=prediction), {"driving": torch.rand(count, 3, size, size)}


def test_losses_against_their_logarithms():
    real, fake = torch.randn(5, 1).double(), torch.randn(5, 1).double()
    probability = fake.sigmoid()
    torch.testing.assert_close(non_saturating_generator_loss(fake), -probability.log().mean())
    first, second = logistic_discriminator_losses(real, fake)
    torch.testing.assert_close(first, -real.sigmoid().log().mean())
    torch.testing.assert_close(second, -(1 - probability).log().mean())


def test_large_logits_stay_finite():
    assert non_saturating_generator_loss(torch.tensor([-3e4], dtype=torch.float16)) == 3e4


def test_r1_of_a_linear_discriminator():
    discriminator = Linear(8)
    penalty = r1_penalty(discriminator, torch.rand(4, 3, 8, 8))
    torch.testing.assert_close(penalty, discriminator.weight.square().sum())
    penalty.backward()
    torch.testing.assert_close(discriminator.weight.grad, 2 * discriminator.weight.detach())


def test_r1_against_finite_differences():
    discriminator = StyleGan2Discriminator(64, 1 / 128).double()
    image = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    direction = torch.randn_like(image)
    step = 1e-6
    with torch.no_grad():
        up, down = (discriminator(image + sign * step * direction) for sign in (1, -1))
    slope = ((up - down) / (2 * step)).item()
    leaf = image.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(leaf).sum(), leaf)
    assert slope == pytest.approx((gradient * direction).sum().item(), rel=1e-5)
    penalty = r1_penalty(discriminator, image)
    torch.testing.assert_close(penalty, gradient.square().sum())


def test_r1_is_in_full_precision_under_autocast():
    discriminator, real = StyleGan2Discriminator(64, 1 / 64), torch.rand(2, 3, 64, 64)
    exact = r1_penalty(discriminator, real)
    with torch.autocast("cpu", torch.bfloat16):
        half = r1_penalty(discriminator, real)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact)


def test_the_generator_is_told_to_raise_the_logits():
    step, batch = pictures()
    adversary = ImageAdversary(Linear(8))
    (loss,) = adversary.for_generator(step, batch).values()
    loss.backward()
    uphill = (step.prediction.grad * adversary.discriminator.weight).sum(dim=(1, 2, 3))
    assert (uphill < 0).all()


def test_its_own_losses_leave_the_generator_alone():
    step, batch = pictures()
    adversary = ImageAdversary(Linear(8))
    losses = adversary.for_itself(step, batch)
    assert set(losses) == {"real", "fake"}
    sum(losses.values()).backward()
    assert step.prediction.grad is None
    assert adversary.discriminator.weight.grad.abs().sum() > 0


def test_lazy_r1_counts_its_interval_and_survives_a_restart():
    step, batch = pictures()
    adversary = ImageAdversary(Linear(8), r1_weight=3.0, r1_every=4)
    due = ["r1" in adversary.for_itself(step, batch) for _ in range(6)]
    assert due == [True, False, False, False, True, False]
    other = ImageAdversary(Linear(8), r1_weight=3.0, r1_every=4)
    other.load_state_dict(adversary.state_dict())
    losses = [other.for_itself(step, batch) for _ in range(3)]
    assert ["r1" in loss for loss in losses] == [False, False, True]
    expected = 3.0 / 2 * 4 * other.discriminator.weight.square().sum()
    torch.testing.assert_close(losses[2]["r1"], expected)


@pytest.mark.parametrize("arguments", [{"r1_weight": -1.0}, {"r1_every": 0}])
def test_senseless_settings_are_refused(arguments):
    with pytest.raises(ValueError, match="r1_"):
        ImageAdversary(Linear(8), **arguments)


def test_least_squares_by_hand():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0])
    assert least_squares_generator_loss(fake) == (1 + 1) / 2
    assert least_squares_discriminator_losses(real, fake) == ((0 + 4) / 2, (0 + 4) / 2)


def test_feature_matching_is_a_sum_of_means():
    real = [torch.zeros(2, 4, 3, 3), torch.ones(2, 8, 2, 2)]
    fake = [torch.full((2, 4, 3, 3), -0.5), torch.full((2, 8, 2, 2), 3.0)]
    assert feature_matching_loss(real, fake) == 0.5 + 2.0
    with pytest.raises(ValueError, match="shorter"):
        feature_matching_loss(real, fake[:1])


@pytest.fixture
def patches():
    """An adversary of patches with one map of condition; a step; a batch."""
    adversary = LeastSquaresAdversary(PatchDiscriminator(64, condition_channels=1, width=4))
    step, batch = pictures(2, 64)
    step.condition = torch.rand(2, 1, 64, 64)
    return adversary, step, batch


def test_a_perfect_prediction_matches_every_feature(patches):
    adversary, step, batch = patches
    losses = adversary.for_generator(step, batch)
    assert set(losses) == {"adversarial", "feature_matching"}
    assert losses["feature_matching"] > 0.01
    same = SimpleNamespace(prediction=batch["driving"], condition=step.condition)
    assert adversary.for_generator(same, batch)["feature_matching"] == 0


def test_features_are_matched_by_moving_the_prediction_only(patches):
    adversary, step, batch = patches
    batch["driving"].requires_grad_()
    sum(adversary.for_generator(step, batch).values()).backward()
    assert step.prediction.grad.abs().sum() > 0
    assert batch["driving"].grad is None


def test_patches_judge_with_the_condition(patches):
    adversary, step, batch = patches
    other = SimpleNamespace(prediction=step.prediction, condition=1 - step.condition)
    for judge in (adversary.for_generator, adversary.for_itself):
        first, second = judge(step, batch), judge(other, batch)
        assert all(first[name] != second[name] for name in first)


def test_the_patches_own_losses_leave_the_generator_alone(patches):
    adversary, step, batch = patches
    losses = adversary.for_itself(step, batch)
    assert set(losses) == {"real", "fake"}
    sum(losses.values()).backward()
    assert step.prediction.grad is None
    assert all(p.grad is not None for p in adversary.parameters())


def test_patches_learn_to_tell_two_kinds_of_picture(patches):
    adversary, step, batch = patches
    torch.manual_seed(0)
    step.prediction = torch.rand(2, 3, 64, 64).round()
    adam = torch.optim.Adam(adversary.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        total = sum(adversary.for_itself(step, batch).values())
        adam.zero_grad()
        total.backward()
        adam.step()
        losses.append(total.item())
    assert losses[-1] < losses[0] / 4
