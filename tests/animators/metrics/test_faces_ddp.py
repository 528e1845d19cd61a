"""Metrics of faces in two processes with different numbers of clips, some of them without any."""

import pytest

from animators.metrics import (
    AverageEuclideanDistance,
    AverageKeypointDistance,
    Averaging,
    IdentityMissing,
    MissingKeypointRate,
    RememberedEmbedder,
    RememberedLandmarks,
)
from tests.animators.metrics.faces import SHOWN, Dots, Ground, clip

VECTORS = {person: [person, person**2] for person in range(1, 9)}
NOTHING = SHOWN * float("nan")


def clips():
    """Prediction and target of four clips of different lengths; the second shows nobody."""
    lengths = ((1, 2, 3), (0, 0), (4,), (5, 6, 0, 2))
    for number, persons in enumerate(lengths, 1):
        target = clip(*([SHOWN + person if person else NOTHING, person] for person in persons))
        made = ([SHOWN + person + number, max(0, person - 1)] for person in persons)
        yield clip(*made), target


def score(pairs):
    points, people = RememberedLandmarks(Dots()), RememberedEmbedder(Ground(VECTORS))
    metrics = [
        kind(averaging, network)
        for averaging in Averaging
        for kind, network in (
            (AverageKeypointDistance, points),
            (MissingKeypointRate, points),
            (AverageEuclideanDistance, people),
            (IdentityMissing, people),
        )
    ]
    for made, target in pairs:
        for metric in metrics:
            metric.update(made, target, target[0])
    return [float(metric.compute()) for metric in metrics]


def in_process(rank):
    """Three clips and one; all and none."""
    return [
        score([list(clips())[:3], list(clips())[3:]][rank]),
        score([list(clips()), []][rank]),
    ]


def test_unequal_counts(in_two_processes):
    alone = score(clips())
    assert len(set(alone)) > 4  # no metric is constant here
    for found in in_two_processes["test_faces_ddp"]:
        assert found == pytest.approx(alone, rel=1e-12)
