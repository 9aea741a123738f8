"""The network that the original report names, trained from scratch.

Three convolutional layers of 64 channels, average pooling in the first, batch norm and ELU after
each; all three layers' channels are read at one learned place of a Gaussian pyramid, one weight a
channel and level; the output is ELU(x) + 1, which the original states and never applies. After
Walker, Sinz, Cobos et al., Nat Neurosci 22:2060 (2019), whose settings of the training are used:
Poisson loss, Adam with 5e-3 and then 1e-3, early stopping. Kernels are odd (the original's
smoothness penalty fails on its 4 x 4 kernel) and start small enough for ELU.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

CHANNELS, KERNEL, HIDDEN_KERNEL, LEVELS = 64, 5, 3, 4
SMOOTHNESS, SPARSITY, FEATURE_L1 = 0.1, 0.1, 0.02
RATES = (5e-3, 1e-3)
EPOCHS, PATIENCE, BATCH = 15, 3, 32
VALIDATION = 0.15


class Network(nn.Module):
    """Convolutional core shared by all units, and a spatial-transformer pyramid readout.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the images.
    units : int
    kind : str
        published (one unit a network) or shared.
    """

    def __init__(self, shape, units, kind="shared"):
        super().__init__()
        self.shape, self.units, self.kind = tuple(shape), units, kind
        self.layers = nn.ModuleList()
        for k, size in enumerate((KERNEL, HIDDEN_KERNEL, HIDDEN_KERNEL)):
            convolution = nn.Conv2d(CHANNELS if k else 1, CHANNELS, size, padding=size // 2, bias=False)
            nn.init.xavier_normal_(convolution.weight)
            self.layers.append(
                nn.Sequential(convolution, nn.AvgPool2d(1 if k else 2), nn.BatchNorm2d(CHANNELS), nn.ELU())
            )
        self.place = nn.Parameter(torch.empty(units, 2).uniform_(-0.1, 0.1))
        self.weights = nn.Parameter(torch.full((units, LEVELS, 3 * CHANNELS), 1e-3))
        self.bias = nn.Parameter(torch.zeros(units))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) in [0, 1] -> (n, units) expected counts, not negative."""
        x, maps = (images - 0.5) * 4, []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        x = torch.cat(maps, 1)
        grid = self.place.clamp(-1, 1).expand(len(images), 1, self.units, 2)
        z = self.bias
        for level in range(LEVELS):
            sampled = F.grid_sample(x, grid, align_corners=True)[:, :, 0]  # (n, channels, units)
            z = z + (sampled * self.weights[:, level].T).sum(1)
            x = F.avg_pool2d(_smooth(x), 2, ceil_mode=True) if level < LEVELS - 1 else x
        return F.elu(z) + 1

    def subset(self, units: Sequence[int]) -> Network:
        """Return the network of some of the units."""
        one = copy.deepcopy(self)
        for name in ("place", "weights", "bias"):
            setattr(one, name, nn.Parameter(getattr(self, name).data[list(units)].clone()))
        one.units = len(list(units))
        return one

    def penalty(self) -> torch.Tensor:
        """Smoothness of the first kernels, group sparsity of the others, L1 of the readout."""
        laplace = torch.tensor([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], dtype=torch.float32)
        rough = F.conv2d(self.layers[0][0].weight, laplace[None, None]).square().mean() / 2
        groups = sum(
            (layer[0].weight.square().sum((2, 3)) + 1e-12).sqrt().mean() for layer in list(self.layers)[1:]
        )
        return SMOOTHNESS * rough + SPARSITY * groups / 2 + FEATURE_L1 * self.weights.abs().sum((1, 2)).mean()


