"""The authors' file in through the command; the reference figures out, stage by stage."""

import numpy as np
import pytest
import torch

from animators import load_animator
from animators.__main__ import main
from animators.animator import Mode
from animators.fomm.network import FommMotion
from animators.losses.adversarial import LeastSquaresAdversary
from animators.losses.perceptual import PerceptualLoss
from animators.module import Step
from animators.nn.discriminators import PatchDiscriminator
from animators.nn.grid import coordinate_grid, warp
from animators.nn.keypoints import Keypoints, gaussian_maps
from animators.nn.occluded_generator import resize_grid
from animators.nn.tps import RandomSpline
from tests.animators.official import figures, fill, image, stand_in_vgg19

STAGE, PICTURE = 1e-5, 1e-4
"""Largest absolute differences that the recipe allows."""


@pytest.fixture(scope="module")
def reference():
    with figures("fomm") as file:
        return {name: torch.from_numpy(np.asarray(file[name])) for name in file.files}


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """The animator as `import` and `load_animator` give it, from a file of the authors' kind."""
    folder = tmp_path_factory.mktemp("import")
    optimisers = {f"optimizer_{part}": {"state": {}} for part in ("generator", "kp_detector")}
    content = {**fill("fomm", "vox-256"), **optimisers, "optimizer_discriminator": {}, "epoch": 99}
    path, output = folder / "vox-cpk.pth.tar", folder / "fomm-vox.ckpt"
    # as torch wrote files before 1.6
    torch.save(content, path, _use_new_zipfile_serialization=False)
    options = ["--config", "vox-256", "--input", str(path), "--output", str(output)]
    assert main(["import", "--model", "fomm", *options]) == 0
    assert output.stat().st_size < path.stat().st_size
    return load_animator(output, device="cpu")


@pytest.fixture
def animator(imported):
    """Sampling as the main figures were made: as the release samples on today's torch."""
    imported.set_align_corners(False)
    yield imported
    imported.set_align_corners(True)


@pytest.fixture(scope="module")
def pictures():
    return {name: image(name) for name in ("source", "driving", "driving1", "driving2", "driving3")}


@torch.no_grad()
def stages(animator, source, motion, picture):
    """Every stage of drawing `motion`, by the figures' names."""
    seen = {}

    def look(module, inputs):
        maps = inputs[0].unflatten(1, (-1, 4))
        seen["heatmap"], seen["sparse_deformed"] = maps[:, :, :1], maps[:, :, 1:]

    def candidates(module, inputs):
        seen["sparse_motion"] = inputs[2]

    dense = animator.network.dense_motion
    handles = [
        dense.hourglass.register_forward_pre_hook(look),
        dense.register_forward_pre_hook(candidates),
    ]
    flow = animator.network.flow(source, motion)
    for handle in handles:
        handle.remove()
    # the authors' unused output, which shows the sampler at full size
    grid = resize_grid(flow.grid, (256, 256), align_corners=False)
    return seen | {
        "flow": flow.grid,
        "mask": flow.mask,
        "occlusion": flow.occlusion,
        "deformed": warp(picture, grid, align_corners=dense.align_corners),
        "prediction": animator.render(source, motion),
    }


