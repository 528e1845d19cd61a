"""Linear probes of features: recordings dealt to both sides, logistic and ridge regression.

A side is made of whole recordings, never of frames (for labels of the motion: of persons). The
penalty is the one that does best on
recordings held back from the training side, which is then fitted again as a whole.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from animators.nn.draws import generator

PENALTIES = (10.0, 1.0, 1e-1, 1e-2, 1e-3)
"""Weights of the squared norm beside a mean over samples."""
Score = TypeVar("Score", float, tuple[float, float])
FLAT = 1e-5
"""Spread below this share of the largest value is rounding, which scaling must not blow up."""


class Sides(NamedTuple):
    """Numbers of recordings: to fit on, to choose the penalty on, to test on."""

    fit: frozenset[int]
    choose: frozenset[int]
    test: frozenset[int]


class Frames(NamedTuple):
    """Which frames lie on which side: boolean masks (n,)."""

    fit: Tensor
    choose: Tensor
    test: Tensor


def deal(persons: Sequence[int], seed: int) -> Sides:
    """Deal every person's recordings: half of them, rounded down, to test on.

    Of the others one is held back to choose the penalty on, from persons who have two.

    Args:
        persons: who is shown in each recording; everyone has at least two.
        seed: of the draw.

    Raises:
        ValueError: a person with one recording, or nobody with three, so that none is held back.
    """
    sides: tuple[set[int], set[int], set[int]] = (set(), set(), set())
    for person in sorted(set(persons)):
        own = [i for i, shown in enumerate(persons) if shown == person]
        if len(own) < 2:
            raise ValueError(f"person {person} has one recording, a split wants two")
        order = torch.randperm(len(own), generator=generator(seed, person, "probe")).tolist()
        shuffled = [own[k] for k in order]
        tested = len(own) // 2
        held = int(len(own) - tested > 1)
        sides[2].update(shuffled[:tested])
        sides[1].update(shuffled[tested : tested + held])
        sides[0].update(shuffled[tested + held :])
    if not sides[1]:
        raise ValueError(
            "nobody has three recordings: one to fit on, one to choose the penalty on, one to "
            "test on; take a set with more clips of each person, or --clips all"
        )
    return Sides(*(frozenset(side) for side in sides))


def leave_out(persons: Sequence[int], seed: int) -> list[Sides]:
    """Leave out each person once, all recordings; another one, drawn, chooses the penalty.

    For labels of a recording's motion: where nobody moves in one way twice, sides that share
    persons would teach a probe that whoever it knows moves in another way.

    Args:
        persons: who is shown in each recording.
        seed: of the draw.

    Raises:
        ValueError: fewer than three persons.
    """
    known = sorted(set(persons))
    if len(known) < 3:
        raise ValueError(
            f"a probe of labels of the motion wants three persons, here are {len(known)}: give "
            "--motion none"
        )
    folds = []
    for tested in known:
        others = [person for person in known if person != tested]
        draw = generator(seed, tested, "probe, persons")
        chooses = others[int(torch.randint(len(others), (), generator=draw))]
        own = {who: {i for i, shown in enumerate(persons) if shown == who} for who in known}
        fit = set(range(len(persons))) - own[tested] - own[chooses]
        folds.append(Sides(frozenset(fit), frozenset(own[chooses]), frozenset(own[tested])))
    return folds


def mask(recordings: Tensor, sides: Sides, among: Tensor) -> Frames:
    """Find the frames of every side.

    Args:
        recordings: of each frame, (n,).
        sides: from `deal`.
        among: frames that take part, (n,) bool.
    """
    masks = (torch.isin(recordings, torch.tensor(sorted(side))) & among for side in sides)
    return Frames(*masks)


def scaled(features: Tensor, fitted: Tensor) -> Tensor:
    """Standardise features by the frames that are fitted on, in coordinates of their span.

    A penalised linear model is the same in any rotated coordinates, and has no weight outside the
    span of what it was fitted on.

    Args:
        features: (n, D).
        fitted: (n,) bool.

    Returns:
        (n, R), R at most D, in double precision.
    """
    x = features.double()
    own = x[fitted]
    spread, largest = own.std(dim=0, correction=0), own.abs().max()
    alive = spread > FLAT * largest
    x = (x[:, alive] - own[:, alive].mean(dim=0)) / spread[alive]
    _, values, axes = torch.linalg.svd(x[fitted], full_matrices=False)
    kept = values > 1e-9 * math.sqrt(len(own))  # standardised: a column's norm is that root
    return x @ axes[kept].T


def logistic(x: Tensor, labels: Tensor, classes: int, penalty: float) -> tuple[Tensor, Tensor]:
    """Fit multinomial logistic regression: mean cross entropy + penalty / 2 |W|^2.

    Args:
        x: (n, D), double.
        labels: (n,), 0 to classes - 1.
        classes: how many.
        penalty: above 0.

    Returns:
        W (D, classes) and b (classes,).
    """
    weight = torch.zeros(x.shape[1], classes, dtype=x.dtype, requires_grad=True)
    bias = torch.zeros(classes, dtype=x.dtype, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weight, bias], max_iter=1000, history_size=20, tolerance_grad=1e-7,
        tolerance_change=1e-12, line_search_fn="strong_wolfe",
    )  # fmt: skip

    def loss() -> float:
        optimiser.zero_grad()
        value = F.cross_entropy(x @ weight + bias, labels) + penalty / 2 * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value.item()

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()


def ridge(x: Tensor, wanted: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Fit ridge regression: mean |x W + b - y|^2 + penalty |W|^2.

    Args:
        x: (n, D), double.
        wanted: y, (n, E), double.
        penalty: above 0.

    Returns:
        W (D, E) and b (E,).
    """
    middle, target = x.mean(dim=0), wanted.mean(dim=0)
    centred = x - middle
    square = centred.T @ centred / len(x) + penalty * torch.eye(x.shape[1], dtype=x.dtype)
    weight = torch.linalg.solve(square, centred.T @ (wanted - target) / len(x))
    return weight, target - middle @ weight


