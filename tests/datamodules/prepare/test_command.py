import contextlib
import csv
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from datamodules import media
from datamodules.prepare import engine, head
from datamodules.prepare.command import main


def film(path, seed, count=30, side=64, fps=Fraction(25)):
    """A clip that differs from every other; noise, so that encoding takes its time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 255, (side, 2 * side, 3)).astype(np.uint8)
    with media.ClipWriter(path, fps) as writer:
        for t in range(count):
            writer.write(np.ascontiguousarray(ground[:, t % side : t % side + side]))
    return path


def call(*arguments):
    """Run the command; give status, lines of output, and lines of errors that are no bar."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([*map(str, arguments)])
    lines = [line for line in err.getvalue().splitlines() if not line.startswith("prepare: ")]
    return SimpleNamespace(
        status=status, out=out.getvalue().splitlines(), err=[line for line in lines if line.strip()]
    )


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def content(root):
    """Every file of a root but its notes, with what is in it."""
    files = [p for p in root.rglob("*") if p.is_file() and ".prepare" not in p.parts]
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in files}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Films of three people, a still, a broken film and a note."""
    folder = tmp_path_factory.mktemp("sources")
    for number in range(6):
        film(folder / f"person {number % 3}/take.{number}.MP4", number, 20 + number)
    film(folder / "solo.mp4", 9, 12, fps=Fraction(30000, 1001))
    (folder / "broken.mov").write_bytes(b"no film at all" * 99)
    Image.new("RGB", (64, 64)).save(folder / "still.png")
    (folder / "notes.txt").touch()
    return folder


@pytest.fixture(scope="module")
def prepared(sources, tmp_path_factory):
    root = tmp_path_factory.mktemp("prepared") / "new" / "root"
    said = call("folder", sources, root, "--size", 32, "--split", 0.5, "--split-by", "identity")
    return SimpleNamespace(root=root, said=said, rows=table(root / "manifest.csv"))


def test_the_manifest_says_what_is_there(prepared, sources):
    rows = prepared.rows
    assert [*rows[0]] == ["path", "split", "identity", "source", "frames", "fps", "width",
                          "height", "crop", "box", "without_head", "sha256"]  # fmt: skip
    assert {row["source"] for row in rows} == {
        p.relative_to(sources).as_posix() for p in sources.rglob("*.[mM][pP]4")
    }
    there = {p.relative_to(prepared.root).as_posix() for p in prepared.root.glob("t*/*")}
    assert [row["path"] for row in rows] == sorted(there, key=media.natural_key)
    for row in rows:
        path = prepared.root / row["path"]
        assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        with media.open_clip(path) as clip, media.open_clip(sources / row["source"]) as source:
            assert (int(row["frames"]), row["fps"]) == (clip.num_frames, str(clip.fps))
            assert (clip.num_frames, clip.fps) == (source.num_frames, source.fps)
            assert (int(row["height"]), int(row["width"])) == clip.size == (32, 32)
        assert row["split"] == row["path"].split("/")[0]
        assert (row["crop"], row["box"], row["without_head"]) == ("square", "0,0,64,64", "0")
    splits = {}
    for row in rows:
        splits.setdefault(row["identity"], set()).add(row["split"])
    assert sorted(splits) == ["person 0", "person 1", "person 2", "solo"]
    assert all(len(found) == 1 for found in splits.values())
    assert {*splits["person 0"], *splits["person 1"], *splits["person 2"]} == {"train", "test"}


def test_what_was_skipped_is_listed_and_is_no_failure(prepared):
    assert prepared.said.status == 0
    assert prepared.said.err == []
    skipped = {row["source"]: row["reason"] for row in table(prepared.root / "skipped.csv")}
    assert sorted(skipped) == ["broken.mov", "still.png"]
    assert "not a video" in skipped["broken.mov"]
    assert skipped["still.png"] == "1 frames, at least 2 are wanted"


def test_the_sheet_shows_something_in_every_place(prepared):
    sheet = np.asarray(Image.open(prepared.root / "contact_sheet.png"))
    assert sheet.shape == (2 * 116, 4 * 296, 3)
    for place in range(7):
        top, left = place // 4 * 116 + 14, place % 4 * 296
        for frame in range(3):
            tile = sheet[top : top + 96, left + 96 * frame : left + 96 * (frame + 1)]
            assert tile.std() > 10


def test_the_summary_counts(prepared):
    lines = prepared.said.out
    assert lines[0] == "passed over, being no clips: .txt 1"
    for split, line in zip(("train", "test"), lines[1:3], strict=True):
        rows = [row for row in prepared.rows if row["split"] == split]
        frames = sum(int(row["frames"]) for row in rows)
        people = len({row["identity"] for row in rows})
        said = f"{len(rows)} clips, {frames} frames, 0.00 h, {people} identities"
        assert line == f"{split:5}  {said}"
    assert "made now: 7" in lines
    assert f"skipped: 2, listed in {prepared.root}/skipped.csv" in lines
    assert "  1 x 1 frames, at least 2 are wanted" in lines
    size = "ARGS=--data.init_args.image_size=32"
    assert lines[-1] == f"train on it: make train DATA=folder DATA_ROOT={prepared.root} {size}"


def test_pictures_taken_for_a_film_are_said(tmp_path):
    for k in range(3):
        (tmp_path / "src/film").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (80 * k, 0, 0)).save(tmp_path / f"src/film/{k}.png")
    said = call("folder", tmp_path / "src", tmp_path / "root", "--size", 32, "--split", 1)
    assert said.status == 0
    assert said.out[0].startswith("folders whose pictures were taken for the frames of one clip: 1")
    assert [row["frames"] for row in table(tmp_path / "root/manifest.csv")] == ["3"]


def test_again_nothing_is_made_and_another_setting_is_refused(prepared, sources):
    before = content(prepared.root)
    split = ("--split", 0.5, "--split-by", "identity")
    said = call("folder", sources, prepared.root, "--size", 32, *split, "--workers", 1)
    assert said.status == 0
    assert "made now: 0, there before: 7" in said.out
    assert content(prepared.root) == before
    said = call("folder", sources, prepared.root, "--size", 64, *split)
    assert (said.status, len(said.err)) == (2, 1)
    assert "size: 32, now 64" in said.err[0]
    assert content(prepared.root) == before


def test_a_folder_that_grows_gets_its_new_clips_alone(prepared, sources, tmp_path):
    root, more = tmp_path / "root", tmp_path / "more"
    shutil.copytree(sources, more)
    options = ("--size", 32, "--split", 0.5, "--split-by", "identity")
    call("folder", more, root, *options)
    first = content(root)
    times = {p: p.stat().st_mtime_ns for p in root.glob("t*/*")}
    for k in range(4):
        shutil.copy(more / "solo.mp4", more / f"new {k}.mp4")
    shutil.copy(more / "solo.mp4", more / "person 1/take_1.mov")  # whose name is taken
    said = call("folder", more, root, *options)
    assert "made now: 5, there before: 7" in said.out
    now = content(root)
    assert all(now[name] == first[name] for name in first if name.endswith(".mp4"))
    assert {p: p.stat().st_mtime_ns for p in times} == times
    splits = {}
    for row in table(root / "manifest.csv"):
        splits.setdefault(row["identity"], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())


# What the user has to change.


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--size 31", "--size 31: give an even number"),
        ("--size big", "--size"),
        ("--crop middle", "--crop"),
        ("--fps 0", "--fps 0.0"),
        ("--fps -3", "--fps"),
        ("--min-frames 0", "--min-frames"),
        ("--min-frames 9 --max-frames 3", "--max-frames 3"),
        ("--split 1.5", "--split 1.5"),
        ("--split-by face", "--split-by"),
        ("--identities nonsense", "nonsense"),
        ("--identities csv(no.csv,who)", "no.csv"),
        ("--format avi", "--format"),
        ("--crf 52", "--crf 52"),
        ("--key-interval 0", "--key-interval 0"),
        ("--shard-size 0", "--shard-size must be above 0"),
        ("--workers 0", "--workers must be above 0"),
        ("--limit -1", "--limit must be above 0"),
        ("--pictures all", "--pictures"),
        ("--siz 32", "--siz"),
        ("more", "more"),
    ],
)
def test_bad_options_are_one_line_and_nothing_is_made(sources, tmp_path, options, says):
    said = call("folder", sources, tmp_path / "root", *options.split())
    assert (said.status, said.out, len(said.err)) == (2, [], 1)
    assert said.err[0].startswith("error: ")
    assert says in said.err[0]
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    ("source", "root", "says"),
    [
        ("none", "root", "none does not exist"),
        ("src/a.mp4", "root", "a.mp4 does not exist: name the folder"),
        ("empty", "root", "empty holds no clip"),
        ("src", "src", "src lies in "),
        ("src", "src/below/root", "root lies in "),
        ("src", "link/root", "root lies in "),
        ("full/src", "full", "src lies in "),
        ("full/.src", "full", ".src lies in "),
        ("src", "full", "full holds files that prepare did not make"),
        ("src", "src.txt", "src.txt is a file"),
        ("src", "src.txt/root", "Not a directory"),
        ("src", "/proc/no/root", "/proc/no"),
    ],
)
def test_bad_folders_are_one_line(tmp_path, source, root, says):
    for name in ("src", "full/src", "full/.src"):
        film(tmp_path / name / "a.mp4", 1, 2, 16)
    (tmp_path / "empty").mkdir()
    (tmp_path / "src.txt").touch()
    (tmp_path / "link").symlink_to("src")
    before = sorted(tmp_path.rglob("*"))
    said = call("folder", tmp_path / source, tmp_path / root, "--size", 32)
    assert (said.status, said.out, len(said.err)) == (2, [], 1)
    assert said.err[0].startswith("error: ")
    assert says in said.err[0]
    assert sorted(tmp_path.rglob("*")) == before


def test_all_clips_bad_is_a_failure_that_says_why(tmp_path):
    for k in range(3):
        film(tmp_path / f"src/{k}.mp4", k, 4, 16)
    said = call("folder", tmp_path / "src", tmp_path / "root", "--min-frames", 5)
    assert (said.status, len(said.err)) == (2, 1)
    assert said.err[0].startswith("error: no clip could be made")
    assert "  3 x 4 frames, at least 5 are wanted" in said.out
    assert len(table(tmp_path / "root/skipped.csv")) == 3
    assert table(tmp_path / "root/manifest.csv") == []


def test_a_detector_that_is_missing_is_said_once(sources, tmp_path, monkeypatch):
    def nowhere():
        raise FileNotFoundError("its file is nowhere; `make weights` gets it")

    monkeypatch.setattr(head, "detector", nowhere)
    said = call("folder", sources, tmp_path / "root", "--crop", "head")
    assert (said.status, said.out[1:]) == (2, [])
    assert said.err == ["error: its file is nowhere; `make weights` gets it"]
    assert not (tmp_path / "root").exists()


def test_names_that_are_no_utf8_go_all_the_way(tmp_path):
    film(tmp_path / "a.mp4", 1, 3, 16)
    for name in (b"\xe9.mp4", "\u2028é\n.mp4".encode()):
        (tmp_path / "src").mkdir(exist_ok=True)
        shutil.copy(tmp_path / "a.mp4", tmp_path / "src" / os.fsdecode(name))
    (tmp_path / "src" / os.fsdecode(b"\xff.mp4")).touch()
    for made in ("made now: 2", "made now: 0, there before: 2"):
        said = call("folder", tmp_path / "src", tmp_path / "root", "--size", 16)
        assert (said.err, said.status) == ([], 0)
        assert made in said.out
    (row,) = table(tmp_path / "root/skipped.csv")
    assert row["source"] == "\\xff.mp4"


# Runs that are broken off.


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Many films, and what an unbroken run makes of them."""
    folder = tmp_path_factory.mktemp("work")
    for number in range(24):
        film(folder / f"src/{number}.mp4", number, 24, 96)
    options = ["folder", folder / "src", "ROOT", "--size", 96, "--workers", 2]
    options[2] = folder / "unbroken"
    assert call(*options).status == 0
    return SimpleNamespace(options=options, content=content(folder / "unbroken"))


