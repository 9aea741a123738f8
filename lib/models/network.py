"""The network that the original report names, trained from scratch.

Three convolutional layers of 64 channels, average pooling in the first, batch norm and ELU after
each; all three layers' channels are read at one learned place of a Gaussian pyramid, one weight a
channel and level; the output is ELU(x) + 1, which the original states and never applies. After
Walker, Sinz, Cobos et al., Nat Neurosci 22:2060 (2019), whose settings of the training are used:
Poisson loss, Adam with 5e-3 and then 1e-3, early stopping. Kernels are odd (the original's
smoothness penalty fails on its 4 x 4 kernel) and start small enough for ELU.
"""

from __future__ import annotations

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
ACTIVATIONS = 16  # maps of all channels that a step of training holds, about
HISTORY = ("epoch", "train_loss", "validation_loss", "train_correlation", "validation_correlation")
SEEDED = threading.Lock()  # folds are trained side by side, and torch has one source of random numbers


class Network(nn.Module):
    """Convolutional core and spatial-transformer pyramid readout of a unit or several, for images (h, w)."""

    def __init__(self, shape, units=1):
        super().__init__()
        self.shape, self.units = tuple(shape), units
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

    def penalty(self) -> torch.Tensor:
        """Smoothness of the first kernels, group sparsity of the others, L1 of the readout."""
        laplace = torch.tensor([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], dtype=torch.float32)
        rough = F.conv2d(self.layers[0][0].weight, laplace[None, None]).square().mean() / 2
        groups = sum(
            (layer[0].weight.square().sum((2, 3)) + 1e-12).sqrt().mean() for layer in list(self.layers)[1:]
        )
        return SMOOTHNESS * rough + SPARSITY * groups / 2 + FEATURE_L1 * self.weights.abs().sum((1, 2)).mean()


def fit_networks(
    images: torch.Tensor, responses: np.ndarray, *, seed: int, epochs: int = EPOCHS
) -> tuple[SeparateNetworks, dict[str, list]]:
    """Train a network for each unit on its mean counts (n, units); part of the images stops the training.

    Images are (n, 1, h, w); `epochs` are at most those at both learning rates together. The history is
    {"units": [...]}, for each unit lists of epoch, train_loss and train_correlation (of what was predicted,
    in training mode, before each step), validation_loss and validation_correlation.
    """
    responses = torch.as_tensor(np.asarray(responses), dtype=torch.float32)
    fits = []
    for units in torch.arange(responses.shape[1]).split(_at_a_time(images)):
        seeds = [seed + 1000 * int(u) for u in units]
        fits += _train(images, responses.T[units][..., None], seeds=seeds, epochs=epochs)
    return SeparateNetworks([model for model, _ in fits]), {"units": [history for _, history in fits]}


class SeparateNetworks(nn.Module):
    """One network a unit, as the original trained them."""

    def __init__(self, networks):
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.shape, self.units = networks[0].shape, len(networks)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) -> (n, units)."""
        return torch.cat([network(images) for network in self.networks], 1)

    def subset(self, units: Sequence[int]) -> SeparateNetworks:
        """Return the networks of some of the units."""
        return SeparateNetworks([self.networks[u] for u in units])


class _PooledConvolution(nn.Conv2d):
    """A convolution and then the mean of 2 x 2 of its pixels, as one convolution with stride 2."""

    def forward(self, images):
        kernel = F.avg_pool2d(F.pad(self.weight, (1, 1, 1, 1)), 2, 1)
        return F.conv2d(images, kernel, stride=2, padding=self.padding)


def _at_a_time(images):
    """How many networks are trained side by side: one on a CPU, else what half the memory holds."""
    if images.device.type == "cpu":
        return 1
    height, width = images.shape[-2:]
    bytes_each = ACTIVATIONS * 4 * BATCH * CHANNELS * height * width / 4
    return max(1, int(torch.cuda.mem_get_info()[0] / 2 / bytes_each))


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


class _Stack:
    """Networks of one size, trained side by side by Adam (Kingma & Ba, ICLR 2015).

    `running` lists those that are still trained; the tensors hold a row for each.
    """

    BETAS, EPSILON = (0.9, 0.999), 1e-8

    def __init__(self, networks, device):
        self.objective = _Objective(networks[0])
        values = torch.func.stack_module_state(networks)
        self.parameters, self.buffers = (
            {f"network.{name}": value.detach().to(device) for name, value in some.items()} for some in values
        )
        zeros = {name: torch.zeros_like(value) for name, value in self.parameters.items()}
        self.moments = [{name: value.clone() for name, value in zeros.items()} for _ in self.BETAS]
        self.running, self.steps = list(range(len(networks))), torch.zeros(len(networks), device=device)

    def _call(self, *data):
        """The objective of each of the networks, whose data lie side by side."""
        call = torch.vmap(lambda *given: torch.func.functional_call(self.objective, given[:2], given[2:]))
        return call(self.parameters, self.buffers, *data)

    def step(self, images, counts, rates):
        """Take one step for each network; returns what they predicted before it."""
        self.objective.train()
        for value in self.parameters.values():
            value.requires_grad_(True)
        losses, predicted = self._call(images, counts)
        slopes = torch.autograd.grad(losses.sum(), list(self.parameters.values()))
        self.steps += 1
        size = torch.as_tensor(rates, dtype=torch.float32) / (1 - self.BETAS[0] ** self.steps)
        spread = (1 - self.BETAS[1] ** self.steps).sqrt()
        with torch.no_grad():
            for (name, value), slope in zip(self.parameters.items(), slopes):
                first, second = (moment[name] for moment in self.moments)
                first.lerp_(slope, 1 - self.BETAS[0])
                second.mul_(self.BETAS[1]).addcmul_(slope, slope, value=1 - self.BETAS[1])
                of_each = (-1, *[1] * (slope.dim() - 1))
                root = second.sqrt().div_(spread.view(of_each)).add_(self.EPSILON)
                value.sub_(first / root * size.view(of_each))
        return predicted.detach()

    def predict(self, images, counts):
        """Predictions of each network in evaluation mode, (networks, n, units)."""
        self.objective.eval()
        with torch.no_grad():
            return self._call(images, counts)[1]

    def copy(self, k):
        """State of network k, for `load_state_dict`."""
        row = self.running.index(k)
        values = self.parameters | self.buffers
        return {name.removeprefix("network."): v[row].detach().clone() for name, v in values.items()}

    def restart(self, k, state):
        """Give network k an earlier state and an optimiser that has seen nothing."""
        row = self.running.index(k)
        with torch.no_grad():
            for name, value in (self.parameters | self.buffers).items():
                value[row] = state[name.removeprefix("network.")]
        for moment in self.moments:
            for value in moment.values():
                value[row] = 0
        self.steps[row] = 0

    def keep(self, running):
        """Drop the networks that are not trained any more."""
        rows = [self.running.index(k) for k in running]
        if len(rows) < len(self.running):
            with torch.no_grad():
                for values in (self.parameters, self.buffers, *self.moments):
                    values.update({name: value[rows].detach() for name, value in values.items()})
            self.running, self.steps = running, self.steps[rows]


class _Objective(nn.Module):
    """The loss of a network's predictions, and these: what `torch.func` calls with stacked parameters."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images, counts):
        """(n, 1, h, w), (n, units) -> loss, (n, units)."""
        predicted = self.network(images)
        return poisson_loss(predicted, counts) + self.network.penalty(), predicted


