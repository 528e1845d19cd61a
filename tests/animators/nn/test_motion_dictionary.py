import pytest
import torch

from animators.nn import motion_dictionary
from animators.nn.motion_dictionary import MotionDictionary, orthonormal


@pytest.fixture
def decompositions(monkeypatch):
    """Count the decompositions."""
    calls = []

    def counted(weight):
        calls.append(weight)
        return orthonormal(weight)

    monkeypatch.setattr(motion_dictionary, "orthonormal", counted)
    return calls


def test_directions_are_orthonormal_and_span_the_weight():
    weight = torch.randn(32, 7, dtype=torch.float64)
    q = orthonormal(weight)
    torch.testing.assert_close(q.T @ q, torch.eye(7, dtype=torch.float64), atol=1e-12, rtol=0)
    shifted = weight + 1e-8
    torch.testing.assert_close(q @ (q.T @ shifted), shifted)
    r = q.T @ shifted
    assert torch.tril(r, -1).abs().max() < 1e-12  # column i uses the first i columns only
    assert (r.diagonal() < 0).any()  # Householder's signs, not Gram-Schmidt's


def test_displacement_is_the_sum_of_directions():
    dictionary = MotionDictionary(16, 3)
    amounts = torch.randn(4, 3)
    q = dictionary.directions()
    expected = sum(amounts[:, i : i + 1] * q[:, i] for i in range(3))
    torch.testing.assert_close(dictionary(amounts), expected)
    # orthonormal: distances of magnitudes are distances of displacements
    torch.testing.assert_close(dictionary(amounts).norm(dim=1), amounts.norm(dim=1))


def test_gradients():
    torch.manual_seed(0)
    weight = torch.randn(8, 3, dtype=torch.float64, requires_grad=True)
    amounts = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w, a: a @ orthonormal(w).T, (weight, amounts))


def test_decomposed_once_in_eval_and_at_every_call_in_training(decompositions):
    dictionary = MotionDictionary(16, 3).eval()
    amounts = torch.randn(2, 3)
    with torch.no_grad():
        for _ in range(3):
            dictionary(amounts)
    assert len(decompositions) == 1
    dictionary.train()
    for _ in range(3):
        dictionary(amounts).sum().backward()
    assert len(decompositions) == 4


@pytest.mark.parametrize("change", ["no_grad", "data", "load", "cast"])
def test_a_changed_weight_is_noticed(change):
    dictionary = MotionDictionary(16, 3).eval()
    amounts, other = torch.randn(2, 3), torch.randn(16, 3)
    with torch.no_grad():
        before = dictionary(amounts)
        if change == "no_grad":
            dictionary.weight.copy_(other)
        elif change == "data":
            dictionary.weight.data.copy_(other)  # the version counter stays as it was
        elif change == "load":
            dictionary.load_state_dict({"weight": other})
        else:
            other = dictionary.weight.detach().double()
            dictionary.double()
        after = dictionary(amounts)
        torch.testing.assert_close(after, amounts.to(after.dtype) @ orthonormal(other).T)
    assert after.dtype == other.dtype
    assert change == "cast" or (after - before).abs().max() > 0.1


def test_nothing_cached_under_inference_mode_reaches_training():
    dictionary = MotionDictionary(16, 3).eval()
    with torch.inference_mode():
        dictionary(torch.randn(2, 3))
    assert not dictionary.directions().is_inference()
    amounts = torch.randn(2, 3, requires_grad=True)
    with torch.no_grad():
        dictionary(amounts)
    dictionary(amounts).sum().backward()  # eval mode with gradients
    assert dictionary.weight.grad.isfinite().all()


def test_the_cache_is_no_part_of_the_state():
    dictionary = MotionDictionary(16, 3).eval()
    with torch.no_grad():
        dictionary(torch.randn(1, 3))
    assert list(dictionary.state_dict()) == ["weight"]


def test_full_precision_under_autocast():
    dictionary, amounts = MotionDictionary(16, 3), torch.randn(2, 3)
    exact = dictionary(amounts)
    with torch.autocast("cpu", torch.bfloat16):
        half = dictionary(amounts)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact, atol=0, rtol=0)


def test_more_directions_than_dimensions_are_refused():
    with pytest.raises(ValueError, match="1 to latent_dim"):
        MotionDictionary(8, 9)


@pytest.mark.gpu
def test_the_signs_are_the_same_on_a_gpu():
    # published weights need Householder's signs wherever they run
    weight = torch.randn(512, 20)
    torch.testing.assert_close(
        orthonormal(weight.cuda()).cpu(), orthonormal(weight), atol=1e-5, rtol=0
    )
