import hashlib
import io
import sys

import pytest
import torch
from torch import nn
from torchvision.models import ResNet, vgg16
from torchvision.models.resnet import Bottleneck

from animators.pretrained import WeightFile, WeightsNotFound, files, vgg16_state
from animators.pretrained.features import (
    KINETICS,
    InceptionFeatures,
    ResNeXt3d,
    Vgg16ClipFeatures,
    Vgg16Features,
)
from animators.pretrained.resnext3d import ResNeXt3dTrunk, load_resnext


def pictures(*shape):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, shape, dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="module")
def vgg(package_weights):
    package_weights("vgg16_trunk")
    return Vgg16Features()


@pytest.fixture(scope="module")
def vgg_clips(package_weights):
    package_weights("vgg16_trunk")
    return Vgg16ClipFeatures()


class Seeing(nn.Module):
    """Keeps what it is shown, and answers with it."""

    def forward(self, x):
        self.seen = x
        return x


def test_vgg_is_torchvisions_up_to_relu5_3(vgg):
    with torch.device("meta"):
        whole = vgg16(weights=None).features
    whole.load_state_dict(vgg16_state(), assign=True)
    images = pictures(9, 3, 32, 48)
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]
    maps = []
    whole[29].register_forward_hook(lambda module, given, found: maps.append(found.clone()))
    with torch.no_grad():
        whole((images / 255 - mean) / std)
    found = vgg.features(images)
    assert found.shape == (9, vgg.size)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, maps[0].flatten(2).mean(2), atol=1e-5, rtol=1e-4)


def test_no_gradient_no_autocast_and_no_random_numbers(vgg, package_weights):
    images = pictures(2, 3, 16, 16)
    plain = vgg.features(images)
    assert not plain.requires_grad
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(vgg.features(images), plain)
    before = torch.get_rng_state()
    Vgg16Features()
    assert torch.equal(torch.get_rng_state(), before)
    holder = nn.Module()
    holder.network = vgg
    assert list(holder.modules()) == [holder]
    assert holder.state_dict() == {}


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (pictures(1, 3, 15, 32), "vgg16 wants frames of 16 pixels or more, got 32x15"),
        (pictures(1, 3, 32, 32).float(), r"uint8, got \(1, 3, 32, 32\) torch.float32"),
        (pictures(1, 32, 32, 3), r"describes \(N, 3, H, W\) uint8"),
        (pictures(1, 2, 3, 32, 32), r"describes \(N, 3, H, W\) uint8"),
    ],
)
def test_other_pictures_are_refused(vgg, images, message):
    with pytest.raises(ValueError, match=message):
        vgg.features(images)


def test_clips_are_means_and_changes(vgg, vgg_clips):
    clips = pictures(2, 10, 3, 16, 16)
    found = vgg_clips.features(clips)
    frames = torch.stack([vgg.features(clip) for clip in clips])
    assert found.shape == (2, vgg_clips.size)
    torch.testing.assert_close(found[:, :512], frames.mean(1))
    change = torch.stack([(a - b).abs() for a, b in zip(frames[0, 1:], frames[0], strict=False)])
    torch.testing.assert_close(found[0, 512:], change.mean(0))
    back = vgg_clips.features(clips[:, torch.tensor([0, 5, 1, 6, 2, 7, 3, 8, 4, 9])])
    torch.testing.assert_close(back[:, :512], found[:, :512])
    assert (back[:, 512:] - found[:, 512:]).abs().max() > 1e-3
    still = vgg_clips.features(clips[:, :1].expand(-1, 3, -1, -1, -1))
    assert still[:, 512:].abs().max() < 1e-6
    with pytest.raises(ValueError, match=r"describes \(N, T, 3, H, W\) uint8"):
        vgg_clips.features(clips[0])


def known(monkeypatch, name, path):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    weight = WeightFile(files.REGISTRY[name].file, digest, 1, "MIT")
    monkeypatch.setitem(files.REGISTRY, name, weight)


@pytest.fixture
def inception(extra, monkeypatch, tmp_path):
    """An Inception network with random weights, and its file."""
    module = extra("torch_fidelity.feature_extractor_inceptionv3", "fid")
    kind = module.FeatureExtractorInceptionV3
    with monkeypatch.context() as patch:
        patch.setattr(kind, "load_state_dict", lambda self, state: None)
        network = kind("inception", ["2048"], feature_extractor_weights_path=saved({}))
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.3, 0.6)
    path = tmp_path / "inception.pth"
    torch.save(network.state_dict(), path)
    known(monkeypatch, "fid_inception", path)
    return network, path


def saved(value):
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return file


def test_inception_is_torch_fidelitys(inception):
    reference, path = inception
    before = torch.get_rng_state()
    network = InceptionFeatures(path)
    assert torch.equal(torch.get_rng_state(), before)
    images = pictures(1, 3, 299, 299)
    (expected,) = reference(images)  # of this size, it does not resize
    with torch.no_grad():
        found = network._network((images.float() - 128) / 128)
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected)
    assert network.features(pictures(1, 3, 20, 20)).shape == (1, network.size)


