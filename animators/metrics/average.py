"""Averages of per-frame metrics over clips, kept as sum and count.

Two sums merge exactly when processes have seen different numbers of clips, which the lists that
torchmetrics keeps for LPIPS do not.
"""

import torch
from torch import Tensor
from torchmetrics import Metric

from animators.metrics import frames
from animators.metrics.protocol import Averaging


class FrameAverage(Metric):
    """Mean of a per-frame metric; one call of `update` is one clip.

    Values are computed in float32 without autocast or TF32 and without gradients, and added up in
    float64 on the metric's own device.
    """

    full_state_update = False
    is_differentiable = False
    name: str
    total: Tensor
    count: Tensor

    def __init__(self, averaging: Averaging = Averaging.VIDEO) -> None:
        """Start at nothing.

        Args:
            averaging: mean of the clips' means, or mean of all frames.
        """
        super().__init__()
        self.averaging = Averaging(averaging)
        for state in ("total", "count"):
            self.add_state(state, torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")

    def frame_values(self, prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:
        """Measure each frame.

        Args:
            prediction: (T, 3, H, W) in [0, 1].
            target: (T, 3, H, W) in [0, 1].
            source: (3, H, W) in [0, 1].

        Returns:
            (T,) or fewer; NaN where a frame has no value.
        """
        raise NotImplementedError

    @torch.no_grad()
    def update(self, prediction: Tensor, target: Tensor, source: Tensor) -> None:
        """Add one clip.

        Args:
            prediction: (T, 3, H, W) in [0, 1].
            target: (T, 3, H, W) in [0, 1].
            source: (3, H, W) in [0, 1].

        Raises:
            ValueError: a picture holds NaN or infinity: it would pass for one without a value.
        """
        given = {"prediction": prediction, "target": target, "source": source}
        if bad := [name for name, images in given.items() if not images.isfinite().all()]:
            raise ValueError(f"{self.name}: {' and '.join(bad)} hold NaN or infinity")
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with torch.autocast(prediction.device.type, enabled=False), exact:
            values = self.frame_values(prediction.float(), target.float(), source.float())
        values = values.to(self.total.device).double()
        values = values[~values.isnan()]
        if len(values) == 0:  # a still clip has no moving frames
            return
        if self.averaging is Averaging.VIDEO:
            self.total += values.mean()
            self.count += 1
        else:
            self.total += values.sum()
            self.count += len(values)

    def compute(self) -> Tensor:
        """Give the mean, or NaN when nothing was measured."""
        return self.total / self.count


class L1(FrameAverage):
    """Mean absolute difference."""

    name = "l1"
    higher_is_better = False

    def frame_values(self, prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:
        """Measure each frame: (T, 3, H, W) twice, (3, H, W) -> (T,)."""
        return frames.l1(prediction, target)


class Psnr(FrameAverage):
    """Peak signal-to-noise ratio in dB, the mean of the frames' ratios."""

    name = "psnr"
    higher_is_better = True

    def frame_values(self, prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:
        """Measure each frame: (T, 3, H, W) twice, (3, H, W) -> (T,)."""
        return frames.psnr(prediction, target)


class Ssim(FrameAverage):
    """Structural similarity."""

    name = "ssim"
    higher_is_better = True

    def frame_values(self, prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:
        """Measure each frame: (T, 3, H, W) twice, (3, H, W) -> (T,)."""
        return frames.ssim(prediction, target)


class MultiScaleSsim(FrameAverage):
    """Multi-scale structural similarity."""

    name = "ms_ssim"
    higher_is_better = True

    def frame_values(self, prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:
        """Measure each frame: (T, 3, H, W) twice, (3, H, W) -> (T,)."""
        return frames.ms_ssim(prediction, target)


class MovingL1(FrameAverage):
    """Mean absolute difference over the moving half of each clip (`frames.moving_frames`)."""

    name = "l1_moving"
    higher_is_better = False

    def frame_values(self, prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:
        """Measure the moving frames: (T, 3, H, W) twice, (3, H, W) -> (at most T / 2,)."""
        return frames.l1(prediction, target)[frames.moving_frames(source, target)]


class MovingPixelL1(FrameAverage):
    """Mean absolute difference over the pixels that move (`frames.moving_pixel_l1`)."""

    name = "l1_moving_pixels"
    higher_is_better = False

    def frame_values(self, prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:
        """Measure each frame: (T, 3, H, W) twice, (3, H, W) -> (T,), NaN where nothing moves."""
        return frames.moving_pixel_l1(prediction, target, source)
