"""Which picture is animated by which clip: pairs drawn, dealt or read from a list."""

import math
import re
from pathlib import Path

import torch

from animators.nn.draws import generator
from datamodules.clips import Clips
from datamodules.splits import read_table


def pairs_of(how: int | str, sources: Clips, clips: Clips, seed: int) -> list[tuple[int, int]]:
    """Make pairs of numbers (source, driving).

    Args:
        how: as `data.cross_pairs` has it.
        sources: the driving clips themselves, or pictures of another set.
        clips: that drive.
        seed: of what is drawn.

    Raises:
        FileNotFoundError: a list is missing.
        ValueError: no pairs are asked for, or they cannot be had.
    """
    if not how:
        raise ValueError("set data.cross_pairs to a number or a CSV to have cross pairs")
    if isinstance(how, str) and (each := re.fullmatch(r"each\(([1-9]\d*)\)", how)):
        if sources is clips:
            return pairs_of_each(clips, int(each[1]), seed)
        # dealt in turn, each clip gets as many
        how = min(int(each[1]), len(sources)) * len(clips)
    if isinstance(how, str):
        return listed_pairs(sources, clips, Path(how))
    if sources is clips:
        return drawn_pairs(clips, how, seed)
    return dealt_pairs(len(sources), len(clips), how, seed)


def drawn_pairs(clips: Clips, count: int, seed: int) -> list[tuple[int, int]]:
    """Draw different (source, driving) clips of different identities.

    Raises:
        ValueError: there are not that many.
    """
    labels = [clips.identity(i) for i in range(len(clips))]
    every = [(a, b) for a, x in enumerate(labels) for b, y in enumerate(labels) if x != y]
    if count > len(every):
        raise ValueError(
            f"data.cross_pairs={count}, but the {len(labels)} test clips make only {len(every)} "
            "pairs of different identities"
        )
    order = torch.randperm(len(every), generator=generator(seed, "cross pairs"))
    return [every[n] for n in order[:count].tolist()]


def pairs_of_each(clips: Clips, count: int, seed: int) -> list[tuple[int, int]]:
    """Draw for each driving clip `count` sources of other identities, or all where there are fewer.

    Returns:
        Different (source, driving) pairs, those of a clip behind each other.

    Raises:
        ValueError: all clips show one identity.
    """
    labels = [clips.identity(i) for i in range(len(clips))]
    pairs = []
    for driving, shown in enumerate(labels):
        others = [i for i, label in enumerate(labels) if label != shown]
        order = torch.randperm(len(others), generator=generator(seed, driving, "sources of each"))
        pairs += [(others[n], driving) for n in order[:count].tolist()]
    if not pairs:
        raise ValueError(f"the {len(labels)} test clips show one identity: nobody else moves it")
    return pairs


def dealt_pairs(sources: int, driving: int, count: int, seed: int) -> list[tuple[int, int]]:
    """Deal sources in a drawn order to driving clips in turn, as evenly as can be.

    Args:
        sources: how many there are, of a set of their own.
        driving: how many clips there are.
        count: how many different (source, driving) pairs.
        seed: of the order of sources.

    Raises:
        ValueError: there are not that many.
    """
    if count > sources * driving:
        raise ValueError(
            f"data.cross_pairs={count}, but {sources} sources and {driving} test clips make only "
            f"{sources * driving} pairs"
        )
    order = torch.randperm(sources, generator=generator(seed, "cross sources")).tolist()
    # each time that both cycles begin again at once, the sources move on by one
    cycle = math.lcm(sources, driving)
    return [(order[(n + n // cycle) % sources], n % driving) for n in range(count)]


def listed_pairs(sources: Clips, driving: Clips, table: Path) -> list[tuple[int, int]]:
    """Read (source, driving) pairs from a CSV with these two columns.

    Names are those of the clips, with or without ending; other columns are ignored.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it cannot be read, or names a clip that is not there.
    """
    first, second = _by_name(sources), _by_name(driving)
    where = "test split" if sources is driving else "folder of sources"
    pairs = []
    for row in read_table(table, ("source", "driving")):
        for column, known, place in (("source", first, where), ("driving", second, "test split")):
            if row[column] not in known:
                raise ValueError(f"{table} names the clip {row[column]!r}, not in the {place}")
        pairs.append((first[row["source"]], second[row["driving"]]))
    return pairs


def _by_name(clips: Clips) -> dict[str, int]:
    stems = {Path(clips.name(i)).stem: i for i in range(len(clips))}
    return stems | {clips.name(i): i for i in range(len(clips))}
