"""Checkpoints appear whole or not at all."""

import pytest
import torch

from animators.callbacks.checkpoints import AtomicCheckpointIO, Checkpoints


class Breaks:
    """Something whose pickling fails after part of the file has been written."""

    def __reduce__(self):
        raise RuntimeError("broken off")


def test_what_is_saved_is_read_again(tmp_path):
    state = {"a": torch.arange(5), "b": {"c": 1.5}}
    AtomicCheckpointIO().save_checkpoint(state, tmp_path / "deep" / "last.ckpt")
    read = torch.load(tmp_path / "deep" / "last.ckpt", weights_only=True)
    assert torch.equal(read["a"], state["a"])
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["last.ckpt"]


def test_a_save_that_breaks_off_leaves_the_old_file(tmp_path):
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"a": 1}, path)
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="broken off"):
        AtomicCheckpointIO().save_checkpoint({"a": torch.zeros(99), "b": Breaks()}, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


def test_an_interval_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Checkpoints(every_n_steps=0)


def test_the_time_taken_is_kept_over_a_resume_and_older_runs_begin_at_none():
    taken = Checkpoints()
    taken.seconds = 7.5
    resumed = Checkpoints()
    resumed.load_state_dict(taken.state_dict())
    assert resumed.seconds == 7.5
    resumed.load_state_dict({"best": None, "saved": -1})
    assert resumed.seconds == 0
