"""Which fold models make stimuli and which judge them, and where they look."""

import numpy as np
import pytest
import torch

from lib.models import ensemble


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_no_model_judges_what_it_made(n):
    """Fault: a maker among the judges, a model that does neither, or nearly all on one side."""
    makers, judges = ensemble.split_members(list(range(n)))
    assert sorted(makers + judges) == list(range(n))
    assert 0 <= len(makers) - len(judges) <= 1
    assert ensemble.split_members(["alone"]) == (["alone"], ["alone"])


class Product(torch.nn.Module):
    """Response to a pixel that turns its sign with another one; a third pixel counts for little."""

    def forward(self, x):
        return (x[:, :, 0, 0] * (x[:, :, 1, 1] - 0.5) + 0.1 * x[:, :, 0, 2]).reshape(-1, 1)


def test_sensitivity_of_either_sign_counts():
    """Fault: slopes of opposite sign over images cancel, as they do in a complex cell."""
    images = np.zeros((2, 2, 3), np.float32)
    images[1, 1, 1] = 1
    found = ensemble.sensitivity(Product(), images)
    np.testing.assert_allclose(found, [[1, 0, 0.2], [0, 0, 0]], atol=1e-6)
    flat = ensemble.sensitivity(
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.ReLU(), torch.nn.Linear(6, 1)), -1 - images
    )
    assert (flat == 0).all()


def test_centre_is_weighed():
    """Fault: the middle of the map for the middle of its weight."""
    x, y = np.meshgrid([-2.0, 0, 2], [1.0, -1])
    assert ensemble.centre_of_mass(np.array([[0, 0, 3.0], [0, 0, 1]]), x=x, y=y) == (2.0, 0.5)


def test_members_side_by_side_keep_their_order():
    """Fault: units of one member beside those of another."""
    members = [torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2)) for _ in range(3)]
    images = np.random.default_rng(0).random((5, 2, 2)).astype(np.float32)
    x = torch.as_tensor(images)[:, None]
    with torch.no_grad():
        both = ensemble.SideBySide(members)(x)
        for k, member in enumerate(members):
            torch.testing.assert_close(both[:, 2 * k : 2 * k + 2], member(x))
    np.testing.assert_allclose(ensemble.predicted_responses(members[1], images)[:, 0], both[:, 2], rtol=1e-6)
