import csv
import errno
import hashlib
import importlib
import io
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules.prepare.convert import convert
from datamodules.prepare.engine import Outcome, Skipped, _attempt, carry_out, write_manifest
from datamodules.prepare.jobs import Job, Made, Settings
from datamodules.prepare.journal import Journal

SETTINGS = Settings(size=16, form="frames", min_frames=1)

WORK = '''
"""What a process may do to the engine, by the name of its job."""

import ctypes
import os
import signal
import time

import numpy as np

from datamodules.prepare.convert import convert


class Strange(Exception):
    """Cannot be sent to another process."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")
        self.what = lambda: None


def begun(root, name):
    (root / "train" / f".{name}.mp4.{os.getpid()}.part").write_bytes(b"begun")


def work(job, settings, root):
    name = job.name
    if name.startswith("good"):
        return convert(job, settings, root)
    begun(root, name)
    if name == "segfault":
        ctypes.string_at(0)
    if name == "killed":  # as the system does when memory is short
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "exit":
        os._exit(7)
    if name == "hang":
        time.sleep(1000)
    if name == "deaf":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        time.sleep(1000)
    if name == "memory":
        held = [np.empty(1 << 30, np.uint8) for _ in range(8)]
        raise RuntimeError(f"it got {len(held)} GiB")
    if name == "strange":
        raise Strange("this", "that")
    if name == "lines":
        raise RuntimeError(f"{job.source} is\\nbad, {job.source}/3.png too")
    if name == "silent":
        raise AssertionError
    raise SystemExit(3)


def full(job, settings, root):
    begun(root, job.name)
    try:
        raise OSError(28, "No space left on device")
    except OSError as error:
        raise OSError("the clip cannot be written") from error


def forbidden(job, settings, root):
    raise AssertionError("nothing is to be made")
'''

BAD = {
    "segfault": r"process down \(exit code -11\)",
    "killed": r"process down \(exit code -9\)",
    "exit": r"process down \(exit code 7\)",
    "hang": r"not done after 2 s: given up; raise --limit",
    "memory": r"more memory than a process may take",
    "strange": r"^this and that$",
    "lines": r"^it is bad, 3\.png too$",
    "silent": r"^AssertionError$",
    "quit": r"^3$",
}


@pytest.fixture
def work(tmp_path, monkeypatch):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/zoo_engine_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    return importlib.import_module("zoo_engine_work")


def picture(folder, name, shade=50):
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.png"
    Image.fromarray(np.full((16, 16, 3), shade, np.uint8)).save(path)
    return Job(path, path.name, name, "train", f"who {name}")


def journal_at(tmp_path):
    return Journal(tmp_path / "root", SETTINGS.as_dict())


def run(journal, jobs, work=convert, **how):
    how = {"workers": 2, "limit": 60.0} | how
    with journal.lock():
        return carry_out(jobs, SETTINGS, journal, work=work, **how)


def test_what_ends_badly_costs_its_own_clip_only(tmp_path, work):
    bad = [picture(tmp_path / "src", name) for name in BAD]
    good = [picture(tmp_path / "src", f"good{k}", 10 * k) for k in range(9)]
    mixed = [job for k in range(9) for job in (good[k], *bad[k : k + 1])]
    noted = []
    how = {"work": work.work, "limit": 2, "memory": 2 << 30, "after": noted.append}
    outcome = run(journal_at(tmp_path), mixed, **how)
    assert [made.path for made in outcome.made] == [f"train/good{k}.png" for k in range(9)]
    assert outcome.fresh == 9
    assert sorted(made.path for made in noted) == [made.path for made in outcome.made]
    assert {item.source for item in outcome.skipped} == {f"{name}.png" for name in BAD}
    for item in outcome.skipped:
        assert "\n" not in item.reason
    reasons = {Path(item.source).stem: item.reason for item in outcome.skipped}
    for name, words in BAD.items():
        (job,) = [job for job in bad if job.name == name]
        assert re.search(words, reasons[name]), (name, reasons[name])
        assert str(job.source) not in reasons[name]
    # what they had begun is gone, and each good clip is there and whole
    assert sorted(p.name for p in (tmp_path / "root/train").iterdir()) == [
        f"good{k}.png" for k in range(9)
    ]
    for made in outcome.made:
        content = (tmp_path / "root" / made.path).read_bytes()
        assert made.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.slow
def test_a_process_that_hears_no_signal_is_ended_all_the_same(tmp_path, work):
    jobs = [picture(tmp_path / "src", name) for name in ("deaf", "good")]
    start = time.monotonic()
    outcome = run(journal_at(tmp_path), jobs, work.work, limit=0.5, workers=1)
    assert [made.path for made in outcome.made] == ["train/good.png"]
    assert "given up" in outcome.skipped[0].reason
    assert time.monotonic() - start < 20


def test_done_clips_are_not_made_again_and_changed_ones_are(tmp_path, work):
    jobs = [picture(tmp_path / "src", f"good{k}", 10 * k) for k in range(4)]
    first = run(journal_at(tmp_path), jobs)
    times = {made.path: (tmp_path / "root" / made.path).stat().st_mtime_ns for made in first.made}
    again = run(journal_at(tmp_path), jobs, work.forbidden)
    assert (again.made, again.fresh, again.skipped) == (first.made, 0, [])

    picture(tmp_path / "src", "good1", 200)
    (tmp_path / "root/train/good2.png").unlink()
    third = run(journal_at(tmp_path), jobs)
    assert third.fresh == 2
    for made in third.made:
        kept = (tmp_path / "root" / made.path).stat().st_mtime_ns == times[made.path]
        assert kept == (made.path in ("train/good0.png", "train/good3.png"))
    assert int(np.asarray(Image.open(tmp_path / "root/train/good1.png"))[0, 0, 0]) == 200


