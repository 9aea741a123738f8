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
import threading
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
SEEDED = threading.Lock()  # folds are trained side by side, and torch has one source of random numbers


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
            kind_of = nn.Conv2d if k else _PooledConvolution
            convolution = kind_of(CHANNELS if k else 1, CHANNELS, size, padding=size // 2, bias=False)
            nn.init.xavier_normal_(convolution.weight)
            self.layers.append(nn.Sequential(convolution, nn.BatchNorm2d(CHANNELS), nn.ELU()))
        self.place = nn.Parameter(torch.empty(units, 2).uniform_(-0.1, 0.1))
        self.weights = nn.Parameter(torch.full((units, LEVELS, 3 * CHANNELS), 1e-3))
        self.bias = nn.Parameter(torch.zeros(units))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) in [0, 1] -> (n, units) expected counts, not negative."""
        x, maps = (images - 0.5) * 4, []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        across, down = (
            _seen(place, n) for place, n in zip(self.place.clamp(-1, 1).T, (x.shape[3], x.shape[2]))
        )
        along = torch.cat([x @ across.flatten(0, 1).T for x in maps], 1)
        sampled = (along.unflatten(3, across.shape[:2]) * down.permute(2, 0, 1)).sum(2)
        z = torch.einsum("nclu,ulc->nu", sampled, self.weights) + self.bias
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
        epoch, train_loss and train_correlation (of what was predicted, in training mode, before each
        step), validation_loss and validation_correlation (of the units' mean); for published a list of
        such dicts, one a unit, under "units".
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


class _PooledConvolution(nn.Conv2d):
    """A convolution and then the mean of 2 x 2 of its pixels, as one convolution with stride 2."""

    def forward(self, images):
        kernel = F.avg_pool2d(F.pad(self.weight, (1, 1, 1, 1)), 2, 1)
        return F.conv2d(images, kernel, stride=2, padding=self.padding)


def _seen(place, n):
    """Weights (levels, units, n) along one axis with which a place (units,), -1 to 1, sees each level.

    The pyramid and the sample at a place are linear and act on each axis alone: a level is the mean of two
    pixels of the one below, after a binomial filter, and a place between two pixels is read from both.
    """
    level, seen = torch.eye(n), []
    for _ in range(LEVELS):
        at = (place[:, None] + 1) / 2 * (len(level) - 1) - torch.arange(len(level))
        seen.append((1 - at.abs()).clamp(min=0) @ level)
        blurred = F.conv1d(level.T[:, None], torch.tensor([[[1.0, 4.0, 6.0, 4.0, 1.0]]]) / 16, padding=2)
        level = F.avg_pool1d(blurred, 2, ceil_mode=True)[:, 0].T
    return torch.stack(seen)


def _train(images, responses, *, seed, kind, epochs):
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(images))
    kept = max(2, round(VALIDATION * len(images)))
    validation, train = order[:kept], order[kept:]
    with SEEDED, torch.device("cpu"):  # the same beginning on every device
        torch.manual_seed(seed)
        model = Network(images.shape[-2:], responses.shape[1], kind)
    model = model.to(images.device)
    model.bias.data = responses[train].mean(0) - 1
    history = {
        name: []
        for name in ("epoch", "train_loss", "validation_loss", "train_correlation", "validation_correlation")
    }
    best, best_state, waited, rate = np.inf, None, 0, 0
    optimiser = torch.optim.Adam(model.parameters(), lr=RATES[0])
    for epoch in range(epochs):
        order = generator.permutation(train)
        learned = _epoch(model, images, responses, order, optimiser)
        history["epoch"].append(epoch + 1)
        _record("train", learned, responses[order], history)
        with torch.no_grad():
            _record("validation", model.eval()(images[validation]), responses[validation], history)
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
    """One epoch of training; returns what was predicted, in that order, before each step."""
    model.train()
    predictions = []
    for batch in np.array_split(order, -(-len(order) // BATCH)):
        predicted = model(images[batch])
        loss = _poisson(predicted, responses[batch]) + model.penalty()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        predictions.append(predicted.detach())
    return torch.cat(predictions)


def _poisson(predicted, counts):
    return (predicted - counts * (predicted + 1e-6).log()).mean()


def _record(name, predicted, responses, history):
    a, b = predicted - predicted.mean(0), responses - responses.mean(0)
    r = (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0)).clamp(min=1e-9)
    history[f"{name}_loss"].append(float(_poisson(predicted, responses)))
    history[f"{name}_correlation"].append(float(r.mean()))
