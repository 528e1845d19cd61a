"""Records of measurements: one JSON file each, with all that is needed to judge the number."""

import json
import math
import platform
import re
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks.joined import newest
from datamodules.files import write_whole

FORMAT = 1
RESULTS = Path(__file__).resolve().parent / "results"

# What every record of a quality measurement has, and its type.
FIELDS: dict[str, type | tuple[type, ...]] = {
    "format": int,
    "kind": str,
    "model": str,
    "data": str,
    "protocol": dict,
    "metrics": dict,
    "copy_source": dict,
    "higher_is_better": dict,
    "checkpoint": dict,
    "clips": dict,
    "device": str,
    "date": str,
}

# What every record of `study references` has, and its type.
FEW_SHOT: dict[str, type | tuple[type, ...]] = {
    "format": int,
    "kind": str,
    "name": str,
    "data": str,
    "protocol": dict,
    "higher_is_better": dict,
    "rows": list,
    "motion": dict,
    "clips": dict,
    "device": str,
    "date": str,
}
STUDY: dict[str, type | tuple[type, ...]] = {"format": int, "kind": str, "device": str, "date": str}
SPEED = STUDY | {"checkpoint": dict, "result": dict}
FEW_SHOT_ROW = {
    *("row", "name", "references", "best", "metrics", "metrics_with_references"),
    *("l1_by_motion", "clips", "checkpoint"),
}
# What the files of other records than those of `run` begin with.
OTHERS = (
    *("speed_", "loader_", "references_", "solver_", "field_"),
    *("flow-cost_", "identity-probe_", "sparsity_", "directions_", "leakage_"),
)


def slug(text: str) -> str:
    """Make a word for a file name: small letters, digits, dashes."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")


def device_name(device: torch.device) -> str:
    """Name the hardware, such as `NVIDIA A100` or `AMD EPYC 9354 (2 threads)`."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return f"{platform.machine()} {device.type}"
    name = platform.processor() or platform.machine()
    table = Path("/proc/cpuinfo")
    if table.is_file():
        found = re.search(r"^model name\s*:\s*(.+)$", table.read_text(), re.MULTILINE)
        name = found[1].strip() if found else name
    return f"{name} ({torch.get_num_threads()} threads)"


def provenance(device: torch.device) -> dict[str, Any]:
    """Say with what a number was made: commit, versions, hardware, time."""
    return {
        "git": git_commit(),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "device": device_name(device),
        "device_kind": device.type,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def git_commit() -> str | None:
    """Give the commit of this source tree, with `+changes` if files differ; None without git."""
    folder = Path(__file__).resolve().parent

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "..")
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+changes" if changed else "")


def write_record(record: dict[str, Any], folder: Path, *names: str) -> Path:
    """Write a record as `<names joined by _>_<device>_<date>.json`, whole or not at all.

    A record of the same measurement (equal checkpoint, protocol, clips and options) is replaced;
    one of another measurement with that name is kept, and the new one gets a number.

    Args:
        record: with `device` and `date`; NaN is written as null.
        folder: where it goes.
        names: model and data.

    Returns:
        The file.
    """
    stem = "_".join(slug(part) for part in (*names, record["device"], record["date"][:10]))
    target = folder / f"{stem}.json"
    number = 1
    while target.is_file() and _identity(_content(target)) != _identity(record):
        number += 1
        target = folder / f"{stem}-{number}.json"
    write_whole(target, json.dumps(_plain(record), indent=2, allow_nan=False) + "\n")
    return target


