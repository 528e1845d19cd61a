"""Frames to probe, with who is shown and how it moves, and what an animator makes of them.

Mirrored copies of a clip are the same recording (a table's column `mirror_of` tells), and a person
with one recording takes no part, as nothing would be left to test on.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules import media
from datamodules.clips import Clips, VideoFolder
from datamodules.items import scored_frames
from datamodules.pairs import FramePairs
from datamodules.splits import identity_rule, read_table
from datamodules.toy import ToyClips

if TYPE_CHECKING:
    from animators.module import AnimatorModule

BATCH = 64
PIXELS = 16
"""Side of the pictures of the plainest probe."""
FEATURES: Mapping[str, str] = {
    "F_m": "motion feature of swin_tps",
    "F_id": "identity feature of swin_tps",
    "points": "control points of tpsmm and swin_tps",
    "keypoints": "of fomm and dime",
    "regions": "centres of mraa's regions",
    "magnitudes": "of lia's directions",
}
MIRRORS = "mirror_of"


@dataclass(frozen=True)
class Target:
    """What a probe of the motion is to find: coordinates (n, E), or labels (n,).

    Attributes:
        name: what it is called.
        values: of each frame; float are coordinates, integers labels.
        among: frames that have it, (n,) bool.
    """

    name: str
    values: Tensor
    among: Tensor


@dataclass(frozen=True)
class Probed:
    """Frames to probe.

    Attributes:
        images: (n, 3, S, S) uint8.
        recordings: number of each frame's recording, (n,).
        persons: who is shown in each recording.
        motion: what probes of the motion are to find.
        clips: how many clips the frames are from.
        left_out: persons with one recording.
        digest: sha256 over names, frame numbers and pixels.
    """

    images: Tensor
    recordings: Tensor
    persons: list[int]
    motion: list[Target]
    clips: int
    left_out: int
    digest: str

    @property
    def labels(self) -> Tensor:
        """Number of who is shown in each frame, 0 to n - 1, (n,)."""
        known = sorted(set(self.persons))
        return torch.tensor([known.index(person) for person in self.persons])[self.recordings]


Clip = tuple[Clips, int]
Recording = tuple[int, str]
"""Who is shown, and a name."""


def read(data: FramePairs, frames: int | None, motion: str, *, everything: bool) -> Probed:
    """Read frames of the set.

    Args:
        data: the set, set up.
        frames: equally spaced frames of each clip; None takes all.
        motion: column of the table of identities that says how each clip moves, or "none"; the
            toy knows where its keypoints are.
        everything: take the clips to test on too, not only those to train on.

    Raises:
        ValueError: nobody with two recordings, or clips without a label of their motion.
    """
    splits = [data.train_clips, *([data.test_clips] if everything else [])]
    clips: list[Clip] = [(part, i) for part in splits for i in range(len(part))]
    taken, keys, total = _several(clips, _recordings(data, clips))
    known = sorted(set(keys))
    indices = [scored_frames(part.num_frames(i), frames, 0)[0] for part, i in taken]
    digest, shown = hashlib.sha256(), []
    for (part, i), chosen in zip(taken, indices, strict=True):
        shown.append(part.read(i, chosen))
        digest.update(repr((part.name(i), chosen)).encode())
        digest.update(shown[-1].numpy().tobytes())
    persons = [person for person, _ in known]
    return Probed(
        images=torch.cat(shown),
        recordings=_spread([known.index(key) for key in keys], indices),
        persons=persons,
        motion=[] if motion == "none" else _targets(data, taken, indices, motion),
        clips=len(taken),
        left_out=total - len(set(persons)),
        digest=digest.hexdigest(),
    )


def _spread(values: Sequence[int], indices: Sequence[Sequence[int]]) -> Tensor:
    """Give every frame the number of its clip."""
    return torch.tensor(values).repeat_interleave(torch.tensor([len(own) for own in indices]))


def _several(
    clips: Sequence[Clip], recordings: Sequence[Recording]
) -> tuple[list[Clip], list[Recording], int]:
    """Keep the clips of persons with two recordings or more; also how many persons there were."""
    own: dict[int, set[str]] = {}
    for person, name in recordings:
        own.setdefault(person, set()).add(name)
    kept = [n for n, (person, _) in enumerate(recordings) if len(own[person]) > 1]
    if not kept:
        raise ValueError(
            f"none of the {len(own)} persons has two recordings: a probe is tested on other clips "
            "of the same persons; see data.init_args.identities"
        )
    return [clips[n] for n in kept], [recordings[n] for n in kept], len(own)


def _recordings(data: FramePairs, clips: Sequence[Clip]) -> list[Recording]:
    """Name each clip's recording: the clip, or the first name of it and its mirrored copy."""
    table, mirrors = _table(data, clips), {}
    if table is not None:
        for row in read_table(table[0] / table[1], ()):
            mirrors[row.get("path") or row.get("name") or ""] = row.get(MIRRORS, "")
    found = []
    for part, i in clips:
        name = part.name(i)
        stem = Path(name).stem if isinstance(part, VideoFolder) else name
        keys = (_path(part, i).relative_to(table[0]).as_posix(), name, stem) if table else ()
        other = next((mirrors[key] for key in keys if key in mirrors), "")
        found.append((part.identity(i), min(stem, other) if other else stem))
    return found


