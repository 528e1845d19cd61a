"""How a tflite file is opened: one thread, and without the runtime's greeting."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def open_network(path: Path) -> Any:
    """Open a tflite network on LiteRT, which is imported here and not before.

    Args:
        path: a file that `files.resolve` has checked.

    Returns:
        The interpreter, its tensors allocated.
    """
    from ai_edge_litert.interpreter import Interpreter

    with _quiet():
        network = Interpreter(model_path=str(path), num_threads=1)
        network.allocate_tensors()
    return network


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the runtime's own greeting, written past Python, off stderr."""
    try:
        kept = os.dup(2)
    except OSError:  # a process without stderr
        yield
        return
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
