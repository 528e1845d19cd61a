"""Figures of `study leakage`: to whom an animated face is nearer, to which picture its pixels."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    from animators.module import AnimatorModule
    from datamodules.clips import Clips
    from datamodules.media import Frames

FIGURES = {
    "to_source": "identity distance to the source's person",
    "to_driving": "identity distance to the driving person",
    "identity_lean": "to_source / (to_source + to_driving)",
    "nearer_driving": "share of frames nearer to the driving person",
    "pixels_to_source": "L1 to the source over L1 between source and driving frame",
    "pixels_to_driving": "L1 to the driving frame over the same",
    "pixel_lean": "pixels_to_source / (pixels_to_source + pixels_to_driving)",
}
COPIES = ("copy-source", "copy-driving")
"""Rows at both ends: nothing of the driving person, and nothing else."""
RESAMPLES = 9999
SHOWN = 6
"""Pairs of the picture."""


class Person(NamedTuple):
    """A test clip: (T, 3, S, S) uint8, and the mean vector (128,) of its faces, None without."""

    name: str
    video: "Tensor"
    vector: "npt.NDArray[Any] | None"


def describe(eye: Any, frames: "Frames") -> list["npt.NDArray[Any] | None"]:
    """Describe the face of each frame (T, S, S, 3); None where there is none, or no eye."""
    return [None] * len(frames) if eye is None else [eye.see(frame).vector for frame in frames]


def person(eye: Any, name: str, video: "Tensor") -> Person:
    """Look at a clip (T, 3, S, S) uint8; its person is the mean over frames with a face."""
    import numpy as np

    from datamodules import media

    seen = [vector for vector in describe(eye, media.to_frames(video)) if vector is not None]
    return Person(name, video, np.mean(seen, axis=0) if seen else None)


def judge(result: "Tensor", source: Person, driving: Person, eye: Any) -> dict[str, float | None]:
    """Measure one animated clip.

    Args:
        result: (T, 3, S, S) in [0, 1], the source's first frame as the driving clip moves.
        source: who is shown.
        driving: whose motion it is; as many frames.
        eye: sees faces; None leaves identities out.

    Returns:
        `FIGURES`, means over frames; those of identities None where no frame shows a face, or
        either person has none. `faces`: the share of frames with a face.
    """
    from datamodules import media

    vectors = describe(eye, media.to_frames(media.to_uint8(result)))
    found = [vector for vector in vectors if vector is not None]
    told: dict[str, float | None] = dict.fromkeys(FIGURES)
    told["faces"] = len(found) / len(vectors)
    return told | _identity(found, source.vector, driving.vector) | _pixels(result, source, driving)


def _identity(found: Sequence[Any], source: Any, driving: Any) -> dict[str, float]:
    import numpy as np

    if not found or source is None or driving is None:
        return {}
    near = np.linalg.norm(np.stack(found) - source, axis=1)
    far = np.linalg.norm(np.stack(found) - driving, axis=1)
    return {
        "to_source": float(near.mean()),
        "to_driving": float(far.mean()),
        "identity_lean": float((near / (near + far)).mean()),
        "nearer_driving": float((far < near).mean()),
    }


def _pixels(result: "Tensor", source: Person, driving: Person) -> dict[str, float]:
    from datamodules import media

    still, moving = media.to_float(source.video[:1]), media.to_float(driving.video)
    # over the whole clip: a single frame of the driving clip may be the source's twin
    apart = float((still - moving).abs().mean())
    if apart == 0:
        raise ValueError(f"{source.name} and {driving.name} show the same pixels: name other clips")
    near = float((result - still).abs().mean()) / apart
    far = float((result - moving).abs().mean()) / apart
    # whoever shows one of the two is at exactly 1 from the other, so the sum is never 0
    return {"pixels_to_source": near, "pixels_to_driving": far, "pixel_lean": near / (near + far)}


def average(pairs: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Average the figures of pairs, each over those that have it; None where none does."""
    means: dict[str, float | None] = {}
    for name in (*FIGURES, "faces"):
        values = [pair[name] for pair in pairs if pair[name] is not None]
        means[name] = sum(values) / len(values) if values else None
    return means


