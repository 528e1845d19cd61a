"""Two processes with different numbers of clips give what one gives with all of them."""

import os
import socket
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

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


def worker(rank, port, queue):
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2, timeout=timedelta(seconds=60))
    try:
        # one process has three clips, the other one, and then none
        mine = [list(clips())[:3], list(clips())[3:]][rank]
        network = build_lpips()
        results = [score(mine, averaging, network) for averaging in Averaging]
        none = [list(clips()), []][rank]
        results.append(score(none, Averaging.VIDEO, network))
    finally:
        dist.destroy_process_group()
    queue.put(results)


def test_unequal_counts(package_weights):
    package_weights("alexnet_trunk")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = mp.get_context("spawn")
    queue = context.SimpleQueue()
    processes = mp.start_processes(
        worker, args=(port, queue), nprocs=2, join=False, start_method="spawn"
    )
    while not processes.join():
        pass
    results = [queue.get(), queue.get()]
    assert results[0] == results[1]
    network = build_lpips()
    for averaging, found in zip([*Averaging, Averaging.VIDEO], results[0], strict=True):
        assert found == pytest.approx(score(list(clips()), averaging, network), rel=1e-12)