def test_inception_sees_what_pytorch_fid_shows(inception):
    """Pixel centres half a pixel in, no antialiasing, [-1, 1]."""
    network = InceptionFeatures(inception[1])
    network._network = Seeing()
    wide = pictures(1, 3, 2, 3 * 299)
    found = network.features(wide)
    assert found.shape == (1, 3, 299, 299)
    # a third of the width: the middle one of three is taken, and no mean of them
    torch.testing.assert_close(found[0, :, 0], wide[0, :, 0, 1::3] / 127.5 - 1)
    tall = network.features(pictures(1, 3, 2, 299))[0, :, 149]
    torch.testing.assert_close(tall, pictures(1, 3, 2, 299)[0].float().mean(1) / 127.5 - 1)


def test_inception_runs_nothing_that_a_file_holds(inception, monkeypatch, tmp_path, capsys):
    class Hostile:
        def __reduce__(self):
            return (print, ("this ran",))

    path = tmp_path / "hostile.pth"
    for content in ({"fc.weight": Hostile()}, {"fc.weight": torch.zeros(1)}):
        torch.save(content, path)
        known(monkeypatch, "fid_inception", path)
        with pytest.raises(ValueError, match=r"hostile\.pth"):
            InceptionFeatures(path)
    assert capsys.readouterr().out == ""


def test_missing_files(extra, monkeypatch, tmp_path):
    extra("torch_fidelity", "fid")
    monkeypatch.setenv("ANIMATORS_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsNotFound, match=r"pt_inception-2015-12-05-6726825d\.pth.*95\.6 MB"):
        InceptionFeatures()
    with pytest.raises(WeightsNotFound, match=r"resnext-101-kinetics\.pth.*sha256 not published"):
        ResNeXt3d()


def test_without_torch_fidelity(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(ValueError, match=r"pip install 'animator-zoo\[fid\]'"):
        InceptionFeatures()


def in_time(name, value):
    """A 2D network's tensor for a 3D one: its kernels act on the middle frame alone."""
    if value.ndim != 4:
        return value
    return nn.functional.pad(value[:, :, None], (0, 0, 0, 0, *2 * [value.shape[-1] // 2]))


def published(state):
    """A checkpoint as the 3D one was published: behind `module.`, and without counted batches."""
    kept = {f"module.{k}": v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    return {"epoch": 1, "arch": "resnext-101", "state_dict": kept, "optimizer": {"state": {}}}


def test_resnext_on_a_still_clip_is_torchvisions_on_its_frame(tmp_path):
    flat = ResNet(Bottleneck, [1, 2, 1, 1], groups=32, width_per_group=4).eval()
    for layer in flat.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    path = tmp_path / "small.pth"
    state = {name: in_time(name, value) for name, value in flat.state_dict().items()}
    torch.save(published(state), path)
    trunk = ResNeXt3dTrunk(blocks=(1, 2, 1, 1)).eval()
    load_resnext(trunk, path)
    picture = torch.randn(1, 3, 50, 64)
    flat.fc = nn.Identity()
    with torch.no_grad():
        expected = flat(picture)
        maps = trunk(picture[:, :, None].expand(-1, -1, 17, -1, -1))
    assert maps.shape == (1, 2048, 2, 2, 2)
    torch.testing.assert_close(maps.mean((2, 3, 4)), expected, atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match=r"small\.pth holds no such 3D ResNeXt: .*layer2\.0"):
        load_resnext(ResNeXt3dTrunk(blocks=(1, 2, 1, 1), cardinality=16), path)


@pytest.fixture
def resnext_file(tmp_path):
    """A file with the published names and shapes; each tensor holds one number, many times over."""
    with torch.device("meta"):
        flat = ResNet(Bottleneck, [3, 4, 23, 3], 400, groups=32, width_per_group=4)
    state = {}
    for name, value in flat.state_dict().items():
        shape = list(value.shape)
        if value.ndim == 4:
            shape.insert(2, shape[-1])
        state[name] = torch.tensor(1e-3).expand(shape)
    path = tmp_path / "resnext-101-kinetics.pth"
    torch.save(published(state), path)
    assert path.stat().st_size < 2e6
    return path


def test_resnext_takes_the_published_names(resnext_file, monkeypatch):
    monkeypatch.setenv("ANIMATORS_WEIGHTS", str(resnext_file.parent))
    before = torch.get_rng_state()
    network = ResNeXt3d()
    assert torch.equal(torch.get_rng_state(), before)
    assert hashlib.sha256(resnext_file.read_bytes()).hexdigest()[:8] in network.version
    assert network.features(pictures(1, 2, 3, 20, 20)).shape == (1, network.size)
    assert not any(layer.training for layer in network._network.modules())
    network._network = Seeing()
    network.features(pictures(2, 4, 3, 112, 112))
    expected = pictures(2, 4, 3, 112, 112)[1].float() - torch.tensor(KINETICS).view(3, 1, 1)
    torch.testing.assert_close(network._network.seen, expected.transpose(0, 1)[None])


@pytest.mark.parametrize(
    "content", [{"state_dict": [1]}, {"state_dict": {}}, {"state_dict": {"module.conv1.weight": 1}}]
)
def test_another_file_is_no_resnext(tmp_path, content):
    path = tmp_path / "other.pth"
    torch.save(content, path)
    with pytest.raises(ValueError, match=r"other\.pth"):
        ResNeXt3d(path)
