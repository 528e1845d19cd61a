"""The authors' file in through the command; the reference figures out."""

from dataclasses import replace

import pytest
import torch

from animators import load_animator
from animators.__main__ import main
from animators.animator import Mode
from animators.losses.equivariance import jacobian_equivariance, value_equivariance
from animators.losses.perceptual import PerceptualLoss
from animators.mraa.module import PAPER_WEIGHTS
from animators.mraa.network import MraaMotion
from animators.mraa.regions import Regions, principal_axes
from animators.nn.background import background_grid
from animators.nn.dense_motion import affine_motions, warp_each
from animators.nn.grid import coordinate_grid, warp
from animators.nn.keypoints import heatmap_difference
from animators.nn.occluded_generator import resize_grid
from animators.nn.relative import hull_area
from animators.nn.resample import shrink
from animators.nn.tps import RandomSpline
from tests.animators.official import figures, fill, image, stand_in_vgg19

ATOL = {"region": 1e-5, "flow": 1e-4, "occlusion": 1e-4, "prediction": 2e-4, "deformed": 2e-4}
"""The recipe's tolerances; after AVD, an inverse of decoded matrices, 5e-3."""


@pytest.fixture(scope="module")
def reference():
    with figures("mraa") as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


@pytest.fixture(scope="module")
def animator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("import")
    extra = {"epoch_avd": 29, "optimizer_avd": {"state": {}}, "optimizer_reconstruction": {}}
    torch.save(fill("mraa", "vox256") | extra, folder / "vox256.pth")
    options = ["--config", "vox-256", "--input", str(folder / "vox256.pth")]
    output = folder / "mraa-vox.ckpt"
    assert main(["import", "--model", "mraa", *options, "--output", str(output)]) == 0
    (folder / "vox256.pth").unlink()
    opened = load_animator(output, device="cpu")
    output.unlink()
    return opened


@pytest.fixture(scope="module")
def states(animator):
    """The source, and the motion of each driving frame."""
    with torch.no_grad():
        source = animator.encode_source(image("source"))
        names = ("driving", "driving1", "driving2", "driving3")
        return source, {name: animator.encode_motion(image(name)) for name in names}


