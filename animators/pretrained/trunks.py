"""Convolution weights of ImageNet classifiers, as torchvision's `features` names them."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from animators.pretrained.files import resolve

# Index of each convolution in torchvision's `features`.
ALEXNET_CONVOLUTIONS = (0, 3, 6, 8, 10)
VGG16_CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)

_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
}


class _ArraysOnly(pickle.Unpickler):
    """Open a pickle of numpy arrays and plain containers; anything that could run is refused."""

    def find_class(self, module: str, name: str) -> Any:
        """Look up a class that the file names, unless it could do anything."""
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it holds {module}.{name}, not only arrays")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_arrays(path: Path) -> dict[str, Any]:
    """Read a pickled tree of numpy arrays without running anything in it.

    Args:
        path: the file.

    Returns:
        The tree: nested dicts whose leaves are arrays.

    Raises:
        ValueError: the file is no such pickle, or holds anything beside arrays.
        OSError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            tree = _ArraysOnly(file).load()
    except OSError:
        raise
    except Exception as error:  # a damaged file fails in almost any way inside the unpickler
        raise ValueError(f"{path} is not a file of plain arrays: {error}") from error
    if not isinstance(tree, dict):
        raise ValueError(f"{path} holds a {type(tree).__name__} instead of named arrays")
    return tree


def alexnet_state(path: str | Path | None = None) -> dict[str, Tensor]:
    """Give AlexNet's ImageNet convolutions.

    Args:
        path: the file; looked for by `resolve` when it is None.

    Returns:
        `0.weight` (64, 3, 11, 11), `0.bias` (64,), ... `10.bias`, for images normalised the
        ImageNet way.

    Raises:
        WeightsNotFound: the file is nowhere.
        ValueError: the file holds something else.
    """
    return _flax_trunk("alexnet_trunk", "AlexNet_0", ALEXNET_CONVOLUTIONS, path)


def vgg16_state(path: str | Path | None = None) -> dict[str, Tensor]:
    """Give VGG-16's ImageNet convolutions.

    Args:
        path: the file; looked for by `resolve` when it is None.

    Returns:
        `0.weight` (64, 3, 3, 3), `0.bias` (64,), ... `28.bias`, for images normalised the
        ImageNet way.

    Raises:
        WeightsNotFound: the file is nowhere.
        ValueError: the file holds something else.
    """
    return _flax_trunk("vgg16_trunk", "VGG16_0", VGG16_CONVOLUTIONS, path)


def _resolved(name: str, path: str | Path | None) -> Path:
    return resolve(name, paths=None if path is None else {name: path})[name]


def _flax_trunk(
    name: str, network: str, convolutions: tuple[int, ...], path: str | Path | None
) -> dict[str, Tensor]:
    file = _resolved(name, path)
    tree = read_arrays(file)
    state: dict[str, Tensor] = {}
    try:
        for position, index in enumerate(convolutions):
            layer = tree[network][f"Conv_{position}"]
            kernel = torch.from_numpy(np.array(layer["kernel"], dtype=np.float32))
            # flax keeps (height, width, in, out)
            state[f"{index}.weight"] = kernel.permute(3, 2, 0, 1).contiguous()
            state[f"{index}.bias"] = torch.from_numpy(np.array(layer["bias"], dtype=np.float32))
    except KeyError as error:
        raise ValueError(f"{file} has no layer {error} of {network}") from error
    return state


def vgg19_state(path: str | Path | None = None) -> dict[str, Tensor]:
    """Give VGG-19's ImageNet convolutions out of torchvision's published file.

    Args:
        path: the file; looked for by `resolve` when it is None.

    Returns:
        `0.weight` (64, 3, 3, 3), ... `34.bias`, for images normalised the ImageNet way.

    Raises:
        WeightsNotFound: the file is nowhere.
        ValueError: the file holds something else.
    """
    return features_of(_resolved("vgg19", path))


def read_tensors(path: Path) -> dict[str, Any]:
    """Read what `torch.save` wrote, without running anything in it.

    Args:
        path: the file.

    Returns:
        Its entries: tensors, or dicts and plain values.

    Raises:
        ValueError: the file is no such file, or holds anything that could run.
        OSError: the file cannot be read.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged file fails in almost any way inside the unpickler
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} is not a file of plain tensors: {reason}") from error
    if not isinstance(state, dict):
        raise ValueError(f"{path} holds a {type(state).__name__} instead of named tensors")
    return state


def features_of(path: Path) -> dict[str, Tensor]:
    """Read the convolutional part of a torchvision classifier's state dict.

    Args:
        path: a file that `torch.save` wrote.

    Returns:
        The entries `features.*`, without that prefix.

    Raises:
        ValueError: the file is no state dict with such entries.
        OSError: the file cannot be read.
    """
    prefix = "features."
    features = {
        key.removeprefix(prefix): value
        for key, value in read_tensors(path).items()
        if key.startswith(prefix)
    }
    if not features:
        raise ValueError(f"{path} has no entries {prefix}*")
    return features
