"""Where 68 points of a face are: 2D-FAN, which papers measure AKD with, from local files only.

Bulat and Tzimiropoulos, "How far are we from solving the 2D & 3D Face Alignment problem?", 2017,
with the detector S3FD, as the package `face-alignment` runs them.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from animators.pretrained.files import resolve
from animators.pretrained.registry import version_of

Floats = npt.NDArray[np.float64]

SIDE = 256
"""Pixels that a picture's shorter side is blown up to: the papers' size, which the detector wants
for faces as small as those of 64 pixels."""

POINTS = 68


class FanLandmarks:
    """The 68 points of a frame's surest face; an object serves one thread at a time."""

    name = "fan"
    points = POINTS

    def __init__(self, paths: Mapping[str, str | Path] | None = None, device: str = "cpu") -> None:
        """Open the networks.

        Args:
            paths: {"fan": file, "fan_detector": file}, either of them, where it does not lie in one
                of the usual places.
            device: where they run.

        Raises:
            ValueError: the package is not installed, or one that loads its files another way.
            WeightsNotFound: a file is nowhere, or what is given is another file.
        """
        try:
            import face_alignment
        except ImportError as error:
            raise ValueError(
                "2D-FAN wants face-alignment, which is not installed: "
                "pip install 'animator-zoo[fan]'"
            ) from error
        files = resolve("fan", "fan_detector", paths=paths)
        self.version = version_of("fan", "fan_detector")
        self._network = _open(face_alignment, files, device)

    def find(
        self, frame: npt.NDArray[np.uint8], shared: npt.NDArray[np.uint8] | None = None
    ) -> Floats | None:
        """Find the points of a frame.

        Args:
            frame: (H, W, 3) uint8 RGB.
            shared: not used: a face is sought in the frame itself, and missed where it is lost.

        Returns:
            (68, 2) xy in pixels, or None where no face is found.

        Raises:
            ValueError: the frame is something else.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
            raise ValueError(
                f"a face is sought in (H, W, 3) uint8, got {frame.dtype} {frame.shape}"
            )
        height, width = frame.shape[:2]
        scale = max(1.0, SIDE / min(height, width))
        if scale > 1:
            size = round(width * scale), round(height * scale)
            picture = Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)
            frame = np.asarray(picture)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No faces were detected")
            faces = self._network.get_landmarks_from_image(frame)
        return np.asarray(faces[0], np.float64) / scale if faces else None


def _open(package: Any, files: Mapping[str, Path], device: str) -> Any:
    """Open the package's networks, its own loader, which downloads, put aside."""
    if not hasattr(package.FaceAlignment, "_load_native"):
        raise ValueError(
            "this version of face-alignment loads its files another way: "
            "pip install 'animator-zoo[fan]'"
        )

    def load(_: Any, name: str, size: int, device: str, dtype: torch.dtype) -> Any:
        network = package.api.FAN(size)
        network.load_state_dict(torch.load(files["fan"], map_location=device, weights_only=True))
        return network.to(device, dtype=dtype).eval()

    local: Any = type("LocalFaceAlignment", (package.FaceAlignment,), {"_load_native": load})
    return local(
        package.LandmarksType.TWO_D,
        device=device,
        flip_input=False,  # as in the program that FOMM's authors published
        compile=False,
        face_detector="sfd",
        face_detector_kwargs={"path_to_detector": str(files["fan_detector"])},
    )
