"""The network of the original report: where it begins and what it is penalised for."""

import numpy as np
import pytest
import torch

from lib.models import network


def test_untrained_it_predicts_the_mean_response(monkeypatch):
    """Fault: a bias of 0, or ELU + 1 left off, so that the first epochs go into the mean rate."""
    monkeypatch.setattr(network, "_epoch", lambda *given: given[2][given[3]])
    rng = np.random.default_rng(0)
    images = torch.as_tensor(rng.random((40, 1, 16, 20)), dtype=torch.float32)
    responses = np.array([2.0, 5.0]) + 0.01 * rng.normal(size=(40, 2))
    model, _ = network.fit_network(images, responses, kind="shared", seed=0, epochs=1)
    with torch.no_grad():
        assert model(images).mean(0).numpy() == pytest.approx([2.0, 5.0], rel=0.1)
        model.bias.data = torch.full((2,), -40.0)
        assert (model(images) >= 0).all()


def test_penalty_is_of_roughness_idle_channels_and_weights():
    """Fault: a term left out, or one that grows with what it is to allow."""
    torch.manual_seed(0)
    model = network.Network((16, 20), 1)
    before = float(model.penalty().detach())
    for change in ("layers.0.0.weight", "layers.1.0.weight", "layers.2.0.weight", "weights"):
        state = model.state_dict()
        kept = state[change].clone()
        state[change].zero_()
        assert float(model.penalty().detach()) < before - 1e-6, change
        state[change].copy_(kept)
    smooth = model.state_dict()["layers.0.0.weight"]
    smooth.copy_(torch.linspace(0, 1, 5).expand_as(smooth) * 10)  # a ramp bends nowhere
    ramp = float(model.penalty().detach())
    smooth.copy_(10 * (torch.arange(5) % 2).expand_as(smooth))
    assert float(model.penalty().detach()) > 2 * ramp
