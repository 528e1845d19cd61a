"""What is sent to W&B is read back from the file of an offline run."""

import json
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from benchmarks import wandb_log
from datamodules import media

BLOCK, HEAD, FULL, LAST = 1 << 15, 7, 1, 4
RECORD = {
    "format": 1,
    "kind": "quality",
    "model": "lia",
    "data": "faces",
    "protocol": {"name": "recon 64px"},
    "metrics": {"l1": 0.04, "psnr": 24.0},
    "copy_source": {"l1": 0.08, "psnr": 20.0},
    "higher_is_better": {"l1": False, "psnr": True},
    "checkpoint": {"file": "best.ckpt"},
    "clips": {"count": 9},
    "device": "a desk",
    "date": "2026-01-02",
}


@pytest.fixture(autouse=True)
def own_process():
    """A run that another test left open in this process would keep W&B's process to itself."""
    import wandb

    wandb.teardown()


@pytest.fixture
def records(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    other = {"model": "fomm", "metrics": {"l1": 0.05, "lpips": None}}
    other["higher_is_better"] = {**RECORD["higher_is_better"], "lpips": False}
    for name, record in (("a", RECORD), ("b", {**RECORD, **other})):
        (folder / f"{name}.json").write_text(json.dumps(record))
    return folder


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "films" / "strip.mp4"
    path.parent.mkdir()
    (path.parent / "notes.txt").write_text("no film")
    with media.ClipWriter(path, Fraction(10)) as writer:
        for level in (0, 100, 200):
            writer.write(np.full((64, 64, 3), level, np.uint8))
    return path


def events(run: Path):
    """Every record of an offline run's `.wandb` file."""
    from wandb.proto import wandb_internal_pb2

    for data in messages(next(run.glob("*.wandb")).read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        yield record


def messages(content: bytes):
    """Take a LevelDB log apart: blocks, in them pieces, each with checksum, length and kind."""
    assert content[:4] == b":W&B"
    place, parts = HEAD, []
    while place < len(content):
        left = BLOCK - place % BLOCK
        if left < HEAD:  # too short for a piece
            place += left
            continue
        crc, length, kind = struct.unpack("<IHB", content[place : place + HEAD])
        part = content[place + HEAD : place + HEAD + length]
        assert crc == zlib.crc32(bytes([kind]) + part)
        parts.append(part)
        place += HEAD + length
        if kind in (FULL, LAST):
            yield b"".join(parts)
            parts = []


def put(logged, item):
    """W&B writes a table's or a film's entries one by one."""
    name, *rest = item.nested_key or [item.key]
    value = json.loads(item.value_json)
    if rest:
        logged.setdefault(name, {})[rest[0]] = value
    else:
        logged[name] = value


def test_rows_and_clips_are_in_the_offline_runs_file(records, film, tmp_path, capsys):
    folder = tmp_path / "runs"
    argv = ["--records", str(records), "--films", str(film.parent), "--folder", str(folder)]
    assert wandb_log.main([*argv, "--project", "zoo", "--offline"]) == 0
    assert "3 rows, 1 clips" in capsys.readouterr().out
    (run,) = folder.glob("wandb/offline-run-*")
    logged, saved, projects = {}, set(), set()
    for record in events(run):
        kind = record.WhichOneof("record_type")
        if kind == "history":
            for item in record.history.item:
                put(logged, item)
        elif kind == "files":
            saved |= {file.path for file in record.files.files}
        elif kind == "run":
            projects.add(record.run.project)
    assert projects == {"zoo"}
    table = logged["benchmarks"]
    assert table["_type"] == "table-file"
    content = json.loads((run / "files" / table["path"]).read_text())
    assert content["columns"] == [*wandb_log.HEADS, "l1", "psnr", "lpips"]
    tail = ["faces", "recon 64px", "a desk", "2026-01-02"]
    assert content["data"] == [
        ["copy-source", *tail, 0.08, 20.0, None],
        ["lia", *tail, 0.04, 24.0, None],
        ["fomm", *tail, 0.05, None, None],
    ]
    video = logged["films/strip"]
    assert video["_type"] == "video-file"
    assert (run / "files" / video["path"]).read_bytes() == film.read_bytes()
    assert {table["path"], video["path"]} <= saved
    assert not [name for name in logged if "notes" in name]


def test_nothing_is_written_where_a_file_is_wrong(records, tmp_path, fails):
    folder = tmp_path / "runs"
    argv = ["--offline", "--folder", folder, "--records", records]
    assert "there is no .mp4" in fails(wandb_log.main, *argv, "--films", tmp_path / "none")
    (records / "a.json").write_text("{")
    assert "a.json is no JSON" in fails(wandb_log.main, *argv)
    assert "there is no record" in fails(wandb_log.main, *argv[:-1], tmp_path / "none.json")
    assert not folder.exists()


def test_copy_source_stands_once_before_the_rows_of_each_set():
    sets = [{**RECORD, "data": data, "model": m} for m in ("a", "b") for data in ("x", "y")]
    _, rows = wandb_log.tabulate(sets)
    assert [row[:2] for row in rows] == [
        *(["copy-source", "x"], ["a", "x"], ["b", "x"]),
        *(["copy-source", "y"], ["a", "y"], ["b", "y"]),
    ]
