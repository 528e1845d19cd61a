import json
from dataclasses import replace

import pytest
import torch
from PIL import Image
from torchvision.utils import flow_to_image

from animators.animator import Mode
from animators.metrics.smoothness import folded_share, total_variation
from animators.weights import save_animator
from benchmarks import study
from benchmarks.data import TestClips, build_data, data_file, read_options
from benchmarks.studies import field, field_picture
from tests.animators.tiny import tiny_animator
from tests.benchmarks.conftest import TOY

ANIMATORS = {
    "dime": ("dime", {}),
    "dime-coarse": ("dime", {"refine": False}),
    "fomm": ("fomm", {}),
    "fomm-refined": ("fomm", {"refine": True, "dynamics_width": 4}),
    "mraa": ("mraa", {}),
    "mraa-refined": ("mraa", {"refine": True, "dynamics_width": 4}),
}
REFINED = {"dime", "fomm-refined", "mraa-refined"}


def animator(name):
    kind, changes = ANIMATORS[name]
    return tiny_animator(kind, **changes).eval()


def toy_data(size, references=0, frames=4):
    settings = read_options(data_file("toy"), TOY)
    return build_data(settings | {"image_size": size, "frames": frames, "references": references})


@pytest.fixture(scope="module")
def dime():
    return animator("dime")


@pytest.fixture(scope="module")
def clip(dime):
    return field.find_clip(toy_data(dime.image_size, references=1), 1)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a checkpoint of each."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for name in ("dime", "fomm", "lia"):
        save_animator(tiny_animator(name), folder / f"{name}.ckpt")
    return folder


@pytest.mark.parametrize("name", ANIMATORS)
def test_figures_are_those_of_the_fields_it_draws_with(name):
    model = animator(name)
    clips = TestClips(toy_data(model.image_size), model.device, name, limit=1)
    found = field.measure(model, clips)
    assert len(found["motion"]) == 3  # four frames, without the source's
    (one,) = clips
    with torch.no_grad():
        source = model.encode_source(one["video"][:, 0])
        frame = one["video"][:, 2]
        moved = model.transfer(source, model.encode_motion(frame, source), None, Mode.ABSOLUTE)
        flow = model.network.flow(source, moved)
    drawn = flow.refined[0, 0] if name.startswith("dime") else flow.displacements()[0]
    assert found["motion"][1] == pytest.approx(float((frame - one["video"][:, 0]).abs().mean()))
    last = "1" if name in REFINED else "0"
    assert found[f"variation_{last}"][1] == pytest.approx(float(total_variation(drawn)), rel=1e-5)
    assert found[f"folded_{last}"][1] == pytest.approx(float(folded_share(drawn)), abs=1e-6)
    assert ("change" in found) == (name in REFINED)
    if name in REFINED:
        assert found["change"][1] > 0
        assert found["variation_0"] != found["variation_1"]


def test_quarters_are_by_motion_and_shares_are_of_frames():
    found = {
        "motion": [0.4, 0.1, 0.3, 0.2],
        "variation_0": [4.0, 1.0, 3.0, 2.0],
        "variation_1": [5.0, 0.5, 3.5, 1.5],
        "folded_0": [1.0, 0.0, 0.0, 0.0],
    }
    table = field.summarise(found)
    assert [table[f"quarter {k}"]["variation_0"] for k in (1, 2, 3, 4)] == [1, 2, 3, 4]
    assert [table[f"quarter {k}"]["smoother"] for k in (1, 2, 3, 4)] == [1, 1, 0, 0]
    assert table["all"]["smoother"] == 0.5
    assert table["all"]["folded_0"] == 0.25
    assert table["all"]["frames"] == 4


def test_the_picture_goes_from_the_coarse_field_to_the_refined_one(dime, clip):
    shown = field_picture.look(dime, clip, 2)
    size = dime.image_size
    assert shown.fields.shape[:2] == (5, 2)  # five times; source and one reference
    with torch.no_grad():
        source = dime.encode_source(torch.cat([clip["video"][:, :1], clip["references"]], 1))
        flow = dime.network.flow(source, dime.encode_motion(clip["video"][:, 2]))
    torch.testing.assert_close(shown.fields[0], flow.coarse[0])
    torch.testing.assert_close(shown.fields[-1], flow.refined[0], rtol=1e-4, atol=1e-5)
    assert not torch.equal(shown.fields[0], shown.fields[-1])
    rebuilt = dime.reconstruct(clip["video"], clip["references"])
    torch.testing.assert_close(shown.result, rebuilt[0, 2], rtol=1e-4, atol=1e-4)
    assert shown.result.shape == (3, size, size)


