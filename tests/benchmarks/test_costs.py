"""What an animator costs, counted and matched to the rows of its network."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from benchmarks.costs import flops_per_frame, network, with_costs


class Convolutions(nn.Module):
    """An animator whose motion is one convolution and whose frames are another."""

    image_size = 8
    device = torch.device("cpu")

    def __init__(self):
        super().__init__()
        self.source = nn.Conv2d(3, 7, 5, padding=2)
        self.motion = nn.Conv2d(3, 4, 3, padding=1)
        self.drawn = nn.Conv2d(7 + 4, 3, 1)

    def encode_source(self, picture):
        return self.source(picture)

    def encode_motion(self, frame):
        return self.motion(frame)

    def transfer(self, source, motion, reference, mode):
        assert reference is None
        return motion

    def render(self, source, motion):
        return self.drawn(torch.cat([source, motion], dim=1))


def test_operations_of_a_frame_are_those_of_its_convolutions_without_the_source():
    pixels = 8 * 8
    assert flops_per_frame(Convolutions()) == 2 * pixels * (4 * 3 * 9 + 3 * 11)


def checkpoint(kind="animators.lia.Lia", seconds=None, **arguments):
    trained = None if seconds is None else {"seconds": seconds}
    return {"class_path": kind, "init_args": {"size": 64} | arguments, "trained": trained}


def speed(of, device="cpu", date="2026-01-01", rate=10.0, flops=2e9):
    result = {
        "loops": {"chunk 1": {"frames_per_second": rate}}, "default_chunk": 1, "parameters": 7,
        "peak_memory_bytes": 5, "flops_per_frame": flops,
    }  # fmt: skip
    return {"checkpoint": of, "device": device, "date": date, "result": result}


def record(of, device="cpu"):
    return {"checkpoint": of, "device": device}


def costs(of, *speeds, device="cpu"):
    (found,) = with_costs([record(of, device)], speeds)
    return found["cost"]


def test_the_newest_of_the_same_network_counts_whatever_its_weights():
    seeds = checkpoint(seconds=60) | {"sha256": "a"}, checkpoint() | {"sha256": "b"}
    timed = [speed(seeds[1], rate=3.0, date="2026-02-01"), speed(seeds[1], rate=2.0)]
    assert costs(seeds[0], *timed) == {
        "training_seconds": 60, "parameters": 7, "gflops_per_frame": 2.0,
        "frames_per_second": 3.0, "peak_memory_bytes": 5, "device": "cpu",
    }  # fmt: skip


@pytest.mark.parametrize(
    "other", [checkpoint(kind="animators.dime.Dime"), checkpoint(size=256), checkpoint(more=1)]
)
def test_another_network_costs_something_else(other):
    assert costs(checkpoint(), speed(other)) == {"training_seconds": None}


def test_speed_on_another_device_is_not_shown_beside_this_ones():
    found = costs(checkpoint(), speed(checkpoint(), "H200", rate=900.0))
    assert found == {"training_seconds": None, "parameters": 7, "gflops_per_frame": 2.0}
    both = [speed(checkpoint(), rate=4.0), speed(checkpoint(), "H200", "2026-03-01", rate=900.0)]
    assert costs(checkpoint(), *both)["frames_per_second"] == 4.0
    assert costs(checkpoint(), *both, device="H200")["frames_per_second"] == 900.0


def test_an_old_record_without_operations_hides_none():
    old = speed(checkpoint(), "H200", "2026-03-01", flops=None)
    assert costs(checkpoint(), speed(checkpoint()), old)["gflops_per_frame"] == 2.0


def test_a_network_read_from_a_file_is_the_one_in_memory():
    assert network({"class_path": "x", "init_args": {"a": (1, 2), "b": {"d": 1, "c": 2}}}) == (
        network({"class_path": "x", "init_args": {"b": {"c": 2, "d": 1}, "a": [1, 2]}})
    )
    assert SimpleNamespace(**checkpoint()).class_path in network(checkpoint())