def thin(x, limit=32):
    step = -(-x.shape[-1] // limit)
    return x[..., ::step, ::step]


def close(found, wanted, atol):
    torch.testing.assert_close(found, wanted, atol=atol, rtol=0)


def same_regions(found, reference, name, atol=ATOL["region"]):
    close(found.shift, reference[f"{name}_shift"], atol)
    close(found.covariance, reference[f"{name}_covar"], atol)
    close(found.affine, reference[f"{name}_affine"], atol)


def drawn(animator, source, motion):
    """Flow, occlusion, image and warped source, thinned as the figures are."""
    with torch.no_grad():
        flow = animator.network.flow(source, motion)
        prediction = animator.render(source, motion)
    grid = resize_grid(flow.grid, (256, 256), align_corners=False)
    deformed = warp(source.maps[0], grid, align_corners=animator.align_corners)
    return {
        "flow": flow.grid,
        "occlusion": thin(flow.occlusion),
        "prediction": thin(prediction, 64),
        "deformed": thin(deformed, 64),
    }


def compare(animator, source, motion, reference, name, *, stages, atol=None):
    found = drawn(animator, source, motion)
    for stage in stages:
        close(found[stage], reference[f"{name}/{stage}"], atol or ATOL[stage])


def given(reference, side):
    parts = (reference[f"given/{side}_{part}"] for part in ("shift", "covar", "affine"))
    return Regions(*parts)


def test_regions(states, reference):
    source, driving = states
    same_regions(source.regions, reference, "region/source")
    for name, motion in driving.items():
        same_regions(motion.regions, reference, f"region/{name}")
    for name, found in (("source", source.regions), ("driving", driving["driving"].regions)):
        axes, variances = principal_axes(found.covariance)
        close(axes[0], reference[f"region/{name}_u"], 1e-5)
        close(torch.diag_embed(variances[0].sqrt()), reference[f"region/{name}_d"], 1e-5)


def test_stages_before_the_flow(animator, states, reference):
    source, driving = states
    network, motion = animator.network, driving["driving"].regions
    close(thin(source.small), reference["stage/source_down"], 1e-5)
    with torch.no_grad():
        heatmaps = network.regions.heatmaps
        logits = heatmaps.logits(heatmaps.hourglass(source.small))
        heatmap = heatmaps(image("source"))[1]
    close(thin(logits), reference["stage/region_logits"], 1e-4)
    close(thin(heatmap), reference["region/source_heatmap"], 1e-5)
    heat = heatmap_difference(network.encode_source(image("driving")).gaussians, source.gaussians)
    close(thin(heat), reference["stage/heatmap"], 1e-4)
    matrix = source.regions.affine @ torch.linalg.inv(motion.affine)
    matrix = torch.where(matrix[..., :1, :1] < 0, -matrix, matrix)
    motions = affine_motions(matrix, motion.shift, source.regions.shift, (64, 64))
    still = background_grid(None, 64, 64, motions)
    motions = torch.cat([still[:, None], motions], dim=1)
    close(motions[:, :, ::4, ::4], reference["stage/sparse_motion"], 1e-4)
    warped = warp_each(source.small, motions, align_corners=False)
    close(thin(warped), reference["stage/sparse_deformed"], 5e-4)


def test_absolute_mode(animator, states, reference):
    source, driving = states
    motion = animator.transfer(source, driving["driving"], None, Mode.ABSOLUTE)
    compare(animator, source, motion, reference, "std", stages=ATOL.keys() - {"region"})
    with torch.no_grad():
        x = animator.render(source, motion)
    statistics = torch.stack([x.mean(), x.std(correction=0)])
    close(statistics, reference["std/prediction_stat"], 1e-5)


def test_reconstruction_moves_the_background(animator, states, reference):
    source = states[0]
    with torch.no_grad():
        motion = animator.encode_motion(image("driving"), source)
    close(motion.background, reference["bg/param"], 1e-5)
    compare(animator, source, motion, reference, "rec", stages=("flow", "occlusion", "prediction"))


def test_relative_mode(animator, states, reference):
    source, driving = states
    first = driving["driving"]
    areas = [hull_area(x.regions.shift) for x in (source, first)]
    scale = torch.cat([*areas, (areas[0] / areas[1]).sqrt()])
    close(scale, reference["relative/scale"], 1e-5)
    prepared = animator.prepare_reference(source, first)
    close(prepared.scale[0], reference["relative/scale"][2], 1e-5)
    for name in ("driving1", "driving2", "driving3"):
        moved = animator.transfer(source, driving[name], prepared, Mode.RELATIVE)
        same_regions(moved.regions, reference, f"relative/{name}", 2e-5)
        plain = animator.transfer(source, driving[name], first, Mode.RELATIVE)
        assert torch.equal(plain.regions.affine, moved.regions.affine)
    moved = animator.transfer(source, driving["driving1"], prepared, Mode.RELATIVE)
    compare(animator, source, moved, reference, "rel1", stages=("flow", "occlusion", "prediction"))


def test_avd_mode(animator, states, reference):
    assert Mode.AVD in animator.modes
    source, driving = states
    with torch.no_grad():
        moved = animator.transfer(source, driving["driving"], None, Mode.AVD)
    same_regions(moved.regions, reference, "region/avd")
    stages = ("flow", "occlusion", "prediction")
    compare(animator, source, moved, reference, "avd", stages=stages, atol=5e-3)


def test_given_regions_and_the_sampler_they_were_trained_with(
    animator, states, reference, monkeypatch
):
    """Each convention meets its own figures and misses the other's by far."""
    network = animator.network
    with torch.no_grad():
        source = network.source_with(given(reference, "source"), image("source"))
    motion = MraaMotion(given(reference, "driving"))
    compare(animator, source, motion, reference, "given", stages=ATOL.keys() - {"region"})
    for part in (animator, network.motion, network.generator):
        monkeypatch.setattr(part, "align_corners", True)
    stages = ("flow", "occlusion", "prediction")
    compare(animator, source, motion, reference, "corners_true_given", stages=stages)
    found = drawn(animator, source, motion)
    for stage in ATOL.keys() - {"region"}:
        off = (found[stage] - reference[f"given/{stage}"]).abs().max()
        assert off > 10 * ATOL[stage], stage


def test_a_turned_axis_changes_nothing(animator, states):
    """Principal axes have no sign; of the covariance's the flow must not depend on it."""
    source, driving = states
    motion = driving["driving"]
    turned = replace(motion, regions=replace(motion.regions, affine=-motion.regions.affine))
    with torch.no_grad():
        flows = [animator.network.flow(source, m).grid for m in (motion, turned)]
    close(flows[0], flows[1], 1e-6)


def test_losses(animator, states, reference):
    source, driving = states
    identity = torch.eye(2, 3)
    spline = RandomSpline(
        identity + reference["train/tps_affine_noise"],
        reference["train/tps_point_noise"].flatten(1),
        coordinate_grid(5, 5, identity).reshape(-1, 2),
        "l1",
    )
    deformed = spline.warp(image("driving"), align_corners=False)
    close(deformed[:, :, ::8, ::8], reference["train/tps_frame"], 1e-4)
    with torch.no_grad():
        found = animator.network.regions(deformed)
    close(found.shift, reference["train/shift_transformed"], 1e-5)
    close(found.affine, reference["train/affine_transformed"], 1e-5)
    close(spline(found.shift), reference["train/shift_warped_back"], 1e-5)
    close(spline.jacobian(found.shift), reference["train/transform_jacobian"], 1e-5)
    own = driving["driving"].regions
    losses = {
        "equivariance_shift": value_equivariance(own.shift, found.shift, spline),
        "equivariance_affine": jacobian_equivariance(
            own.affine, found.affine, found.shift, spline, up_to_sign=True
        ),
    }
    for name, value in losses.items():
        weighted = PAPER_WEIGHTS[name] * value
        torch.testing.assert_close(weighted, reference[f"loss/{name}"], rtol=1e-4, atol=0)
    with torch.no_grad():
        prediction = animator.render(source, animator.encode_motion(image("driving"), source))
        perceptual = PerceptualLoss(state=stand_in_vgg19(), border="black")
        value = PAPER_WEIGHTS["perceptual"] * perceptual(prediction, image("driving"))
    torch.testing.assert_close(value, reference["loss/perceptual"], rtol=1e-4, atol=0)
    for scale in (2, 4, 8):
        shrunken = thin(shrink(image("driving"), scale))
        close(shrunken, reference[f"pyramid/driving_{1 / scale}"], 1e-5)