@pytest.mark.parametrize("step", [0.4, 1.0])
def test_steps_that_end_elsewhere_leave_every_shown_field_a_solvers_own(step, clip):
    """Not a line between two steps' ends; and the last is the one that the result is drawn with."""
    model = tiny_animator("dime", step_size=step).eval()
    shown = field_picture.look(model, clip, 2).fields
    with torch.no_grad():
        source = model.encode_source(torch.cat([clip["video"][:, :1], clip["references"]], 1))
        flow = model.network.flow(source, model.encode_motion(clip["video"][:, 2]))
        torch.testing.assert_close(shown[-1], flow.refined[0], rtol=0, atol=1e-6)
        evolution = model.network.evolution
        line = evolution.trajectory(flow.coarse, tuple(field_picture.TIMES))[:, 0]
        evolution.step_size = 1 / 64
        true = evolution.trajectory(flow.coarse, tuple(field_picture.TIMES))[:, 0]
    for k in (1, 2, 3):
        assert (shown[k] - true[k]).norm() < 0.1 * (line[k] - true[k]).norm()


def test_without_a_number_the_frame_furthest_from_the_source_is_shown(dime, clip):
    video = clip["video"].clone()
    video[:, 1] = 1 - video[:, 0]
    assert field_picture.look(dime, clip | {"video": video}, None).frame == 1


def test_no_displacement_leaves_every_view_as_it_is(dime, clip):
    shown = field_picture.look(dime, clip, 1)
    still = replace(shown, fields=torch.zeros_like(shown.fields))
    for moved in field_picture.warped(still):
        torch.testing.assert_close(moved, shown.views, rtol=0, atol=1e-5)


def test_a_shift_of_a_pixel_reads_the_next_one(dime, clip):
    shown = field_picture.look(dime, clip, 1)
    shift = torch.zeros_like(shown.fields)
    shift[..., 0] = 2 / (dime.image_size - 1)
    moved = field_picture.warped(replace(shown, fields=shift))
    expected = shown.views[..., 1:].expand_as(moved[..., :-1])
    torch.testing.assert_close(moved[..., :-1], expected, rtol=0, atol=1e-4)


def test_colours_have_one_scale_for_all_times():
    fields = torch.zeros(2, 1, 4, 4, 2)
    fields[0, ..., 0], fields[1, ..., 0] = 0.1, 0.2
    shades, longest = field_picture.colours(fields)
    assert longest == pytest.approx(0.2)
    assert shades.shape == (2, 1, 3, 4, 4)
    together = flow_to_image(torch.tensor([[0.1, 0.2], [0.0, 0.0]])[:, None])
    torch.testing.assert_close(shades[0, 0, :, 0, 0], together[:, 0, 0] / 255)
    torch.testing.assert_close(shades[1, 0, :, 0, 0], together[:, 0, 1] / 255)
    assert shades[0].mean() > shades[1].mean()  # paler
    white, none = field_picture.colours(torch.zeros(2, 1, 4, 4, 2))
    assert none == 0
    assert bool((white == 1).all())


def test_the_command_draws_and_records(saved, tmp_path, capsys):
    picture = tmp_path / "made" / "field.png"
    words = ["--checkpoint", str(saved / "dime.ckpt"), "--data", "toy", "--device", "cpu", *TOY]
    words += ["--frames", "4", "--clip", "1", "--frame", "2", "--data.init_args.references=1"]
    words += ["--picture", str(picture), "--output", str(tmp_path), "--name", "small"]
    assert study.main(["field", *words]) == 0
    printed = capsys.readouterr().out
    with Image.open(picture) as image:
        assert min(image.size) > 300
    (path,) = tmp_path.glob("field_small_toy_*.json")
    record = json.loads(path.read_text())
    assert record["clips"]["count"] == 3
    assert record["result"]["all"]["frames"] == record["clips"]["frames"] == 9
    assert {"variation_0", "variation_1", "folded_0", "folded_1"} <= record["result"]["all"].keys()
    assert field.report(record) in printed


def test_an_animator_without_an_evolution_shows_its_only_field(saved, tmp_path, capsys):
    picture = tmp_path / "field.png"
    words = ["--checkpoint", str(saved / "fomm.ckpt"), "--data", "toy", "--device", "cpu", *TOY]
    words += ["--frames", "3", "--picture", str(picture), "--output", str(tmp_path)]
    assert field.main(words) == 0
    assert picture.is_file()
    (path,) = tmp_path.glob("field_fomm_toy_*.json")
    row = json.loads(path.read_text())["result"]["all"]
    assert "variation_0" in row
    assert not row.keys() & {"variation_1", "folded_1", "change", "smoother"}
    assert "| at 1 |" not in capsys.readouterr().out


def test_mistakes_are_one_line(saved, tmp_path, fails):
    def words(name, *more):
        path = saved / f"{name}.ckpt"
        return ["--checkpoint", path, "--data", "toy", "--device", "cpu", *TOY, *more]

    out = ["--picture", tmp_path / "p.png", "--output", tmp_path]
    assert "no dense motion field" in fails(field.main, *words("lia", *out))
    assert "--clip must be 0 to 2" in fails(field.main, *words("dime", *out, "--clip", "3"))
    assert "--frame must be 0 to 5" in fails(field.main, *words("dime", *out, "--frame", "6"))
    assert "must end in .png" in fails(field.main, *words("dime", "--picture", "p.jpg"))
    one_view = words("fomm", *out, "--data.init_args.references=1")
    assert "takes one view" in fails(field.main, *one_view)
    assert "absent" in fails(field.main, "--checkpoint", saved / "absent.ckpt", "--data", "toy")
    assert not list(tmp_path.iterdir())
