"""The animate loop over an animator whose arithmetic can be done by hand."""

from dataclasses import dataclass
from types import MappingProxyType

import pytest
import torch
from torch import Tensor

from animators import inference
from animators.animator import Mode


@dataclass(frozen=True)
class Shade:
    value: Tensor  # (B, 1)


class Shader:
    """Motion is a picture's mean; a rendered picture has the motion's value everywhere."""

    modes = (Mode.ABSOLUTE, Mode.RELATIVE)
    mode_remedies = MappingProxyType({Mode.AVD: "train its second stage"})
    several_views = False
    image_size = 4

    def __init__(self):
        self.calls = {"source": 0, "motion": 0, "pairs": 0, "prepared": 0}

    def encode_source(self, source):
        self.calls["source"] += len(source)
        return Shade(source.mean(dim=(1, 2, 3))[:, None])

    def encode_motion(self, frames, pair=None):
        self.calls["motion"] += len(frames)
        self.calls["pairs"] += pair is not None
        return Shade(frames.mean(dim=(1, 2, 3))[:, None])

    def transfer(self, source, driving, reference, mode):
        if mode is Mode.ABSOLUTE:
            return driving
        return Shade(source.value + driving.value - reference.value)

    def prepare_reference(self, source, reference):
        assert len(source.value) == len(reference.value)
        self.calls["prepared"] += 1
        return reference

    def render(self, source, motion):
        return motion.value[:, :, None, None].expand(-1, 3, 4, 4)

    def motion_distance(self, source, motion):
        return (source.value - motion.value).abs()[:, 0]


def flat(values):
    """A clip (1, T, 3, 4, 4) of plain frames."""
    return torch.tensor(values)[None, :, None, None, None].expand(1, -1, 3, 4, 4).clone()


def shades(clip):
    return clip[0, :, 0, 0, 0].tolist()


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_relative_adds_the_clips_own_displacement(chunk):
    out = inference.animate(Shader(), flat([0.5])[:, 0], flat([0.2, 0.3, 0.1]), chunk=chunk)
    assert shades(out) == pytest.approx([0.5, 0.6, 0.4])


def test_reference_frame_by_index_and_by_distance():
    source, clip = flat([0.3])[:, 0], flat([0.1, 0.5, 0.28])
    by_index = inference.animate(Shader(), source, clip, reference=1)
    assert shades(by_index) == pytest.approx([0.0, 0.3, 0.08], abs=1e-6)
    best = inference.animate(Shader(), source, clip, reference="best", chunk=2)
    assert shades(best) == pytest.approx([0.12, 0.52, 0.3])


def test_only_animate_clamps():
    source, clip = flat([0.9])[:, 0], flat([0.1, 0.6])
    raw = torch.cat(list(inference.stream(Shader(), source, [clip], mode="relative")), dim=1)
    assert shades(raw) == pytest.approx([0.9, 1.4])
    assert shades(inference.animate(Shader(), source, clip)) == pytest.approx([0.9, 1.0])


def test_source_is_encoded_once_and_each_frame_once():
    model = Shader()
    inference.animate(model, flat([0.5])[:, 0], flat([0.1] * 7), chunk=2)
    assert model.calls == {"source": 1, "motion": 7, "pairs": 0, "prepared": 1}


def test_stream_is_lazy():
    served = []

    def frames():
        for value in (0.1, 0.2, 0.3):
            served.append(value)
            yield flat([value])

    pieces = inference.stream(Shader(), flat([0.5])[:, 0], frames(), mode="absolute")
    next(pieces)
    assert served == [0.1]


def test_several_clips_keep_apart():
    sources = torch.cat([flat([0.5])[:, 0], flat([0.2])[:, 0]])
    clips = torch.cat([flat([0.1, 0.2]), flat([0.4, 0.3])])
    out = inference.animate(Shader(), sources, clips, chunk=2)
    assert out[0, :, 0, 0, 0].tolist() == pytest.approx([0.5, 0.6])
    assert out[1, :, 0, 0, 0].tolist() == pytest.approx([0.2, 0.1])


