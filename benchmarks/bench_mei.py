"""Speed of most exciting inputs and what they reach, beside the published loop and peers.

    python benchmarks/bench_mei.py [--threads 2] [--units 12] [--only speed|peers]

Limits beside our figures: 6 times the image updates per second of the original report's loop on
its own network; .95 of the true optimum for simulated units. `neuro-mei` (the Sinz laboratory's
library, pip install --no-deps neuro-mei) is compared where it is installed.
"""

import argparse
import contextlib
import io
import time

import numpy as np
import torch
from torch import nn

from lib import mei
from lib.stimuli import set_mean_contrast
from lib.truth import TrueUnits, make_units

SHAPE, LEVEL = (60, 77), dict(mean=0.45, contrast=0.053)
PUBLISHED_SHAPE, CHANNELS, LEVELS = (60, 96), 64, 3
GFLOP = 0.45        # arithmetic of one update of one image: forward, and backward to the image
PYRAMID = [[0.003765, 0.015019, 0.023792, 0.015019, 0.003765],
           [0.015019, 0.059912, 0.094907, 0.059912, 0.015019],
           [0.023792, 0.094907, 0.150342, 0.094907, 0.023792]]


class PublishedNetwork(nn.Module):
    """The original's architecture at random weights: three layers, pyramid readout of one unit."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        kernels = [(1, 4, 2), (CHANNELS, 3, 1), (CHANNELS, 3, 1)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(n, CHANNELS, k, padding=p, bias=False) for n, k, p in kernels)
        self.norms = nn.ModuleList(nn.BatchNorm2d(CHANNELS) for _ in kernels)
        self.register_buffer("filter", torch.tensor(PYRAMID + PYRAMID[1::-1]))
        features = CHANNELS * len(kernels)
        self.place = nn.Parameter(torch.tensor([0.05, -0.05]))
        self.features = nn.Parameter(torch.rand(features * (LEVELS + 1)) / features)
        self.eval()

    def core(self, x):
        """(n, 1, 60, 96) -> (n, features, 30, 48), the layers side by side."""
        layers = []
        for i, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            x = convolution(x)
            x = nn.functional.elu(norm(nn.functional.avg_pool2d(x, 2) if i == 0 else x))
            layers.append(x)
        return torch.cat(layers, 1)

    def readout(self, y):
        """(n, features, 30, 48) -> (n, 1)."""
        n, channels = y.shape[:2]
        kernel = self.filter.expand(channels, 1, 5, 5).contiguous()
        levels = []
        for _ in range(LEVELS):
            low = nn.functional.conv2d(y, kernel, padding=2, groups=channels)[:, :, ::2, ::2]
            back = nn.functional.conv_transpose2d(
                low, kernel, stride=2, padding=2, groups=channels,
                output_padding=[(s + 1) % 2 for s in y.shape[2:]])
            levels.append(y - 4 * back)
            y = low
        place = self.place.expand(n, 1, 1, 2)
        sampled = [nn.functional.grid_sample(level, place, align_corners=True)[:, :, 0, 0]
                   for level in (*levels, y)]
        return torch.cat(sampled, 1) @ self.features[:, None]

    def forward(self, x):
        return self.readout(self.core(x))


class FoldedNetwork(nn.Module):
    """The same function for a trained network, with everything linear folded together.

    Norms into convolutions, the pool of the first layer into its kernel (4 and 2 make 5, stride 2),
    and the whole readout, pyramid included, into one product.
    """

    def __init__(self, network):
        super().__init__()
        self.convolutions = nn.ModuleList()
        for i, (convolution, norm) in enumerate(
                zip(network.convolutions, network.norms, strict=True)):
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            kernel = (convolution.weight * gain[:, None, None, None]).detach()
            if i == 0:
                kernel = nn.functional.conv2d(kernel, torch.full((1, 1, 2, 2), 0.25), padding=1)
            folded = nn.Conv2d(*kernel.shape[1::-1], kernel.shape[2], stride=2 if i == 0 else 1,
                               padding=convolution.padding)
            folded.weight.data = kernel
            folded.bias.data = (norm.bias - gain * norm.running_mean).detach()
            self.convolutions.append(folded.requires_grad_(False))
        y = network.core(torch.zeros(1, 1, *PUBLISHED_SHAPE)).detach().requires_grad_(True)
        weights = torch.autograd.grad(network.readout(y).sum(), y)[0][0]
        weights = weights.reshape(3, CHANNELS, *weights.shape[1:]).permute(0, 2, 3, 1)
        self.register_buffer("weights", weights.flatten(1))
        self.to(memory_format=torch.channels_last).eval()

    def forward(self, x):
        total = 0.0
        for convolution, weights in zip(self.convolutions, self.weights, strict=True):
            x = nn.functional.elu(convolution(x))
            total = total + x.permute(0, 2, 3, 1).flatten(1) @ weights
        return total[:, None]


def printed_loop(model, image, steps):
    """The original's loop as printed: one image, gradients of all weights, numpy and back."""
    for step in range(1, steps + 1):
        x = torch.tensor(image)[None, None].requires_grad_(True)
        model.zero_grad()
        (model(x).sum() - 2 * (0.2656 - x.std()).abs()).backward()
        image = image + 0.1 * x.grad[0, 0].numpy()
        image = mei.ndimage.gaussian_filter(image, 1.0)
        image = (image - image.min()) / (image.max() - image.min())


