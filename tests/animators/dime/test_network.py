from dataclasses import replace

import pytest
import torch

from animators.dime.fusion import fusion_weights, resize
from animators.dime.network import DimeMotion, DimeNetwork
from animators.nn.grid import coordinate_grid, warp
from tests.animators.tiny import tiny_animator

SIDE = 32
TINY = {
    "num_keypoints": 4,
    "keypoint_width": 4,
    "motion_width": 4,
    "self_flow_width": 4,
    "max_width": 16,
    "blocks": 2,
    "shrink_factor": 2,
    "generator_width": 4,
    "generator_max_width": 8,
    "down_blocks": 1,
    "residual_blocks": 1,
    "dynamics_width": 8,
}


def tiny(**changes):
    """DiME's network in double precision, in eval mode, with an f that does something."""
    network = tiny_animator("dime", **changes).network.double().eval()
    torch.manual_seed(1)
    if network.evolution is not None:
        for p in network.evolution.parameters():
            torch.nn.init.normal_(p, std=0.2 if p.ndim > 1 else 0.1)
    return network


def pictures(views=4, batch=2):
    """Views (B, V, 3, H, W) and a driving frame (B, 3, H, W), smooth."""
    generator = torch.Generator().manual_seed(2)
    small = torch.rand(batch * (views + 1), 3, 4, 4, generator=generator, dtype=torch.float64)
    smooth = torch.nn.functional.interpolate(small, (SIDE, SIDE), mode="bilinear")
    found = smooth.unflatten(0, (batch, views + 1))
    return found[:, :views], found[:, views]


def drawn(network, views, driving):
    return network.draw(network.encode_source(views), DimeMotion(network.detect(driving)))


@torch.no_grad()
def test_an_evolution_that_begins_draws_as_none():
    views, driving = pictures()
    refined, plain = tiny(), tiny(refine=False)
    missing, surplus = plain.load_state_dict(refined.state_dict(), strict=False)
    assert missing == []
    assert all(name.startswith("evolution.") for name in surplus)
    expected = drawn(plain, views, driving)
    assert (drawn(refined, views, driving) - expected).abs().max() > 1e-4
    for f in (refined.evolution.dynamics.source, refined.evolution.dynamics.reference):
        torch.nn.init.zeros_(f[-1].weight)
        torch.nn.init.zeros_(f[-1].bias)
    assert torch.equal(drawn(refined, views, driving), expected)


@torch.no_grad()
def test_one_set_of_weights_takes_any_number_of_references():
    network = tiny()
    views, driving = pictures(views=7)
    found = [drawn(network, views[:, :count], driving) for count in (1, 2, 4, 7)]
    assert all(picture.shape == driving.shape for picture in found)
    assert all(picture.isfinite().all() for picture in found)
    assert (found[0] - found[2]).abs().max() > 1e-5
    assert (found[2] - found[3]).abs().max() > 1e-5


@torch.no_grad()
def test_the_order_of_references_does_not_matter_and_the_source_does():
    network = tiny()
    views, driving = pictures()
    found = drawn(network, views, driving)
    for order in ([0, 3, 1, 2], [0, 2, 1, 3]):
        assert (drawn(network, views[:, order], driving) - found).abs().max() < 1e-6
    # f_0 is the first view's alone
    assert (drawn(network, views[:, [1, 0, 2, 3]], driving) - found).abs().max() > 1e-6


@torch.no_grad()
def test_references_equal_to_the_source_add_nothing_where_dynamics_are_shared():
    views, driving = pictures(views=1)
    found = {}
    for shared in (True, False):
        network = tiny(share_dynamics=shared)
        alone = drawn(network, views, driving)
        repeated = drawn(network, views.expand(-1, 4, -1, -1, -1), driving)
        found[shared] = (repeated - alone).abs().max()
    assert found[True] < 1e-12
    assert found[False] > 1e-6


