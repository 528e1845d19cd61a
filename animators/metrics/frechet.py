"""Fréchet distances between generated and real pictures or clips (Heusel 2017), as sums.

Only sums of features, their products and counts are kept: processes that have seen different
numbers of clips merge exactly.
"""

from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from animators.metrics.networks import Features
from animators.pretrained.features import Vgg16ClipFeatures, Vgg16Features

Against = Literal["target", "source"]

LEAST = 2
"""Samples below which there is no covariance."""

FIRST = 100
"""Frames of a clip that are looked at (appendix B.2 of LIA)."""

TOLERANCE = 1e-3
"""Rounding that is let through at the ends of [0, 1]."""


def frechet_distance(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> Tensor:
    """Squared Fréchet distance of two Gaussians, |m_a - m_b|^2 + Tr(A + B - 2 (A B)^1/2).

    Dowson and Landau 1982; eq. 6 of Heusel 2017. With A = L L' and B = K K' the trace of the root
    is the sum of the singular values of L'K: no root of rounding errors is taken there, so that
    the distance of a singular Gaussian from itself is 0 and not 1e-4.

    Args:
        mean_a: (D,).
        cov_a: (D, D), symmetric.
        mean_b: (D,).
        cov_b: (D, D), symmetric.

    Returns:
        A scalar, float64, at least 0.
    """
    left, right = (_factor(cov.double()) for cov in (cov_a, cov_b))
    root = torch.linalg.svdvals(left.mT @ right).sum()
    apart = (mean_a.double() - mean_b.double()).square().sum()
    return (apart + cov_a.double().trace() + cov_b.double().trace() - 2 * root).clamp(min=0)


def _factor(cov: Tensor) -> Tensor:
    """L with L L' = cov; it exists for a singular one too, which Cholesky's does not."""
    values, vectors = torch.linalg.eigh(cov)
    return vectors * values.clamp(min=0).sqrt()


class Counts(NamedTuple):
    """How many samples a distance rests on: frames, or whole clips."""

    real: int
    generated: int


class FrechetDistance(Metric):
    """Fréchet distance between features of generated and of real frames; one `update`, one clip.

    Every frame of a clip counts once. The real side is the driving frames (`against="target"`:
    reconstruction), or what is given as the source, once a clip (`against="source"`: animation,
    section 4 of DiME). Pictures are rounded to uint8, covariances are unbiased (n - 1).

    The distance falls with the number of samples, and with no more of them than features have
    numbers the covariances are singular: see `enough`. Numbers stand side by side only with equal
    `count`.

    Attributes:
        name: `fid` for the Inception network of 2015, else `fd_` and the network's name.
        detector: what computed the features.
        clip_values: None; a distance of distributions has no value for each clip.
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = False
    clip_values = None
    _published: ClassVar[tuple[str, str]] = ("inception_2015", "fid")
    _prefix: ClassVar[str] = "fd_"
    network: Features
    real_sum: Tensor
    real_product: Tensor
    real_count: Tensor
    generated_sum: Tensor
    generated_product: Tensor
    generated_count: Tensor

    def __init__(self, network: Features | None = None, against: Against = "target") -> None:
        """Take the network, or find the weights of the one that needs no download.

        Args:
            network: gives the features; None is VGG-16.
            against: "target", the driving frames, or "source".

        Raises:
            ValueError: another `against`.
            WeightsNotFound: no network is given and its weights are nowhere.
        """
        if against not in ("target", "source"):
            raise ValueError(f"against must be 'target' or 'source', got {against!r}")
        super().__init__()
        self.against = against
        # Not a submodule: out of checkpoints, of optimisers and of the reach of `train()`.
        object.__setattr__(self, "network", self._default() if network is None else network)
        size = self.network.size
        for side in Counts._fields:
            for state, shape in (("sum", (size,)), ("product", (size, size)), ("count", ())):
                zero = torch.zeros(shape, dtype=torch.float64)
                self.add_state(f"{side}_{state}", zero, dist_reduce_fx="sum")
        self._counts: Counts | None = None

    @property
    def name(self) -> str:
        """What the number may be called: it says which network computed it."""
        network, name = self._published
        return name if self.network.name == network else self._prefix + self.network.name

    @property
    def detector(self) -> str:
        """What computed the features, for records."""
        return self.network.version

    @property
    def counts(self) -> Counts:
        """Samples of both sides: those of all processes after `compute`, this one's before it."""
        return self._counts or Counts(int(self.real_count), int(self.generated_count))

    @property
    def count(self) -> int:
        """Samples of the smaller side."""
        return min(self.counts)

    @property
    def enough(self) -> bool:
        """Whether both sides have more samples than features have numbers."""
        return self.count > self.network.size

    @torch.no_grad()
    def update(self, prediction: Tensor, target: Tensor, source: Tensor) -> None:
        """Add one clip.

        Args:
            prediction: (T, 3, H, W) in [0, 1].
            target: (T, 3, H, W) in [0, 1].
            source: (3, H, W) in [0, 1]; or (S, 3, H, W), where all pictures of a source count.

        Raises:
            ValueError: something else than pictures in [0, 1].
        """
        real = target if self.against == "target" else source
        if real.ndim == 3:
            real = real[None]
        samples = (
            self._samples(_bytes(self.against, real)),
            self._samples(_bytes("prediction", prediction)),
        )
        # both are described before either counts: a clip that is refused leaves nothing behind
        features = [self.network.features(images) for images in samples]
        for side, rows in zip(Counts._fields, features, strict=True):
            self._add(side, rows.to(self.real_sum.device).double())
        self._counts = None

    def compute(self) -> Tensor:
        """Give the distance, or NaN with fewer than two samples on a side."""
        # inside here the states are those of all processes
        self._counts = Counts(int(self.real_count), int(self.generated_count))
        if self.count < LEAST:
            return self.real_sum.new_tensor(torch.nan)
        return frechet_distance(*self._gaussian("real"), *self._gaussian("generated"))

    def reset(self) -> None:
        """Start at nothing."""
        super().reset()
        self._counts = None

    def _default(self) -> Features:
        return Vgg16Features()

    def _samples(self, images: Tensor) -> Tensor:
        """Make of a clip (T, 3, H, W) what the network takes: a frame is a sample."""
        return images

    def _add(self, side: str, rows: Tensor) -> None:
        amounts = {"sum": rows.sum(0), "product": rows.T @ rows, "count": len(rows)}
        for state, amount in amounts.items():
            setattr(self, f"{side}_{state}", getattr(self, f"{side}_{state}") + amount)

    def _gaussian(self, side: str) -> tuple[Tensor, Tensor]:
        """Mean and unbiased covariance of one side."""
        total, product, count = (
            getattr(self, f"{side}_{state}") for state in ("sum", "product", "count")
        )
        mean = total / count
        return mean, (product - torch.outer(total, mean)) / (count - 1)


class VideoFrechetDistance(FrechetDistance):
    """Fréchet distance between the features of generated and of real clips; one vector a clip.

    The first 100 frames of each are looked at (appendix B.2 of LIA). The real side is the driving
    clip, or with `against="source"` the source's own clip, which `update` then takes as its
    `source` (S, 3, H, W): a single picture is no clip, and is refused.

    Attributes:
        name: `video_fid` for the 3D ResNeXt-101 trained on Kinetics, else `video_fd_` and the
            network's name.
    """

    higher_is_better = False
    _published = ("resnext101_kinetics", "video_fid")
    _prefix = "video_fd_"

    def _default(self) -> Features:
        return Vgg16ClipFeatures()

    def _samples(self, images: Tensor) -> Tensor:
        """Make of a clip (T, 3, H, W) what the network takes: the clip is a sample."""
        if len(images) < LEAST:
            raise ValueError(f"{self.name} wants clips of two frames or more, got {len(images)}")
        return images[None, :FIRST]


def _bytes(name: str, images: Tensor) -> Tensor:
    """Round pictures in [0, 1] to the nearest of 256 levels; a cast alone would cut off."""
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        raise ValueError(
            f"{name} is {tuple(images.shape)} {images.dtype}, not float pictures (T, 3, H, W)"
        )
    low, high = float(images.min()), float(images.max())
    if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):  # false for NaN as well
        raise ValueError(f"{name} has values from {low:g} to {high:g}, outside [0, 1]")
    return (images.float().clamp(0, 1) * 255).round().to(torch.uint8)
