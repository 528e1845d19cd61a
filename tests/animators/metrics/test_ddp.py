"""Two processes with different numbers of clips give what one gives with all of them."""

import pytest
import torch

from animators.metrics import Averaging, Protocol, ReconstructionSuite, build_lpips

SIZE = 64


def clips():
    generator = torch.Generator().manual_seed(0)
    for frames in (3, 6, 4, 5):
        yield torch.rand(1, frames, 3, SIZE, SIZE, generator=generator)


def score(videos, averaging, network):
    suite = ReconstructionSuite(Protocol(SIZE, averaging=averaging), lpips=network)
    for video in videos:
        suite.update_clip(video.roll(1, -1) * 0.9, video)
    return suite.summary()


def in_process(rank):
    """One process has three clips, the other one, and then none."""
    try:
        network = build_lpips()
    except FileNotFoundError:
        return None  # the test says so
    mine = [list(clips())[:3], list(clips())[3:]][rank]
    results = [score(mine, averaging, network) for averaging in Averaging]
    none = [list(clips()), []][rank]
    return [*results, score(none, Averaging.VIDEO, network)]


def test_unequal_counts(package_weights, in_two_processes):
    package_weights("alexnet_trunk")
    network = build_lpips()
    every = [*Averaging, Averaging.VIDEO]
    for averaging, found in zip(every, in_two_processes["test_ddp"], strict=True):
        assert found == pytest.approx(score(list(clips()), averaging, network), rel=1e-12)
