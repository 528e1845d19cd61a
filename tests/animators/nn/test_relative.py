"""Hulls against shapes of known area; the best frame's distance against its definition."""

import math

import pytest
import torch

from animators.nn.relative import (
    check_hull,
    compose,
    displace,
    hull_area,
    hull_scale,
    shape_distance,
)


def cloud(count=7, batch=3):
    return torch.randn(batch, count, 2, generator=torch.Generator().manual_seed(0))


def test_areas_of_known_shapes():
    square = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1], [0.3, -0.2]])  # one lies inside
    triangle = torch.tensor([[0.0, 0], [1, 0], [0, 0.5], [0.1, 0.1], [0.2, 0.2]])
    area = hull_area(torch.stack([square, triangle]))
    torch.testing.assert_close(area, torch.tensor([4.0, 0.25]))


def test_a_circle_of_many_points():
    angle = torch.arange(0, 2 * math.pi, 2 * math.pi / 720, dtype=torch.float64)
    circle = 0.5 * torch.stack([angle.cos(), angle.sin()], dim=1)
    assert hull_area(circle[None]).item() == pytest.approx(math.pi / 4, rel=1e-4)


def test_points_on_a_line_span_no_area_and_cannot_scale():
    line = torch.linspace(-1, 1, 5)[:, None].expand(5, 2)
    flat = hull_area(torch.stack([line, torch.zeros(5, 2)]))
    assert flat.tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"of the reference frame lie .* another reference frame"):
        hull_scale(torch.ones(2), torch.tensor([1.0, 0.0]))
    with pytest.raises(ValueError, match=r"of the source lie .* another source"):
        hull_scale(flat, torch.ones(2))


def test_three_points_make_a_hull():
    check_hull(3, "")
    with pytest.raises(ValueError, match="which takes 3, got 2: raise it"):
        check_hull(2, "raise it")


def test_scale_is_a_ratio_of_lengths():
    points = cloud()
    scale = hull_scale(hull_area(3 * points + 1), hull_area(points))
    torch.testing.assert_close(scale, torch.full((3,), 3.0))


def test_displacement():
    source, driving, reference = cloud(batch=9).unflatten(0, (3, 3))
    scale = torch.tensor([0.5, 1.0, 2.0])
    moved = displace(source, driving, reference, scale)
    for i in range(3):
        by_hand = source[i] + scale[i] * (driving[i] - reference[i])
        torch.testing.assert_close(moved[i], by_hand)
    torch.testing.assert_close(displace(source, reference, reference, 2.0), source)
    torch.testing.assert_close(displace(reference, driving, reference, 1.0), driving)


def test_composition_has_its_order():
    draw = torch.Generator().manual_seed(0)
    driving, reference, source = torch.randn(3, 2, 4, 2, 2, generator=draw, dtype=torch.float64)
    inverse = torch.linalg.inv(reference)
    for i in range(2):
        for k in range(4):
            by_hand = driving[i, k] @ torch.linalg.inv(reference[i, k]) @ source[i, k]
            torch.testing.assert_close(compose(driving, inverse, source)[i, k], by_hand)
    torch.testing.assert_close(compose(reference, inverse, source), source)


def test_distance_forgets_place_and_size_but_no_turn():
    points = cloud().double()
    same = shape_distance(points, 2.5 * points + torch.tensor([0.3, -1.0]))
    assert same.max() < 1e-12
    turned = shape_distance(points, points.flip(2))
    assert turned.min() > 1e-2


def test_distance_is_its_definition():
    square = torch.tensor([[[-1.0, -1], [1, -1], [1, 1], [-1, 1]]])  # area 4, about 0
    slim = torch.tensor([[[-1.0, -0.25], [1, -0.25], [1, 0.25], [-1, 0.25]]])  # area 1, about 0
    # corners differ by (1/2 - 1, 1/2 - 1/4)
    assert shape_distance(square, slim).item() == pytest.approx(4 * (0.25 + 0.0625))


def test_a_shape_without_area_is_infinitely_far():
    line = torch.linspace(-1, 1, 7)[:, None].expand(3, 7, 2)
    assert shape_distance(cloud(), line).isinf().all()
