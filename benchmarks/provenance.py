"""Where a number comes from: code, checkpoint, machine, day."""

import hashlib
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch


def provenance(device: torch.device) -> dict[str, Any]:
    """Name the commit, versions, device and time of a measurement."""
    return {
        "commit": commit(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def commit() -> str:
    """Return the commit of the code, `-dirty` when files differ from it, or `unknown`."""
    root = Path(__file__).resolve().parents[1]

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    head = git("rev-parse", "HEAD")
    if not head:
        return "unknown"
    dirty = git("status", "--porcelain", "--untracked-files=no")
    return f"{head}-dirty" if dirty else head


def device_name(device: torch.device) -> str:
    """Return the device's own name, such as `NVIDIA H200` or the processor's."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        info = Path("/proc/cpuinfo")
        lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
        names = [x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")]
        return f"{names[0]} CPU" if names else f"{platform.machine()} CPU"
    return device.type


def short_device(device: torch.device) -> str:
    """Return a word for file names: `cpu`, `nvidia-h200`."""
    name = "cpu" if device.type == "cpu" else device_name(device)
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


def sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