def accuracy(found: Tensor, labels: Tensor) -> float:
    """Share of samples whose largest score (n, classes) is that of the label."""
    return float((found.argmax(dim=1) == labels).double().mean())


def r_squared(found: Tensor, wanted: Tensor) -> float:
    """1 - squared error over squared distance from the mean, all coordinates together."""
    return float(1 - (found - wanted).square().sum() / (wanted - wanted.mean(0)).square().sum())


def surely(found: Tensor, labels: Tensor) -> tuple[float, float]:
    """Accuracy, and to tell apart what is equally right, minus the cross entropy.

    Few recordings are held back, so that accuracies are often equal.
    """
    return accuracy(found, labels), -float(F.cross_entropy(found, labels))


def constant_guess(labels: Tensor) -> float:
    """Accuracy of the best constant answer: the share of the most frequent label."""
    return float(labels.bincount().max() / len(labels))


def classify(features: Tensor, labels: Tensor, frames: Frames) -> float:
    """Accuracy of a logistic probe on the frames to test on; labels (n,) from 0 on."""
    classes = int(labels.max()) + 1

    def fit(x: Tensor, y: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
        return logistic(x, y, classes, penalty)

    return _probe(features, labels, frames, fit, surely)[0]


def classify_left_out(features: Tensor, labels: Tensor, folds: Sequence[Frames]) -> float:
    """Accuracy of logistic probes over the tested frames of all folds together."""
    counts = [int(fold.test.sum()) for fold in folds]
    right = [
        classify(features, labels, fold) * count
        for fold, count in zip(folds, counts, strict=True)
    ]  # fmt: skip
    return sum(right) / sum(counts)


def regress(features: Tensor, wanted: Tensor, frames: Frames) -> float:
    """R^2 of a ridge probe on the frames to test on; targets (n, E)."""
    return _probe(features, wanted.double(), frames, ridge, r_squared)


def _probe(
    features: Tensor,
    targets: Tensor,
    frames: Frames,
    fit: Callable[[Tensor, Tensor, float], tuple[Tensor, Tensor]],
    score: Callable[[Tensor, Tensor], Score],
) -> Score:
    def tried(fitted: Tensor, scored: Tensor, penalties: Sequence[float]) -> list[Score]:
        x = scaled(features, fitted)
        found = (fit(x[fitted], targets[fitted], penalty) for penalty in penalties)
        return [score(x[scored] @ weight + bias, targets[scored]) for weight, bias in found]

    chosen = tried(frames.fit, frames.choose, PENALTIES)
    best = PENALTIES[chosen.index(max(chosen))]
    return tried(frames.fit | frames.choose, frames.test, [best])[0]
