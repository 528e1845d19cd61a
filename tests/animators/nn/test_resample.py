import torch
import torch.nn.functional as F

from animators.nn.resample import (
    binomial_kernel,
    blur_kernel,
    fir,
    gaussian_taps,
    shrink,
    upsample,
)


def correlate(x, kernel, before, after, stride=1):
    """Direct loop: zeros around, correlation of every channel."""
    batch, depth, height, width = x.shape
    size = kernel.shape[0]
    wide = torch.zeros(batch, depth, height + before + after, width + before + after).to(x)
    wide[:, :, before : before + height, before : before + width] = x
    rows = (wide.shape[2] - size) // stride + 1
    columns = (wide.shape[3] - size) // stride + 1
    out = torch.zeros(batch, depth, rows, columns).to(x)
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride, j * stride
            patch = wide[:, :, top : top + size, left : left + size]
            out[:, :, i, j] = (patch * kernel).sum(dim=(2, 3))
    return out


def test_binomial_kernel():
    kernel = binomial_kernel()
    assert kernel.sum() == 1
    torch.testing.assert_close(kernel[0], torch.tensor([1.0, 3.0, 3.0, 1.0]) / 64)
    assert binomial_kernel(4.0)[1, 1] == 0.5625


def test_fir_against_a_direct_loop():
    x = torch.rand(2, 3, 6, 7, dtype=torch.float64)
    kernel = torch.rand(4, 4, dtype=torch.float64)  # not symmetric: a flip would show
    for padding, stride in ((1, 1), (2, 1), (1, 2)):
        expected = correlate(x, kernel, padding, padding, stride)
        torch.testing.assert_close(fir(x, kernel, padding, stride), expected)


def test_upsample_against_a_direct_loop():
    x = torch.rand(2, 3, 5, 4, dtype=torch.float64)
    spread = torch.zeros(2, 3, 10, 8, dtype=torch.float64)
    spread[:, :, ::2, ::2] = x
    kernel = binomial_kernel(4.0).double()
    torch.testing.assert_close(upsample(x, kernel), correlate(spread, kernel, 2, 1))


def test_gaussian_taps():
    taps = gaussian_taps(1.5)
    assert len(taps) == 13
    assert abs(taps.sum() - 1) < 1e-6
    torch.testing.assert_close(taps[7] / taps[6], torch.tensor(-1 / (2 * 1.5**2)).exp())


def test_shrink_against_a_direct_loop():
    x = torch.rand(1, 2, 12, 12, dtype=torch.float64)
    for factor, sigma in ((2, 0.5), (4, 1.5)):
        taps = gaussian_taps(sigma).double()
        reach = len(taps) // 2
        expected = correlate(x, torch.outer(taps, taps), reach, reach)[:, :, ::factor, ::factor]
        torch.testing.assert_close(shrink(x, factor), expected)
    assert shrink(x, 1) is x


def test_the_blur_for_three_colours_is_that_of_shrinking():
    picture = torch.rand(1, 3, 32, 32)
    kernel = blur_kernel(4)
    assert kernel.shape == (3, 1, 13, 13)
    blurred = F.conv2d(picture, kernel, padding=6, groups=3)
    torch.testing.assert_close(shrink(picture, 4), blurred[..., ::4, ::4])
