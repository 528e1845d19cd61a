from types import SimpleNamespace

import pytest
import torch

from animators.animator import Mode
from animators.nn.grid import coordinate_grid
from benchmarks.page.fields import Field, identity, read_field
from benchmarks.page.pictures import WHEEL, colours, draw_field, furthest, wheel
from tests.animators.tiny import tiny_animator

NAMES = ("dime", "fomm", "lia", "lia_x", "mraa", "swin_tps", "tpsmm")


@pytest.fixture(scope="module", params=NAMES)
def case(request):
    animator = tiny_animator(request.param).eval()
    pictures = torch.rand(2, 1, 3, animator.image_size, animator.image_size)
    return SimpleNamespace(name=request.param, animator=animator, pictures=pictures)


def test_identity_is_the_projects_grid():
    assert torch.allclose(identity(5, 7), coordinate_grid(5, 7, like=torch.zeros(1)))


def sampled(monkeypatch):
    """Note every grid that pictures and features are read at."""
    grids = []
    real = torch.nn.functional.grid_sample

    def note(image, grid, **options):
        grids.append(grid)
        return real(image, grid, **options)

    monkeypatch.setattr("animators.nn.grid.F.grid_sample", note)
    return grids


def resized(field, height, width, align_corners):
    """The field's grid at the size of the features that it moves."""
    grid = field.displacement + identity(*field.displacement.shape[:2])
    wide = torch.nn.functional.interpolate(
        grid.permute(2, 0, 1)[None],
        size=(height, width),
        mode="bilinear",
        align_corners=align_corners,
    )
    return wide[0].permute(1, 2, 0)


def test_the_field_is_what_the_frame_is_drawn_with(case, monkeypatch):
    source, driving = case.pictures
    field = read_field(case.animator, source, driving, mode=None)
    grids = sampled(monkeypatch)
    case.animator.reconstruct(torch.stack([source, driving], dim=1))
    misses = [
        float((resized(field, *g.shape[1:3], aligned) - g[0]).abs().max())
        for g in grids
        for aligned in (True, False)  # FOMM's and MRAA's grids are resized edge to edge
    ]
    assert min(misses) < 1e-4
    if case.name in ("lia", "lia_x", "swin_tps", "tpsmm"):  # the finest of several
        assert field.displacement.shape[:2] == source.shape[-2:]
    assert field.longest > 0
    assert field.about


def test_relative_mode_without_motion_is_the_sources_own_pose(case):
    source, _ = case.pictures
    own = read_field(case.animator, source, source, mode=Mode.RELATIVE, reference=source)
    pose = read_field(case.animator, source, source, mode=Mode.ABSOLUTE)
    assert torch.allclose(own.displacement, pose.displacement, atol=1e-4)


def test_relative_mode_depends_on_the_reference(case):
    source, driving = case.pictures
    moved = read_field(case.animator, source, driving, mode=Mode.RELATIVE, reference=source)
    still = read_field(case.animator, source, driving, mode=Mode.RELATIVE, reference=driving)
    assert not torch.allclose(moved.displacement, still.displacement, atol=1e-4)
    with pytest.raises(ValueError, match="reference frame"):
        read_field(case.animator, source, driving, mode=Mode.RELATIVE)


def test_an_animator_without_a_field_has_none():
    other = SimpleNamespace(network=SimpleNamespace(flow=lambda *_: None), device="cpu")
    assert read_field(other, torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8), mode=None) is None


def test_colours():
    assert torch.equal(colours(torch.zeros(4, 4, 2)), torch.ones(3, 4, 4))
    field = torch.zeros(4, 4, 2)
    field[0, 0] = torch.tensor([1.0, 0.0])
    shown = draw_field(Field(field, ""), 8)
    assert shown.shape == (3, 8, 8)
    assert shown[:, 7, 7].tolist() == [1, 1, 1]
    assert shown[:, 0, 0].min() < 0.2
    legend = wheel()
    assert legend[:, 0, 0].tolist() == [1, 1, 1]
    # left and right are different directions
    assert (legend[:, WHEEL // 2, 3] - legend[:, WHEEL // 2, -4]).abs().max() > 0.5


def test_the_frame_that_moved_most():
    video = torch.zeros(4, 3, 2, 2)
    video[2] = 1
    assert furthest(video) == 2