def _content(path: Path) -> Any:
    """Give what a file holds; None where it is damaged, which is no record's measurement."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None


def _identity(record: Any) -> Any:
    keys = (
        *("kind", "checkpoint", "protocol", "clips", "settings", "views"),
        *("asked", "seed_trained", "trained_on"),
    )
    return [_plain(record.get(key)) for key in keys] if isinstance(record, dict) else None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read_record(path: Path) -> dict[str, Any]:
    """Read a record of a quality measurement.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or is no such record.
    """
    record = _read(path, FIELDS, "run")
    if not isinstance(record["protocol"].get("name"), str):
        raise ValueError(f"{path} names no protocol")
    _check_numbers(path, record, ("metrics", "copy_source"))
    beside = ("metrics_with_references", "copy_source_with_references")
    if record["protocol"].get("references"):
        if not all(isinstance(record.get(part), dict) for part in beside):
            raise ValueError(f"{path} lacks the figures with the reference frames: make it again")
        _check_numbers(path, record, beside)
    return record


def _read(path: Path, fields: dict[str, type | tuple[type, ...]], command: str) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no record {path}")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}): make it again") from error
    if not isinstance(record, dict):
        raise ValueError(f"{path} is no record: it holds a {type(record).__name__}")
    for name, kind in fields.items():
        if not isinstance(record.get(name), kind):
            raise ValueError(
                f"{path} is no record of `python -m benchmarks {command}`: {name!r} is bad"
            )
    if record["format"] != FORMAT:
        raise ValueError(f"{path} has format {record['format']}, this version reads {FORMAT}")
    return record


def _check_numbers(path: Path, record: dict[str, Any], parts: Iterable[str]) -> None:
    for part in parts:
        for name, value in record[part].items():
            if not isinstance(value, int | float | None) or isinstance(value, bool):
                raise ValueError(f"{path}: {part}.{name} is no number")
            if name not in record["higher_is_better"]:
                raise ValueError(f"{path} does not say whether more of {name!r} is better")


def read_records(folder: Path) -> list[dict[str, Any]]:
    """Read all records of quality measurements below a folder, the newest of equals.

    Raises:
        FileNotFoundError: there is none.
        ValueError: one is damaged.
    """
    found = all_quality(folder)
    if not found:
        raise FileNotFoundError(
            f"there is no record in {folder}: make one with `make benchmark MODELS=... DATA=...`"
        )
    return newest(found, "model")


def all_quality(folder: Path) -> list[dict[str, Any]]:
    """Read all records of quality measurements below a folder; perhaps there is none.

    Raises:
        ValueError: one is damaged.
    """
    return [record for _, record in quality_files(folder)]


def quality_files(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """As `all_quality`, each with its file."""
    paths = [path for path in sorted(folder.glob("*.json")) if not path.name.startswith(OTHERS)]
    return [(path, read_record(path)) for path in paths]


def read_speed_records(folder: Path) -> list[dict[str, Any]]:
    """Read all records of `python -m benchmarks speed` below a folder; perhaps there is none.

    Raises:
        ValueError: one is damaged.
    """
    return [_read(path, SPEED, "speed") for path in sorted(folder.glob("speed_*.json"))]


def read_few_shot_record(path: Path) -> dict[str, Any]:
    """Read a record of `study references`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or is no such record.
    """
    record = _read(path, FEW_SHOT, "study references")
    for row in record["rows"]:
        if not isinstance(row, dict) or FEW_SHOT_ROW - row.keys():
            raise ValueError(f"{path} has a row that is none of `study references`: make it again")
    if not record["rows"] or {"bounds", "frames"} - record["motion"].keys():
        raise ValueError(f"{path} lacks rows or quartiles of motion: make it again")
    return record


def read_few_shot_records(folder: Path) -> list[dict[str, Any]]:
    """Read all records of `study references` below a folder; perhaps there is none.

    Returns:
        The newest of each name, set, protocol and device.

    Raises:
        ValueError: one is damaged.
    """
    paths = sorted(folder.glob("references_*.json"))
    return newest([read_few_shot_record(path) for path in paths], "name")


def read_study_record(path: Path, kind: str) -> dict[str, Any]:
    """Read a record of another study, of which only the frame is known here.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or of another kind.
    """
    record = _read(path, STUDY, f"study {kind}")
    if record["kind"] != kind:
        raise ValueError(f"{path} is of `study {record['kind']}`, its name says {kind}")
    return record
