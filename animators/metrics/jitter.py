"""How much a generated clip trembles: second differences in time, against those of the real one.

With p_t(k) the place of point k in the generated frame t, q_t(k) in the real one, e = p - q, and
x_t, y_t the pixels of both:

    jitter  = mean over t, k of |e_{t+1}(k) - 2 e_t(k) + e_{t-1}(k)|_2
    flicker = mean over t of |D_t(x) - D_t(y)|,  D_t(x) = mean |x_{t+1} - 2 x_t + x_{t-1}|

The subtraction takes out what the person did and what the clip's rate adds. A pose that is off by a
constant, or drifts off at constant speed, does not tremble; one that is off by a and -a in turns
has jitter 4 |a|. Flicker asks of a clip to change as much as the real one, wherever it does so: a
still clip is no better than one that flickers as much too much. Both are of the frames as they are
scored; where frames are left out between them, times are longer and numbers larger.
"""

import numpy as np
import torch
from torch import Tensor

from animators.metrics.average import FrameAverage
from animators.metrics.networks import Floats, Landmarks
from animators.metrics.pictures import NetworkAverage, pictures
from animators.metrics.protocol import Averaging
from animators.pretrained import MeshLandmarks


def trajectory_jitter(generated: Floats, real: Floats) -> Floats:
    """Mean length of the second difference in time of points' errors.

    Args:
        generated: (T, K, 2) xy in pixels; NaN for a point that is missing.
        real: (T, K, 2), the same points of the real frames.

    Returns:
        (T - 2,) pixels, one for each frame with two neighbours, none for fewer than three frames;
        NaN where no point is found in both clips in all three.

    Raises:
        ValueError: other shapes.
    """
    if generated.ndim != 3 or generated.shape[2] != 2 or generated.shape != real.shape:
        raise ValueError(
            f"two tracks of points (T, K, 2) are wanted: {generated.shape}, {real.shape}"
        )
    lengths = np.linalg.norm(np.diff(generated - real, n=2, axis=0), axis=2)
    known = ~np.isnan(lengths)
    count = known.sum(axis=1)
    total = np.where(known, lengths, 0.0).sum(axis=1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def change(frames: Tensor) -> Tensor:
    """Mean absolute second difference in time.

    Args:
        frames: (T, 3, H, W).

    Returns:
        (T - 2,), or none for fewer than three frames.
    """
    if len(frames) < 3:
        return frames.new_zeros(0)
    return frames.diff(n=2, dim=0).abs().flatten(1).mean(1)


def flicker(prediction: Tensor, target: Tensor) -> Tensor:
    """Difference of how much two clips change.

    Args:
        prediction: (T, 3, H, W) in [0, 1].
        target: (T, 3, H, W) in [0, 1].

    Returns:
        (T - 2,), one for each frame with two neighbours.
    """
    return (change(prediction) - change(target)).abs()


class Flicker(FrameAverage):
    """How far a clip's change from frame to frame is from the real one's, in brightness, 0 to 2."""

    name = "flicker"
    higher_is_better = False

    def frame_values(self, prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:
        """Measure each frame: (T, 3, H, W) twice, (3, H, W) -> (T - 2,)."""
        return flicker(prediction, target)


class Jitter(NetworkAverage):
    """Mean second difference of points' errors in pixels of the frames (`trajectory_jitter`).

    Points that are missing tremble unseen, so it stands beside `MissingKeypointRate`.
    """

    measure = "jitter"
    higher_is_better = False

    def __init__(
        self, averaging: Averaging = Averaging.VIDEO, network: Landmarks | None = None
    ) -> None:
        """Take the network, or find the face mesh's files.

        Args:
            averaging: mean of the clips' means, or mean of all frames.
            network: what finds the points.

        Raises:
            WeightsNotFound: no network is given and the mesh's files are nowhere.
        """
        network = MeshLandmarks() if network is None else network
        super().__init__(network, averaging)
        self.network: Landmarks = network

    def frame_values(self, prediction: Tensor, target: Tensor, source: Tensor) -> Tensor:
        """Measure each frame: (T, 3, H, W) twice, (3, H, W) -> (T - 2,), NaN without a value."""
        nothing = np.full((self.network.points, 2), np.nan)
        tracks: tuple[list[Floats], list[Floats]] = ([], [])
        for made, real in zip(pictures(prediction), pictures(target), strict=True):
            wanted = self.network.find(real)
            found = None if wanted is None else self.network.find(made, shared=real)
            for track, points in zip(tracks, (found, wanted), strict=True):
                track.append(nothing if points is None else points)
        generated, driven = (np.stack(track) for track in tracks)
        return torch.from_numpy(trajectory_jitter(generated, driven))
