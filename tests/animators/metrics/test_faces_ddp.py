"""Metrics of faces in two processes with different numbers of clips, some of them without any."""

import os
import socket
from datetime import timedelta

import pytest
import torch.distributed as dist
import torch.multiprocessing as mp

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


def worker(rank, port, queue):
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=2, timeout=timedelta(seconds=60))
    try:
        # three clips and one; all and none
        results = [
            score([list(clips())[:3], list(clips())[3:]][rank]),
            score([list(clips()), []][rank]),
        ]
    finally:
        dist.destroy_process_group()
    queue.put(results)


def test_unequal_counts():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    queue = mp.get_context("spawn").SimpleQueue()
    processes = mp.start_processes(
        worker, args=(port, queue), nprocs=2, join=False, start_method="spawn"
    )
    while not processes.join():
        pass
    results = [queue.get(), queue.get()]
    assert results[0] == results[1]
    alone = score(clips())
    assert len(set(alone)) > 4  # no metric is constant here
    for found in results[0]:
        assert found == pytest.approx(alone, rel=1e-12)