def compare(
    first: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]], seed: int
) -> dict[str, dict[str, Any]]:
    """Say by how much a row differs from the first, and whether the clips can tell them apart.

    Differences of the same pair are averaged over the pairs that a clip drives, as these are no
    independent draws, and the clips' means are resampled (percentile bootstrap of 9,999).

    Args:
        first: figures of each pair, with `driving`, its clip's name.
        other: of the same pairs.
        seed: of the resampling.

    Returns:
        By figure `difference` (other - first), `low` and `high` of its 95 % interval, `separable`
        (0 lies outside) and `clips`; without an interval where there is one clip only. Figures that
        no pair has in both rows are left out.
    """
    import numpy as np
    from scipy.stats import bootstrap

    told = {}
    for name in FIGURES:
        by_clip: dict[str, list[float]] = {}
        for a, b in zip(first, other, strict=True):
            if a[name] is not None and b[name] is not None:
                by_clip.setdefault(a["driving"], []).append(b[name] - a[name])
        if not by_clip:
            continue
        means = np.array([np.mean(values) for values in by_clip.values()])
        low = high = None
        if len(means) > 1:
            interval = bootstrap(
                (means,), np.mean, n_resamples=RESAMPLES, method="percentile",
                rng=np.random.default_rng(seed),
            ).confidence_interval  # fmt: skip
            low, high = float(interval.low), float(interval.high)
        told[name] = {
            "difference": float(means.mean()),
            "low": low,
            "high": high,
            "separable": low is not None and high is not None and (low > 0 or high < 0),
            "clips": len(means),
        }
    return told


class Stage:
    """The clips of some pairs, and what animators make of them.

    Args:
        clips: of the test split.
        pairs: (source, driving) numbers of clips.
        frames: equally spaced frames of each; None takes all.
        eye: sees faces; None leaves identities out.

    Attributes:
        clips: what a record says of them: `count`, `pairs`, `frames`, `sha256` over names, frame
            numbers and pixels.

    Raises:
        ValueError: no clip shows a face.
    """

    def __init__(
        self, clips: "Clips", pairs: Sequence[tuple[int, int]], frames: int | None, eye: Any
    ) -> None:
        from datamodules.items import scored_frames

        self._pairs, self._eye = pairs, eye
        self._persons: dict[int, Person] = {}
        digest = hashlib.sha256()
        for i in sorted({number for pair in pairs for number in pair}):
            chosen, _ = scored_frames(clips.num_frames(i), frames, 0)
            video = clips.read(i, chosen)
            digest.update(repr((clips.name(i), chosen)).encode() + video.numpy().tobytes())
            self._persons[i] = person(eye, clips.name(i), video)
        if eye is not None and all(one.vector is None for one in self._persons.values()):
            raise ValueError("no face was found in any clip: take clips of faces, or --no-identity")
        self.clips = {
            "count": len(self._persons),
            "pairs": len(pairs),
            "frames": sum(len(one.video) for one in self._persons.values()),
            "sha256": digest.hexdigest(),
        }

    def play(
        self, animators: Mapping[str, "AnimatorModule"], mode: str
    ) -> tuple[dict[str, list[dict[str, Any]]], "Frames"]:
        """Animate and judge every pair with every animator, and with the two copies.

        Returns:
            By row the figures of each pair, with the clips' names; and a picture of the middle
            frames of some, (1, H, W, 3).
        """
        import numpy as np
        from tqdm import tqdm

        from animators.commands.directions import table
        from datamodules import media

        found: dict[str, list[dict[str, Any]]] = {name: [] for name in (*COPIES, *animators)}
        tiles: list[list[Frames]] = []
        for a, b in tqdm(self._pairs, desc="leakage", unit="pair"):
            source, driving = self._persons[a], self._persons[b]
            names = {"source": source.name, "driving": driving.name}
            line = []
            for name, own in found.items():
                result = draw(animators.get(name, name), source, driving, mode)
                own.append({**names, **judge(result, source, driving, self._eye)})
                middle = len(result) // 2
                line.append(media.to_frames(media.to_uint8(result[middle : middle + 1]))[0])
            if len(tiles) < SHOWN:
                tiles.append(line)
        labels = [f"pair {n}" for n in range(len(tiles))]
        return found, table(np.array(tiles), labels, list(found))[None]


def draw(drawer: "AnimatorModule | str", source: Person, driving: Person, mode: str) -> "Tensor":
    """Make the source's first frame move as the driving clip does, or copy one of the two.

    Returns:
        (T, 3, S, S) in [0, 1] on the CPU.
    """
    from datamodules import media

    still, moving = media.to_float(source.video[:1]), media.to_float(driving.video)
    if isinstance(drawer, str):
        return still.expand_as(moving) if drawer == COPIES[0] else moving
    where = drawer.device
    return drawer.animate(still.to(where), moving[None].to(where), mode=mode)[0].cpu()
