import pytest
import scipy.linalg
import torch
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance

from animators.metrics.frechet import FrechetDistance, VideoFrechetDistance, frechet_distance
from animators.metrics.networks import Features
from animators.pretrained.features import Vgg16ClipFeatures, Vgg16Features


class Tiny(nn.Module):
    """Eight numbers a frame, or a clip, from fixed random weights: squares, so that means move."""

    name, version, size, num_features = "tiny", "tiny 1", 8, 8

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weight = nn.Parameter(torch.randn(8, 3, 4, 4, generator=generator) / 7)

    def forward(self, images):
        maps = nn.functional.conv2d(images.float() / 255 - 0.5, self.weight, stride=4)
        return maps.square().mean((2, 3))

    def features(self, images):
        return self(images) if images.ndim == 4 else torch.stack([self(c).std(0) for c in images])


def gaussians(size, seed=0, rank=None):
    generator = torch.Generator().manual_seed(seed)
    draw = torch.randn(2, size, rank or 2 * size, generator=generator, dtype=torch.float64)
    means = torch.randn(2, size, generator=generator, dtype=torch.float64)
    covs = draw @ draw.mT / draw.shape[-1]
    return means[0], covs[0], means[1], covs[1]


def clips(lengths=(3, 6, 4, 5), size=16):
    generator = torch.Generator().manual_seed(0)
    for frames in lengths:
        yield torch.randint(256, (frames, 3, size, size), generator=generator) / 255


def filled(metric, videos):
    for video in videos:
        metric.update((video * 0.8).roll(1, -1), video, video[0])
    return metric


def test_one_dimension():
    """(m - n)^2 + (s - t)^2 of N(m, s^2) and N(n, t^2)."""
    found = frechet_distance(*(torch.tensor(value) for value in ([1.0], [[4.0]], [-2.0], [[25.0]])))
    assert found.dtype == torch.float64
    assert float(found) == pytest.approx(9 + 9, rel=1e-12)


def test_axes_that_agree():
    """Covariances with the same axes: the sum over axes of what one dimension gives."""
    turn = torch.linalg.qr(gaussians(5)[1]).Q
    one, other = torch.tensor([1.0, 4, 9, 0, 2]).double(), torch.tensor([4.0, 1, 0, 9, 3]).double()
    covs = [turn * values @ turn.T for values in (one, other)]
    zero = torch.zeros(5)
    expected = (one.sqrt() - other.sqrt()).square().sum()
    assert frechet_distance(zero, covs[0], zero, covs[1]).item() == pytest.approx(expected.item())


def test_against_scipy():
    mean_a, cov_a, mean_b, cov_b = gaussians(20)
    root = scipy.linalg.sqrtm((cov_a @ cov_b).numpy()).real.trace()
    expected = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * root
    found = frechet_distance(mean_a, cov_a, mean_b, cov_b)
    assert found.item() == pytest.approx(expected.item(), rel=1e-10)


def test_singular_covariances():
    """Of one direction each: |a|^2 + |b|^2 - 2 |a b|; and 0 from itself, to rounding."""
    a, b = torch.randn(2, 64, dtype=torch.float64)
    zero = torch.zeros(64)
    found = frechet_distance(zero, torch.outer(a, a), zero, torch.outer(b, b))
    assert found.item() == pytest.approx((a @ a + b @ b - 2 * (a @ b).abs()).item(), rel=1e-7)
    mean, cov, _, _ = gaussians(64, rank=5)
    assert 0 <= frechet_distance(mean, 100 * cov, mean, 100 * cov).item() < 1e-9


def test_equals_torchmetrics():
    network = Tiny()
    reference = FrechetInceptionDistance(feature=network)
    for video in clips():
        reference.update((video * 255).round().byte(), real=True)
        made = (video * 0.8).roll(1, -1)
        reference.update((made * 255).round().byte(), real=False)
    metric = filled(FrechetDistance(network), clips())
    assert metric.compute().item() == pytest.approx(reference.compute().item(), rel=1e-5)
    assert metric.counts == (18, 18)
    assert isinstance(network, Features)


def test_frames_are_rounded_to_the_nearest_level():
    """Through [-1, 1] and back, a cast alone would take some levels for the ones below."""
    seen = []

    class Seeing(Tiny):
        def features(self, images):
            seen.append(images)
            return super().features(images)

    levels = torch.arange(256).view(1, 1, 16, 16).expand(2, 3, 16, 16)
    back = ((levels / 255 * 2 - 1) + 1) / 2
    assert ((back * 255).byte() != levels).any()
    FrechetDistance(Seeing()).update(back, back, back[0])
    assert all(torch.equal(images, levels.byte()) for images in seen)
    assert len(seen) == 2


def test_against_the_source():
    """A source's picture counts once a clip, or each of its pictures does."""
    made, sources = list(clips()), [video[0] for video in clips(size=20)]
    network = Tiny()
    metric = FrechetDistance(network, against="source")
    for clip, source in zip(made, sources, strict=True):
        metric.update(clip, torch.zeros_like(clip), source)
    reference = FrechetInceptionDistance(feature=network)
    reference.update((torch.cat(made) * 255).round().byte(), real=False)
    reference.update((torch.stack(sources) * 255).round().byte(), real=True)
    assert metric.compute().item() == pytest.approx(reference.compute().item(), rel=1e-5)
    assert metric.counts == (4, 18)
    metric.update(made[0], made[0], made[1])
    assert metric.counts == (10, 21)


