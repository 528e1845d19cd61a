"""Two subspaces on one orthonormal basis."""

import pytest
import torch

from animators.swin_tps.decoupling import Decoupling


def decoupling(identity=True):
    torch.manual_seed(0)
    return Decoupling(3, 5, 16, width=4, identity=identity)


def pictures():
    return torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_motion_and_identity_features_are_orthogonal():
    made = decoupling().double()
    motion = made.motion_feature(made.coefficients(pictures().double()))
    identity = made.identity_feature(pictures().double())
    assert motion.std() > 1e-3
    assert identity.std() > 1e-3
    assert (motion @ identity.T).abs().max() < 1e-12


def test_features_have_the_coefficients_as_coordinates():
    made = decoupling().double()
    y = made.coefficients(pictures().double())
    feature = made.motion_feature(y)
    torch.testing.assert_close(feature @ made.basis.directions()[:, 3:], y)
    torch.testing.assert_close(feature.norm(dim=1), y.norm(dim=1))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_basis_stays_orthonormal_while_it_trains(precision):
    made = decoupling()
    optimizer = torch.optim.Adam(made.parameters(), lr=1e-2)
    for _ in range(5):
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            feature = made.motion_feature(made.coefficients(pictures()))
            loss = (made.identity_feature(pictures()) - feature).abs().mean()
            basis = made.basis.directions()
        assert basis.dtype == torch.float32
        assert (basis.T @ basis - torch.eye(8)).abs().max() < 1e-5
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_without_identity_nothing_reads_it():
    made = decoupling(identity=False)
    assert made.identity is None
    assert made.basis.directions().shape == (16, 8)
    with pytest.raises(ValueError, match="reads off no identity"):
        made.identity_feature(pictures())
