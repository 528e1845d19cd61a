"""How good a picture looks by itself: BRISQUE, whose numbers an ordinary package carries.

Mittal, Moorthy, Bovik, "No-Reference Image Quality Assessment in the Spatial Domain", 2012: 36
numbers say how the locally normalised brightness of a picture is distributed, and a support vector
regression, taught on people's opinions of the LIVE pictures, makes one of them. It knows blur,
noise and compression; it knows nothing of faces. The half-size picture is read by a bicubic kernel
without smoothing, as in OpenCV and the `brisque` package, whose model this is.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import correlate1d
from scipy.special import gamma
from torch.nn import functional as F

from animators.pretrained.files import resolve
from animators.pretrained.registry import version_of
from animators.pretrained.trunks import read_arrays

Floats = npt.NDArray[np.float64]

LUMA = (0.2125, 0.7154, 0.0721)
"""Red, green and blue in brightness (ITU-R BT.709, as scikit-image rounds it)."""

WINDOW = 7
SIGMA = 7 / 6
"""The Gaussian window of the local mean and deviation, in pixels."""

STEADY = 1 / 255
"""Added to the local deviation, so that flat places stay near 0 (equation 1's C)."""

NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Rows and columns to the neighbour whose product with a pixel is looked at (equations 5 to 8)."""

SHAPES = np.linspace(0.2, 10, 9801)
"""Shape parameters that a distribution may have."""

LEAST = 16
"""Pixels a side below which the half-size picture is smaller than the window."""

FEATURES = 36


@functools.cache
def _ratios() -> Floats:
    """(E|x|)^2 / E x^2 of a generalised Gaussian of each of `SHAPES`, which grows with it."""
    squared = np.asarray(gamma(2 / SHAPES)) ** 2
    return np.asarray(squared / (gamma(1 / SHAPES) * gamma(3 / SHAPES)))


def asymmetric_fit(values: Floats) -> tuple[float, float, float, float]:
    """Fit an asymmetric generalised Gaussian by its moments (Lasmar 2009; equations 9 to 12).

    Args:
        values: any shape.

    Returns:
        Shape, from 0.2 to 10; mean; and the squared scale of the negative and of the other side, 0
        for a side without values.
    """
    flat = values.ravel()
    power = float(np.square(flat).mean())
    left, right = (
        float(np.square(side).mean()) if side.size else 0.0
        for side in (flat[flat < 0], flat[flat >= 0])
    )
    if power == 0:  # one brightness throughout
        return float(SHAPES[0]), 0.0, 0.0, 0.0
    # (g^3 + 1) (g + 1) / (g^2 + 1)^2 of g = l / r, written so that neither may be missing
    low, high = np.sqrt(left), np.sqrt(right)
    asymmetry = (low**3 + high**3) * (low + high) / (left + right) ** 2
    ratio = float(np.abs(flat).mean()) ** 2 / power * asymmetry
    shape = float(np.interp(ratio, _ratios(), SHAPES))
    lean = float(gamma(2 / shape) / np.sqrt(gamma(1 / shape) * gamma(3 / shape)))
    return shape, float(high - low) * lean, left, right


def normalised_brightness(grey: Floats) -> Floats:
    """Subtract the local mean and divide by the local deviation (equations 1 to 3).

    Args:
        grey: (H, W) in [0, 1]; 0 outside, as in the authors' program.

    Returns:
        (H, W).
    """
    offsets = np.arange(WINDOW) - WINDOW // 2
    window = np.exp(-(offsets**2) / (2 * SIGMA**2))
    window /= window.sum()

    def local(image: Floats) -> Floats:
        rows = correlate1d(image, window, axis=0, mode="constant")
        return np.asarray(correlate1d(rows, window, axis=1, mode="constant"))

    mean = local(grey)
    deviation = np.sqrt(np.abs(local(grey**2) - mean**2))
    return np.asarray((grey - mean) / (deviation + STEADY))


def brisque_features(grey: Floats) -> Floats:
    """Describe a picture's brightness at full and at half size.

    Args:
        grey: (H, W) in [0, 1], each side 16 or more.

    Returns:
        (36,): at each size the shape and scale of the normalised brightness, then shape, mean and
        both scales of its products with the right, lower, lower right and lower left neighbour.
    """
    half = F.interpolate(
        torch.from_numpy(grey)[None, None], scale_factor=0.5, mode="bicubic", align_corners=False
    )
    found: list[float] = []
    for image in (grey, half[0, 0].numpy()):
        values = normalised_brightness(image)
        height, width = values.shape
        shape, _, left, right = asymmetric_fit(values)
        found += [shape, (left + right) / 2]
        for down, across in NEIGHBOURS:
            here = values[: height - down, max(-across, 0) : width - max(across, 0)]
            there = values[down:, max(across, 0) : width - max(-across, 0)]
            found += asymmetric_fit(here * there)
    return np.array(found)


@dataclass(frozen=True)
class Regression:
    """A support vector regression with Gaussian kernels.

    Attributes:
        width: gamma of exp(-gamma |x - s|^2).
        offset: subtracted at the end (libsvm's rho).
        factors: (S,).
        supports: (S, 36).
        low, high: (36,), the features' values that become -1 and 1.
    """

    width: float
    offset: float
    factors: Floats
    supports: Floats
    low: Floats
    high: Floats

    def __call__(self, features: Floats) -> float:
        """Give the value at features (36,)."""
        x = 2 * (features - self.low) / (self.high - self.low) - 1
        kernels = np.exp(-self.width * np.square(self.supports - x).sum(axis=1))
        return float(self.factors @ kernels - self.offset)


def read_regression(model: Path, ranges: Path) -> Regression:
    """Read BRISQUE's regression.

    Args:
        model: libsvm's text file: lines of a name and a value, `SV`, then for each support vector
            its factor and `index:value`, counted from 1.
        ranges: a pickle of {"min_": 36 numbers, "max_": 36 numbers}.

    Returns:
        The regression.

    Raises:
        ValueError: a file holds something else.
        OSError: a file cannot be read.
    """
    try:
        head, _, body = model.read_text(encoding="ascii").partition("\nSV\n")
        settings = dict(line.split(maxsplit=1) for line in head.splitlines())
        if (settings["svm_type"], settings["kernel_type"]) != ("epsilon_svr", "rbf"):
            raise ValueError("it is no regression with Gaussian kernels")
        rows = [line.split() for line in body.splitlines()]
        supports = np.zeros((len(rows), FEATURES))
        for row, (_, *entries) in enumerate(rows):
            for entry in entries:  # what is 0 is left out
                index, value = entry.split(":")
                supports[row, int(index) - 1] = float(value)
        factors = np.array([float(row[0]) for row in rows])
        width, offset = float(settings["gamma"]), float(settings["rho"])
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"{model} is not BRISQUE's regression: {error}") from error
    found = read_arrays(ranges)
    low, high = (np.asarray(found.get(name, ()), np.float64) for name in ("min_", "max_"))
    if low.shape != (FEATURES,) or high.shape != (FEATURES,):
        raise ValueError(f"{ranges} does not hold the ranges of {FEATURES} features")
    return Regression(width, offset, factors, supports, low, high)


class Brisque:
    """BRISQUE of a frame: about 0 for a good picture, 100 for a bad one, and beyond both.

    Attributes:
        name: `brisque`.
        version: the regression's file.
        higher_is_better: False.
    """

    name = "brisque"
    higher_is_better = False

    def __init__(self, paths: Mapping[str, str | Path] | None = None) -> None:
        """Read the regression.

        Args:
            paths: {"brisque": file, "brisque_ranges": file}, either of them, where it does not lie
                in one of the usual places.

        Raises:
            WeightsNotFound: a file is nowhere, or what is given is another file.
        """
        self.version = version_of("brisque", "brisque_ranges")
        found = resolve("brisque", "brisque_ranges", paths=paths)
        self._regression = read_regression(found["brisque"], found["brisque_ranges"])

    def score(self, frame: npt.NDArray[np.uint8]) -> float:
        """Score a frame.

        Args:
            frame: (H, W, 3) uint8 RGB, each side 16 pixels or more.

        Returns:
            The score; lower is better.

        Raises:
            ValueError: the frame is something else.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise ValueError(
                f"quality is judged of (H, W, 3) uint8, got {frame.dtype} {frame.shape}"
            )
        if min(frame.shape[:2]) < LEAST:
            raise ValueError(f"BRISQUE wants {LEAST} pixels a side or more, got {frame.shape[:2]}")
        return self._regression(brisque_features(frame @ np.array(LUMA) / 255))
