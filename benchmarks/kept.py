"""Which records of earlier times hold: of the same weights, asked the same, of the same pixels."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.protocols import CROSS
from benchmarks.scores import asked

Filed = tuple[Path, dict[str, Any]]
"""A record's file, and the record."""

DERIVED = ("image_size", "frames", "references")
"""Settings of the clips that follow from checkpoint and options."""


class Kept:
    """Finds records; the clips of a protocol are looked at once."""

    def __init__(self) -> None:
        self._digests: dict[str, str] = {}

    def find(
        self, arguments: argparse.Namespace, seed: int, known: Sequence[Filed]
    ) -> Filed | None:
        """Find the record of a row that was measured already.

        The clips are read again: others may have come under the same names, or be cut otherwise.

        Args:
            arguments: of one `benchmarks run`, read.
            seed: of the checkpoint's training.
            known: all records of quality, with their files.

        Returns:
            The record and its file, or None.

        Raises:
            OSError: a file is missing.
            ValueError: the clips cannot be had.
        """
        from animators.pretrained.files import sha256_of
        from benchmarks.data import data_file

        digest, words, data = sha256_of(arguments.checkpoint), asked(arguments), arguments.data
        for path, record in known:
            same = record["checkpoint"].get("sha256") == digest and record.get("asked") == words
            same = same and record.get("seed_trained") == seed
            same = same and record["data"] == data_file(data).stem and "config" in record
            if same and record["clips"].get("sha256") == self._clips(arguments, record["config"]):
                return path, record
        return None

    def _clips(self, arguments: argparse.Namespace, config: Mapping[str, Any]) -> str:
        """Hash the clips as they are now."""
        from benchmarks.data import data_file, read_options

        settings = read_options(data_file(arguments.data), arguments.overrides)
        settings |= {name: config[name] for name in DERIVED if name in config}
        settings |= {} if arguments.root is None else {"root": arguments.root}
        if arguments.protocol in CROSS and arguments.sources is not None:
            settings |= {"sources": arguments.sources}
        key = json.dumps([arguments.protocol, arguments.pairs, settings], default=str)
        if key not in self._digests:
            self._digests[key] = _digest(arguments, settings)
        return self._digests[key]


def _digest(arguments: argparse.Namespace, settings: dict[str, Any]) -> str:
    import torch

    from animators.metrics import CROSS_WAYS
    from benchmarks.cross import CrossClips, pairs_of_way
    from benchmarks.data import TestClips, build_data

    clips, device = build_data(settings), torch.device("cpu")
    seen = TestClips(clips, device, "clips of earlier records")
    label = arguments.protocol
    if label in CROSS:
        pairs = pairs_of_way(label, clips, arguments.pairs or settings["cross_pairs"] or None)
        first = CROSS_WAYS[label].taken(arguments.frames)
        clips = build_data(settings | {"cross_pairs": pairs})
        seen = CrossClips(clips, device, "pairs of earlier records", first)
    for _ in seen:
        pass
    return seen.digest