def fit_network(
    images: torch.Tensor, responses: np.ndarray, *, kind: str, seed: int, epochs: int = EPOCHS
) -> tuple[Network | SeparateNetworks, dict[str, list]]:
    """Train a network; part of the images given is kept aside to stop the training.

    Parameters
    ----------
    images : (n, 1, h, w) tensor
    responses : (n, units) array
        Mean counts.
    kind : str
        published: a network of its own for every unit; shared: one core for all.
    seed : int
    epochs : int
        At most, for each of the two learning rates together.

    Returns
    -------
    model : Network or SeparateNetworks
    history : dict of list
        epoch, train_loss, validation_loss, train_correlation, validation_correlation (of the units'
        mean); for published a list of such dicts, one a unit, under "units".
    """
    responses = torch.as_tensor(np.asarray(responses), dtype=torch.float32)
    if kind == "published":
        fits = [
            _train(images, responses[:, [u]], seed=seed + 1000 * u, kind=kind, epochs=epochs)
            for u in range(responses.shape[1])
        ]
        return SeparateNetworks([f[0] for f in fits]), {"units": [f[1] for f in fits]}
    model, history = _train(images, responses, seed=seed, kind=kind, epochs=epochs)
    return model, history


class SeparateNetworks(nn.Module):
    """One network a unit, as the original trained them."""

    def __init__(self, networks):
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.shape, self.units, self.kind = networks[0].shape, len(networks), "published"

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) -> (n, units)."""
        return torch.cat([network(images) for network in self.networks], 1)

    def subset(self, units: Sequence[int]) -> SeparateNetworks:
        """Return the networks of some of the units."""
        return SeparateNetworks([self.networks[u] for u in units])


def build(shape: tuple[int, int], units: int, kind: str) -> Network | SeparateNetworks:
    """Return an untrained model of a kind, to be filled with saved weights."""
    if kind == "published":
        return SeparateNetworks([Network(shape, 1, kind) for _ in range(units)])
    return Network(shape, units, kind)


def _smooth(x):
    weights = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    kernel = (weights[:, None] * weights).expand(x.shape[1], 1, 5, 5)
    return F.conv2d(x, kernel, padding=2, groups=x.shape[1])


def _train(images, responses, *, seed, kind, epochs):
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(images))
    kept = max(2, round(VALIDATION * len(images)))
    validation, train = order[:kept], order[kept:]
    model = Network(images.shape[-2:], responses.shape[1], kind)
    model.bias.data = responses[train].mean(0) - 1
    history = {
        name: []
        for name in ("epoch", "train_loss", "validation_loss", "train_correlation", "validation_correlation")
    }
    best, best_state, waited, rate = np.inf, None, 0, 0
    optimiser = torch.optim.Adam(model.parameters(), lr=RATES[0])
    for epoch in range(epochs):
        _epoch(model, images, responses, generator.permutation(train), optimiser)
        _record(model, images, responses, train, validation, epoch, history)
        if history["validation_loss"][-1] < best - 1e-4:
            best, waited = history["validation_loss"][-1], 0
            best_state = copy.deepcopy(model.state_dict())
        elif (waited := waited + 1) >= PATIENCE:
            if (rate := rate + 1) == len(RATES):
                break
            model.load_state_dict(best_state)
            optimiser, waited = torch.optim.Adam(model.parameters(), lr=RATES[rate]), 0
    model.load_state_dict(best_state)
    return model.eval(), history


def _epoch(model, images, responses, order, optimiser):
    model.train()
    for batch in np.array_split(order, -(-len(order) // BATCH)):
        loss = _poisson(model(images[batch]), responses[batch]) + model.penalty()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def _poisson(predicted, counts):
    return (predicted - counts * (predicted + 1e-6).log()).mean()


@torch.no_grad()
def _record(model, images, responses, train, validation, epoch, history):
    model.eval()
    history["epoch"].append(epoch + 1)
    for name, rows in (("train", train), ("validation", validation)):
        predicted = model(images[rows])
        a, b = predicted - predicted.mean(0), responses[rows] - responses[rows].mean(0)
        r = (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0)).clamp(min=1e-9)
        history[f"{name}_loss"].append(float(_poisson(predicted, responses[rows])))
        history[f"{name}_correlation"].append(float(r.mean()))
