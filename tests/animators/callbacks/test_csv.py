"""metrics.csv of a run that was interrupted reads as that of an unbroken one."""

import csv

from animators.callbacks.csv import RunCsv


def log(folder, steps, keep=None):
    logger = RunCsv(str(folder), flush_logs_every_n_steps=1)
    if keep is not None:
        logger.keep_until(keep)
    for step in steps:
        logger.log_metrics({"train/total": step / 10, "pairs_seen": 8.0 * step}, step=step)
        if step % 2 == 0:
            logger.log_metrics({"val/l1": step / 100, "pairs_seen": 8.0 * step}, step=step)
    logger.save()
    return (folder / "metrics.csv").read_text()


def test_rows_behind_the_checkpoint_are_dropped_and_written_again(tmp_path):
    unbroken = log(tmp_path / "a", range(1, 8))
    log(tmp_path / "b", range(1, 6))
    assert log(tmp_path / "b", range(4, 8), keep=3) == unbroken


def test_a_kill_between_moving_and_writing_loses_no_row(tmp_path):
    unbroken = log(tmp_path, range(1, 5))
    (tmp_path / "metrics.csv").rename(tmp_path / "metrics.csv.before")
    assert log(tmp_path, [], keep=4) == unbroken
    assert not (tmp_path / "metrics.csv.before").exists()


def test_a_fresh_start_keeps_nothing(tmp_path):
    log(tmp_path, range(1, 5))
    log(tmp_path, [9], keep=-1)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [row["step"] for row in rows] == ["9"]