@torch.no_grad()
def test_the_coarse_field_is_the_weighted_sum_of_the_keypoints_displacements():
    """Against plain loops over samples, views, keypoints and positions (eq. 4, 5)."""
    network = tiny()
    views, driving = pictures(views=2)
    logits, given = [], []
    network.dense_motion.mask.register_forward_hook(lambda _m, _i, out: logits.append(out))
    network.dense_motion.register_forward_pre_hook(lambda _m, args: given.append(args))
    source, motion = network.encode_source(views), DimeMotion(network.detect(driving))
    coarse = network.coarse(source, motion).coarse
    raw = logits[0].unflatten(0, (2, 2))
    expected = torch.zeros_like(coarse)
    for b, v in ((0, 0), (0, 1), (1, 0), (1, 1)):
        total = torch.zeros(SIDE, SIDE, dtype=torch.float64)
        for k in range(5):
            weight = raw[b, v, k].exp()
            total += weight
            if k:  # the background, first, stays where it is
                delta = source.keypoints[b, v, k - 1] - motion.keypoints[b, k - 1]
                expected[b, v] += weight[..., None] * delta
        expected[b, v] /= total[..., None]
    torch.testing.assert_close(coarse, expected)
    assert coarse.abs().max() > 0.01
    # what F_C sees of view 1 of sample 0 for keypoint 2: shifted picture, gaussian difference
    small, heat, motions = (part.unflatten(0, (2, 2))[0, 1] for part in given[0])
    assert torch.equal(small, views[0, 1])
    identity = coordinate_grid(SIDE, SIDE, like=small)
    own, moved = source.keypoints[0, 1, 2], motion.keypoints[0, 2]
    torch.testing.assert_close(motions[3], identity + (own - moved))
    blobs = [torch.exp(-(identity - p).square().sum(-1) / 0.02) for p in (moved, own)]
    torch.testing.assert_close(heat[3], blobs[0] - blobs[1])
    assert not heat[0].any()


@torch.no_grad()
def test_a_picture_that_drives_itself_does_not_move():
    network = tiny()
    views, _ = pictures(views=3)
    flow = network.coarse(network.encode_source(views), DimeMotion(network.detect(views[:, 0])))
    assert flow.coarse[:, 0].abs().max() < 1e-12
    assert flow.coarse[:, 1:].abs().max() > 1e-3
    assert flow.coarse is flow.refined


@torch.no_grad()
def test_the_flow_is_refined_in_one_solve_and_fields_are_the_sources_own():
    network = tiny()
    views, driving = pictures()
    source, motion = network.encode_source(views), DimeMotion(network.detect(driving))
    flow = network.flow(source, motion)
    assert network.evolution.evaluations == 16  # four steps of rk4 for all views
    torch.testing.assert_close(flow.refined, network.evolution(flow.coarse))
    assert flow.refined.shape == (2, 4, SIDE, SIDE, 2)
    assert (flow.refined - flow.coarse).abs().mean() > 1e-3
    before, after = network.fields(source, motion)
    assert torch.equal(before, flow.coarse[:, 0])
    assert torch.equal(after, flow.refined[:, 0])


@torch.no_grad()
def test_confidences_are_divided_by_their_sum_over_the_views():
    network = tiny()
    for count in (1, 4):
        views, driving = pictures(views=count)
        flow = network.flow(network.encode_source(views), DimeMotion(network.detect(driving)))
        weights = fusion_weights(flow.confidence, (8, 8))
        assert weights.shape == (2, count, 1, 8, 8)
        assert weights.min() > 0
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(2, 1, 8, 8).double())
        assert (weights == 1).all() or count > 1
    same = torch.tensor([0.2, 0.6]).view(1, 2, 1, 1, 1).expand(-1, -1, -1, 5, 7)
    expected = torch.tensor([0.25, 0.75]).view(1, 2, 1, 1, 1).expand(-1, -1, -1, 5, 7)
    torch.testing.assert_close(fusion_weights(same, (5, 7)), expected)


@torch.no_grad()
def test_views_that_all_are_hidden_still_have_weights():
    network = tiny().float()
    torch.nn.init.zeros_(network.dense_motion.occlusion.weight)
    network.dense_motion.occlusion.bias.fill_(-1e4)
    views, driving = (part.float() for part in pictures())
    flow = network.coarse(network.encode_source(views), DimeMotion(network.detect(driving)))
    torch.testing.assert_close(
        fusion_weights(flow.confidence, (8, 8)), torch.full((2, 4, 1, 8, 8), 0.25)
    )
    assert drawn(network, views, driving).isfinite().all()


@torch.no_grad()
def test_fusion_is_the_weighted_sum_of_warped_views_twice():
    """F_id beside F_motion, equal to it while self-flow is the identity (eq. 9 to 12)."""
    network = tiny()
    torch.nn.init.zeros_(network.self_flow.offset.weight)
    torch.nn.init.zeros_(network.self_flow.offset.bias)
    views, driving = pictures(views=3)
    source = network.encode_source(views)
    flow = network.flow(source, DimeMotion(network.detect(driving)))
    joined = []
    network.fusion.register_forward_pre_hook(lambda _m, args: joined.append(args[0]))
    fused = network.fuse(source, flow)
    expected, channels = 0, source.features.shape[2]
    weights = fusion_weights(flow.confidence, (8, 8))
    for v in range(3):
        field = resize(flow.refined[:, v].movedim(-1, 1), (8, 8)).movedim(1, -1)
        grid = coordinate_grid(8, 8, like=field) + field
        moved = warp(source.features[:, v], grid, align_corners=True)
        expected = expected + weights[:, v] * moved
    torch.testing.assert_close(joined[0], torch.cat([expected, expected], dim=1))
    assert fused.shape == (2, channels, 8, 8)
    assert network.fusion.in_channels == 2 * channels


