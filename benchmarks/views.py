"""Test clips rebuilt from several views of the source: all at once, or the best one of them.

A view is the source frame or a reference. What a one-shot animator makes of the same references is
its best view of each clip, by L1 over the frames that count; the row says so in its name. The
reference frames are frames of the clip too: under every protocol that has some, a second figure
counts them among the driving frames.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from animators.metrics import Protocol, ReconstructionSuite, Scored, build_lpips
from animators.metrics.frames import l1
from benchmarks.extras import Extras, added, sums
from datamodules.items import spread

if TYPE_CHECKING:
    from animators.module import AnimatorModule

Reconstruct = Callable[[Tensor, Tensor], Tensor]
Clip = Mapping[str, Any]


@dataclass(frozen=True)
class Views:
    """What a row is given of a clip's references.

    Attributes:
        references: how many, equally spaced among the clip's.
        best: run once for each view as the source, keep the best; else all views at once.
    """

    references: int = 0
    best: bool = False

    @property
    def words(self) -> str:
        """Such as `best of 4`."""
        return f"best of {self.references + 1}" if self.best else f"{self.references} references"

    def label(self, name: str) -> str:
        """Name the row, so that the best of several runs never passes for a single one."""
        return f"{name} ({self.words})" if self.best else name

    def check(self, animator: "AnimatorModule", name: str, best: str, some: str, none: str) -> None:
        """Refuse views that an animator cannot take.

        Args:
            animator: that is to be run.
            name: what the row is called.
            best: how the user asks for the best view.
            some: how the user asks for references.
            none: how the user asks for none.

        Raises:
            ValueError: references for an animator of one picture, or the best view of an animator
                that takes all of them, or of the source alone.
        """
        if self.best and animator.several_views:
            raise ValueError(f"{name} takes all references at once: leave {best} out")
        if self.best and self.references == 0:
            raise ValueError(f"{name}: {best} wants references to choose from: add {some}")
        if self.references and not self.best and not animator.several_views:
            raise ValueError(
                f"{name} takes one picture and no references: {best} scores the best of "
                f"{self.references + 1} views of each clip, {none} the source alone"
            )

    def split(self, clip: Clip) -> tuple[Tensor, Tensor]:
        """Choose the sources to run with, and the references given along with each.

        Returns:
            (1, V, 3, H, W), the clip's source first, and (1, N, 3, H, W).
        """
        source, references = clip["video"][:, :1], clip["references"]
        chosen = references[:, spread(range(references.shape[1]), self.references)]
        if self.best:
            return torch.cat([source, chosen], dim=1), references[:, :0]
        return source, chosen


@dataclass(frozen=True)
class ClipScore:
    """One clip of a row.

    Attributes:
        name: of the clip.
        metrics: metric -> value; NaN where there was nothing to measure.
        view: number of the view that served as the source, 0 for the clip's own.
        l1: of each scored frame, (T,) float64.
        motion: copy-source's L1 of the same frames, (T,) float64.
    """

    name: str
    metrics: dict[str, float]
    view: int
    l1: Tensor
    motion: Tensor


@dataclass(frozen=True)
class Score:
    """A row.

    Attributes:
        metrics: metric -> mean.
        with_references: the same with the reference frames counted; empty without references.
        clips: one for each clip.
    """

    metrics: dict[str, float]
    with_references: dict[str, float]
    clips: list[ClipScore]


class Suites:
    """The protocol's metrics, and beside them the same with the reference frames counted.

    Args:
        protocol: what the numbers mean.
        lpips: whether LPIPS is measured.
        extras: metrics beside the suite's, of the frames that count.

    Raises:
        WeightsNotFound: LPIPS is wanted and its weights are nowhere.
    """

    def __init__(self, protocol: Protocol, lpips: bool, extras: Extras | None = None) -> None:
        network: nn.Module | bool = build_lpips() if lpips else False
        self.protocol = protocol
        self.extras = Extras() if extras is None else extras
        self.scored = ReconstructionSuite(protocol, lpips=network)
        # more frames than the protocol reads: it would refuse them
        self.counted = ReconstructionSuite(replace(protocol, frames=None), lpips=network)
        self.start = 1 if protocol.scored is Scored.REMAINING else 0

    @property
    def higher_is_better(self) -> dict[str, bool]:
        """Tell for each metric whether more is better."""
        return self.scored.higher_is_better | self.extras.higher_is_better

    def evaluate(self, reconstruct: Reconstruct, clips: Iterable[Clip], views: Views) -> Score:
        """Rebuild and score clips.

        Args:
            reconstruct: video (1, T, 3, H, W), references (1, N, 3, H, W) -> (1, T, 3, H, W), all
                in [0, 1].
            clips: as `TestClips` gives them; one whose `counts` is false is passed over.
            views: what the row is given.

        Returns:
            The row's numbers. With the reference frames counted, the best view is that of the
            frames that count then.

        Raises:
            ValueError: a clip does not fit the protocol, or there is no clip.
        """
        self.scored.reset()
        self.counted.reset()
        self.extras.reset()
        found = []
        for clip in clips:
            if not bool(clip["counts"].all()):
                continue
            if clip["references"].shape[1] != self.protocol.references:
                raise ValueError(
                    f"{clip['references'].shape[1]} references do not fit {self.protocol.name}"
                )
            found.append(self._score(reconstruct, clip, views))
        if not found:
            raise ValueError("there is no clip to evaluate")
        beside = self.counted.summary() if self.protocol.references else {}
        return Score(self.scored.summary() | self.extras.summary(), beside, found)

    @torch.no_grad()
    def _score(self, reconstruct: Reconstruct, clip: Clip, views: Views) -> ClipScore:
        video = clip["video"]
        joined = in_time(clip, video, clip["references"])
        best: list[tuple[float, int, Tensor]] = []  # for either set of frames
        for view, (prediction, others) in enumerate(rebuild(reconstruct, clip, views)):
            pairs = ((prediction, video), (in_time(clip, prediction, others), joined))
            tried = [(float(self._frames_l1(*pair).mean()), view, pair[0]) for pair in pairs]
            # of equals the earliest view: the clip's own source comes first
            rivals = zip(best or tried, tried, strict=True)
            best = [min(two, key=lambda one: one[0]) for two in rivals]
        before = sums(self.scored.items())
        self.scored.update_clip(best[0][2], video)
        if self.protocol.references:
            self.counted.update_clip(best[1][2], joined)
        kept, real = best[0][2], video.to(best[0][2].device)
        more = self.extras.update(kept[0, self.start :], real[0, self.start :], real[0, 0])
        return ClipScore(
            name=clip["name"][0],
            metrics=added(before, sums(self.scored.items())) | more,
            view=best[0][1],
            l1=self._frames_l1(best[0][2], video),
            motion=self._frames_l1(video[:, :1].expand_as(video), video),
        )

    def _frames_l1(self, prediction: Tensor, video: Tensor) -> Tensor:
        frames = (x[0, self.start :].float() for x in (prediction, video.to(prediction.device)))
        return l1(*frames).double().cpu()


def rebuild(reconstruct: Reconstruct, clip: Clip, views: Views) -> Iterator[tuple[Tensor, Tensor]]:
    """Rebuild a clip, and its reference frames, from each of the sources to run with.

    Yields:
        (1, T, 3, H, W) and (1, N, 3, H, W), N all of the clip's references.
    """
    video, others = clip["video"], clip["references"]
    sources, given = views.split(clip)
    for number, source in enumerate(torch.split(sources, 1, dim=1)):
        if number == 0:  # the very call that validation makes: same digits
            prediction = reconstruct(video, given)
        else:
            prediction = reconstruct(torch.cat([source, video], dim=1), given)[:, 1:]
        if others.shape[1]:
            yield prediction, reconstruct(torch.cat([source, others], dim=1), given)[:, 1:]
        else:
            yield prediction, prediction[:, :0]


def in_time(clip: Clip, frames: Tensor, others: Tensor) -> Tensor:
    """Put the scored frames of a clip and its reference frames in order of time.

    Args:
        clip: with the numbers of both.
        frames: (1, T, 3, H, W).
        others: (1, N, 3, H, W).

    Returns:
        (1, T + N, 3, H, W), frame 0 first.
    """
    numbers = torch.cat([clip["frame_index"], clip["reference_index"]], dim=1)[0]
    return torch.cat([frames, others.to(frames.device)], dim=1)[:, numbers.argsort()]