def test_a_clip_is_one_sample():
    network = Tiny()
    metric = filled(VideoFrechetDistance(network), clips())
    real = torch.stack([network(clip * 255).std(0) for clip in clips()])
    made = torch.stack(
        [network((clip * 0.8).roll(1, -1).mul(255).round()).std(0) for clip in clips()]
    )
    expected = frechet_distance(real.mean(0), real.T.cov(), made.mean(0), made.T.cov())
    assert metric.compute().item() == pytest.approx(expected.item(), rel=1e-4)
    assert metric.counts == (4, 4)


def test_the_first_hundred_frames_of_a_clip():
    (clip,) = clips((101,), size=4)
    longer = torch.cat([clip[:100], 1 - clip[100:]])
    one, other = VideoFrechetDistance(Tiny()), VideoFrechetDistance(Tiny())
    one.update(clip, clip, clip[0])
    other.update(longer, longer, clip[0])
    assert torch.equal(one.generated_sum, other.generated_sum)
    clip[99] = 0
    one.update(clip, clip, clip[0])
    other.update(longer, longer, clip[0])
    assert not torch.equal(one.generated_sum, other.generated_sum)


def test_a_clip_of_the_source():
    (clip,) = clips((4,))
    metric = VideoFrechetDistance(Tiny(), against="source")
    metric.update(clip, clip, clip)
    assert metric.counts == (1, 1)
    with pytest.raises(ValueError, match="clips of two frames or more, got 1"):
        metric.update(clip, clip, clip[0])


@pytest.mark.parametrize("against", ["target", "source"])
def test_too_few(against):
    metric = FrechetDistance(Tiny(), against)
    (clip,) = clips((1,))
    metric.update(clip, clip, clip[0])
    assert metric.count == 1
    assert metric.compute().isnan()
    (clip,) = clips((7,))
    metric.update(clip, clip, clip)
    assert metric.compute() >= 0
    assert metric.counts == (8, 8)
    assert not metric.enough  # as many samples as numbers: still singular
    metric.update(clip[:1], clip[:1], clip[0])
    assert metric.enough
    metric.reset()
    assert metric.count == 0


def test_names():
    network = Tiny()
    assert FrechetDistance(network).name == "fd_tiny"
    assert VideoFrechetDistance(network).name == "video_fd_tiny"
    assert FrechetDistance(network).detector == "tiny 1"
    network.name = "inception_2015"
    assert FrechetDistance(network).name == "fid"
    assert VideoFrechetDistance(network).name == "video_fd_inception_2015"
    network.name = "resnext101_kinetics"
    assert VideoFrechetDistance(network).name == "video_fid"


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), r"prediction is \(2, 3, 8, 8\) torch.uint8"),
        (torch.zeros(2, 1, 8, 8), r"prediction is \(2, 1, 8, 8\)"),
        (torch.full((2, 3, 8, 8), 2.0), "values from 2 to 2, outside"),
        (torch.full((2, 3, 8, 8), torch.nan), "values from nan"),
    ],
)
def test_other_things_are_refused(clip, message):
    right = torch.zeros(2, 3, 8, 8)
    metric = FrechetDistance(Tiny())
    with pytest.raises(ValueError, match=message):
        metric.update(clip, right, right[0])
    assert metric.counts == (0, 0)


def test_another_side_is_refused():
    with pytest.raises(ValueError, match="against must be 'target' or 'source', got 'driving'"):
        FrechetDistance(Tiny(), "driving")


def test_network_is_no_part_of_the_metric():
    metric = filled(FrechetDistance(Tiny()), clips())
    assert list(metric.parameters()) == []
    assert list(metric.modules()) == [metric]
    assert metric.state_dict() == {}


def waves(count, size=32):
    """Smooth pictures (count, 3, size, size), each with its own direction and length of waves."""
    generator = torch.Generator().manual_seed(3)
    y, x = torch.meshgrid(*2 * [torch.linspace(0, 1, size)], indexing="ij")
    turn = torch.randn(2, count, 3, 1, 1, generator=generator) * 9
    return (turn[0] * x + turn[1] * y).sin() / 2 + 0.5


def test_order_of_vgg(package_weights):
    """Nothing < a little blur < more blur < noise."""
    package_weights("vgg16_trunk")
    images = waves(12)
    blur = [nn.functional.avg_pool2d(images, k, 1, k // 2) for k in (3, 7)]
    noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(0))
    network, values = Vgg16Features(), []
    for other in (images, *blur, noise):
        metric = FrechetDistance(network)
        metric.update(other, images, images[0])
        values.append(metric.compute().item())
    assert abs(values[0]) < 1e-8
    assert 1e-3 < values[1] < values[2] < values[3]
    assert metric.name == "fd_vgg16"
    assert not metric.enough


def test_the_order_of_frames_matters_to_clips(package_weights):
    package_weights("vgg16_trunk")
    pattern = waves(1, 16)[0]
    moving = [
        torch.stack([pattern.roll((start, 2 * step), (-2, -1)) for step in range(6)])
        for start in (0, 3, 6)
    ]
    network, frames = Vgg16ClipFeatures(), FrechetDistance(Vgg16Features())
    right, shuffled = VideoFrechetDistance(network), VideoFrechetDistance(network)
    for video in moving:
        other = video[torch.tensor([0, 3, 1, 4, 2, 5])]
        right.update(video, video, video[0])
        shuffled.update(other, video, video[0])
        frames.update(other, video, video[0])
    assert torch.equal(right.real_sum, right.generated_sum)
    assert shuffled.compute().item() > 0.1
    # each frame is there, only elsewhere
    torch.testing.assert_close(frames.real_sum, frames.generated_sum, rtol=1e-6, atol=0)
    assert shuffled.name == "video_fd_vgg16"
