"""What every test stands on: one thread, fixed seeds, no network, and honest skips."""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

# Before torch is imported. Small tensors gain nothing from a second thread; sums keep one order.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("WANDB_MODE", "offline")
# Lightning's own calls of its parser, once for each process
os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
# A test that would download fails and says what is missing.
os.environ["ANIMATORS_OFFLINE"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _absent(reason: str) -> None:
    """Skip, or fail where a skip would hide something."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"{reason} (with CI=true this is a failure)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's own folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of reference figures and real clips beside the project."""
    folder = ROOT.parent / "shared"
    if not (folder / "reference").is_dir():
        _absent("there is no ../shared with the reference figures and clips")
    return folder


@pytest.fixture(scope="session")
def package_weights() -> Callable[..., dict[str, Path]]:
    """Find pretrained files by name: `package_weights("vgg16_trunk")`."""
    from animators.pretrained import WeightsNotFound, resolve

    def find(*names: str) -> dict[str, Path]:
        try:
            return dict(resolve(*names, download=False))
        except WeightsNotFound as error:
            _absent(f"run `make weights`: {error}")
            raise

    return find


@pytest.fixture(scope="session")
def extra() -> Callable[[str, str], ModuleType]:
    """Import what an extra of the package brings: `extra("gradio", "app")`."""

    def find(module: str, name: str) -> ModuleType:
        if find_spec(module.partition(".")[0]) is None:
            _absent(f"there is no {module}: pip install -e .[{name}]")
        return import_module(module)

    return find


@pytest.fixture(scope="session")
def absent() -> Callable[[str], None]:
    """Skip with a reason; with CI=true, fail."""
    return _absent


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Start every test from the same global random state, alone or in company."""
    if "torch" in sys.modules:
        import torch

        torch.manual_seed(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what wants a CUDA device where there is none."""
    wanting = [item for item in items if item.get_closest_marker("gpu")]
    if not wanting:
        return
    import torch

    if not torch.cuda.is_available():
        for item in wanting:
            item.add_marker(pytest.mark.skip(reason="there is no CUDA device"))
