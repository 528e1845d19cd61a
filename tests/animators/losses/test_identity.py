"""The identity adversary: whose gradient goes where."""

import math

import pytest
import torch
import torch.nn.functional as F

from animators.animator import Step
from animators.losses.identity import IdentityAdversary


def adversary(**changes):
    torch.manual_seed(0)
    settings = {"weight": 10.0, "confusion": "negative", "identity": True}
    return IdentityAdversary(6, 3, **(settings | changes))


@pytest.fixture
def step():
    codes = {name: torch.randn(4, 6, requires_grad=True) for name in ("motion", "identity")}
    return Step({}, torch.zeros(4, 3, 8, 8), codes=codes)


BATCH = {"identity": torch.tensor([0, 1, 2, 1])}


def test_both_sides_see_the_cross_entropy_of_eq_10(step):
    player = adversary()
    logits = player.discriminator(step.codes["motion"])
    wanted = -logits.softmax(1)[torch.arange(4), BATCH["identity"]].log().mean()
    theirs, own = player.for_generator(step, BATCH), player.for_itself(step, BATCH)
    torch.testing.assert_close(theirs["domain"], wanted)
    torch.testing.assert_close(own["domain"], 10 * wanted)


def test_its_own_step_does_not_reach_the_codes(step):
    player = adversary()
    torch.stack(list(player.for_itself(step, BATCH).values())).sum().backward()
    assert all(code.grad is None for code in step.codes.values())
    assert all(p.grad is not None for p in player.parameters())


def test_the_generators_step_reaches_both_codes(step):
    player = adversary().requires_grad_(False)
    torch.stack(list(player.for_generator(step, BATCH).values())).sum().backward()
    assert all(code.grad.abs().sum() > 0 for code in step.codes.values())
    assert all(p.grad is None for p in player.parameters())


def test_uniform_confusion_is_least_where_every_identity_is_as_likely(step):
    player = adversary(confusion="uniform")
    found = player.for_generator(step, BATCH)["domain"]
    logits = player.discriminator(step.codes["motion"])
    uniform = torch.full((4, 3), 1 / 3)
    torch.testing.assert_close(found, F.cross_entropy(logits, uniform))
    with torch.no_grad():
        for p in player.discriminator[-1].parameters():
            p.zero_()
    assert player.for_generator(step, BATCH)["domain"].item() == pytest.approx(math.log(3))
    assert found > math.log(3)


def test_a_code_does_not_hide_by_shrinking_around_a_constant(step):
    player = adversary()
    small = Step({}, step.prediction, codes=step.codes | {"motion": 3 + step.codes["motion"] / 20})
    wanted = player.for_generator(step, BATCH)["domain"]
    torch.testing.assert_close(
        player.for_generator(small, BATCH)["domain"], wanted, rtol=0.02, atol=0
    )


def test_a_batch_of_one_is_refused(step):
    codes = {name: code[:1] for name, code in step.codes.items()}
    with pytest.raises(ValueError, match="at least 2 pairs a device"):
        adversary().for_generator(step._replace(codes=codes), {"identity": BATCH["identity"][:1]})


def test_without_the_classifier_there_is_one_loss_each(step):
    player = adversary(identity=False)
    assert player.for_generator(step, BATCH).keys() == {"domain"}
    assert player.for_itself(step, BATCH).keys() == {"domain"}


@pytest.mark.parametrize(
    ("changes", "said"), [({"weight": 0.0}, "above 0"), ({"confusion": "none"}, "uniform")]
)
def test_what_cannot_be_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        adversary(**changes)
