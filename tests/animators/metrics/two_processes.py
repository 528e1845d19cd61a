"""One pair of gloo processes for all metrics: each module's `in_process` is called in both."""

import os
import socket
from datetime import timedelta
from importlib import import_module

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

MODULES = ("test_ddp", "test_faces_ddp", "test_frechet_ddp")


def worker(rank, port, queue):
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2, timeout=timedelta(seconds=300))
    results = {}
    try:
        for name in MODULES:
            results[name] = import_module(f"tests.animators.metrics.{name}").in_process(rank)
    finally:
        dist.destroy_process_group()
    queue.put(results)


def results():
    """Give for each module what both processes found; they must agree."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    queue = mp.get_context("spawn").SimpleQueue()
    processes = mp.start_processes(
        worker, args=(port, queue), nprocs=2, join=False, start_method="spawn"
    )
    while not processes.join():
        pass
    first, second = queue.get(), queue.get()
    assert first == second
    return first
