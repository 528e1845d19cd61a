"""Whom a picture of a body shows, roughly: MobileNetV2's features of ImageNet.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018. It is a stand-in:
the papers measure bodies with person re-identification networks, each with another one (LIA with
Zheng 2020, Swin/TPS with Hermans 2017, DiME with Zheng 2019), and none of these is carried by a
package. This one was never taught to tell persons apart; it sees clothes and background.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from animators.pretrained.files import resolve
from animators.pretrained.registry import version_of

Floats = npt.NDArray[np.float64]

SIZE = 1280
"""Numbers of a vector."""

SIDE = 224
"""Pixels of the network's square input."""

# Of ImageNet's pictures, as torchvision states them.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


def normalised(pixels: Tensor) -> Tensor:
    """Shift and scale RGB (N, 3, H, W) in [0, 1] as networks taught on ImageNet want it."""
    mean, deviation = (pixels.new_tensor(of).view(3, 1, 1) for of in (MEAN, DEVIATION))
    return (pixels - mean) / deviation


def mobilenet_features(path: Path) -> nn.Module:
    """Make torchvision's MobileNetV2 without its classifier, frozen, from deep-sort's file.

    Args:
        path: the file; it names the layers of a block one after the other, torchvision nests them,
            in the same order.

    Returns:
        A module that maps normalised images (N, 3, 224, 224) to (N, 1280, 7, 7).

    Raises:
        ValueError: the file holds something else.
        OSError: the file cannot be read.
    """
    from torchvision.models import mobilenet_v2

    # Weights that are never drawn leave the caller's random numbers as they are.
    with torch.device("meta"):
        features = mobilenet_v2(weights=None).features
    state = read_state(path)
    wanted = features.state_dict()
    values = list(state.values())
    if [value.shape for value in values] != [value.shape for value in wanted.values()]:
        raise ValueError(f"{path} does not hold the layers of MobileNetV2")
    features.load_state_dict(dict(zip(wanted, values, strict=True)), assign=True)
    frozen: nn.Module = features.requires_grad_(False).eval()
    return frozen


def read_state(path: Path) -> dict[str, Tensor]:
    """Read named tensors without running anything that the file holds.

    Args:
        path: a file that `torch.save` wrote.

    Returns:
        The tensors, in the file's order.

    Raises:
        ValueError: the file holds something else.
        OSError: the file cannot be read.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged file fails in almost any way inside the unpickler
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} is not a file of plain tensors: {reason}") from error
    if isinstance(state, Mapping) and isinstance(state.get("params"), Mapping):
        state = state["params"]
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(f"{path} does not hold named tensors")
    return dict(state)


class MobileNetIdentity:
    """Describes the whole of a frame, by features that persons and clothes differ in.

    The whole frame and not the body alone: a detector that loses the body of a blurred frame would
    leave out the worst frames.

    Attributes:
        name: `mobilenet`.
        version: the network's file.
    """

    name = "mobilenet"

    def __init__(self, paths: Mapping[str, str | Path] | None = None) -> None:
        """Open the network.

        Args:
            paths: {"mobilenet": file} where it does not lie in one of the usual places.

        Raises:
            WeightsNotFound: the file is nowhere, or what is given is another file.
            ValueError: the file holds something else.
        """
        self.version = version_of("mobilenet")
        self._features = mobilenet_features(resolve("mobilenet", paths=paths)["mobilenet"])

    @torch.no_grad()
    def describe(self, frame: npt.NDArray[np.uint8]) -> Floats | None:
        """Describe a frame.

        Args:
            frame: (H, W, 3) uint8 RGB.

        Returns:
            (1280,) of length 1, so that squared distances lie between 0 and 4, whoever it shows.

        Raises:
            ValueError: the frame is something else.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
            raise ValueError(
                f"a person is described in (H, W, 3) uint8, got {frame.dtype} {frame.shape}"
            )
        picture = Image.fromarray(frame).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255
        with torch.autocast("cpu", enabled=False):
            features = self._features(normalised(pixels)).mean((2, 3))[0]
        vector = features.double().numpy()
        return np.asarray(vector / np.linalg.norm(vector))
