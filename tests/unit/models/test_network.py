"""Networks: where they begin, what they are penalised for, and what they learn side by side."""

import numpy as np
import pytest
import torch

from lib.models import network, shared_network


def test_untrained_it_predicts_the_mean_response(monkeypatch):
    """Fault: a bias of 0, or ELU + 1 left off, so that the first epochs go into the mean rate."""
    monkeypatch.setattr(network._Stack, "step", lambda stack, images, counts, rates: counts)
    rng = np.random.default_rng(0)
    images = torch.as_tensor(rng.random((40, 1, 16, 20)), dtype=torch.float32)
    responses = np.array([2.0, 5.0]) + 0.01 * rng.normal(size=(40, 2))
    model, _ = network.fit_networks(images, responses, seed=0, epochs=1)
    with torch.no_grad():
        assert model(images).mean(0).numpy() == pytest.approx([2.0, 5.0], rel=0.1)
        for one in model.networks:
            one.bias.data = torch.full((1,), -40.0)
        assert (model(images) >= 0).all()


def test_penalty_is_of_roughness_idle_channels_and_weights():
    """Fault: a term left out, or one that grows with what it is to allow."""
    torch.manual_seed(0)
    model = network.Network((16, 20))
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


def test_side_by_side_networks_learn_what_each_learns_alone(monkeypatch):
    """Fails if they share an order of the images, a rate, a stop or a running mean.

    On the CPU they are trained one by one; they differ in when they stop and change their rate.
    """
    rng = np.random.default_rng(0)
    images = torch.as_tensor(rng.random((60, 1, 16, 20)), dtype=torch.float32)
    rate = 2 + 8 * images[:, 0, 4:8, 5:12].mean((1, 2)).numpy()
    responses = rng.poisson(rate[:, None], (60, 4)).astype(float)
    alone, one_by_one = network.fit_networks(images, responses, seed=3)
    monkeypatch.setattr(network, "_at_a_time", lambda images: 3)
    together, at_once = network.fit_networks(images, responses, seed=3)
    lengths = [[len(one["epoch"]) for one in past["units"]] for past in (one_by_one, at_once)]
    assert lengths[0] == lengths[1] and len(set(lengths[0])) > 1
    with torch.no_grad():
        torch.testing.assert_close(together(images), alone(images), rtol=1e-3, atol=1e-3)


def test_a_shared_network_begins_where_the_unit_looks():
    """Fails if rows and columns, or the ends of an axis, are exchanged."""
    rng = np.random.default_rng(0)
    images = torch.as_tensor(rng.random((200, 1, 24, 40)), dtype=torch.float32)
    bright, rough = images[:, 0, 2:6, 30:34].mean((1, 2)), images[:, 0, 18:22, 4:8].std((1, 2))
    places = shared_network.first_places(images, torch.stack([bright, rough], 1))
    for (x, y), (column, row) in zip(places, ((32, 4), (6, 20))):
        assert abs((float(x) + 1) / 2 * 40 - column) <= 4
        assert abs((float(y) + 1) / 2 * 24 - row) <= 4


def test_a_shared_network_reads_each_unit_at_its_place():
    """Fails if places are read as (y, x), or a unit at the place of another."""
    model = shared_network.SharedNetwork((24, 40), 2).eval()
    model.weights.data.normal_()
    model.place.data = torch.tensor([[0.8, -0.8], [-0.8, 0.8]])  # top right, bottom left
    images = torch.full((1, 1, 24, 40), 0.5, requires_grad=True)
    for unit, (rows, columns) in enumerate(((slice(0, 12), slice(20, 40)), (slice(12, 24), slice(0, 20)))):
        (slope,) = torch.autograd.grad(model(images)[0, unit], images)
        power = slope[0, 0].square()
        assert power[rows, columns].sum() > 0.9 * power.sum()
