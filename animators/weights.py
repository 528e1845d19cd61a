"""Checkpoints of ours: opened without naming the model, checked, and written."""

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from animators.module import CHECKPOINT_FORMAT, AnimatorModule

# How torch's restricted unpickler names what it refuses to touch.
_CODE = re.compile(r"(?:nsupported (?:global: )?(?:GLOBAL|class)|unrecognized function) ([\w.]+)")

NETWORK = "network."
"""What the generator side's entries begin with in a state dict of ours."""


def load_animator(path: str | Path, device: str | torch.device = "auto") -> AnimatorModule:
    """Open a checkpoint of ours, ready to animate.

    Args:
        path: a file written by training or by `import`.
        device: "auto" takes a GPU if there is one.

    Returns:
        The animator in eval mode, without its adversary.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged, foreign, of another format, would run code, or holds
            NaN; the message says what to do.
    """
    path, place = Path(path), choose_device(device)
    checkpoint = read_checkpoint(path)
    description, state = checkpoint.get("animator"), checkpoint.get("state_dict")
    if not isinstance(description, dict) or not isinstance(state, dict):
        raise ValueError(
            f"{path} is no checkpoint of this project (it holds {some(checkpoint)}); a published "
            f"file is turned into one by `python -m animators import --model NAME --input {path} "
            "--output OUT.ckpt`"
        )
    found = description.get("format")
    if found != CHECKPOINT_FORMAT:
        raise ValueError(
            f"{path} has checkpoint format {found!r}, this version reads {CHECKPOINT_FORMAT}: "
            "open it with the version that wrote it, or import the original file again"
        )
    kind = animator_class(description.get("class_path"), path)
    module = build(kind, description.get("init_args"), path)
    own = {k.removeprefix(NETWORK): v for k, v in state.items() if str(k).startswith(NETWORK)}
    fill(module, own, path)
    return module.to(place).eval()


def save_animator(module: AnimatorModule, path: str | Path) -> None:
    """Write what `load_animator` opens: network and description, no optimiser states.

    The file is written aside and moved into place when whole.

    Args:
        module: the animator.
        path: the file; its folder is made if it is missing.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {NETWORK + name: value for name, value in module.network.state_dict().items()}
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            torch.save({"state_dict": state, "animator": module.description()}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def build(kind: Any, arguments: object, path: Path) -> AnimatorModule:
    """Build the animator that a file describes.

    Args:
        kind: the animator's class.
        arguments: what its constructor takes, read from the file.
        path: the file, for the message.

    Raises:
        ValueError: they do not fit the class.
    """
    if not isinstance(arguments, dict) or not all(isinstance(key, str) for key in arguments):
        raise ValueError(f"{path} does not say how to build {kind.__name__}: its init_args are bad")
    try:
        module: AnimatorModule = kind.for_inference(arguments)
    except (TypeError, ValueError, LookupError, ArithmeticError, RuntimeError) as error:
        raise ValueError(f"{path} does not fit this version's {kind.__name__}: {error}") from error
    return module


def fill(module: AnimatorModule, state: Mapping[str, Any], path: Path) -> None:
    """Load weights into the network, strictly.

    Unit axes may differ: some authors keep them in biases.

    Args:
        module: the animator.
        state: its network's state dict.
        path: where it came from, for the message.

    Raises:
        ValueError: missing or surplus names, another shape, NaN or infinity.
    """
    own = module.network.state_dict()
    missing, surplus = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if missing or surplus:
        raise ValueError(
            f"{path} does not fit {type(module).__name__}: {len(missing)} missing "
            f"{some(missing)}, {len(surplus)} surplus {some(surplus)}"
        )
    fitted = {}
    for name, value in state.items():
        shape = own[name].shape
        if not isinstance(value, Tensor) or _solid(value.shape) != _solid(shape):
            found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"{path}: {name} should have shape {tuple(shape)}, found {found}")
        if not value.isfinite().all():
            raise ValueError(
                f"{path}: {name} holds NaN or infinity; use an earlier checkpoint, or train again "
                "with a lower learning rate"
            )
        fitted[name] = value.reshape(shape)
    module.network.load_state_dict(fitted)


def _solid(shape: torch.Size) -> list[int]:
    return [size for size in shape if size != 1]


def some(names: Iterable[object], most: int = 5) -> str:
    """List the first few names."""
    words = [str(name) for name in names]
    shown = ", ".join(words[:most]) or "nothing"
    return shown + (f" and {len(words) - most} more" if len(words) > most else "")


def choose_device(name: str | torch.device) -> torch.device:
    """Return the named device; "auto" is a GPU if there is one, else the CPU.

    Raises:
        ValueError: no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {str(name)!r} is not available here: {reason}") from error
    return device


def animator_class(class_path: object, path: Path) -> Any:
    """Import the class that a checkpoint names.

    Args:
        class_path: such as "animators.lia.Lia".
        path: the checkpoint, for the message.

    Raises:
        ValueError: it is no animator of this package.
    """
    package, _, name = str(class_path).rpartition(".")
    # Only our own package is ever imported: a file must not choose which code runs.
    if re.fullmatch(r"animators(\.[a-z_0-9]+)+", package) and module_exists(package):
        kind = getattr(import_module(package), name, None)
        if isinstance(kind, type) and issubclass(kind, AnimatorModule):
            return kind
    raise ValueError(
        f"{path} wants the class {class_path!r}, which is no animator of this version: update "
        "the package, or use a checkpoint of a model that it has"
    )


def module_exists(module: str) -> bool:
    """Tell whether a module exists; its parent may be missing too."""
    with suppress(ModuleNotFoundError):
        return find_spec(module) is not None
    return False


def read_checkpoint(path: Path, allowed: tuple[type, ...] = ()) -> dict[str, Any]:
    """Read a file of tensors and plain containers, on the CPU, without running anything in it.

    Args:
        path: the file.
        allowed: further classes that may be in it; they are rebuilt as bags of attributes.

    Returns:
        The top-level entries.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is empty, truncated, of another kind, or would run code.
    """
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"checkpoint {path} {what}: give the path of a checkpoint file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty: copy or download it again")
    try:
        with torch.serialization.safe_globals(list(allowed)):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        # a damaged archive surfaces as almost any error of zip, tar or pickle
        raise ValueError(_unreadable(path, error)) from error
    if not isinstance(content, dict):
        raise ValueError(
            f"{path} holds a {type(content).__name__} instead of named entries: it is no checkpoint"
        )
    return content


def _unreadable(path: Path, error: Exception) -> str:
    text = str(error).strip()
    if code := _CODE.search(text):
        return (
            f"{path} holds code ({code[1]}), not only tensors; nothing of it was run. Use a file "
            "of plain tensors from a source that you trust"
        )
    # torch's own text advises to switch the protection off
    reason = "not a file of tensors" if "weights_only" in text else text.partition("\n")[0][:120]
    return (
        f"{path} cannot be read as a checkpoint: it is damaged or of another kind "
        f"({reason or type(error).__name__}); copy or download it again"
    )