def _train(images, responses, *, seeds, epochs):
    """Train networks of the same size side by side, each on its own units and in its own order.

    `images` (n, 1, h, w), `responses` (networks, n, units) and a seed for each; returns a list of (Network,
    history).
    """
    generators = [np.random.default_rng(seed) for seed in seeds]
    order = np.stack([generator.permutation(len(images)) for generator in generators])
    kept = max(2, round(VALIDATION * len(images)))
    validation, train = order[:, :kept], order[:, kept:]
    networks = []
    with SEEDED, torch.device("cpu"):  # the same beginning on every device
        for seed in seeds:
            torch.manual_seed(seed)
            networks.append(Network(images.shape[-2:], responses.shape[2]))
    for network, own, rows in zip(networks, responses, train):
        network.bias.data = own[rows].mean(0).to(network.bias.device) - 1
    state = _Stack(networks, images.device)
    history = [{name: [] for name in HISTORY} for _ in networks]
    best, best_state = np.full(len(networks), np.inf), [None] * len(networks)
    waited, rate = np.zeros((2, len(networks)), int)
    for epoch in range(epochs):
        running = state.running
        order = np.stack([generators[k].permutation(train[k]) for k in running])
        learned = _epoch(state, images, responses, order, [RATES[rate[k]] for k in running])
        rows = torch.as_tensor(running)[:, None]
        seen = state.predict(images[validation[running]], responses[rows, validation[running]])
        for k, rows, own, other in zip(running, order, learned, seen):
            history[k]["epoch"].append(epoch + 1)
            record("train", own, responses[k, rows], history[k])
            record("validation", other, responses[k, validation[k]], history[k])
            if history[k]["validation_loss"][-1] < best[k] - 1e-4:
                best[k], waited[k] = history[k]["validation_loss"][-1], 0
                best_state[k] = state.copy(k)
                continue
            waited[k] += 1
            if waited[k] == PATIENCE and rate[k] + 1 < len(RATES):
                rate[k], waited[k] = rate[k] + 1, 0
                state.restart(k, best_state[k])
        state.keep([k for k in running if waited[k] < PATIENCE])
        if not state.running:
            break
    for network, values in zip(networks, best_state):
        network.load_state_dict(values)
    return [(network.to(images.device).eval(), past) for network, past in zip(networks, history)]


def _epoch(state, images, responses, order, rates):
    """One epoch of training; returns what was predicted, in that order, before each step.

    `order` (networks, n) says which image each network sees when.
    """
    networks, predictions = torch.as_tensor(state.running)[:, None], []
    for batch in np.array_split(order, -(-order.shape[1] // BATCH), axis=1):
        predictions.append(state.step(images[batch], responses[networks, batch], rates))
    return torch.cat(predictions, 1)


def poisson_loss(predicted: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Mean negative log likelihood of Poisson counts, less what no prediction changes."""
    return (predicted - counts * (predicted + 1e-6).log()).mean()


def record(name: str, predicted: torch.Tensor, responses: torch.Tensor, history: dict) -> None:
    """Add loss and mean correlation of predictions (n, units) to a history of the training."""
    a, b = predicted - predicted.mean(0), responses - responses.mean(0)
    r = (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0)).clamp(min=1e-9)
    history[f"{name}_loss"].append(float(poisson_loss(predicted, responses)))
    history[f"{name}_correlation"].append(float(r.mean()))
