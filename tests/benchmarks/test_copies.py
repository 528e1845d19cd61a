"""Copy-source is scored once for all rows that ask the same, and clips may not change between."""

from types import SimpleNamespace

import pytest

import animators.metrics
from benchmarks.compare import main
from benchmarks.copies import Copies
from tests.benchmarks.test_compare import records, runs, words

__all__ = ["runs"]  # the fixture


def test_rows_that_ask_the_same_share_a_score_and_others_do_not():
    copies, clips, made = Copies(), SimpleNamespace(digest="a"), []

    def evaluate():
        made.append(len(made))
        return made[-1]

    assert [copies.score(said, clips, evaluate) for said in (["x", 1], ["x", 1], ["x", 2])] == [
        *(0, 0, 1),
    ]
    copies.check(["x", 1], clips)
    clips.digest = "b"
    with pytest.raises(ValueError, match="clips changed while they were measured"):
        copies.check(["x", 1], clips)


def test_compare_scores_copy_source_once_for_all_rows_of_a_protocol(runs, monkeypatch):
    seen, real = [], animators.metrics.copy_source

    def counted(video, references):
        seen.append(video.shape)
        return real(video, references)

    monkeypatch.setattr(animators.metrics, "copy_source", counted)
    assert main(words(runs, "--seeds", "0", "1", "--no-speed")) == 0
    rows = list(records(runs).values())
    assert len(rows) == 3
    assert len(seen) == 3  # three clips, whatever the rows
    assert rows[0]["copy_source"] == rows[1]["copy_source"] == rows[2]["copy_source"]
    assert main(words(runs, "--protocols", "recon-fomm", "--no-speed")) == 0
    assert len(seen) == 6  # another protocol is another score
