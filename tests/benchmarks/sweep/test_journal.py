import json
import os
import subprocess
import sys

import pytest

from benchmarks.sweep.journal import FILE, Journal


def test_events_are_there_again(tmp_path):
    with Journal(tmp_path / "new") as journal:
        journal.add("start", trial="a", values={"x": None})
        journal.add("end", trial="a", history=[0.1])
    with Journal(tmp_path / "new") as journal:
        assert [event["event"] for event in journal.events] == ["start", "end"]
        assert journal.of("start") == {"a": {"event": "start", "trial": "a", "values": {"x": None}}}
        assert journal.of("end")["a"]["history"] == [0.1]


def test_a_line_that_a_kill_cut_short_did_not_happen(tmp_path):
    with Journal(tmp_path) as journal:
        journal.add("start", trial="a")
    file = tmp_path / FILE
    whole = file.read_bytes()
    for cut in (1, 10):
        file.write_bytes(whole + b'{"event": "end", "trial": "a"}\n'[:-cut])
        with Journal(tmp_path) as journal:
            assert len(journal.events) == 1
            journal.add("end", trial="b")
        lines = file.read_text().splitlines()
        assert [json.loads(line)["event"] for line in lines] == ["start", "end"]


def test_any_other_damage_is_an_error_that_names_the_line(tmp_path):
    (tmp_path / FILE).write_text('{"event": "sweep"}\n{"event": \n{"event": "end"}\n')
    with pytest.raises(ValueError, match="line 2, is damaged"):
        Journal(tmp_path)
    (tmp_path / FILE).write_text('{"event": "sweep"}\n')
    with Journal(tmp_path) as journal:  # the lock was given back
        assert len(journal.events) == 1


def test_a_folder_has_one_user_and_its_trials_count(tmp_path):
    with Journal(tmp_path) as journal:
        with pytest.raises(ValueError, match="is in use"):
            Journal(tmp_path)
        trial = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(journal.lock,)
        )
    # the sweep is gone, its trial is not
    with pytest.raises(ValueError, match="a trial whose sweep was killed"):
        Journal(tmp_path)
    trial.communicate(b"\n")
    with Journal(tmp_path) as journal:
        assert os.fstat(journal.lock)


def test_another_sweep_does_not_go_on_here(tmp_path):
    settings = {"space": {"method": "random"}, "seed": 0, "options": ("a", "b")}
    with Journal(tmp_path) as journal:
        journal.begin(settings, tmp_path)
    with Journal(tmp_path) as journal:
        journal.begin(settings, tmp_path)
        assert len(journal.events) == 1
        with pytest.raises(ValueError, match="another space, seed: give this one another NAME="):
            journal.begin({**settings, "space": {"method": "bayes"}, "seed": 1}, tmp_path)
    assert len((tmp_path / FILE).read_text().splitlines()) == 1


def test_what_is_no_number_is_not_written(tmp_path):
    with Journal(tmp_path) as journal:
        with pytest.raises(ValueError, match="JSON"):
            journal.add("end", trial="a", history=[float("nan")])
        assert journal.events == []
    assert not (tmp_path / FILE).exists()