@torch.no_grad()
def test_without_self_flow_the_generator_sees_the_warped_views_alone():
    network = tiny(self_flow=False)
    assert network.self_flow is None
    assert network.fusion.in_channels == network.generator.channels
    assert drawn(network, *pictures()).isfinite().all()


@torch.no_grad()
def test_unet_features_have_the_generators_shape():
    plain, unet = tiny(), tiny(features="unet")
    views, driving = pictures()
    shapes = [network.encode_source(views).features.shape for network in (plain, unet)]
    assert shapes[0] == shapes[1] == (2, 4, plain.generator.channels, 8, 8)
    assert not any(
        name.startswith(("generator.first", "generator.down")) for name in unet.state_dict()
    )
    assert drawn(unet, views, driving).std() > 0


@torch.no_grad()
def test_sampling_is_as_told_in_every_part():
    views, driving = pictures()
    found = [drawn(tiny(align_corners=corners), views, driving) for corners in (True, False)]
    assert (found[0] - found[1]).abs().max() > 1e-4


@torch.no_grad()
def test_linear_maps_stay_linear_when_resized():
    ramp = coordinate_grid(5, 9, like=torch.zeros(1)).movedim(-1, 0)[None]
    torch.testing.assert_close(
        resize(ramp, (17, 3)), coordinate_grid(17, 3, like=ramp).movedim(-1, 0)[None]
    )
    assert resize(ramp, (5, 9)) is ramp


def test_every_parameter_receives_a_gradient():
    network = tiny().train()
    for p in (network.self_flow.offset.weight, network.self_flow.offset.bias):
        torch.nn.init.normal_(p, std=0.05)
    views, driving = pictures()
    (drawn(network, views, driving) - driving).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@torch.no_grad()
def test_float32_draws_as_float64_and_mixed_precision_nearly_so():
    network = tiny()
    views, driving = pictures()
    exact = drawn(network, views, driving)
    network.float()
    views, driving = views.float(), driving.float()
    torch.testing.assert_close(drawn(network, views, driving).double(), exact, atol=1e-4, rtol=0)
    with torch.autocast("cpu", torch.bfloat16):
        source, motion = network.encode_source(views), DimeMotion(network.detect(driving))
        flow, half = network.flow(source, motion), network.draw(source, motion)
    assert source.keypoints.dtype == flow.refined.dtype == torch.float32
    assert (half.double() - exact).abs().mean() < 0.02


@torch.no_grad()
def test_a_motion_that_is_prepared_draws_the_same():
    network = tiny()
    views, driving = pictures()
    source, motion = network.encode_source(views), DimeMotion(network.detect(driving))
    prepared = replace(motion, scale=torch.ones(2))
    assert torch.equal(network.draw(source, motion), network.draw(source, prepared))


def test_parameters_at_the_papers_size():
    expected = {
        "keypoints": 14_146_728,
        "dense_motion": 37_730_268,
        "evolution": 21_444,
        "generator": 7_845_123,
        "self_flow": 14_305_544,
        "fusion": 1_179_904,
    }
    with torch.device("meta"):
        plain, unet = DimeNetwork(), DimeNetwork(features="unet")
    assert sizes_of(plain) == expected
    # FOMM's encoder makes way for a U-Net
    assert sizes_of(unet) == expected | {"generator": 7_465_731, "unet": 14_210_464}


def sizes_of(network):
    return {
        name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()
    }


@pytest.mark.parametrize("size", [64, 200, 320])
def test_sizes_that_the_papers_halvings_do_not_divide(size):
    with pytest.raises(ValueError, match=r"image_size must be a multiple of 128 .* 256"):
        DimeNetwork(size)


@pytest.mark.parametrize("name", [*sorted(TINY)])
def test_what_nothing_can_be_built_of_is_refused(name):
    least = 0 if name == "residual_blocks" else 1
    said = f"{name} must be at least {least}" if name != "dynamics_width" else "f takes width >= 1"
    with pytest.raises(ValueError, match=said):
        DimeNetwork(32, **(TINY | {name: -1}))


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"^features must be generator or unet, got 'vgg'$"):
        DimeNetwork(32, **TINY, features="vgg")
    with pytest.raises(ValueError, match=r"^method 'rk45' is not known"):
        DimeNetwork(32, **TINY, method="rk45")
    with pytest.raises(ValueError, match=r"^step_size must lie in"):
        DimeNetwork(32, **TINY, step_size=2.0)
