import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from animators.metrics import frames


def pictures(count, size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, size // 8, size // 8, generator=generator)
    return torch.nn.functional.interpolate(coarse, size=size, mode="bilinear")


@pytest.fixture
def pair():
    target = pictures(3, 64)
    noise = 0.1 * torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    scale = torch.tensor([0.3, 1.0, 2.0]).reshape(3, 1, 1, 1)
    return (target + scale * noise).clamp(0, 1), target


def as_numpy(images):
    return images.permute(0, 2, 3, 1).double().numpy()


def test_l1_against_numpy(pair):
    expected = [np.abs(a - b).mean() for a, b in zip(*map(as_numpy, pair), strict=True)]
    np.testing.assert_allclose(frames.l1(*pair).double(), expected, rtol=1e-6)


def test_one_frame(pair):
    one = tuple(images[:1] for images in pair)
    for metric in (frames.l1, frames.psnr, frames.ssim, frames.ms_ssim):
        assert metric(*one).shape == (1,)
        torch.testing.assert_close(metric(*one), metric(*pair)[:1])


def test_psnr_against_skimage(pair):
    images = zip(*map(as_numpy, pair), strict=True)
    expected = [peak_signal_noise_ratio(b, a, data_range=1) for a, b in images]
    np.testing.assert_allclose(frames.psnr(*pair), expected, rtol=1e-5)


def test_psnr_of_equal_images_is_finite(pair):
    assert frames.psnr(pair[1], pair[1]).tolist() == [100.0] * 3


def test_ssim_against_skimage(pair):
    """Wang's gaussian window; skimage cuts the border off, torchmetrics mirrors the image there."""
    options = {"data_range": 1, "gaussian_weights": True, "sigma": 1.5, "channel_axis": 2}
    mirrored = [torch.nn.functional.pad(images, (5, 5, 5, 5), mode="reflect") for images in pair]
    images = zip(*map(as_numpy, mirrored), strict=True)
    expected = [
        structural_similarity(a, b, use_sample_covariance=False, **options) for a, b in images
    ]
    np.testing.assert_allclose(frames.ssim(*pair), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "name"),
    [(256, "ms_ssim"), (176, "ms_ssim"), (175, "ms_ssim_3_scales"), (64, "ms_ssim_3_scales")],
)
def test_ms_ssim_says_how_many_scales(size, name):
    assert frames.ms_ssim_name(size, size) == name
    target = pictures(1, 256)[..., :size, :size]
    blurred = torch.nn.functional.avg_pool2d(target, 5, 1, 2, count_include_pad=False)
    assert frames.ms_ssim(target, target).item() == pytest.approx(1, abs=1e-5)
    assert 0 < frames.ms_ssim(blurred, target).item() < 0.9999


def test_ms_ssim_of_small_images_is_refused():
    assert frames.ms_ssim_name(44, 44) == "ms_ssim_3_scales"
    assert frames.ms_ssim_name(43, 43) is None
    with pytest.raises(ValueError, match="44 pixels, not 43x43"):
        frames.ms_ssim(torch.rand(1, 3, 43, 43), torch.rand(1, 3, 43, 43))


def test_moving_frames_are_those_above_the_median():
    source = torch.zeros(3, 4, 4)
    target = torch.tensor([0.1, 0.5, 0.2, 0.9, 0.3]).reshape(5, 1, 1, 1).expand(5, 3, 4, 4)
    assert frames.moving_frames(source, target).tolist() == [False, True, False, True, False]
    assert frames.moving_frames(source, target[:4]).tolist() == [False, True, False, True]
    assert not frames.moving_frames(source, torch.zeros(5, 3, 4, 4)).any()


def test_moving_pixels():
    source = torch.zeros(3, 2, 2)
    target = torch.zeros(2, 3, 2, 2)
    target[0, :, 0, 0] = 0.5
    target[0, 0, 1, 1] = 0.2  # mean over the channels 0.07: does not move
    prediction = target.clone()
    prediction[0, :, 0, 0] = torch.tensor([0.5, 0.2, 0.2])
    prediction[0, :, 1, 1] = 1
    value = frames.moving_pixel_l1(prediction, target, source)
    assert value[0].item() == pytest.approx(0.2)
    assert value[1].isnan()
