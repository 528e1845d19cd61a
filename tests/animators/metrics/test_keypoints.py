import numpy as np
import pytest
import torch

from animators.metrics import AverageKeypointDistance, Averaging, MissingKeypointRate
from animators.metrics.keypoints import average_keypoint_distance, missing_keypoint_rate
from animators.metrics.pictures import pictures
from tests.animators.metrics.faces import SHOWN, SIZE, Dots, clip, picture

NAN = float("nan")


def without(points, *gone):
    left = np.array(points, float)
    left[list(gone)] = NAN
    return left


NOTHING = without(SHOWN, 0, 1, 2, 3)

# The functions.


def test_distance_is_the_mean_length_and_neither_its_square_nor_by_axis():
    one, other = np.array([[0.0, 0], [10, 10]]), np.array([[3.0, 4], [10, 11]])
    assert average_keypoint_distance(one, other) == pytest.approx((5 + 1) / 2)
    assert average_keypoint_distance(other, one) == pytest.approx(3)


def test_what_either_misses_is_left_out_of_the_distance():
    one, other = np.array([[0.0, 0], [5, 5], [NAN, 1]]), np.array([[3.0, 4], [NAN, NAN], [9, 9]])
    assert average_keypoint_distance(one, other) == pytest.approx(5)
    assert np.isnan(average_keypoint_distance(one[1:], other[1:]))


def test_rate_counts_the_real_points_only():
    real, generated = without(SHOWN, 0), without(SHOWN, 1, 2)
    assert missing_keypoint_rate(real, generated) == pytest.approx(2 / 3)
    assert missing_keypoint_rate(generated, real) == pytest.approx(1 / 2)
    assert missing_keypoint_rate(real, NOTHING) == 1
    assert np.isnan(missing_keypoint_rate(NOTHING, real))


@pytest.mark.parametrize("measure", [average_keypoint_distance, missing_keypoint_rate])
def test_other_arrays_are_refused(measure):
    with pytest.raises(ValueError, match=r"\(K, 2\)"):
        measure(np.zeros((4, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"\(K, 2\)"):
        measure(np.zeros((4, 3)), np.zeros((4, 3)))


# The metrics.


def both(averaging=Averaging.VIDEO, network=None):
    network = network or Dots()
    return AverageKeypointDistance(averaging, network), MissingKeypointRate(averaging, network)


def measured(prediction, target, **options):
    metrics = both(**options)
    for metric in metrics:
        metric.update(prediction, target, target[0])
    return [float(metric.compute()) for metric in metrics]


def test_a_shift_of_two_pixels_is_two_pixels():
    real = clip([SHOWN], [SHOWN + 1])
    assert measured(clip([SHOWN + [2, 0]], [SHOWN + [1, 3]]), real) == [2.0, 0.0]
    assert measured(real, real) == [0.0, 0.0]


def test_a_frame_that_lost_everything_has_no_distance_and_misses_all():
    real = clip([SHOWN], [SHOWN], [NOTHING], [without(SHOWN, 3)])
    made = clip([SHOWN + [0, 2]], [NOTHING], [SHOWN], [without(SHOWN, 0, 3)])
    metrics = both()
    values = [metric.frame_values(made, real, real[0]).tolist() for metric in metrics]
    np.testing.assert_allclose(values[0], [2, NAN, NAN, 0])
    np.testing.assert_allclose(values[1], [0, 1, NAN, 1 / 3])


def test_averaging_by_clip_and_by_frame():
    one, three = clip([SHOWN]), clip([SHOWN], [SHOWN], [SHOWN])
    for averaging, expected in (("video", (4 + 1) / 2), ("frame", (4 + 3 * 1) / 4)):
        metric = AverageKeypointDistance(Averaging(averaging), Dots())
        metric.update(clip([SHOWN + [4, 0]]), one, one[0])
        metric.update(clip(*3 * [[SHOWN + [0, 1]]]), three, one[0])
        assert float(metric.compute()) == pytest.approx(expected)


def test_generated_frames_come_with_the_real_frame_and_real_ones_alone():
    network = Dots(adds=0.5)
    real, made = clip([SHOWN], [SHOWN + 1]), clip([SHOWN], [SHOWN + 2])
    assert measured(made, real, network=network)[0] == pytest.approx(
        np.mean([np.hypot(0.5, 0.5), np.hypot(1.5, 1.5)])
    )
    first, second = network.asked[:2]
    assert first[1] is None
    np.testing.assert_array_equal(second[1], first[0])


def test_nothing_measured_is_nan():
    empty = clip([NOTHING])
    assert np.isnan(measured(clip([SHOWN]), empty)).all()


def test_names_say_who_looked_and_records_which_version():
    for metric, name in zip(both(), ("akd_dots", "mkr_dots"), strict=True):
        assert (metric.name, metric.detector) == (name, "dots 1")
        assert metric.higher_is_better is False
        assert list(metric.state_dict()) == []


# Pictures.


def test_pictures_are_rounded_and_not_cut_off():
    levels = torch.arange(256).float()
    there_and_back = (levels / 255 * 2 - 1 + 1) / 2
    frame = there_and_back.reshape(1, 1, 16, 16).expand(2, 3, 16, 16)
    for made in pictures(frame):
        assert made.shape == (16, 16, 3)
        assert made.dtype == np.uint8
        assert made.flags.c_contiguous
        np.testing.assert_array_equal(made[..., 1].ravel(), np.arange(256))
    high = torch.tensor([1.2, -0.3, 0.5]).reshape(1, 3, 1, 1)
    assert pictures(high)[0].tolist() == [[[255, 0, 128]]]


def test_pictures_keep_rows_rows():
    made = pictures(picture([[5, 9]])[None])[0]
    assert made.shape == (SIZE, SIZE, 3)
    assert made[9, 5, 0] == 1