class Fitter(Shader):
    """A shader whose AVD mode takes the darker of two shades, and no reference frame."""

    modes = (Mode.ABSOLUTE, Mode.RELATIVE, Mode.AVD)

    def transfer(self, source, driving, reference, mode):
        if mode is Mode.AVD:
            assert reference is None
            return Shade(torch.minimum(source.value, driving.value))
        return super().transfer(source, driving, reference, mode)


def test_avd_reads_no_reference_frame():
    model, clip = Fitter(), flat([0.2, 0.6, 0.3])
    out = inference.animate(model, flat([0.4])[:, 0], clip, mode="avd")
    assert shades(out) == pytest.approx([0.2, 0.4, 0.3])
    assert model.calls == {"source": 1, "motion": 3, "pairs": 0, "prepared": 0}
    rebuilt = inference.reconstruct(model, clip, mode="avd")
    assert shades(rebuilt) == pytest.approx([0.2, 0.2, 0.2])


class Album(Shader):
    """A shader of several views: what it draws is darker by the mean of the references."""

    several_views = True

    def encode_source(self, source):
        assert source.ndim == 4 or source.shape[1] > 1
        views = source[:, None] if source.ndim == 4 else source
        means = views.mean(dim=(2, 3, 4))
        references = means[:, 1:].mean(dim=1) if means.shape[1] > 1 else torch.zeros(len(means))
        return Poses(means[:, :1], references[:, None])

    def render(self, source, motion):
        return super().render(source, Shade(motion.value - source.references))


@dataclass(frozen=True)
class Poses(Shade):
    references: Tensor  # (B, 1), their mean


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_references_go_with_their_source(chunk):
    sources = torch.cat([flat([0.5])[:, 0], flat([0.6])[:, 0]])
    clips = torch.cat([flat([0.3, 0.2, 0.4]), flat([0.1, 0.2, 0.3])])
    references = torch.cat([flat([0.1, 0.2]), flat([0.0, 0.1])])
    for mode, rows in {
        "relative": ([0.35, 0.25, 0.45], [0.55, 0.65, 0.75]),
        "absolute": ([0.15, 0.05, 0.25], [0.05, 0.15, 0.25]),
    }.items():
        out = inference.animate(Album(), sources, clips, references, mode=mode, chunk=chunk)
        assert out[:, :, 0, 0, 0].flatten().tolist() == pytest.approx([*rows[0], *rows[1]])
    # the frame nearest to a source is sought by the source, whatever its references are
    best = inference.animate(Album(), sources, clips, references, reference="best", chunk=chunk)
    assert best[:, :, 0, 0, 0].flatten().tolist() == pytest.approx(
        [0.25, 0.15, 0.35, 0.35, 0.45, 0.55]
    )
    rebuilt = inference.reconstruct(Album(), clips, references, chunk=chunk)
    wanted = [0.15, 0.05, 0.25, 0.05, 0.15, 0.25]
    assert rebuilt[:, :, 0, 0, 0].flatten().tolist() == pytest.approx(wanted)


@pytest.mark.parametrize("references", [None, flat([0.1])[:, :0]])
def test_no_references_are_a_source_alone(references):
    for model in (Album(), Shader()):
        out = inference.animate(model, flat([0.5])[:, 0], flat([0.2, 0.3]), references)
        assert shades(out) == pytest.approx([0.5, 0.6])
        rebuilt = inference.reconstruct(model, flat([0.2, 0.3]), references)
        assert shades(rebuilt) == pytest.approx([0.2, 0.3])


@pytest.mark.parametrize(
    ("references", "message"),
    [
        (flat([0.1])[:, 0], r"references must be a float tensor \(B, N, 3, H, W\)"),
        (flat([0.1]).byte(), "references must be a float tensor"),
        ("relative", "references must be a float tensor .* got 'relative'"),
        (torch.zeros(1, 2, 3, 8, 8), "references is 8x8 pixels.*works at 4x4"),
        (torch.zeros(2, 2, 3, 4, 4), "1 sources, references for 2"),
        (flat([0.1, torch.nan]), "references must lie in"),
    ],
)
def test_bad_references_are_named(references, message):
    with pytest.raises(ValueError, match=message):
        inference.animate(Album(), flat([0.5])[:, 0], flat([0.2]), references)


