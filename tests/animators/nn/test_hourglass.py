import pytest
import torch

from animators.nn.hourglass import Hourglass, check_image_size


def shapes(blocks):
    """(in, out) channels of each block's convolution."""
    return [(block.conv.in_channels, block.conv.out_channels) for block in blocks]


@pytest.mark.parametrize(
    ("in_channels", "width", "down", "up"),
    [
        (
            3,
            32,
            [(3, 64), (64, 128), (128, 256), (256, 512), (512, 1024)],
            [(1024, 512), (1024, 256), (512, 128), (256, 64), (128, 32)],
        ),
        (
            44,
            64,
            [(44, 128), (128, 256), (256, 512), (512, 1024), (1024, 1024)],
            [(1024, 1024), (2048, 512), (1024, 256), (512, 128), (256, 64)],
        ),
    ],
)
def test_channels_at_the_papers_sizes(in_channels, width, down, up):
    with torch.device("meta"):
        hourglass = Hourglass(in_channels, width=width, max_width=1024, blocks=5, norm="batch")
    assert shapes(hourglass.encoder) == down
    assert shapes(hourglass.decoder) == up
    assert hourglass.out_channels == width + in_channels


def test_maps_from_coarse_to_fine():
    hourglass = Hourglass(3, width=4, max_width=16, blocks=3, norm="batch")
    maps = hourglass.maps(torch.rand(2, 3, 32, 16))
    assert [tuple(m.shape[1:]) for m in maps] == [(32, 8, 4), (16, 16, 8), (7, 32, 16)]
    assert hourglass.map_channels == (32, 16, 7)


def test_the_last_channels_are_the_input_itself():
    hourglass = Hourglass(3, width=4, max_width=16, blocks=2, norm="instance")
    x = torch.rand(2, 3, 16, 16)
    assert torch.equal(hourglass(x)[:, 4:], x)


def test_two_blocks_by_hand():
    hourglass = Hourglass(3, width=4, max_width=16, blocks=2, norm="batch").eval()
    x = torch.rand(1, 3, 8, 8)
    (first, second), (below, above) = hourglass.encoder, hourglass.decoder
    half = first(x)
    inner = torch.cat([below(second(half)), half], dim=1)
    torch.testing.assert_close(hourglass(x), torch.cat([above(inner), x], dim=1))


@pytest.mark.parametrize("size", [0, 64, 192, 255])
def test_sizes_that_the_halvings_do_not_divide(size):
    with pytest.raises(ValueError, match=r"multiple of 128 .*\(128, 256, 384, 512, \.\.\.\), got"):
        check_image_size(size, 128)


@pytest.mark.parametrize("size", [128, 256, 384])
def test_sizes_that_they_divide(size):
    check_image_size(size, 128)