def _table(data: FramePairs, clips: Sequence[Clip]) -> tuple[Path, str] | None:
    """The set's folder and its table of identities below it, if it has one."""
    match = re.fullmatch(r"csv\(\s*(.+?)\s*,\s*\w+\s*\)", data.identities)
    if match is None or data.root is None or not isinstance(clips[0][0], VideoFolder):
        return None
    return data.root, match[1]


def _path(part: Clips, i: int) -> Path:
    assert isinstance(part, VideoFolder)
    return part.paths[i]


def _targets(
    data: FramePairs, clips: Sequence[Clip], indices: Sequence[Sequence[int]], motion: str
) -> list[Target]:
    if isinstance(clips[0][0], ToyClips):
        return _keypoints(clips, indices)
    table = _table(data, clips)
    if table is None:
        raise ValueError(
            "how clips move is read from the table of identities, and this set has none "
            f"(identities: {data.identities}): give --motion none"
        )
    try:
        rule = identity_rule(f"csv({table[1]},{motion})", table[0])
        shown = [rule(_path(part, i)) for part, i in clips]
    except ValueError as error:
        raise ValueError(f"{error}; or name another column by --motion, or none") from error
    known = sorted(set(shown))
    values = _spread([known.index(word) for word in shown], indices)
    return [Target(motion, values, torch.ones(len(values), dtype=torch.bool))]


def _keypoints(clips: Sequence[Clip], indices: Sequence[Sequence[int]]) -> list[Target]:
    """True keypoints, for each kind of figure by itself: theirs are different points."""
    kinds, points = [], []
    for (part, i), chosen in zip(clips, indices, strict=True):
        assert isinstance(part, ToyClips)
        points.append(part.keypoints(i, chosen).flatten(1))
        match = re.match(r"[a-z]+", part.name(i))
        assert match is not None
        kinds += [match[0]] * len(chosen)
    values = torch.cat(points)
    return [
        Target(f"{kind} keypoints", values, torch.tensor([own == kind for own in kinds]))
        for kind in sorted(set(kinds))
    ]


def pixels(images: Tensor) -> Tensor:
    """Shrink frames (n, 3, S, S) uint8 to vectors of `PIXELS` x `PIXELS` pixels."""
    small = F.interpolate(
        media.to_float(images), (PIXELS, PIXELS), mode="bilinear", antialias=True
    )  # fmt: skip
    return small.flatten(1)


@torch.no_grad()
def encode(animator: "AnimatorModule", images: Tensor, feature: str) -> Tensor:
    """Read one feature off frames.

    Args:
        animator: in eval mode.
        images: (n, 3, S, S) uint8.
        feature: one of `FEATURES`.

    Returns:
        (n, D) on the CPU.

    Raises:
        ValueError: the animator does not have it; the message lists those that it has.
    """
    read_off = available(animator)
    if feature not in read_off:
        raise ValueError(
            f"{type(animator).__name__} has no {feature}: it has {', '.join(read_off) or 'none'} "
            "(NAME=CHECKPOINT@FEATURE)"
        )
    parts = torch.split(media.to_float(images), BATCH)
    return torch.cat([read_off[feature](part.to(animator.device)).cpu() for part in parts])


def available(animator: "AnimatorModule") -> dict[str, Callable[[Tensor], Tensor]]:
    """Give the features that an animator has, each a function of frames (B, 3, S, S) in [0, 1]."""
    found: dict[str, Callable[[Tensor], Tensor]] = {}
    decoupling: Any = getattr(animator.network, "decoupling", None)
    if decoupling is not None:
        found["F_m"] = lambda x: decoupling.motion_feature(decoupling.coefficients(x))
        if decoupling.identity is not None:
            found["F_id"] = decoupling.identity_feature
    black = torch.zeros(1, 3, animator.image_size, animator.image_size, device=animator.device)
    motion = animator.encode_motion(black)
    for name in ("points", "keypoints", "regions", "magnitudes"):
        if hasattr(motion, name):
            found[name] = partial(_of_motion, animator, name)
    return found


def _of_motion(animator: "AnimatorModule", name: str, images: Tensor) -> Tensor:
    """Flatten numbers of a motion; of keypoints and regions that hold more, the positions."""
    found: Any = getattr(animator.encode_motion(images), name)
    if not isinstance(found, Tensor):
        found = found.value if hasattr(found, "value") else found.shift
    return cast(Tensor, found.flatten(1))
