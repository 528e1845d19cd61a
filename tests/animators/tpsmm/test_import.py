"""The authors' file in through the command; every stage of the reference figures out."""

from dataclasses import replace

import pytest
import torch

from animators import load_animator
from animators.__main__ import main
from animators.animator import Mode
from animators.losses.equivariance import value_equivariance
from animators.losses.perceptual import PerceptualLoss
from animators.losses.spline import background_consistency, warp_terms
from animators.nn.dense_motion import warp_each
from animators.nn.grid import coordinate_grid, warp
from animators.nn.keypoints import gaussian_maps, heatmap_difference
from animators.nn.spline_motion import contribution_maps, spline_motions
from animators.nn.tps import RandomSpline, solve
from animators.tpsmm.network import SplineMotion
from tests.animators.official import figures, fill, image, stand_in_vgg19

POINTS, FLOW, MASK, IMAGE = 1e-5, 3e-4, 5e-4, 2e-3
"""Largest difference allowed, of each kind; single-precision rounding needs about a third."""
FRAMES = ("driving", "driving1", "driving2", "driving3")


@pytest.fixture(scope="module")
def reference():
    with figures("tpsmm") as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


@pytest.fixture(scope="module")
def animator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("import")
    extra = {"epoch": 99, "optimizer": {"state": {}}, "optimizer_avd": {"state": {}}}
    torch.save(fill("tpsmm", "vox-256") | extra, folder / "vox.pth.tar")
    options = ["--config", "vox-256", "--input", str(folder / "vox.pth.tar")]
    output = folder / "tpsmm-vox.ckpt"
    assert main(["import", "--model", "tpsmm", *options, "--output", str(output)]) == 0
    (folder / "vox.pth.tar").unlink()
    return load_animator(output, device="cpu")


@pytest.fixture(scope="module")
def pictures():
    return image("source"), torch.cat([image(name) for name in FRAMES])


@pytest.fixture(scope="module")
def encoded(animator, pictures):
    source, driving = pictures
    with torch.no_grad():
        state = animator.encode_source(source)
        return state, animator.encode_motion(driving), animator.encode_motion(driving[:1], state)


def first(motion, index=0):
    return SplineMotion(motion.points[index : index + 1])


@pytest.fixture(scope="module")
def drawings(animator, encoded, reference):
    """Flow and picture of each way to animate, by the name of its figures."""
    state, frames, pair = encoded
    origin = animator.prepare_reference(state, first(frames))
    given = replace(
        state,
        points=reference["given/kp_source"],
        gaussians=gaussian_maps(reference["given/kp_source"], (64, 64)),
    )
    with torch.no_grad():
        ways = {
            "std": (state, animator.transfer(state, first(frames), None, Mode.ABSOLUTE)),
            "rec": (state, pair),
            "rel1": (state, animator.transfer(state, first(frames, 1), origin, Mode.RELATIVE)),
            "avd": (state, animator.transfer(state, first(frames), None, Mode.AVD)),
            "given": (given, SplineMotion(reference["given/kp_driving"])),
        }
        flows = {name: animator.network.flow(*way) for name, way in ways.items()}
        return {
            name: (flow, animator.network.inpaint(ways[name][0], flow))
            for name, flow in flows.items()
        }


