"""Fréchet distances in two processes with different numbers of clips, some of them without any."""

import pytest

from animators.metrics.frechet import FrechetDistance, VideoFrechetDistance
from tests.animators.metrics.test_frechet import Tiny, clips, filled


def in_process(rank):
    """One process has three clips, the other one; then all, and none."""
    results = []
    for share in ([list(clips())[:3], list(clips())[3:]], [list(clips()), []]):
        for kind in (FrechetDistance, VideoFrechetDistance):
            metric = filled(kind(Tiny()), share[rank])
            results.append((metric.compute().item(), tuple(metric.counts), metric.enough))
    return results


def test_unequal_counts(in_two_processes):
    alone = [filled(kind(Tiny()), clips()) for kind in (FrechetDistance, VideoFrechetDistance)]
    expected = [(metric.compute().item(), metric.counts, metric.enough) for metric in alone]
    assert [enough for _, _, enough in expected] == [True, False]
    for found, wanted in zip(in_two_processes["test_frechet_ddp"], expected * 2, strict=True):
        assert found[0] == pytest.approx(wanted[0], rel=1e-9)
        assert found[1:] == wanted[1:]
