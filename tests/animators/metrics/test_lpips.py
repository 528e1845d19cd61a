import warnings

import lpips
import pytest
import torch

from animators.metrics import Averaging, Lpips, build_lpips
from animators.pretrained import alexnet_state


def pictures():
    """Four smooth pictures of 64 pixels, the same on every machine."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1, 64), indexing="ij")
    rows = [torch.stack([x, y, (x + y) / 2])]
    rows.append(torch.stack([(x * 20).sin(), (y * 20).sin(), (x * y * 20).cos()]) / 2 + 0.5)
    disc = ((x - 0.5) ** 2 + (y - 0.4) ** 2 < 0.05).float()
    rows.append(torch.stack([disc, 1 - disc, disc * x]))
    rows.append(rows[-1].roll(5, -1))
    return torch.stack(rows)


# Frozen: distances between neighbours of `pictures()`, from the real AlexNet.
FROZEN = [0.717871, 0.709126, 0.066598]


@pytest.fixture(scope="module")
def network(package_weights):
    package_weights("alexnet_trunk")
    return build_lpips()


def values(network, prediction, target):
    return Lpips(network=network).frame_values(prediction, target, target[0])


def test_frozen_values(network):
    images = pictures()
    assert values(network, images[1:], images[:-1]).tolist() == pytest.approx(FROZEN, abs=1e-4)


def test_equal_to_the_package(network):
    """The package's own class with the same convolutions, given them its own way."""
    with warnings.catch_warnings(action="ignore"):
        own = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    trunk = alexnet_state()
    for block in (own.net.slice1, own.net.slice2, own.net.slice3, own.net.slice4, own.net.slice5):
        for name, layer in block.named_children():
            if isinstance(layer, torch.nn.Conv2d):
                layer.weight.data = trunk[f"{name}.weight"]
                layer.bias.data = trunk[f"{name}.bias"]
    images = pictures()
    with torch.no_grad():
        expected = own(images[1:], images[:-1], normalize=True).flatten()
    torch.testing.assert_close(values(network, images[1:], images[:-1]), expected)


def test_many_frames_as_one_by_one(network):
    images = pictures().repeat(3, 1, 1, 1)
    other = images.roll(1, 0)
    pairs = zip(images[:, None], other[:, None], strict=True)
    single = torch.cat([values(network, *pair) for pair in pairs])
    torch.testing.assert_close(values(network, images, other), single, atol=1e-6, rtol=0)


def test_equal_is_zero_and_further_is_more(network):
    images = pictures()
    blurred = torch.nn.functional.avg_pool2d(images, 3, 1, 1)
    more = torch.nn.functional.avg_pool2d(blurred, 7, 1, 3)
    assert values(network, images, images).abs().max() == 0
    assert (values(network, more, images) > values(network, blurred, images)).all()


def test_network_is_no_part_of_the_metric(network):
    metric = Lpips(Averaging.FRAME, network)
    assert list(metric.parameters()) == []
    assert list(metric.modules()) == [metric]
    holder = torch.nn.ModuleList([metric]).train()
    assert holder.state_dict() == {}
    assert not network.training
    assert not any(weight.requires_grad for weight in network.parameters())


def test_building_leaves_the_random_numbers_alone(package_weights):
    package_weights("alexnet_trunk")
    before = torch.get_rng_state()
    build_lpips()
    assert torch.equal(torch.get_rng_state(), before)


def test_autocast_does_not_reach_the_network(network):
    images = pictures()
    plain, inside = Lpips(network=network), Lpips(network=network)
    plain.update(images[1:], images[:-1], images[0])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside.update(images[1:], images[:-1], images[0])
    assert plain.compute() == inside.compute()