def thin(x, limit=32):
    stride = -(-x.shape[-1] // limit)
    return x[..., ::stride, ::stride]


def near(found, wanted, tolerance):
    torch.testing.assert_close(found, wanted, atol=tolerance, rtol=0)


def moments(x):
    return torch.stack([x.mean(), x.std(correction=0)])


def test_points_of_every_picture(encoded, reference):
    state, frames, _ = encoded
    near(state.points, reference["kp/source"], POINTS)
    wanted = [reference[f"kp/{name}"] for name in FRAMES]
    near(frames.points, torch.cat(wanted), POINTS)


def test_relative_motion_is_scaled_by_the_hulls(animator, encoded, reference):
    state, frames, _ = encoded
    origin = animator.prepare_reference(state, first(frames))
    near(origin.scale[0], reference["relative/scale"][2], POINTS)
    for index in (1, 2, 3):
        wanted = reference[f"relative/driving{index}"]
        for start in (origin, first(frames)):
            moved = animator.transfer(state, first(frames, index), start, Mode.RELATIVE)
            near(moved.points, wanted, POINTS)


@torch.no_grad()
def test_avd_points(animator, encoded, reference):
    state, frames, _ = encoded
    assert animator.modes == (Mode.ABSOLUTE, Mode.RELATIVE, Mode.AVD)
    near(
        animator.transfer(state, first(frames), None, Mode.AVD).points, reference["kp/avd"], POINTS
    )


def test_background_matrices(animator, encoded, pictures, reference):
    source, driving = pictures
    matrix = encoded[2].background
    near(matrix, reference["bg/param"], POINTS)
    with torch.no_grad():
        back = animator.network.background(driving[:1], source)
    near(back, reference["bg/param_reverse"], POINTS)
    near(10 * background_consistency(matrix, back), reference["loss/bg"], 1e-4)


def test_what_dense_motion_sees(encoded, reference):
    state, frames, _ = encoded
    near(thin(state.small), reference["stage/source_down"], POINTS)
    driving = gaussian_maps(frames.points[:1], (64, 64))
    near(
        thin(heatmap_difference(driving, state.gaussians)), reference["stage/heatmap"], 10 * POINTS
    )
    splines = solve(*(x[:1].unflatten(1, (10, 5)) for x in (frames.points, state.points)))
    near(splines.theta, reference["stage/tps_theta"], FLOW)
    near(splines.weights, reference["stage/tps_weights"], FLOW)
    motions = spline_motions(frames.points[:1], state.points, 10, (64, 64))
    identity = coordinate_grid(64, 64, motions).expand(1, 1, -1, -1, -1)
    motions = torch.cat([identity, motions], 1)
    near(motions[:, :, ::4, ::4], reference["stage/transformations"], FLOW)
    warped = warp_each(state.small, motions, align_corners=True)
    near(thin(warped), reference["std/deformed_source"], IMAGE)


@pytest.mark.parametrize("way", ["std", "rec", "rel1", "avd", "given"])
def test_flow_masks_and_picture_of_every_way_to_animate(drawings, reference, way):
    flow, drawn = drawings[way]
    near(flow.grid, reference[f"{way}/flow"], FLOW)
    for index, mask in enumerate(flow.occlusion):
        near(thin(mask), reference[f"{way}/occlusion{index}"], MASK)
    near(thin(drawn.picture, 64), reference[f"{way}/prediction"], IMAGE)
    near(moments(drawn.picture), reference[f"{way}/prediction_stat"], POINTS)
    # what one wrong pixel may reach, the mean may not
    assert (thin(drawn.picture, 64) - reference[f"{way}/prediction"]).abs().mean() < 1e-5


@pytest.mark.parametrize("way", ["std", "given"])
def test_contributions_and_warped_features(drawings, reference, pictures, way):
    flow, drawn = drawings[way]
    moved = warp(pictures[0], drawn.grids[-1], align_corners=True)
    near(thin(moved, 64), reference[f"{way}/deformed"], IMAGE)
    near(thin(flow.contribution), reference[f"{way}/contribution"], MASK)
    for index, (warped, mask) in enumerate(zip(drawn.warped, flow.occlusion, strict=True)):
        feature = warped * mask
        near(moments(feature), reference[f"{way}/warped_encoder{index}_stat"], 1e-4)
        near(thin(feature[:, :8], 8), reference[f"{way}/warped_encoder{index}_corner"], IMAGE)


def test_the_other_sampling_convention_is_far_off(animator, encoded, reference, monkeypatch):
    """The comparison can fail."""
    state, frames, _ = encoded
    for part in (animator.network.dense_motion, animator.network.generator):
        monkeypatch.setattr(part, "align_corners", False)
    with torch.no_grad():
        flow = animator.network.flow(state, first(frames))
        picture = animator.network.inpaint(state, flow).picture
    assert (thin(picture, 64) - reference["std/prediction"]).abs().max() > 10 * IMAGE
    assert (flow.grid - reference["std/flow"]).abs().max() > 10 * FLOW


def test_spline_dropout(reference):
    keep = (reference["train/dropout_u"] < 1 - 0.3).float()
    keep[:, 0] = 1
    assert 2 < keep.sum() < 11
    found = contribution_maps(reference["train/dropout_logits"], keep)
    near(found, reference["train/dropout_out"], 1e-6)


@torch.no_grad()
def test_equivariance(animator, encoded, pictures, reference):
    noise = reference["train/tps_affine_noise"]
    control = coordinate_grid(5, 5, noise).reshape(-1, 2)
    spline = RandomSpline(
        noise + torch.eye(2, 3), reference["train/tps_point_noise"][:, 0], control, "l2"
    )
    frame = pictures[1][:1]
    grid = spline(coordinate_grid(256, 256, frame).reshape(1, -1, 2)).unflatten(1, (256, 256))
    near(grid[:, ::8, ::8], reference["train/tps_grid"], POINTS)
    deformed = spline.warp(frame, align_corners=True)
    near(thin(deformed), reference["train/tps_frame"], FLOW)
    points = animator.network.keypoints(deformed)
    near(points, reference["train/kp_transformed"], POINTS)
    near(spline(points), reference["train/kp_warped_back"], POINTS)
    value = 10 * value_equivariance(encoded[1].points[:1], points, spline)
    torch.testing.assert_close(value, reference["loss/equivariance_value"], rtol=1e-3, atol=0)


@torch.no_grad()
def test_warp_loss(animator, encoded, drawings, pictures, reference):
    flow, drawn = drawings["rec"]
    wanted = animator.network.generator.encode(pictures[1][:1])[:-1]
    features = encoded[0].features[:-1]
    found = warp_terms(features, wanted, drawn.grids, flow.occlusion, align_corners=True)
    terms = torch.stack(found[::-1])  # the figures begin at full size
    torch.testing.assert_close(terms, reference["loss/warp_terms"], rtol=1e-3, atol=0)
    torch.testing.assert_close(10 * terms.sum(), reference["loss/warp"], rtol=1e-3, atol=0)


@torch.no_grad()
def test_perceptual_loss(drawings, pictures, reference):
    loss = PerceptualLoss("vgg19", 4, state=stand_in_vgg19(), border="black")
    prediction, driving = drawings["rec"][1].picture, pictures[1][:1]
    for factor in (2, 4, 8):
        found = thin(loss.picture(driving, factor))
        near(found, reference[f"pyramid/driving_{1 / factor:g}"], 1e-5)
    value = 10 * loss(prediction, driving)
    torch.testing.assert_close(value, reference["loss/perceptual"], rtol=1e-3, atol=0)
