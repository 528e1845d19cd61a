import itertools

import numpy as np
import pytest
import torch
from torch import nn

from animators.metrics.networks import Judge
from animators.pretrained import HyperIqa, WeightFile, WeightsNotFound, files
from animators.pretrained.files import sha256_of
from animators.pretrained.hyperiqa import HyperNetwork, crops_of, read_network

# Of the published network, beside its ResNet-50 (timm's names): name, shape of the weight.
PUBLISHED = {
    "lda_modules.0.0": (16, 256, 1, 1),
    "lda_modules.0.3": (16, 1024),
    "lda_modules.1.0": (32, 512, 1, 1),
    "lda_modules.1.3": (16, 512),
    "lda_modules.2.0": (64, 1024, 1, 1),
    "lda_modules.2.3": (16, 256),
    "lda_modules.3.2": (176, 2048),
    "fc_w_modules.0": (512, 112, 3, 3),
    "fc_w_modules.1": (128, 112, 3, 3),
    "fc_w_modules.2": (32, 112, 3, 3),
    "fc_w_modules.3": (8, 112, 3, 3),
    "fc_w_modules.4.2": (14, 112),
    "fc_b_modules.0.2": (112, 112),
    "fc_b_modules.1.2": (56, 112),
    "fc_b_modules.2.2": (28, 112),
    "fc_b_modules.3.2": (14, 112),
    "fc_b_modules.4.2": (1, 112),
    "conv1.0": (1024, 2048, 1, 1),
    "conv1.2": (512, 1024, 1, 1),
    "conv1.4": (112, 512, 1, 1),
}


class FakeResNet(nn.Module):
    """Depths of the right shapes, drawn from the picture's mean."""

    def forward(self, crops):
        def depth(channels, cells):
            ramp = torch.linspace(0, 1, channels * cells**2).view(1, channels, cells, cells)
            return torch.cos(9 * ramp + crops.mean((1, 2, 3)).view(-1, 1, 1, 1))

        sizes = [(64, 112), (256, 56), (512, 28), (1024, 14), (2048, 7)]
        return [depth(*size) for size in sizes]


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return HyperNetwork().requires_grad_(False).eval()


def test_layers_are_the_published_ones(network):
    state = network.state_dict()
    heads = {name: tuple(value.shape) for name, value in state.items() if "base_model" not in name}
    weights = {name.removesuffix(".weight"): s for name, s in heads.items() if ".weight" in name}
    assert weights == PUBLISHED
    biased = {name.removesuffix(".bias") for name in heads if ".bias" in name}
    assert biased == set(PUBLISHED) - {f"lda_modules.{depth}.0" for depth in range(3)}
    assert len(state) - len(heads) == 318


def test_each_crop_goes_through_the_network_made_for_it(network, monkeypatch):
    """The small network of each crop, written out with layers of its own."""
    monkeypatch.setitem(network._modules, "base_model", FakeResNet())
    crops = torch.rand(3, 3, 224, 224) + torch.arange(3.0).view(3, 1, 1, 1)
    scores = network(crops)
    for crop, score in zip(crops, scores, strict=True):
        depths = network.base_model(crop[None])[1:]
        values = torch.cat([of(d) for of, d in zip(network.lda_modules, depths, strict=True)], 1)
        content = network.conv1(depths[-1])
        sizes = [224, 112, 56, 28, 14, 1]
        for index, (before, after) in enumerate(itertools.pairwise(sizes)):
            layer = nn.Linear(before, after)
            layer.weight.data = network.fc_w_modules[index](content).reshape(after, before)
            layer.bias.data = network.fc_b_modules[index](content)[0]
            values = layer(values) if after == 1 else torch.sigmoid(layer(values))
        torch.testing.assert_close(values[0, 0], score)
    assert len(set(scores.tolist())) == 3


def test_crops():
    ramp = torch.arange(256.0).expand(3, 264, 256)
    crops = crops_of(ramp)
    assert crops.shape == (25, 3, 224, 224)
    assert crops[:5, 0, 0, 0].tolist() == [0, 6, 12, 18, 24]
    down = crops_of(ramp.transpose(1, 2))
    assert down[::5, 0, 0, 0].tolist() == [0, 6, 12, 18, 24]
    assert crops_of(torch.rand(3, 64, 64)).shape == (1, 3, 224, 224)
    assert crops_of(torch.rand(3, 64, 128)).shape == (5, 3, 224, 224)


def test_a_file_is_read_and_frames_are_scored(network, tmp_path, monkeypatch):
    path = tmp_path / "hyper.pth"
    torch.save({"params": network.state_dict()}, path)
    weight = WeightFile("hyper.pth", sha256_of(path), 110, "none")
    monkeypatch.setitem(files.REGISTRY, "hyperiqa", weight)
    before = torch.get_rng_state()
    judge = HyperIqa(path)
    assert torch.equal(before, torch.get_rng_state())
    assert isinstance(judge, Judge)
    assert judge.higher_is_better
    frame = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    pixels = crops_of(torch.from_numpy(frame).permute(2, 0, 1) / 255)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = network((pixels - mean.view(3, 1, 1)) / deviation.view(3, 1, 1))
    assert judge.score(frame) == pytest.approx(float(expected), rel=1e-4)
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
        judge.score(frame[..., 0])


def test_other_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("ANIMATORS_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsNotFound, match=r"HyperIQA-resnet50-koniq10k-c96c41b1\.pth"):
        HyperIqa()
    torch.save({"conv1.0.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth does not hold HyperIQA"):
        read_network(tmp_path / "other.pth")
