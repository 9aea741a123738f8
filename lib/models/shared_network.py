"""A convolutional core that all units share, each of which reads it at one place.

As large recordings are modelled today (Lurz, Bashiri, Willeke et al., ICLR 2021): a first layer that
begins as Gabors, depth-separable layers, and a Gaussian readout, whose place is drawn anew for every image
in training and so is found from afar. It begins where local luminance and contrast predict the unit best.
Worth its time where images are many: see the table of the methods.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from lib.models.network import HISTORY, SEEDED, poisson_loss, record

CHANNELS, FIRST_KERNEL, HIDDEN_KERNEL, LAYERS = 64, 13, 5, 2
SPREAD = 0.1  # of the readouts' places to begin with, in halves of the image
WEIGHT_L1, DECAY = 0.05, 1e-3
RATE, SLOWER, RATES = 5e-3, 0.3, 4
BATCH, ROUND, PATIENCE, ROUNDS = 64, 40, 5, 200  # steps a round; rounds of patience, and at most
VALIDATION = 0.1
CELL = 4  # pixels of the maps in which a readout's first place is looked for


class SharedNetwork(nn.Module):
    """Core and Gaussian readouts of some units, for images (h, w)."""

    def __init__(self, shape, units):
        super().__init__()
        self.shape, self.units = tuple(shape), units
        first = nn.Conv2d(1, CHANNELS, FIRST_KERNEL, stride=2, padding=FIRST_KERNEL // 2, bias=False)
        first.weight.data = gabors(CHANNELS, FIRST_KERNEL)
        layers = [nn.Sequential(first, nn.BatchNorm2d(CHANNELS), nn.ELU())]
        for _ in range(LAYERS - 1):
            apart = nn.Conv2d(
                CHANNELS, CHANNELS, HIDDEN_KERNEL, padding=HIDDEN_KERNEL // 2, groups=CHANNELS, bias=False
            )
            mixed = nn.Conv2d(CHANNELS, CHANNELS, 1, bias=False)
            layers.append(nn.Sequential(apart, mixed, nn.BatchNorm2d(CHANNELS), nn.ELU()))
        self.layers = nn.ModuleList(layers)
        self.place = nn.Parameter(torch.zeros(units, 2))
        self.spread = nn.Parameter(torch.full((units,), float(np.log(SPREAD))))
        self.weights = nn.Parameter(torch.full((units, LAYERS * CHANNELS), 1e-3))
        self.bias = nn.Parameter(torch.zeros(units))

    def forward(self, images: torch.Tensor, jitter: torch.Tensor | None = None) -> torch.Tensor:
        """(n, 1, h, w) in [0, 1] -> (n, units) expected counts, not negative.

        `jitter` (n, units, 2) moves the places that are read, in units of each readout's spread.
        """
        x, maps = (images - 0.5) * 4, []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        place = self.place.expand(len(images), -1, -1)
        if jitter is not None:
            place = place + jitter * self.spread.exp()[:, None]
        read = F.grid_sample(torch.cat(maps, 1), place.clamp(-1, 1)[:, :, None], align_corners=True)
        z = torch.einsum("ncu,uc->nu", read[..., 0], self.weights) + self.bias
        return F.elu(z) + 1

    def subset(self, units: Sequence[int]) -> SharedNetwork:
        """Return the network of some of the units."""
        one = copy.deepcopy(self)
        for name in ("place", "spread", "weights", "bias"):
            setattr(one, name, nn.Parameter(getattr(self, name).data[list(units)].clone()))
        one.units = len(list(units))
        return one


def gabors(number: int, size: int) -> torch.Tensor:
    """Gabors (number, 1, size, size) of unit norm and mean 0: all orientations and phases, four sizes."""
    at = np.arange(size) - size // 2
    x, y = np.meshgrid(at, at)
    wavelengths, filters = size / np.array([1.0, 1.5, 2.2, 3.3]), []
    for k in range(number):
        angle, phase = np.pi * (k // 4 % 8) / 8, np.pi / 2 * (k // 32)
        wave = wavelengths[k % 4]
        along = x * np.cos(angle) + y * np.sin(angle)
        one = np.exp(-(x**2 + y**2) / (2 * (wave / 2) ** 2)) * np.cos(2 * np.pi * along / wave + phase)
        one -= one.mean()
        filters.append(one / np.linalg.norm(one))
    return torch.as_tensor(np.array(filters)[:, None], dtype=torch.float32)


def first_places(images: torch.Tensor, responses: torch.Tensor) -> torch.Tensor:
    """Where local luminance and contrast predict each unit best: (units, 2) of x and y, -1 to 1.

    From `images` (n, 1, h, w) and `responses` (n, units).
    """
    x = images - images.mean()
    local = torch.cat([F.avg_pool2d(x, CELL), F.avg_pool2d(x.square(), CELL).sqrt()], 1)
    rows, columns = local.shape[2:]
    a, b = local.flatten(1), responses.clamp(min=0).sqrt()
    a, b = ((v - v.mean(0)) / v.std(0).clamp(min=1e-9) for v in (a, b))
    power = (b.T @ a / len(a)).square().view(-1, 2, rows, columns).sum(1, keepdim=True)
    best = F.avg_pool2d(power, 3, 1, 1).flatten(1).argmax(1)
    return torch.stack([(best % columns + 0.5) / columns * 2 - 1, (best // columns + 0.5) / rows * 2 - 1], 1)


def fit_shared(
    images: torch.Tensor, responses: np.ndarray, *, seed: int, rounds: int = ROUNDS
) -> tuple[SharedNetwork, dict[str, list]]:
    """Train a network on the mean counts (n, units) of all units; a part of the images stops the training.

    From images (n, 1, h, w), with Poisson loss and AdamW (Loshchilov & Hutter, ICLR 2019). When the kept
    images have not been predicted better for `PATIENCE` rounds, training goes on slower from the best state,
    `RATES` rates in all; a round is at least `ROUND` steps. The history is that of
    `lib.models.network.fit_networks`; an epoch is a round.
    """
    responses = torch.as_tensor(np.asarray(responses), dtype=torch.float32)
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(images))
    kept = max(2, round(VALIDATION * len(images)))
    validation, train = order[:kept], order[kept:]
    with SEEDED, torch.device("cpu"):  # the same beginning on every device
        torch.manual_seed(seed)
        model = SharedNetwork(images.shape[-2:], responses.shape[1])
    model = model.to(images.device)
    model.place.data = first_places(images[train], responses[train])
    model.bias.data = responses[train].mean(0) - 1
    history, best, waited, rate = {name: [] for name in HISTORY}, np.inf, 0, RATE
    optimiser = _optimiser(model, rate)
    for round_ in range(rounds):
        passes = max(1, round(ROUND * BATCH / len(train)))
        order = np.concatenate([generator.permutation(train) for _ in range(passes)])
        learned = _round(model, images, responses, order, optimiser, generator)
        history["epoch"].append(round_ + 1)
        record("train", learned, responses[order], history)
        record("validation", _predicted(model, images[validation]), responses[validation], history)
        if history["validation_loss"][-1] < best - 1e-4:
            best, waited, best_state = history["validation_loss"][-1], 0, copy.deepcopy(model.state_dict())
        elif (waited := waited + 1) == PATIENCE:
            if (rate := rate * SLOWER) < RATE * SLOWER ** (RATES - 0.5):
                break
            model.load_state_dict(best_state)
            optimiser, waited = _optimiser(model, rate), 0
    model.load_state_dict(best_state)
    return model.eval(), history


def _optimiser(model, rate):
    return torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=DECAY)


def _round(model, images, responses, order, optimiser, generator):
    """Steps through the images in an order; returns what was predicted before each."""
    model.train()
    predictions = []
    for batch in np.array_split(order, -(-len(order) // BATCH)):
        jitter = generator.normal(size=(len(batch), model.units, 2))
        predicted = model(images[batch], torch.as_tensor(jitter, dtype=torch.float32))
        loss = poisson_loss(predicted, responses[batch]) + WEIGHT_L1 * model.weights.abs().sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        predictions.append(predicted.detach())
    return torch.cat(predictions)


def _predicted(model, images):
    model.eval()
    with torch.no_grad():
        return torch.cat([model(part) for part in images.split(2 * BATCH)])
