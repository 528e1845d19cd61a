"""Two gloo processes against one with the doubled batch, in double precision."""

import socket

import pytest
import torch

from tests.animators import ddp_worker

pytestmark = pytest.mark.timeout(900)  # every case in one pair of processes, on two cores
CASES = ["plain", "adversary", "r1", "fault", *ddp_worker.TINY]


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ddp")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    torch.multiprocessing.spawn(ddp_worker.run, (port, CASES, folder), nprocs=2)
    return torch.load(folder / "two.pt", weights_only=True)


def largest_difference(ours, reference):
    """Largest difference over all tensors, relative to each tensor's largest entry.

    What is nothing but rounding, as the gradient of a bias in front of a normalisation, is compared
    with a millionth of the largest entry of all.
    """
    assert ours.keys() == reference.keys()
    scale = {n: x.abs().max().item() for n, x in reference.items()}
    least = 1e-6 * max(scale.values())
    return max(
        (ours[n] - reference[n]).abs().max().item() / max(scale[n], least) for n in reference
    )


@pytest.mark.parametrize("case", [case for case in CASES if case != "fault"])
def test_two_processes_equal_one(case, two_processes, tmp_path):
    one = ddp_worker.train(case, 1, tmp_path)
    assert all(g.dtype == torch.float64 for g in one["gradients"].values())
    assert largest_difference(two_processes[case]["gradients"], one["gradients"]) < 1e-9
    assert largest_difference(two_processes[case]["parameters"], one["parameters"]) < 1e-8


def test_what_no_reference_has_used_gets_no_gradient_and_stays(two_processes):
    """One-shot batches leave DiME's f for references alone, which DDP has to be told of."""
    moved = {n for n in two_processes["dime"]["gradients"] if "dynamics.reference" in n}
    assert moved
    assert not moved & two_processes["dime-one-shot"]["gradients"].keys()
    before = dict(ddp_worker.model("dime-one-shot").named_parameters())
    for name in moved:
        after = two_processes["dime-one-shot"]["parameters"][name]
        assert torch.equal(after, before[name].detach().double()), name


def test_a_rank_left_out_is_noticed(two_processes, tmp_path):
    one = ddp_worker.train("adversary", 1, tmp_path)
    assert largest_difference(two_processes["fault"]["gradients"], one["gradients"]) > 1e-3
