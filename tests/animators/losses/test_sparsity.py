import torch

from animators.losses.sparsity import magnitude_sparsity


def test_sum_over_directions_and_mean_over_the_batch():
    magnitudes = torch.tensor([[1.0, -2.0, 0.0], [0.5, 0.0, 0.5]])
    assert magnitude_sparsity(magnitudes).item() == (3.0 + 1.0) / 2
    # repeating the batch changes nothing, a further idle direction neither
    assert magnitude_sparsity(magnitudes.repeat(3, 1)).item() == 2.0
    assert magnitude_sparsity(torch.nn.functional.pad(magnitudes, (0, 1))).item() == 2.0


def test_every_active_direction_is_pulled_alike():
    magnitudes = torch.tensor([[3.0, -0.1]], requires_grad=True)
    magnitude_sparsity(magnitudes).backward()
    assert magnitudes.grad.tolist() == [[1.0, -1.0]]


def test_half_precision_is_summed_in_full():
    magnitudes = torch.full((1, 1000), 0.1, dtype=torch.bfloat16)
    total = magnitude_sparsity(magnitudes)
    assert total.dtype == torch.float32
    torch.testing.assert_close(total, magnitudes.double().sum().float())
