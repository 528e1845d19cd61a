"""The one collection of metrics that validation and the benchmarks both call."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection

from animators.metrics.average import (
    L1,
    FrameAverage,
    MovingL1,
    MovingPixelL1,
    MultiScaleSsim,
    Psnr,
    Ssim,
)
from animators.metrics.frames import ms_ssim_name
from animators.metrics.lpips import Lpips
from animators.metrics.protocol import Protocol, Scored

TOLERANCE = 1e-3  # rounding that is let through at the ends of [0, 1]

Reconstruct = Callable[[Tensor, Tensor], Tensor]


def copy_source(video: Tensor, references: Tensor | None = None) -> Tensor:
    """Repeat the source frame: the row that every animator has to beat.

    Args:
        video: (B, T, 3, H, W), the source first.
        references: not used.

    Returns:
        (B, T, 3, H, W).
    """
    return video[:, :1].expand_as(video)


class ReconstructionSuite(MetricCollection):
    """All metrics of reconstruction, under one protocol; one call of `update_clip` is one clip.

    It has no weights in any state dict. After `summary` it is to be `reset`.
    """

    def __init__(self, protocol: Protocol, lpips: bool | nn.Module = True) -> None:
        """Build the metrics that exist at the protocol's image size.

        Args:
            protocol: what the numbers mean.
            lpips: False leaves LPIPS out; a network as `build_lpips` makes it is used as it is.

        Raises:
            WeightsNotFound: LPIPS is wanted and its weights are nowhere.
        """
        how = protocol.averaging
        metrics: dict[str, FrameAverage] = {"l1": L1(how), "psnr": Psnr(how), "ssim": Ssim(how)}
        if name := ms_ssim_name(protocol.image_size, protocol.image_size):
            metrics[name] = MultiScaleSsim(how)
        if lpips is not False:
            metrics["lpips"] = Lpips(how, None if lpips is True else lpips)
        metrics |= {"l1_moving": MovingL1(how), "l1_moving_pixels": MovingPixelL1(how)}
        super().__init__(cast("dict[str, Any]", metrics), compute_groups=False)
        self.protocol = protocol
        self._order = tuple(metrics)

    @property
    def higher_is_better(self) -> dict[str, bool]:
        """Tell for each metric whether more is better."""
        return {name: bool(metric.higher_is_better) for name, metric in self.items()}

    def update_clip(self, prediction: Tensor, video: Tensor) -> None:
        """Score one clip.

        Args:
            prediction: (1, T, 3, H, W) in [0, 1], the clip as the animator rebuilt it.
            video: (1, T, 3, H, W) in [0, 1], the clip itself, source frame first.

        Raises:
            ValueError: shapes, range or number of frames do not fit the protocol.
        """
        video = video.to(prediction.device)
        self._check(prediction, video)
        start = 1 if self.protocol.scored is Scored.REMAINING else 0
        self.update(prediction[0, start:], video[0, start:], video[0, 0])

    def summary(self) -> dict[str, float]:
        """Give each metric's mean so far; NaN for one that had nothing to measure."""
        values = self.compute()
        return {name: float(values[name]) for name in self._order}

    def _check(self, prediction: Tensor, video: Tensor) -> None:
        size, frames = self.protocol.image_size, self.protocol.frames
        wanted = (1, video.shape[1] if video.ndim > 1 else 0, 3, size, size)
        for name, clip in (("prediction", prediction), ("video", video)):
            if tuple(clip.shape) != wanted or not clip.is_floating_point():
                raise ValueError(
                    f"{name} is {tuple(clip.shape)} {clip.dtype}; {self.protocol.name} scores "
                    f"float clips (1, T, 3, {size}, {size})"
                )
            low, high = float(clip.min()), float(clip.max())
            if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):  # false for NaN as well
                raise ValueError(f"{name} has values from {low:g} to {high:g}, outside [0, 1]")
        if video.shape[1] < 2 or (frames is not None and video.shape[1] > frames):
            raise ValueError(f"{video.shape[1]} frames do not fit {self.protocol.name}")


def evaluate_clips(
    reconstruct: Reconstruct,
    clips: Iterable[Mapping[str, Any]],
    suite: ReconstructionSuite,
) -> dict[str, float]:
    """Reconstruct and score clips.

    Args:
        reconstruct: video (1, T, 3, H, W), references (1, N, 3, H, W) -> (1, T, 3, H, W), all in
            [0, 1].
        clips: each with `video` and `references` in [0, 1]; one whose `counts` is false is passed
            over.
        suite: where the numbers are added up; reset before and after.

    Returns:
        Metric -> mean.

    Raises:
        ValueError: a clip does not fit the suite's protocol, or there is no clip.
    """
    suite.reset()
    count = 0
    for clip in clips:
        if "counts" in clip and not bool(clip["counts"].all()):
            continue
        video, references = clip["video"], clip["references"]
        if references.shape[1] != suite.protocol.references:
            raise ValueError(f"{references.shape[1]} references do not fit {suite.protocol.name}")
        with torch.no_grad():
            suite.update_clip(reconstruct(video, references), video)
        count += 1
    if count == 0:
        raise ValueError("there is no clip to evaluate")
    result = suite.summary()
    suite.reset()
    return result