def start(work, root):
    options = [*work.options[:2], root, *work.options[3:]]
    command = [sys.executable, "-m", "datamodules", "prepare", *map(str, options)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def noted(root):
    file = root / ".prepare/made.jsonl"
    return file.read_bytes().count(b"\n") if file.is_file() else 0


def is_empty(session):
    try:
        os.killpg(session, 0)
    except ProcessLookupError:
        return True
    return False


def goes_on(work, root):
    """Run to the end, and compare with the unbroken run."""
    kept = {}
    if noted(root):
        lines = (root / ".prepare/made.jsonl").read_text().splitlines()
        paths = [root / line.split('"path": "')[1].split('"')[0] for line in lines]
        kept = {path: path.stat().st_mtime_ns for path in paths}
    said = call(*work.options[:2], root, *work.options[3:])
    assert (said.err, said.status) == ([], 0)
    there = f", there before: {len(kept)}" if kept else ""
    assert f"made now: {24 - len(kept)}{there}" in said.out
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert content(root) == work.content
    assert not list(root.rglob("*.part"))


def test_an_interruption_has_its_status(tmp_path, monkeypatch):
    film(tmp_path / "src/a.mp4", 1, 2, 16)

    def interrupted(*given, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "carry_out", interrupted)
    said = call("folder", tmp_path / "src", tmp_path / "root")
    assert (said.status, said.out) == (130, [])
    assert said.err == ["interrupted: the same command goes on where it stopped"]


@pytest.mark.slow
def test_after_ctrl_c_nothing_runs_and_the_rest_can_be_made(work, tmp_path):
    root = tmp_path / "root"
    process = start(work, root)
    wait_for(lambda: noted(root) >= 2)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - began < 10
    assert out == ""
    assert err.splitlines()[-1] == "interrupted: the same command goes on where it stopped"
    assert "Traceback" not in err
    wait_for(lambda: is_empty(process.pid), 5)
    assert not list(root.rglob("*.part"))
    assert noted(root) < 24
    goes_on(work, root)


@pytest.mark.parametrize(
    ("kind", "moments"),
    [
        (signal.SIGKILL, [5]),
        pytest.param(signal.SIGTERM, [3], marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, [0, 1, 4, 11, 20], marks=pytest.mark.slow),
    ],
)
def test_after_a_kill_the_same_command_makes_the_same_root(work, tmp_path, kind, moments):
    root = tmp_path / "root"
    rng = np.random.default_rng(len(moments))
    for moment in moments:
        process = start(work, root)
        wait_for(lambda moment=moment: noted(root) >= moment and (root / "train").is_dir())
        time.sleep(rng.uniform(0, 0.05))
        process.send_signal(kind)  # its workers are not told
        process.communicate(timeout=30)
        assert process.returncode == -kind
        wait_for(lambda session=process.pid: is_empty(session), 10)
    assert noted(root) < 24
    goes_on(work, root)