def test_one_view_is_all_that_some_take():
    said = (
        r"Shader takes one source view and no references, got 2: leave them out .*references to 0"
    )
    with pytest.raises(ValueError, match=said):
        inference.animate(Shader(), flat([0.5])[:, 0], flat([0.2]), flat([0.1, 0.2]))
    with pytest.raises(ValueError, match=said):
        inference.reconstruct(Shader(), flat([0.2]), flat([0.1, 0.2]))


def test_parts_that_a_motion_lacks_stay_lacking():
    @dataclass(frozen=True)
    class Pose:
        value: Tensor
        scale: Tensor | None = None

    pose = inference.take_first(Pose(torch.arange(6.0)[:, None]), 2)
    assert (pose.value.flatten().tolist(), pose.scale) == ([0, 3], None)
    assert inference.repeat_frames(pose, 2).value.flatten().tolist() == [0, 0, 3, 3]


def test_reconstruct_hands_over_the_pair():
    model = Shader()
    out = inference.reconstruct(model, flat([0.4, 0.6, 0.2]))
    assert shades(out) == pytest.approx([0.4, 0.6, 0.2])
    assert model.calls["pairs"] == 3


@pytest.mark.parametrize(
    ("source", "driving", "options", "message"),
    [
        (torch.zeros(3, 4, 4), flat([0.1]), {}, "source must be a float tensor"),
        (torch.zeros(1, 3, 8, 8), flat([0.1]), {}, "works at 4x4"),
        (torch.full((1, 3, 4, 4), torch.nan), flat([0.1]), {}, "without NaN"),
        (flat([0.1])[:, 0], flat([0.1]) * 255, {}, "must lie in"),
        (flat([0.1])[:, 0], flat([0.1]), {"mode": "avd"}, "absolute, relative; train its second"),
        (flat([0.1])[:, 0], flat([0.1]), {"mode": "sideways"}, "unknown mode"),
        (flat([0.1])[:, 0], flat([0.1]), {"reference": 1}, "0 to 0"),
        (
            flat([0.1])[:, 0],
            flat([0.1]),
            {"mode": "absolute", "reference": "best"},
            "'best' has no meaning in absolute mode",
        ),
        (flat([0.1])[:, 0], flat([0.1]), {"mode": "absolute", "reference": 0}, "no meaning"),
        (torch.zeros(2, 3, 4, 4), flat([0.1]), {}, "2 sources but 1"),
        (flat([0.1])[:, 0].byte(), flat([0.1]), {}, "float tensor"),
    ],
)
def test_bad_input_is_named(source, driving, options, message):
    with pytest.raises(ValueError, match=message):
        inference.animate(Shader(), source, driving, **options)


def test_no_frame_is_an_error():
    with pytest.raises(ValueError, match="no frame"):
        inference.best_frame(Shader(), flat([0.1])[:, 0], [])


class Lines(Shader):
    """A shader to which dark frames are shapes without area."""

    def motion_distance(self, source, motion):
        return torch.where(
            motion.value[:, 0] < 0.2, torch.inf, super().motion_distance(source, motion)
        )


def test_a_best_frame_that_cannot_be_told_is_an_error():
    sources = flat([0.5])[:, 0].expand(2, -1, -1, -1)
    clear, dark = flat([0.1, 0.9, 0.4]), flat([0.1, 0.0, 0.1])
    best = inference.best_frame(Lines(), sources, [clear.expand(2, -1, -1, -1, -1)])
    assert best.tolist() == [2, 2]
    with pytest.raises(ValueError, match=r"spans no area.*by number"):
        inference.best_frame(Lines(), sources, [torch.cat([clear, dark])])
    with pytest.raises(ValueError, match="spans no area"):
        inference.animate(Lines(), sources[:1], dark, reference="best")


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_weights_of_16_bits_are_refused(kind):
    class Weighted(Shader, torch.nn.Module):
        def __init__(self):
            torch.nn.Module.__init__(self)
            Shader.__init__(self)
            self.weight = torch.nn.Parameter(torch.ones(1))

    model, clip = Weighted(), flat([0.1, 0.2])
    assert inference.animate(model.double(), clip[:, 0], clip).dtype == torch.float64
    with pytest.raises(ValueError, match=r"float16.*autocast"):
        inference.animate(model.to(kind), clip[:, 0], clip)
    with pytest.raises(ValueError, match=r"\.float\(\)"):
        inference.reconstruct(model, clip)