def test_sources_that_cannot_even_be_asked_are_skipped(tmp_path):
    good = picture(tmp_path / "src", "good")
    gone = replace(good, source=tmp_path / "src/gone.mp4", label="gone.mp4", name="gone")
    os.mkfifo(tmp_path / "src/pipe.mp4")
    pipe = replace(good, source=tmp_path / "src/pipe.mp4", label="pipe.mp4", name="pipe")
    outcome = run(journal_at(tmp_path), [gone, pipe, good])
    assert [made.path for made in outcome.made] == ["train/good.png"]
    reasons = {item.source: item.reason for item in outcome.skipped}
    assert "No such file" in reasons["gone.mp4"]
    assert reasons["pipe.mp4"] == "it is a pipe, socket or device, no file"


def test_a_clip_that_was_lost_on_the_way_is_not_listed(tmp_path):
    jobs = [picture(tmp_path / "src", name) for name in ("good1", "good2")]
    run(journal_at(tmp_path), jobs[:1])

    def lose(made):
        (tmp_path / "root/train/good1.png").unlink()

    outcome = run(journal_at(tmp_path), jobs, after=lose)
    assert [made.path for made in outcome.made] == ["train/good2.png"]


RUN = """
import sys
from pathlib import Path
from datamodules.prepare.engine import carry_out
from datamodules.prepare.jobs import Job, Settings
from datamodules.prepare.journal import Journal
import zoo_engine_work

if __name__ == "__main__":
    root = Path(sys.argv[1])
    journal = Journal(root, {})
    jobs = [Job(root, "x", "hang", "train", "x")]
    with journal.lock():
        carry_out(jobs, Settings(), journal, workers=1, limit=1e4, work=zoo_engine_work.work)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no sessions to end")
def test_a_process_in_the_middle_of_a_clip_ends_with_the_run(tmp_path, work):
    script = tmp_path / "modules/run.py"
    script.write_text(RUN)
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    how = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    # a shell's background job ignores SIGINT and hands that down
    how["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    kinds = (signal.SIGKILL, signal.SIGINT)
    runs = {
        kind: subprocess.Popen(
            [sys.executable, script, tmp_path / kind.name], env=os.environ | paths, **how
        )
        for kind in kinds
    }
    for kind, process in runs.items():
        root = tmp_path / kind.name
        wait_for(lambda root=root: list(root.glob("train/.*.part")))
        if kind == signal.SIGKILL:
            process.kill()
        else:
            os.killpg(process.pid, kind)  # as the terminal does
        process.wait(60)
        wait_for(lambda process=process: is_gone(process.pid))
        # what was begun is swept away by the run itself, or by the next
        assert bool(list(root.glob("train/.*.part"))) == (kind == signal.SIGKILL)


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def is_gone(session):
    try:
        os.killpg(session, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_full_disk_ends_the_run(tmp_path, work):
    jobs = [picture(tmp_path / "src", f"good{k}") for k in range(20)]
    with pytest.raises(OSError, match="root takes no more: the clip cannot be written; make room"):
        run(journal_at(tmp_path), jobs, work.full)
    assert not list((tmp_path / "root/train").iterdir())
    assert run(journal_at(tmp_path), jobs).fresh == 20


@pytest.mark.parametrize("error", [errno.ENOENT, errno.EACCES])
def test_other_errors_of_the_system_cost_one_clip(error, tmp_path):
    def work(job, settings, root):
        raise OSError(error, "no")

    job = Job(tmp_path / "a.mp4", "a.mp4", "a", "train", "me")
    assert isinstance(_attempt(work, job, SETTINGS, tmp_path), Skipped)


def test_two_sources_for_one_clip_are_an_error(tmp_path):
    first = picture(tmp_path / "src", "good")
    run(journal_at(tmp_path), [first])
    other = replace(picture(tmp_path / "src", "other"), name="good")
    with pytest.raises(ValueError, match=r"other\.png would become train/good\.png"):
        run(journal_at(tmp_path), [other])


def test_lists_are_tables(tmp_path):
    made = Made(
        "train/a,b.mp4", "train", 'Ann "A"', "x/a,b.mp4", 5, "25", 64, 64, "none", "0,0,9,9", 0,
        "00", "k",
    )  # fmt: skip
    skipped = [Skipped("c\nd.mp4", 'is "bad", é')]
    write_manifest(tmp_path, Outcome([made], skipped))
    text = (tmp_path / "manifest.csv").read_text(encoding="utf-8")
    (row,) = csv.DictReader(io.StringIO(text))
    assert row == {k: str(v) for k, v in made.as_dict().items() if k != "key"}
    with (tmp_path / "skipped.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [{"source": "c\nd.mp4", "reason": 'is "bad", é'}]
    write_manifest(tmp_path, Outcome())
    assert (tmp_path / "skipped.csv").read_text() == "source,reason\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["manifest.csv", "skipped.csv"]
