"""What edits along a motion direction do to a face: head pose, identity, pixels; for `directions`.

An edited drawing is held against the unedited drawing of the same picture, or of the same frame of
the same clip. Where either shows no face, pose and identity are left out and counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    from datamodules.media import Frames

FIGURES = ("yaw", "pitch", "roll", "angle", "identity")
"""What is known of a pair of drawings only where both show a face."""


class Seen(NamedTuple):
    """A picture and its face: (S, S, 3) uint8, points (468, 3) and vector (128,), or None."""

    pixels: "Frames"
    points: "npt.NDArray[Any] | None"
    vector: "npt.NDArray[Any] | None"


class Eye:
    """Sees faces: one mesh, whose points also say where the identity network looks."""

    def __init__(self) -> None:
        """Open the estimators.

        Raises:
            WeightsNotFound: a file is missing.
            ValueError: dlib is not installed.
        """
        from animators.pretrained import FaceIdentity, FaceMesh

        self._mesh = FaceMesh()
        self._identity = FaceIdentity(mesh=self._mesh)

    def see(self, frame: "Frames") -> Seen:
        """Look at one picture (S, S, 3) uint8."""
        points = self._mesh.find(frame)
        vector = None if points is None else self._identity.describe(frame, points)
        return Seen(frame, points, vector)


def compare(before: Seen, after: Seen) -> dict[str, float | None]:
    """Give the head's turn in degrees, the identities' L2 distance, the pixels' mean difference."""
    import numpy as np

    from animators.metrics.head_pose import head_turn

    change = np.abs(after.pixels.astype(np.int16) - before.pixels).mean() / 255
    found: dict[str, float | None] = dict.fromkeys(FIGURES)
    if before.points is not None and after.points is not None:
        assert before.vector is not None and after.vector is not None  # noqa: PT018
        found |= head_turn(before.points, after.points)._asdict()
        found["identity"] = float(np.linalg.norm(after.vector - before.vector))
    return found | {"pixels": float(change)}


def average(rows: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
    """Average comparisons: a mean for each figure, over those that have it.

    Returns:
        The means, None where no pair shows a face; `pairs`, how many were compared, and `found`,
        those with a face in both.
    """
    told: dict[str, Any] = {"pairs": len(rows)}
    for name in (*FIGURES, "pixels"):
        values = [value for row in rows if (value := row[name]) is not None]
        told[name] = sum(values) / len(values) if values else None
        if name == "identity":
            told["found"] = len(values)
    return told


class Study:
    """Edits sources along directions and keeps what came of each.

    Args:
        model: an editable animator.
        eye: sees faces.
        amounts: direction -> amounts to draw, none of them 0.

    Attributes:
        unedited: comparisons of the pictures that were looked at with their unedited drawings.
    """

    def __init__(self, model: Any, eye: Eye, amounts: Mapping[str, Sequence[float]]) -> None:
        self._model = model
        self._eye = eye
        self._amounts = amounts
        self.unedited: list[dict[str, float | None]] = []
        self._found: dict[str, dict[tuple[str, float], list[dict[str, float | None]]]] = {
            "picture": {},
            "clip": {},
        }

    def look(self, video: "Tensor") -> None:
        """Hold a source's first frame against its unedited drawing.

        Args:
            video: (T, 3, S, S) in [0, 1].
        """
        from animators.commands import pictures

        _, still = self._unedited(video)
        self.unedited.append(compare(self._eye.see(pictures.pixels(video[:1])[0]), still))

    def add(self, video: "Tensor") -> Iterable[str]:
        """Edit a source: its first frame as a picture; where it has more, also as a clip.

        The clip is that of `python -m animators edit`: the first frame is edited and makes the
        clip's own motion (LIA-X, eq. 10), at the lowest and the highest amount.

        Args:
            video: (T, 3, S, S) in [0, 1].

        Yields:
            Each direction, when it is done.
        """
        import torch

        from animators.commands.directions import drawn

        state, still = self._unedited(video)
        moving = self._follow(video, state) if len(video) > 1 else []
        for name, amounts in self._amounts.items():
            for amount in amounts:
                # around single calls: a generator would keep it on between its steps
                with torch.no_grad():
                    edited = self._model.edit(state, {name: amount})
                after = self._eye.see(drawn(self._model, edited))
                self._keep("picture", name, amount, [compare(still, after)])
                if moving and amount in (min(amounts), max(amounts)):
                    frames = self._follow(video, edited)
                    pairs = [compare(*pair) for pair in zip(moving, frames, strict=True)]
                    self._keep("clip", name, amount, pairs)
            yield name

    def _unedited(self, video: "Tensor") -> tuple[object, Seen]:
        """Encode a source's first frame, draw it and look at it."""
        import torch

        from animators.commands.directions import drawn

        with torch.no_grad():
            state = self._model.encode_source(video[:1].to(self._model.device))
        return state, self._eye.see(drawn(self._model, state))

    def _follow(self, video: "Tensor", state: object) -> list[Seen]:
        """Draw and look at every frame of a clip that an encoded source follows."""
        import torch

        from animators.animator import Mode
        from animators.commands import pictures
        from animators.inference import stream

        clip = video[None].to(self._model.device)
        chunks = torch.split(clip, 8, dim=1)
        drawn = stream(self._model, clip[:, 0], chunks, mode=Mode.RELATIVE, encoded=state)
        return [self._eye.see(frame) for part in drawn for frame in pictures.pixels(part[0])]

    def _keep(
        self, kind: str, name: str, amount: float, pairs: Sequence[dict[str, float | None]]
    ) -> None:
        self._found[kind].setdefault((name, amount), []).extend(pairs)

    def results(self) -> list[dict[str, Any]]:
        """Average over all sources.

        Returns:
            For each direction `name`, `index`, and lists `picture` and `clip`, the means at each
            amount, in the amounts' order.
        """
        return [
            {
                "name": name,
                "index": self._model.directions[name].index,
                **{
                    kind: [
                        {"amount": amount, **average(found[name, amount])}
                        for amount in amounts
                        if (name, amount) in found
                    ]
                    for kind, found in self._found.items()
                },
            }
            for name, amounts in self._amounts.items()
        ]
