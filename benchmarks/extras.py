"""Metrics beside the pixels': faces, bodies, distributions, jitter; each built when asked for.

A group names metrics that belong together. Which networks compute them stands in each metric's
name, and their versions in the record.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

PAPERS = ("fid", "video_fid")
"""Distances that the papers print whatever their samples; the table says how many there were."""


class Extras:
    """Several metrics that see the same clips.

    Args:
        metrics: each with `name`, `higher_is_better`, and `update(prediction, target, source)` of
            one clip; those with `total` and `count` have a value for each clip too.
    """

    def __init__(self, metrics: Sequence[Metric] = ()) -> None:
        self.metrics: dict[str, Any] = {str(metric.name): metric for metric in metrics}
        if len(self.metrics) < len(metrics):
            raise ValueError(f"two metrics of one name: {[str(m.name) for m in metrics]}")

    @property
    def higher_is_better(self) -> dict[str, bool]:
        """Tell for each metric whether more is better."""
        return {name: bool(metric.higher_is_better) for name, metric in self.metrics.items()}

    @property
    def detectors(self) -> dict[str, str]:
        """What computed each metric that wants a network."""
        found = {name: getattr(metric, "detector", "") for name, metric in self.metrics.items()}
        return {name: str(version) for name, version in found.items() if version}

    def reset(self) -> None:
        """Start from nothing."""
        for metric in self.metrics.values():
            metric.reset()

    def update(self, prediction: Tensor, target: Tensor, source: Tensor) -> dict[str, float]:
        """Add one clip.

        Args:
            prediction: (T, 3, H, W) in [0, 1].
            target: (T, 3, H, W) in [0, 1], the driving frames.
            source: (3, H, W) in [0, 1].

        Returns:
            The clip's own values; NaN where nothing could be measured.
        """
        before = sums(self.metrics.items())
        for metric in self.metrics.values():
            metric.update(prediction, target, source)
        return added(before, sums(self.metrics.items()))

    def summary(self) -> dict[str, float]:
        """Give each metric's value so far.

        NaN for one that had nothing to measure. A distance of distributions with too few samples
        for its features is left out: `left_out` says so.
        """
        short = self.left_out
        return {n: float(m.compute()) for n, m in self.metrics.items() if n not in short}

    @property
    def left_out(self) -> dict[str, str]:
        """Distances of distributions with too few samples to mean anything, and how many it has."""
        return {
            name: f"{metric.count} samples, more than {metric.network.size} wanted"
            for name, metric in self._distances().items()
            if not metric.enough and name not in PAPERS
        }

    @property
    def samples(self) -> dict[str, int]:
        """How many pictures or clips each distance of distributions has seen."""
        return {name: int(metric.count) for name, metric in self._distances().items()}

    def _distances(self) -> dict[str, Any]:
        return {name: one for name, one in self.metrics.items() if hasattr(one, "enough")}


def sums(metrics: Iterable[tuple[str, Any]]) -> dict[str, tuple[float, float]]:
    """Give the sums behind those metrics that are means: name -> (total, count)."""
    means = ((name, one) for name, one in metrics if _is_mean(one))
    return {name: (float(one.total), float(one.count)) for name, one in means}


def added(
    before: Mapping[str, tuple[float, float]], after: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    """Give the means of what came between two states of the sums; NaN where nothing did."""
    values = {}
    for name, (total, count) in after.items():
        more = count - before[name][1]
        values[name] = (total - before[name][0]) / more if more else math.nan
    return values


def _is_mean(metric: Any) -> bool:
    return isinstance(getattr(metric, "total", None), torch.Tensor)
