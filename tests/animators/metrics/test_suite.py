import math
import pickle

import pytest
import torch
from torch import nn

from animators.metrics import (
    L1,
    Averaging,
    Flicker,
    MovingL1,
    Protocol,
    Psnr,
    ReconstructionSuite,
    Scored,
    copy_source,
    evaluate_clips,
)

SIZE = 48


class Distance(nn.Module):
    """Stands where the LPIPS network would."""

    def forward(self, one, other):
        return (one - other).square().mean((1, 2, 3), keepdim=True)


def clip(frames, seed=0):
    generator = torch.Generator().manual_seed(seed)
    video = torch.rand(1, frames, 3, SIZE, SIZE, generator=generator)
    return {"video": video, "references": video[:, :0]}


def darker(video, references):
    return video * 0.8


def suite(**how):
    return ReconstructionSuite(Protocol(SIZE, **how), lpips=Distance())


def test_metrics_and_their_directions():
    better = suite().higher_is_better
    assert better == {
        **{"l1": False, "psnr": True, "ssim": True, "ms_ssim_3_scales": True},
        **{"lpips": False, "l1_moving": False, "l1_moving_pixels": False},
    }
    assert list(evaluate_clips(darker, [clip(4)], suite())) == list(
        ["l1", "psnr", "ssim", "ms_ssim_3_scales", "lpips", "l1_moving", "l1_moving_pixels"]
    )
    names = set(ReconstructionSuite(Protocol(32), lpips=False).higher_is_better)
    assert names == {"l1", "psnr", "ssim", "l1_moving", "l1_moving_pixels"}
    assert "ms_ssim" in ReconstructionSuite(Protocol(256), lpips=False).higher_is_better


def test_averaging_per_video_and_per_frame():
    clips = [clip(3), clip(9, seed=1)]
    errors = [(c["video"][:, 1:] * 0.2).mean((0, 2, 3, 4)) for c in clips]
    per_video = evaluate_clips(darker, clips, suite())["l1"]
    per_frame = evaluate_clips(darker, clips, suite(averaging=Averaging.FRAME))["l1"]
    assert per_video == pytest.approx(float((errors[0].mean() + errors[1].mean()) / 2), rel=1e-6)
    assert per_frame == pytest.approx(float(torch.cat(errors).mean()), rel=1e-6)
    assert per_video != per_frame


def test_source_frame_counts_only_where_the_protocol_says():
    def copy(video, references):
        return copy_source(video)

    clips = [clip(4)]
    remaining = evaluate_clips(copy, clips, suite())["l1"]
    with_source = evaluate_clips(copy, clips, suite(scored=Scored.ALL))["l1"]
    assert with_source == pytest.approx(remaining * 3 / 4, rel=1e-6)


def test_moving_half_of_copy_source_is_above_its_mean():
    result = evaluate_clips(copy_source, [clip(6), clip(7, seed=1)], suite())
    assert result["l1_moving"] > result["l1"]
    assert result["l1_moving_pixels"] > result["l1"]


def test_still_clip_has_no_moving_frames():
    still = clip(1)["video"].expand(1, 5, 3, SIZE, SIZE)
    record = {"video": still, "references": still[:, :0]}
    result = evaluate_clips(darker, [record], suite())
    assert math.isnan(result["l1_moving"])
    assert math.isnan(result["l1_moving_pixels"])
    both = evaluate_clips(darker, [record, clip(5)], suite())
    assert both["l1_moving"] == evaluate_clips(darker, [clip(5)], suite())["l1_moving"]


def test_both_callers_get_the_same_digits():
    """A loop of its own over `update_clip`, as validation has it, against `evaluate_clips`."""
    clips = [clip(3), clip(5, seed=1)]
    own = suite()
    for one in clips:
        own.update_clip(darker(one["video"], None), one["video"])
    assert own.summary() == evaluate_clips(darker, clips, suite())


def test_evaluation_starts_from_nothing_each_time():
    one = suite()
    first = evaluate_clips(darker, [clip(3)], one)
    assert evaluate_clips(darker, [clip(3)], one) == first


def test_clips_that_fill_up_are_not_counted():
    fill = clip(5, seed=1) | {"counts": torch.tensor([False])}
    counted = clip(3) | {"counts": torch.tensor([True])}
    assert evaluate_clips(darker, [counted, fill], suite()) == evaluate_clips(
        darker, [clip(3)], suite()
    )


def test_nothing_is_saved_and_copies_work():
    one = suite()
    assert one.state_dict() == {}
    evaluate_clips(darker, [clip(3)], one)
    again = pickle.loads(pickle.dumps(one))
    assert evaluate_clips(darker, [clip(3)], again) == evaluate_clips(darker, [clip(3)], one)


def test_double_precision_is_scored_in_single():
    video = clip(3)["video"]
    single, double = suite(), suite()
    single.update_clip(video * 0.5, video)
    double.update_clip(video.double() * 0.5, video.double())
    assert single.summary() == double.summary()


VIDEO = clip(3)["video"]


@pytest.mark.parametrize(
    ("prediction", "video", "message"),
    [
        (VIDEO * 2, VIDEO, r"prediction has values .* outside \[0, 1\]"),
        (VIDEO * math.nan, VIDEO, "prediction has values from nan"),
        (VIDEO, VIDEO - 1, "video has values"),
        (VIDEO[:, 1:], VIDEO, "prediction is"),
        (VIDEO[0], VIDEO[0], "prediction is"),
        (VIDEO[..., :32], VIDEO[..., :32], f"{SIZE}, {SIZE}"),
        (VIDEO[:, :1], VIDEO[:, :1], "1 frames do not fit"),
        ((VIDEO * 255).byte(), (VIDEO * 255).byte(), r"torch\.uint8"),
    ],
)
def test_clips_that_do_not_fit_are_refused(prediction, video, message):
    with pytest.raises(ValueError, match=message):
        suite(frames=4).update_clip(prediction, video)


def test_more_frames_than_the_protocol_are_refused():
    with pytest.raises(ValueError, match="5 frames do not fit"):
        evaluate_clips(darker, [clip(5)], suite(frames=4))


def test_references_must_be_as_many_as_the_protocol_says():
    with pytest.raises(ValueError, match="0 references do not fit"):
        evaluate_clips(darker, [clip(3)], suite(references=2))


def test_no_clip():
    with pytest.raises(ValueError, match="no clip"):
        evaluate_clips(darker, [], suite())


def test_single_metrics_stand_alone():
    video = clip(4)["video"][0]
    for metric in (L1(), Psnr(), MovingL1()):
        metric.update(video[1:] * 0.5, video[1:], video[0])
        assert metric.compute() > 0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("metric", [L1(), Flicker()], ids=lambda metric: metric.name)
def test_a_frame_of_nan_is_no_frame_without_a_value(metric, bad):
    """Left out of the mean, what a model breaks would count for it."""
    video = clip(5)["video"][0]
    broken = video.clone()
    broken[3, 1, 7, 7] = bad
    with pytest.raises(ValueError, match=rf"{metric.name}: prediction hold"):
        metric.update(broken[1:], video[1:], video[0])
    assert metric.count == 0