def seconds(function, repeats=3):
    """Shortest of some runs, after one to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def peak():
    """GFLOP/s of a large matrix product on these threads."""
    a = torch.rand(2048, 2048)
    return 2 * 2.048**3 / seconds(lambda: a @ a)


def speed():
    """Milliseconds per update of one image, on the published network."""
    network = PublishedNetwork()
    folded = FoldedNetwork(network)
    images = torch.rand(4, 1, *PUBLISHED_SHAPE)
    assert torch.allclose(network(images), folded(images), atol=1e-5)
    noise = np.random.default_rng(0).random(PUBLISHED_SHAPE).astype(np.float32)

    def ours(model, n=16, steps=25):
        options = dict(starts=("noise",) * n, steps=steps, tolerance=-1.0, batch_size=16)
        return seconds(lambda: mei.most_exciting_input(
            model, PUBLISHED_SHAPE, **LEVEL, **options), repeats=2) / n / steps

    rows = [("loop as printed, one image", seconds(lambda: printed_loop(network, noise, 10)) / 10),
            ("most_exciting_input, same module", ours(network)),
            ("most_exciting_input, folded module", ours(folded)),
            (f"arithmetic alone at this machine's peak ({peak():.0f} GFLOP/s)", GFLOP / peak())]
    print(f"\nPublished network, {torch.get_num_threads()} threads: one update of one image")
    print(f"{'':64}{'ms':>8}{'updates/s':>11}{'times':>8}   limit")
    for i, (name, s) in enumerate(rows):
        limit = "6 times" if i in (1, 2) else ""
        print(f"{name:64}{1e3 * s:8.2f}{1 / s:11.0f}{rows[0][1] / s:8.1f}   {limit}")


def plain_ascent(model, start, steps):
    """Fixed steps along the gradient, projected to mean and contrast; the last iterate."""
    x = torch.tensor(start)[None, None]
    for _ in range(steps):
        x.requires_grad_(True)
        gradient = torch.autograd.grad(model(x)[0, 0], x)[0]
        x = x.detach() + 0.1 * LEVEL["contrast"] * mei._unit_rms(gradient)
        x, _ = mei.project(x, **LEVEL)
    return x[0, 0].numpy()


def sinz_library(model, start, steps):
    """neuro-mei with blurred gradients, its SGD, and mean and contrast set after every step."""
    from mei.optimization import MEI, optimize
    from mei.stoppers import NumIterations
    from mei.tracking import Tracker

    def blurred(gradient, _):
        smooth = mei.ndimage.gaussian_filter(gradient.numpy(), (0, 0, 1, 1))
        return mei._unit_rms(torch.from_numpy(smooth))

    x = torch.tensor(start)[None, None]
    with contextlib.redirect_stdout(io.StringIO()):
        run = MEI(lambda i: model(i)[0, 0], x, torch.optim.SGD([x], lr=0.1 * LEVEL["contrast"]),
                  transparency=None, inhibitory=None, precondition=blurred,
                  postprocessing=lambda i, _: mei.project(i, **LEVEL)[0])
        _, found = optimize(run, NumIterations(steps), Tracker())
    return found.detach()[0, 0].numpy()


def peers(count, steps=200):
    """True response to what each method makes on the true unit, as a part of the optimum."""
    table = make_units(48, seed=0)
    table = table[~table.truth_kind.isin(["untuned", "silent"])].groupby("truth_kind").head(
        max(1, count // 7))
    truth = TrueUnits(table).eval()
    best = np.array([truth_response(truth, u, truth.optimal_image(i, SHAPE, **LEVEL))
                     for u, i in enumerate(table.index)])
    noise = mei._noise(1, SHAPE, seed=0)
    starts = [start_of(truth, u, noise) for u in range(len(table))]

    def ours():
        return mei.most_exciting_input(truth, SHAPE, **LEVEL, starts=("noise",), steps=steps)

    def one_by_one(method):
        return np.stack([method(truth.subset([i]).eval(), s)
                         for i, s in zip(table.index, starts, strict=True)])

    def published(model, start):
        return set_mean_contrast(mei.published_mei(model, start).image, **LEVEL)

    methods = {
        "published, 1000 steps, 1 start": lambda: one_by_one(published),
        f"plain ascent, {steps} steps, 1 start": lambda: one_by_one(
            lambda model, start: plain_ascent(model, start, steps)),
        f"neuro-mei, {steps} steps, 1 start": lambda: one_by_one(
            lambda model, start: sinz_library(model, start, steps)),
        f"most_exciting_input, <= {steps} steps, 1 start": lambda: ours().best_images,
        f"most_exciting_input, <= {steps} steps, 4 starts": lambda: mei.most_exciting_input(
            truth, SHAPE, **LEVEL, steps=steps).best_images,
    }
    print(f"\n{len(table)} true units of {table.truth_kind.nunique()} kinds, from white noise: "
          "true response as a part of the optimum's")
    print(f"{'':52}{'median':>8}{'lowest':>8}{'>= .95':>8}{'seconds':>9}   limit")
    for name, method in methods.items():
        report(name, method, truth, best)


def report(name, method, truth, best):
    start = time.perf_counter()
    try:
        images = method()
    except ModuleNotFoundError as missing:
        print(f"{name:52}not installed ({missing.name})")
        return
    took = time.perf_counter() - start
    part = np.array([truth_response(truth, u, i) for u, i in enumerate(images)]) / best
    limit = "median .95" if name.startswith("most") else ""
    print(f"{name:52}{np.median(part):8.3f}{part.min():8.3f}{np.mean(part >= 0.95):8.2f}"
          f"{took:9.1f}   {limit}")


def truth_response(truth, unit, image):
    return mei.predicted_responses(truth, image[None])[0, unit]


def start_of(truth, unit, noise):
    """White noise, its contrast reversed where a rectified unit is silent; as ours begins."""
    x, _ = mei.project(noise, **LEVEL)
    gradient = torch.autograd.grad(truth(x.requires_grad_(True))[0, unit], x)[0]
    if gradient.abs().max() == 0:
        x, _ = mei.project(-noise, **LEVEL)
    return x.detach()[0, 0].numpy()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--units", type=int, default=14)
    parser.add_argument("--only", choices=("speed", "peers"))
    parser.add_argument("--real", help="not used: responses here are simulated")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.only != "peers":
        speed()
    if arguments.only != "speed":
        peers(arguments.units)