def thin(x, name):
    """Keep the pixels that the figures keep."""
    part = name.rpartition("/")[2]
    if part in ("flow",):
        return x
    if part == "sparse_motion":
        return x[:, :, ::4, ::4]
    if part == "kp_feature_corner":
        return x[..., ::8, ::8]
    step = 4 if part in ("prediction", "deformed") else -(-x.shape[-1] // 32)
    return x[..., ::step, ::step]


def off(found, reference, name):
    """Largest absolute difference; a wrong shape fails."""
    found = thin(found, name)
    if name.endswith("heatmap"):
        found = found.flatten(1, 2)
    assert found.shape == reference[name].shape, name
    return (found - reference[name]).abs().max().item()


def check(found, reference, names):
    """Compare stages; pictures are allowed more than what leads to them."""
    loose = ("prediction", "deformed", "sparse_deformed")
    worst = {name: off(found[name.partition("/")[2]], reference, name) for name in names}
    for name, value in worst.items():
        assert value < (PICTURE if name.endswith(loose) else STAGE), worst
    for name in names:
        if f"{name}_stat" in reference:
            x = found[name.partition("/")[2]]
            statistics = torch.stack([x.mean(), x.std(correction=0)])
            assert (statistics - reference[f"{name}_stat"]).abs().max() < STAGE
    return worst


@torch.no_grad()
def test_keypoints_and_jacobians(animator, pictures, reference):
    for name, picture in pictures.items():
        found = animator.encode_motion(picture).keypoints
        assert (found.value - reference[f"kp/{name}_value"]).abs().max() < STAGE
        assert (found.jacobian - reference[f"kp/{name}_jacobian"]).abs().max() < STAGE


@torch.no_grad()
def test_inside_the_keypoint_detector(animator, pictures, reference):
    seen = {}
    parts = animator.network.keypoints.heatmaps
    handles = [
        parts.hourglass.register_forward_hook(
            lambda module, inputs, output: seen.update(kp_feature_corner=output)
        ),
        parts.logits.register_forward_hook(
            lambda module, inputs, output: seen.update(kp_logits=output)
        ),
    ]
    seen["source_down"] = animator.encode_source(pictures["source"]).small
    for handle in handles:
        handle.remove()
    for name, found in seen.items():
        # logits are divided by a temperature of 0.1 before anything else
        assert off(found, reference, f"stage/{name}") < STAGE, name


def test_absolute_mode_stage_by_stage(animator, pictures, reference):
    source = animator.encode_source(pictures["source"])
    motion = animator.encode_motion(pictures["driving"])
    found = stages(animator, source, motion, pictures["source"])
    names = ["flow", "occlusion", "mask", "sparse_deformed", "deformed", "prediction"]
    check(found, reference, [f"std/{name}" for name in names])
    check(found, reference, ["stage/heatmap", "stage/sparse_motion"])
    clips = animator.stream(pictures["source"], [pictures["driving"][None]], mode=Mode.ABSOLUTE)
    assert off(next(clips)[0], reference, "std/prediction") < PICTURE


def given(reference, animator, pictures):
    """The stored keypoints in place of detected ones."""
    sides = {}
    for side in ("source", "driving"):
        value, jacobian = (reference[f"given/{side}_{part}"] for part in ("value", "jacobian"))
        sides[side] = Keypoints(value, jacobian)
    state = animator.encode_source(pictures["source"])
    own = sides["source"]
    state = type(state)(own, state.small, gaussian_maps(own.value, (64, 64)), state.features)
    return state, FommMotion(sides["driving"])


def test_given_keypoints_stage_by_stage(animator, pictures, reference):
    found = stages(animator, *given(reference, animator, pictures), pictures["source"])
    names = ["flow", "occlusion", "mask", "sparse_deformed", "deformed", "prediction"]
    check(found, reference, [f"given/{name}" for name in names])


def test_the_other_sampling_is_the_imports_own_and_has_its_own_figures(
    imported, pictures, reference
):
    """Published weights were trained under torch 1.0.0: corners, and so `import` sets them."""
    assert imported.arguments["align_corners"] is True
    assert imported.network.dense_motion.align_corners is True
    assert imported.network.generator.align_corners is True
    source = imported.encode_source(pictures["source"])
    motion = imported.encode_motion(pictures["driving"])
    both = {
        "std": stages(imported, source, motion, pictures["source"]),
        "given": stages(imported, *given(reference, imported, pictures), pictures["source"]),
    }
    for family, found in both.items():
        names = [f"{family}/{part}" for part in ("flow", "occlusion", "prediction")]
        check(found, reference, [f"corners_true_{name}" for name in names])
        # each family of figures refuses the other sampling
        assert off(found["flow"], reference, f"{family}/flow") > 10 * STAGE
        assert off(found["occlusion"], reference, f"{family}/occlusion") > 10 * STAGE
        assert off(found["prediction"], reference, f"{family}/prediction") > 10 * PICTURE


def test_corner_figures_refuse_the_other_sampling(animator, pictures, reference):
    source = animator.encode_source(pictures["source"])
    motion = animator.encode_motion(pictures["driving"])
    both = {
        "corners_true_std": stages(animator, source, motion, pictures["source"]),
        "corners_true_given": stages(
            animator, *given(reference, animator, pictures), pictures["source"]
        ),
    }
    for family, found in both.items():
        assert off(found["flow"], reference, f"{family}/flow") > 10 * STAGE
        assert off(found["prediction"], reference, f"{family}/prediction") > 10 * PICTURE


@torch.no_grad()
def test_relative_mode_with_and_without_hull_scaling(animator, pictures, reference, monkeypatch):
    source = animator.encode_source(pictures["source"])
    first = animator.encode_motion(pictures["driving"])
    for variant, scaling in (("adapt", True), ("plain", False)):
        monkeypatch.setitem(animator.arguments, "hull_scaling", scaling)
        prepared = animator.prepare_reference(source, first)
        if scaling:
            assert (prepared.handover.scale - reference["relative/scale"][2]).abs().max() < STAGE
        for name in ("driving1", "driving2", "driving3"):
            motion = animator.encode_motion(pictures[name])
            for origin in (first, prepared):
                found = animator.transfer(source, motion, origin, Mode.RELATIVE).keypoints
                expected = reference[f"relative/{name}_{variant}_value"]
                assert (found.value - expected).abs().max() < STAGE
                expected = reference[f"relative/{name}_jacobian"]
                assert (found.jacobian - expected).abs().max() < STAGE


@torch.no_grad()
def test_a_relative_frame(animator, pictures, reference):
    clip = torch.cat([pictures["driving"], pictures["driving1"]])[None]
    frames = torch.cat(list(animator.stream(pictures["source"], [clip], mode=Mode.RELATIVE)), dim=1)
    assert off(frames[0, 1:], reference, "rel1/prediction") < PICTURE
    source = animator.encode_source(pictures["source"])
    motions = [animator.encode_motion(pictures[name]) for name in ("driving1", "driving")]
    moved = animator.transfer(source, *motions, Mode.RELATIVE)
    check(
        stages(animator, source, moved, pictures["source"]),
        reference,
        ["rel1/flow", "rel1/occlusion", "rel1/prediction"],
    )


@torch.no_grad()
def test_equivariance_of_the_stored_deformation(animator, pictures, reference):
    driving = pictures["driving"]
    theta = reference["train/tps_affine_noise"] + torch.eye(2, 3)
    control = coordinate_grid(5, 5, like=theta).reshape(-1, 2)
    spline = RandomSpline(theta, reference["train/tps_point_noise"][:, 0], control, "l1")
    bent = spline.warp(driving, align_corners=False)
    assert (bent[..., ::8, ::8] - reference["train/tps_frame"]).abs().max() < PICTURE
    moved = animator.encode_motion(bent).keypoints
    for found, name in (
        (moved.value, "kp_transformed"),
        (moved.jacobian, "jacobian_transformed"),
        (spline(moved.value), "kp_warped_back"),
        (spline.jacobian(moved.value), "transform_jacobian"),
    ):
        assert (found - reference[f"train/{name}"]).abs().max() < STAGE, name
    own = animator.encode_motion(driving).keypoints
    losses = animator.equivariance_losses(driving, own, spline)
    for name, found in losses.items():
        torch.testing.assert_close(10 * found, reference[f"loss/{name}"], rtol=1e-4, atol=0)


@pytest.fixture(scope="module")
def adversary():
    """The discriminator of vox-adv-256; what `import` passes over."""
    discriminator = PatchDiscriminator(256, condition_channels=10)
    state = {}
    for key, value in fill("fomm", "vox-adv-256")["discriminator"].items():
        key = key.removeprefix("discs.1.")
        ours = key.replace("down_blocks", "blocks")
        state[ours.replace("conv", "logit", 1) if ours.startswith("conv") else ours] = value
    discriminator.load_state_dict(state)
    return LeastSquaresAdversary(discriminator)


@torch.no_grad()
def test_adversarial_losses_and_maps(animator, adversary, pictures, reference):
    driving = pictures["driving"]
    source, motion = animator.encode_source(pictures["source"]), animator.encode_motion(driving)
    condition = gaussian_maps(motion.keypoints.value, (256, 256))
    step = Step({}, animator.render(source, motion), condition)
    batch = {"driving": driving}
    for name, picture in (("real", driving), ("fake", step.prediction)):
        judged = adversary.discriminator(picture, condition)
        assert (judged.logits - reference[f"disc/{name}_map"]).abs().max() < PICTURE
        if name == "real":
            for i, feature in enumerate(judged.features):
                statistics = torch.stack([feature.mean(), feature.std(correction=0)])
                expected = reference[f"disc/real_feature{i}_stat"]
                torch.testing.assert_close(statistics, expected, rtol=1e-4, atol=STAGE)
                assert list(feature.shape) == reference[f"disc/feature{i}_shape"].tolist()
    generator, itself = adversary.for_generator(step, batch), adversary.for_itself(step, batch)
    for found, name in (
        (generator["adversarial"], "gen_gan"),
        (10 * generator["feature_matching"], "feature_matching"),
        (itself["real"] + itself["fake"], "disc_gan"),
    ):
        torch.testing.assert_close(found, reference[f"loss/{name}"], rtol=1e-4, atol=0)


@torch.no_grad()
def test_perceptual_loss(animator, pictures, reference):
    perceptual = PerceptualLoss("vgg19", 4, stand_in_vgg19(), border="black")
    source = animator.encode_source(pictures["source"])
    prediction = animator.render(source, animator.encode_motion(pictures["driving"]))
    loss = 10 * perceptual(prediction, pictures["driving"])
    torch.testing.assert_close(loss, reference["loss/perceptual"], rtol=1e-4, atol=0)
    for factor, name in ((2, "0.5"), (4, "0.25"), (8, "0.125")):
        picture = perceptual.picture(pictures["driving"], factor)
        step = -(-picture.shape[-1] // 32)
        expected = reference[f"pyramid/driving_{name}"]
        assert (picture[..., ::step, ::step] - expected).abs().max() < STAGE
