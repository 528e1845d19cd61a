"""The authors' file in through the command; the fixtures' numbers out."""

from argparse import Namespace

import numpy as np
import pytest
import torch

from animators import load_animator
from animators.__main__ import main
from animators.animator import Mode
from tests.animators.lia.official import FIXTURES, image, state_256

TOLERANCE = 1e-4
"""On mean absolute differences; rounding costs 1e-6, the cheapest wrong detail 0.02."""


@pytest.fixture(scope="module")
def reference():
    with np.load(FIXTURES / "fixture_a.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


@pytest.fixture(scope="module")
def animator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("import")
    extra = {"args": Namespace(size=256), "g_optim": {"state": {}}, "d_optim": {}, "dis": {}}
    torch.save({"gen": state_256(), **extra}, folder / "vox.pt")
    options = ["--config", "vox-256", "--input", str(folder / "vox.pt")]
    output = folder / "lia-vox.ckpt"
    assert main(["import", "--model", "lia", *options, "--output", str(output)]) == 0
    assert output.stat().st_size < (folder / "vox.pt").stat().st_size + 2**20
    return load_animator(output, device="cpu")


@pytest.fixture(scope="module")
def pictures():
    driving = torch.cat([image(name) for name in ("driving", "driving1", "driving2")])
    return (image("source") + 1) / 2, (driving + 1) / 2


@pytest.fixture(scope="module")
def stages(animator, pictures):
    """Every stage of the absolute pass on the first driving frame, by the fixtures' names."""
    source, driving = pictures
    network, seen = animator.network, {}

    def look(level):
        def hook(module, inputs, outputs):
            size = outputs.warped.shape[-1]
            seen[f"flow_raw_{size}"] = outputs.flow.raw
            seen[f"grid_{size}"] = outputs.flow.grid.permute(0, 3, 1, 2)
            seen[f"mask_{size}"] = outputs.flow.mask
            seen[f"warp_{size}"] = outputs.warped
            if outputs.blended is not None:
                seen[f"blend_{size}"] = outputs.blended

        def picture(module, inputs, outputs):
            seen[f"rgb_{outputs.shape[-1]}"] = outputs

        return level.stage.register_forward_hook(hook), level.rgb.register_forward_hook(picture)

    handles = [handle for level in network.decoder.levels for handle in look(level)]
    with torch.no_grad():
        state, motion = animator.encode_source(source), animator.encode_motion(driving)
        displacement = network.displacement(motion.magnitudes)
        own = network.displacement(state.magnitudes)
        latent = state.latent + displacement[:1]
        seen["out_abs"] = network.decode(latent, state.features) * 2 - 1
    for handle in handles:
        handle.remove()
    seen |= {f"feat_{x.shape[-1]}": x for x in state.features}
    return seen | {
        "z_source": state.latent,
        "alpha_source": state.magnitudes,
        "alpha_driving": motion.magnitudes,
        "dict_q3": network.dictionary.directions()[:, :3],
        "w_driving": displacement,
        "w_source": own,
        "latent_abs": latent,
        "latent_rel": state.latent + (displacement - displacement[:1]) + own,
    }


def thin(x, name):
    if x.ndim < 4:
        return x
    limit = 8 if name.startswith(("feat", "warp", "blend")) else 64 if "out" in name else 32
    x = x[:, :8] if limit == 8 else x
    stride = -(-x.shape[-1] // limit)
    return x[..., ::stride, ::stride]


def difference(found, reference, name):
    found = thin(found, name)
    assert found.shape == reference[name].shape
    return (found - reference[name]).abs().mean().item()


def test_every_stage(stages, reference):
    off = {name: difference(x, reference, name) for name, x in stages.items()}
    # six levels: features, flow, grid, mask, warp, rgb, and the blend of all but the last
    assert len(off) == 8 + 6 * 6 + 5 + 1
    assert max(off.values()) < 1e-5, off
    for name in ("feat_64", "out_abs"):
        x = stages[name]
        torch.testing.assert_close(
            torch.stack([x.mean(), x.std(correction=0)]),
            reference[f"{name}_stats"].flatten(),
            atol=1e-5,
            rtol=0,
        )


def test_signs_of_the_dictionary(animator, reference):
    weight = animator.network.dictionary.weight.detach()
    diagonal = (animator.network.dictionary.directions() * (weight + 1e-8)).sum(dim=0)
    torch.testing.assert_close(diagonal, reference["dict_rdiag"], atol=1e-4, rtol=1e-5)
    assert (diagonal < 0).any()


def test_relative_mode(animator, pictures, reference):
    source, driving = pictures
    frames = animator.stream(source, [driving[None]], mode=Mode.RELATIVE)
    output = torch.cat(list(frames), dim=1)[0] * 2 - 1
    assert difference(output, reference, "out_rel") < TOLERANCE / 10


def test_reference_picture(animator, pictures, reference):
    source = pictures[0]
    with torch.no_grad():
        rendered, warped = animator.network.reference_picture(
            animator.encode_source(source), source
        )
    assert difference(rendered * 2 - 1, reference, "out_reference") < TOLERANCE / 10
    assert warped.shape == source.shape


def test_linear_manipulation(animator, pictures, reference):
    with torch.no_grad():
        state = animator.edit(animator.encode_source(pictures[0]), {5: 1.5})
        still = type(animator.encode_motion(pictures[0]))(state.magnitudes)
        output = animator.render(state, still) * 2 - 1
    assert difference(output, reference, "out_manip") < TOLERANCE / 10


def test_a_wrong_detail_is_seen(animator, pictures, reference, monkeypatch):
    """The comparison can fail: the other sampling convention is far outside the tolerance."""
    for level in animator.network.decoder.levels:
        monkeypatch.setattr(level.stage, "align_corners", True)
    source, driving = pictures
    (output,) = animator.stream(source, [driving[None, :1]], mode=Mode.ABSOLUTE)
    assert difference(output[0] * 2 - 1, reference, "out_abs") > 10 * TOLERANCE
