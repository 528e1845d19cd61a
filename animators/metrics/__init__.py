"""Image metrics on tensors; validation and the benchmarks call the same suite."""

from animators.metrics.average import (
    L1,
    FrameAverage,
    MovingL1,
    MovingPixelL1,
    MultiScaleSsim,
    Psnr,
    Ssim,
)
from animators.metrics.cross import CROSS_WAYS, PER_CLIP, CrossProtocol
from animators.metrics.expression import EyesError, MouthError
from animators.metrics.identity import (
    AverageEuclideanDistance,
    CosineIdentity,
    IdentityDistance,
    IdentityMissing,
)
from animators.metrics.jitter import Flicker, Jitter
from animators.metrics.keypoints import AverageKeypointDistance, MissingKeypointRate
from animators.metrics.lpips import Lpips, build_lpips
from animators.metrics.protocol import WAYS, Averaging, Protocol, Scored
from animators.metrics.quality import ImageQuality
from animators.metrics.remembered import RememberedEmbedder, RememberedLandmarks
from animators.metrics.suite import ReconstructionSuite, copy_source, evaluate_clips

__all__ = [
    "CROSS_WAYS",
    "L1",
    "PER_CLIP",
    "WAYS",
    "AverageEuclideanDistance",
    "AverageKeypointDistance",
    "Averaging",
    "CosineIdentity",
    "CrossProtocol",
    "EyesError",
    "Flicker",
    "FrameAverage",
    "IdentityDistance",
    "IdentityMissing",
    "ImageQuality",
    "Jitter",
    "Lpips",
    "MissingKeypointRate",
    "MouthError",
    "MovingL1",
    "MovingPixelL1",
    "MultiScaleSsim",
    "Protocol",
    "Psnr",
    "ReconstructionSuite",
    "RememberedEmbedder",
    "RememberedLandmarks",
    "Scored",
    "Ssim",
    "build_lpips",
    "copy_source",
    "evaluate_clips",
]
