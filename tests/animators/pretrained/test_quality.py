import numpy as np
import pytest
from PIL import Image, ImageFilter

from animators.metrics.networks import Judge
from animators.pretrained import Brisque
from animators.pretrained.quality import (
    SIGMA,
    STEADY,
    Regression,
    asymmetric_fit,
    normalised_brightness,
    read_regression,
)

# The package's own program, made to run on today's numpy, says this of `drawn`.
ELSEWHERE = {0.1: 73.42259, 0.03: 11.31240}


@pytest.fixture(scope="module")
def brisque(package_weights):
    package_weights("brisque", "brisque_ranges")
    return Brisque()


def drawn(grain):
    y, x = np.mgrid[:96, :96] / 96
    waves = (
        0.5 + 0.4 * np.sin(9 * x + 4 * y * y),
        0.5 + 0.4 * np.cos(7 * y - 3 * x),
        0.4 + 0.3 * np.sin(20 * x * y),
    )
    noise = np.random.default_rng(5).standard_normal((96, 96, 1))
    picture = np.stack(waves, -1) + grain * noise
    return np.round(255 * picture.clip(0, 1)).astype(np.uint8)


@pytest.mark.parametrize(("left", "right"), [(1.0, 1.0), (2.0, 1.0), (0.5, 1.5)])
def test_fit_finds_a_two_sided_gaussian_and_laplacian(left, right):
    """Shape 2 is a Gaussian, shape 1 a Laplacian; the sides weigh as their scales."""
    rng = np.random.default_rng(0)
    negative = rng.random(400_000) < left / (left + right)
    scale = np.where(negative, -left, right)
    for shape, lengths, square, mean in (
        (2, np.abs(rng.standard_normal(400_000)), 1, np.sqrt(2 / np.pi)),
        (1, rng.exponential(size=400_000), 2, 1.0),
    ):
        found, lean, low, high = asymmetric_fit(scale * lengths)
        assert found == pytest.approx(shape, rel=0.03)
        assert (low, high) == pytest.approx((square * left**2, square * right**2), rel=0.03)
        assert lean == pytest.approx((right - left) * mean, rel=0.03, abs=0.01)


def test_a_fit_without_values_on_one_side_or_at_all():
    assert asymmetric_fit(np.zeros(9)) == (pytest.approx(0.2), 0.0, 0.0, 0.0)
    shape, mean, left, right = asymmetric_fit(np.ones(9))
    assert np.isfinite([shape, mean]).all()
    assert (left, right) == (0, 1)


def test_brightness_is_normalised_by_its_window():
    """One pixel, written out."""
    grey = np.random.default_rng(1).random((9, 9))
    y, x = np.mgrid[-3:4, -3:4]
    window = np.exp(-(x**2 + y**2) / (2 * SIGMA**2))
    window /= window.sum()
    part = grey[1:8, 2:9]
    mean = (window * part).sum()
    deviation = np.sqrt((window * (part - mean) ** 2).sum())
    expected = (grey[4, 5] - mean) / (deviation + STEADY)
    assert normalised_brightness(grey)[4, 5] == pytest.approx(expected)


def test_regression_by_hand():
    low, high = np.zeros(36), np.full(36, 2.0)
    supports = np.stack([np.zeros(36), np.ones(36)])
    regression = Regression(0.5, 3.0, np.array([2.0, -1.0]), supports, low, high)
    # 1 is the middle of 0 and 2
    assert regression(np.ones(36)) == pytest.approx(2 - np.exp(-18) - 3)


def test_another_file_is_refused(tmp_path, package_weights):
    ranges = package_weights("brisque", "brisque_ranges")["brisque_ranges"]
    text = tmp_path / "svm.txt"
    text.write_text("svm_type c_svc\nkernel_type rbf\nSV\n")
    with pytest.raises(ValueError, match=r"svm\.txt is not BRISQUE"):
        read_regression(text, ranges)


@pytest.mark.parametrize("grain", ELSEWHERE)
def test_as_another_program_scores(brisque, grain):
    assert brisque.score(drawn(grain)) == pytest.approx(ELSEWHERE[grain], abs=0.01)


def test_blurred_real_frames_score_worse(brisque, portraits):
    assert isinstance(brisque, Judge)
    for portrait in portraits:
        blurred = Image.fromarray(portrait).filter(ImageFilter.GaussianBlur(2))
        assert brisque.score(portrait) < brisque.score(np.asarray(blurred)) - 10


def test_a_picture_of_one_colour_is_bad_and_not_left_out(brisque):
    assert 100 < brisque.score(np.full((64, 64, 3), 128, np.uint8)) < 130


@pytest.mark.parametrize("shape", [(8, 64, 3), (64, 64)])
def test_other_frames_are_refused(brisque, shape):
    with pytest.raises(ValueError, match=r"16 pixels|\(H, W, 3\)"):
        brisque.score(np.zeros(shape, np.uint8))
