"""Which clips of a published list are for testing, where the list does not say."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from datamodules import media
from datamodules.splits import Split

TEST_SHARE = 120, 1320
"""Clips to test on, of all: TED-talks' 120 of 1,320 (DiME, section 4)."""


def deal_by_identity(clips: Mapping[str, str]) -> dict[str, Split]:
    """Make a split in which no identity is on both sides, from the clips' names alone.

    The identities are put in the order of the SHA-256 of their names. From the first on they
    go to test, whole, until it has 120 of 1,320 clips; one identity at least stays in train.
    Neither the order of the rows nor what is downloaded matters.

    Args:
        clips: identity of each clip, by the clip's name.

    Returns:
        The split of each clip.
    """
    count = Counter(clips.values())
    order = sorted(count, key=lambda name: (hashlib.sha256(name.encode()).hexdigest(), name))
    share, of = TEST_SHARE
    test: set[str] = set()
    dealt = 0
    for identity in order[:-1]:
        if dealt * of >= len(clips) * share:
            break
        test.add(identity)
        dealt += count[identity]
    return {name: "test" if identity in test else "train" for name, identity in clips.items()}


def deal_by_list(
    clips: Mapping[str, str], test: Path, aliases: Mapping[str, Sequence[str]]
) -> tuple[dict[str, Split], list[str]]:
    """Test on the clips that a text file names; train on all others.

    Args:
        clips: identity of each clip, by the clip's name.
        test: one clip (with or without ending), identity or video a line; empty lines and
            those that begin with # are passed over.
        aliases: further names by which a line may mean clips, such as their video's.

    Returns:
        The split of each clip, and the lines that mean none.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no text, no line means a clip, or none is left to train on.
    """
    if not test.is_file():
        raise FileNotFoundError(f"the list of test clips {test} does not exist")
    try:
        text = test.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"the list of test clips {test} is not text in UTF-8: {error}") from error
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if line and not line.startswith("#")]
    meant: dict[str, list[str]] = {}
    for name, identity in clips.items():
        for key in {name, identity, *aliases.get(name, ())}:
            meant.setdefault(key, []).append(name)
    split: dict[str, Split] = dict.fromkeys(clips, "train")
    unknown = []
    for line in lines:
        names = meant.get(line) or meant.get(without_ending(line), [])
        split.update(dict.fromkeys(names, "test"))
        if not names:
            unknown.append(line)
    for wanted in ("test", "train"):
        if clips and wanted not in split.values():
            raise ValueError(
                f"{test} leaves no clip for {wanted}: give the names, identities or video ids of "
                f"the test clips, one a line, such as {next(iter(clips))}"
            )
    return split, unknown


def list_digest(test: Path | None) -> str:
    """Hash the content of a list of test clips; empty where there is none."""
    return "" if test is None else hashlib.sha256(test.read_bytes()).hexdigest()[:12]


def without_ending(name: str) -> str:
    """Return a clip's name without the ending of a kind of clip, if it has one."""
    ending = Path(name).suffix
    return name.removesuffix(ending) if ending.lower() in media.CLIPS else name
