import math

import pytest
import torch

from animators.metrics.smoothness import folded_share, total_variation
from animators.nn.grid import coordinate_grid

IDENTITY = torch.eye(2, dtype=torch.float64)


def grid(height, width):
    return coordinate_grid(height, width, like=torch.zeros(1, dtype=torch.float64))


def displacements(matrix, height=7, width=11, shift=(0.0, 0.0)):
    """Phi of the map z -> M z + shift."""
    points = grid(height, width)
    return points @ (matrix - IDENTITY).T + torch.tensor(shift, dtype=torch.float64)


def turned(angle):
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


MATRICES = {
    "shear": [[1.0, 0.5], [0.0, 1.0]],
    "stretch": [[2.0, 0.0], [0.0, 0.25]],
    "general": [[0.9, -0.3], [0.4, 1.2]],
    "reflection": [[-1.0, 0.0], [0.0, 1.0]],
    "collapse": [[0.0, 0.0], [0.0, 1.0]],
}


def test_a_shift_neither_varies_nor_folds():
    for shift in ((0.0, 0.0), (0.3, -1.7)):
        field = displacements(IDENTITY, shift=shift)
        assert total_variation(field) < 1e-12
        assert folded_share(field) == 0


@pytest.mark.parametrize("name", MATRICES)
def test_an_affine_field_has_its_closed_form(name):
    matrix = torch.tensor(MATRICES[name], dtype=torch.float64)
    field = displacements(matrix, shift=(0.2, 0.1))
    expected = (matrix - IDENTITY).abs().sum()
    torch.testing.assert_close(total_variation(field), expected)
    assert folded_share(field) == float(torch.linalg.det(matrix) <= 0)


@pytest.mark.parametrize("degrees", [5, 89, 91, 135, 179])
def test_a_rotation_never_folds(degrees):
    angle = math.radians(degrees)
    field = displacements(turned(angle))
    variation = 2 * (1 - math.cos(angle)) + 2 * math.sin(angle)
    assert total_variation(field).item() == pytest.approx(variation)
    assert folded_share(field) == 0


def test_variation_does_not_depend_on_the_resolution():
    """Of phi_x = sin(pi x), which goes up and down by 4 over a length of 2: 2 a unit."""
    for size in (5, 33, 65):
        points = grid(size, size)
        field = torch.stack([torch.sin(math.pi * points[..., 0]), 0 * points[..., 0]], dim=-1)
        assert total_variation(field).item() == pytest.approx(2)


def test_a_point_pulled_over_its_neighbour_folds_the_two_cells_beyond_it():
    field = torch.zeros(5, 5, 2, dtype=torch.float64)
    field[2, 2, 0] = 0.5 + 0.01  # the spacing is 0.5
    assert folded_share(field).item() == pytest.approx(2 / 16)
    field[2, 2, 0] = 0.5 - 0.01
    assert folded_share(field) == 0


def smallest_determinant(corners, steps=101):
    """Of a cell's bilinear map, by its analytic derivative at many positions."""
    (p00, p10), (p01, p11) = corners
    u = torch.linspace(0, 1, steps, dtype=torch.float64)
    v, u = torch.meshgrid(u, u, indexing="ij")
    u, v = u[..., None], v[..., None]
    du = (1 - v) * (p10 - p00) + v * (p11 - p01)
    dv = (1 - u) * (p01 - p00) + u * (p11 - p10)
    return (du[..., 0] * dv[..., 1] - du[..., 1] * dv[..., 0]).min()


def test_cells_agree_with_the_derivative_of_the_bilinear_map():
    draw = torch.Generator().manual_seed(0)
    field = 0.12 * torch.randn(9, 8, 2, generator=draw, dtype=torch.float64)
    moved = grid(9, 8) + field
    folded = [
        bool(smallest_determinant(moved[i : i + 2, j : j + 2]) <= 0)
        for i in range(8)
        for j in range(7)
    ]
    assert 0 < sum(folded) < len(folded)
    assert folded_share(field).item() == pytest.approx(sum(folded) / len(folded))


def test_leading_axes_are_kept():
    draw = torch.Generator().manual_seed(0)
    fields = torch.randn(2, 3, 6, 5, 2, generator=draw)
    for metric in (total_variation, folded_share):
        together = metric(fields)
        assert together.shape == (2, 3)
        torch.testing.assert_close(together[1, 2], metric(fields[1, 2]))


def test_nan_is_never_smooth():
    field = torch.zeros(3, 3, 2)
    field[1, 1] = math.nan
    assert total_variation(field).isnan()
    assert folded_share(field) == 1


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3), (1, 4, 2), (2, 4, 1, 2)])
def test_what_is_no_field_is_refused(shape):
    for metric in (total_variation, folded_share):
        with pytest.raises(ValueError, match=r"\(\.\.\., h, w, 2\)"):
            metric(torch.zeros(shape))
