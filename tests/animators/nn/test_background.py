"""The background's matrix, against homogeneous coordinates written out."""

import torch

from animators.nn.background import IDENTITY, background_grid, background_matrix
from animators.nn.grid import coordinate_grid


def test_six_numbers_are_the_upper_two_rows():
    matrix = background_matrix(torch.tensor([[1.0, 2, 3, 4, 5, 6], IDENTITY]))
    assert matrix[0].tolist() == [[1, 2, 3], [4, 5, 6], [0, 0, 1]]
    assert torch.equal(matrix[1], torch.eye(3))


def test_no_matrix_is_the_identity():
    like = torch.zeros(2, 1)
    still = background_grid(None, 4, 6, like)
    assert torch.equal(still, coordinate_grid(4, 6, like).expand(2, -1, -1, -1))
    given = background_grid(torch.eye(3).expand(2, 3, 3), 4, 6, like)
    torch.testing.assert_close(given, still)


def test_each_position_is_moved_in_homogeneous_coordinates():
    matrix = torch.tensor([[[1.1, 0.2, -0.3], [0.1, 0.9, 0.4], [0.05, -0.1, 1.2]]])
    moved = background_grid(matrix, 3, 5, matrix)
    for row, y in enumerate((-1.0, 0.0, 1.0)):
        for column, x in enumerate((-1.0, -0.5, 0.0, 0.5, 1.0)):
            u, v, w = (matrix[0] @ torch.tensor([x, y, 1.0])).tolist()
            expected = torch.tensor([u / w, v / w])
            torch.testing.assert_close(moved[0, row, column], expected)


def test_half_precision_becomes_single():
    matrix = torch.eye(3, dtype=torch.bfloat16)[None]
    assert background_grid(matrix, 4, 4, matrix).dtype == torch.float32


def test_mixed_precision_rounds_no_grid():
    matrix = background_matrix(torch.tensor([[1.003, 0.011, -0.017, 0.007, 0.994, 0.013]]))
    exact = background_grid(matrix, 9, 7, matrix)
    with torch.autocast("cpu", torch.bfloat16):
        found = background_grid(matrix, 9, 7, matrix)
    torch.testing.assert_close(found, exact, atol=1e-6, rtol=0)
