"""All randomness of loaders and training steps: one draw per sample, on the CPU, from its key.

A sample's key is (seed, epoch, index). A draw depends on the key, the purpose and nothing
else: not on batch size, worker, rank, device or restart.
"""

import hashlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def generator(seed: int, *key: int | str) -> torch.Generator:
    """Make a CPU generator that depends on the seed and the key alone.

    Args:
        seed: the run's seed.
        key: whatever tells this draw from all others, e.g. epoch, index, purpose.

    Returns:
        A generator with its own stream.
    """
    parts = (int(seed), *(part if isinstance(part, str) else int(part) for part in key))
    digest = hashlib.sha256(repr(parts).encode()).digest()
    # manual_seed takes a signed 64-bit number
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def uniform(
    keys: Tensor, purpose: str, shape: Sequence[int] = (), low: float = 0.0, high: float = 1.0
) -> Tensor:
    """Draw uniform numbers in [low, high), each row from its own key.

    Args:
        keys: (B, 3) int64, (seed, epoch, index) of each sample.
        purpose: name of the draw; other names give independent numbers.
        shape: shape of one sample's draw.
        low: lower end.
        high: upper end.

    Returns:
        (B, *shape) float32 on the CPU.

    Raises:
        ValueError: keys of another shape.
    """

    def draw(source: torch.Generator) -> Tensor:
        return low + (high - low) * torch.rand(tuple(shape), generator=source)

    return _rows(keys, purpose, draw)


def normal(
    keys: Tensor, purpose: str, shape: Sequence[int] = (), mean: float = 0.0, std: float = 1.0
) -> Tensor:
    """Draw normal numbers, each row from its own key.

    Args:
        keys: (B, 3) int64, (seed, epoch, index) of each sample.
        purpose: name of the draw.
        shape: shape of one sample's draw.
        mean: their mean.
        std: their standard deviation.

    Returns:
        (B, *shape) float32 on the CPU.

    Raises:
        ValueError: keys of another shape.
    """

    def draw(source: torch.Generator) -> Tensor:
        return mean + std * torch.randn(tuple(shape), generator=source)

    return _rows(keys, purpose, draw)


def integers(keys: Tensor, purpose: str, shape: Sequence[int], low: int, high: int) -> Tensor:
    """Draw integers in [low, high), each row from its own key.

    Args:
        keys: (B, 3) int64, (seed, epoch, index) of each sample.
        purpose: name of the draw.
        shape: shape of one sample's draw.
        low: smallest value.
        high: one more than the largest value.

    Returns:
        (B, *shape) int64 on the CPU.

    Raises:
        ValueError: keys of another shape.
    """

    def draw(source: torch.Generator) -> Tensor:
        return torch.randint(low, high, tuple(shape), generator=source)

    return _rows(keys, purpose, draw)


def permutations(keys: Tensor, purpose: str, n: int) -> Tensor:
    """Draw an order of 0 to n - 1 for each sample.

    Args:
        keys: (B, 3) int64, (seed, epoch, index) of each sample.
        purpose: name of the draw.
        n: how many things are ordered.

    Returns:
        (B, n) int64 on the CPU.

    Raises:
        ValueError: keys of another shape.
    """
    return _rows(keys, purpose, lambda source: torch.randperm(n, generator=source))


def _rows(keys: Tensor, purpose: str, draw: Callable[[torch.Generator], Tensor]) -> Tensor:
    if keys.ndim != 2 or keys.shape[1] != 3 or keys.shape[0] == 0:
        raise ValueError(f"keys must be (B, 3) with B > 0, got {tuple(keys.shape)}")
    return torch.stack([draw(generator(*key, purpose)) for key in keys.tolist()])
