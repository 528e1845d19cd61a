"""The reconstruction suite: what validation and the benchmark tables both report."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import Metric

from animators.metrics import frames
from animators.metrics.lpips import Lpips

HIGHER_IS_BETTER: Mapping[str, bool] = {
    "l1": False,
    "l1_moving": False,
    "l1_moving_pixels": False,
    "psnr": True,
    "ssim": True,
    "ms_ssim": True,
    "ms_ssim_3": True,
    "lpips": False,
}
"""Every metric of the suite; `ms_ssim_3` is MS-SSIM over three scales, below 176 pixels."""


class ReconstructionSuite(Metric):
    """L1, PSNR, SSIM, MS-SSIM and LPIPS of clips, averaged per video or per frame.

    `l1_moving` is L1 over the moving half of each clip's frames (those whose copy-source L1
    exceeds the clip's median), `l1_moving_pixels` over values that differ from the source by
    more than 0.1. States are sums and counts, so that processes may see different numbers
    of clips.

    Args:
        averaging: "video" gives each clip the same weight, "frame" each frame.
        lpips: score LPIPS; its network is loaded now.
        device: where the sums are kept.

    Raises:
        WeightsNotFound: LPIPS is on and its network is nowhere.
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = None  # each metric its own: HIGHER_IS_BETTER
    total: Tensor
    count: Tensor

    def __init__(
        self, averaging: Literal["video", "frame"] = "video", *, lpips: bool = True
    ) -> None:
        super().__init__()
        self.averaging = averaging
        # not a submodule: stays out of checkpoints and of train()
        object.__setattr__(self, "_lpips", Lpips() if lpips else None)
        names = [n for n in HIGHER_IS_BETTER if lpips or n != "lpips"]
        self.names = tuple(names)
        zeros = torch.zeros(len(names), dtype=torch.float64)
        self.add_state("total", zeros.clone(), dist_reduce_fx="sum")
        self.add_state("count", zeros.clone(), dist_reduce_fx="sum")

    @torch.no_grad()
    def update(self, prediction: Tensor, target: Tensor, source: Tensor) -> None:
        """Score one clip.

        Args:
            prediction: (T, 3, H, W) in [0, 1].
            target: (T, 3, H, W) in [0, 1], the true frames.
            source: (3, H, W), the clip's source frame.

        Raises:
            ValueError: shapes that do not match.
        """
        if prediction.shape != target.shape or source.shape != target.shape[1:]:
            raise ValueError(
                f"prediction {tuple(prediction.shape)}, target {tuple(target.shape)} and source "
                f"{tuple(source.shape)} do not belong together"
            )
        # half precision would blur the digits; float64 stays
        if prediction.dtype != torch.float64:
            prediction, target, source = prediction.float(), target.float(), source.float()
        for name, (total, count) in self._score(prediction, target, source).items():
            if count == 0:
                continue
            place = self.names.index(name)
            self.total[place] += total / count if self.averaging == "video" else total
            self.count[place] += 1 if self.averaging == "video" else count

    def _score(
        self, prediction: Tensor, target: Tensor, source: Tensor
    ) -> dict[str, tuple[float, float]]:
        values = {
            "l1": frames.l1(prediction, target),
            "psnr": frames.psnr(prediction, target),
            "ssim": frames.ssim(prediction, target),
        }
        scales = frames.ms_ssim_scales(min(target.shape[2:]))
        values["ms_ssim" if scales == 5 else "ms_ssim_3"] = frames.ms_ssim(prediction, target)
        values["l1_moving"] = values["l1"][frames.moving_half(target, source)]
        lpips: Any = self._lpips
        if lpips is not None:
            values["lpips"] = lpips(prediction, target)
        scores = {n: (v.double().sum().item(), float(v.numel())) for n, v in values.items()}
        sums, counts = frames.moving_pixels_l1(prediction, target, source)
        scores["l1_moving_pixels"] = (sums.double().sum().item(), float(counts.sum()))
        return scores

    def compute(self) -> dict[str, Tensor]:
        """Return the mean of each metric that was scored, as float64 scalars."""
        means = self.total / self.count
        return {n: means[i] for i, n in enumerate(self.names) if self.count[i] > 0}
