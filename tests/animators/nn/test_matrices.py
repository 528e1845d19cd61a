"""The closed form against LAPACK, and what it makes of singular matrices."""

import pytest
import torch
from torch.autograd import gradcheck

from animators.nn.matrices import inverse_2x2


@pytest.mark.parametrize("scale", [1e-15, 1e-3, 1.0, 1e15])
def test_inverses_are_lapacks(scale):
    draw = torch.Generator().manual_seed(0)
    matrices = scale * torch.randn(10_000, 3, 2, 2, dtype=torch.float64, generator=draw)
    values = torch.linalg.svdvals(matrices)
    condition = (values[..., 0] / values[..., 1])[..., None, None]
    for exact in (matrices, matrices.float().double()):
        wanted = torch.linalg.inv(exact)
        single = exact is not matrices
        found = inverse_2x2(exact.float() if single else exact)
        assert found.dtype == (torch.float32 if single else torch.float64)
        size = torch.linalg.matrix_norm(wanted)[..., None, None]
        # as close as the condition of a matrix lets any method come
        error = (found - wanted).abs() / size / condition
        assert error.max() < 2 * torch.finfo(found.dtype).eps


def test_the_gradient_is_that_of_the_inverse():
    matrices = torch.randn(5, 2, 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(inverse_2x2, matrices)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_singular_matrices_have_finite_inverses_products_and_gradients(dtype):
    rows = [[[1.0, 2.0], [2.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]], [[0.0, 3.0], [0.0, 0.0]]]
    matrices = torch.tensor(rows, dtype=dtype, requires_grad=True)
    found = inverse_2x2(matrices)
    assert found.isfinite().all()
    product = found @ torch.full((2, 2), 1e3, dtype=dtype) @ matrices
    assert product.isfinite().all()
    (found.sum() + product.sum()).backward()
    assert matrices.grad.isfinite().all()


def test_a_singular_matrix_can_be_inverted_twice():
    twice = inverse_2x2(inverse_2x2(torch.tensor([[[1.0, 2.0], [2.0, 4.0]], [[0.0, 0], [0, 0]]])))
    assert twice.isfinite().all()


def test_almost_singular_matrices_keep_the_sign_of_their_determinant():
    matrices = torch.tensor([[[1.0, 0.0], [0.0, 1e-30]], [[1.0, 0.0], [0.0, -1e-30]]])
    found = inverse_2x2(matrices)
    assert found[0, 1, 1] > 1e18
    assert found[1, 1, 1] < -1e18


def test_half_precision_is_inverted_in_single():
    matrices = torch.randn(4, 2, 2).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = inverse_2x2(matrices)
    assert torch.equal(found, inverse_2x2(matrices.float()))
