"""The three kinds of batch: the only words that data and animators share.

Frames leave the loader as uint8 and are floats in [0, 1] on the device once the
datamodule's `on_after_batch_transfer` has run. B clips or pairs, T frames, N references
(N may be 0).
"""

from typing import TypedDict

from torch import Tensor


class PairBatch(TypedDict):
    """Two different frames of one clip each, for training.

    Attributes:
        source: (B, 3, H, W).
        driving: (B, 3, H, W).
        references: (B, N, 3, H, W), frames of the same clip, never the driving frame.
        reference_index: (B, N) int64, their numbers in the clip.
        frame_index: (B, 2) int64, the numbers of source and driving frame.
        identity: (B,) int64, label of the person or thing shown.
        key: (B, 3) int64 on the CPU, (seed, epoch, index): what every draw depends on.
        name: the clips' names.
    """

    source: Tensor
    driving: Tensor
    references: Tensor
    reference_index: Tensor
    frame_index: Tensor
    identity: Tensor
    key: Tensor
    name: list[str]


class ClipBatch(TypedDict):
    """One whole clip for evaluation (B = 1); its first frame is the source.

    Attributes:
        video: (B, T, 3, H, W); `video[:, 0]` is frame 0 of the clip.
        frame_index: (B, T) int64, numbers of the frames in the clip.
        references: (B, N, 3, H, W), frames of the clip that are not in `video`.
        reference_index: (B, N) int64.
        identity: (B,) int64.
        counts: (B,) bool, False where the clip only fills the last round of several
            processes and is scored elsewhere.
        name: the clips' names.
        fps: frames per second of the clips.
    """

    video: Tensor
    frame_index: Tensor
    references: Tensor
    reference_index: Tensor
    identity: Tensor
    counts: Tensor
    name: list[str]
    fps: list[float]


class CrossBatch(TypedDict):
    """One picture to be animated by a clip of somebody else (B = 1).

    Attributes:
        source: (B, 3, H, W), frame 0 of the source clip.
        driving: (B, T, 3, H, W); `driving[:, 0]` is frame 0 of the driving clip.
        frame_index: (B, T) int64, numbers of the driving frames.
        references: (B, N, 3, H, W), other frames of the source clip.
        reference_index: (B, N) int64.
        source_name: the source clips' names.
        driving_name: the driving clips' names.
        fps: frames per second of the driving clips.
    """

    source: Tensor
    driving: Tensor
    frame_index: Tensor
    references: Tensor
    reference_index: Tensor
    source_name: list[str]
    driving_name: list[str]
    fps: list[float]
