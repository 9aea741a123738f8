"""Speed of most exciting inputs and what they reach, beside the published loop and peers.

    python benchmarks/bench_mei.py [--threads 2] [--only speed|ensemble|peers|truth]
                                   [--run build/simulated] [--packages FOLDER]

speed     image updates per second beside the original's loop, on its own network and step count
ensemble  seconds for the MEIs of 40 units, 4 starts each, on 5 fold models of the default model
peers     what each method reaches in truth on the same modules and budget
truth     true response to MEIs of the default model, beside the optimum and the best Gabor

`ensemble` and `truth` use the models of a finished run. A peer that is not installed is skipped:
`pip install --target FOLDER plenoptic==2.1.1` puts one into a folder of its own for --packages.
"""

import argparse
import contextlib
import io
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import ndimage
from torch import nn

from lib.data.session import load_session
from lib.data.simulated_neurons import TrueUnits, make_units
from lib.errors import InputError
from lib.files import required
from lib.gabors import search as gabor_search
from lib.mei import ascent, localise, search
from lib.mei import mask as mei
from lib.mei import truth as ground_truth
from lib.mei.ascent import AscentSettings
from lib.models import crossvalidation, ensemble
from lib.original import mei as original_mei
from lib.stimuli import contrast
from lib.stimuli.contrast import Target, set_mean_contrast

SHAPE, LEVEL = (60, 77), Target(mean=0.45, contrast=0.053)
PUBLISHED_SHAPE, PUBLISHED_STEPS, CHANNELS, LEVELS = (60, 96), 1000, 64, 3
PYRAMID = [
    [0.003765, 0.015019, 0.023792, 0.015019, 0.003765],
    [0.015019, 0.059912, 0.094907, 0.059912, 0.015019],
    [0.023792, 0.094907, 0.150342, 0.094907, 0.023792],
]
FINEST_DETAIL = 0.15  # cycles per degree, as in params.yml
NOT_GABOR = ("corner", "two_subunit", "spot")
GFLOP = 0.45  # arithmetic of one update of one image: forward, and backward to the image


class PublishedNetwork(nn.Module):
    """The original's architecture at random weights: three layers, pyramid readout of one unit."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        kernels = [(1, 4, 2), (CHANNELS, 3, 1), (CHANNELS, 3, 1)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(n, CHANNELS, k, padding=p, bias=False) for n, k, p in kernels
        )
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
                low,
                kernel,
                stride=2,
                padding=2,
                groups=channels,
                output_padding=[(s + 1) % 2 for s in y.shape[2:]],
            )
            levels.append(y - 4 * back)
            y = low
        place = self.place.expand(n, 1, 1, 2)
        sampled = [
            nn.functional.grid_sample(level, place, align_corners=True)[:, :, 0, 0] for level in (*levels, y)
        ]
        return torch.cat(sampled, 1) @ self.features[:, None]

    def forward(self, x):
        return self.readout(self.core(x))


class FoldedNetwork(nn.Module):
    """The same function for a trained network, with everything linear folded together.

    Norms into convolutions, the pool of the first layer into its kernel (4 and 2 make 5, stride 2),
    and the whole readout, pyramid included, into one product. `dtype` is that of the convolutions;
    processors with bfloat16 arithmetic do twice as much of it.
    """

    def __init__(self, network, dtype=torch.float32):
        super().__init__()
        self.convolutions = nn.ModuleList()
        for i, (convolution, norm) in enumerate(zip(network.convolutions, network.norms, strict=True)):
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            kernel = (convolution.weight * gain[:, None, None, None]).detach()
            if i == 0:
                kernel = nn.functional.conv2d(kernel, torch.full((1, 1, 2, 2), 0.25), padding=1)
            folded = nn.Conv2d(
                *kernel.shape[1::-1], kernel.shape[2], stride=2 if i == 0 else 1, padding=convolution.padding
            )
            folded.weight.data = kernel
            folded.bias.data = (norm.bias - gain * norm.running_mean).detach()
            self.convolutions.append(folded.requires_grad_(False))
        y = network.core(torch.zeros(1, 1, *PUBLISHED_SHAPE)).detach().requires_grad_(True)
        weights = torch.autograd.grad(network.readout(y).sum(), y)[0][0]
        weights = weights.reshape(3, CHANNELS, *weights.shape[1:]).permute(0, 2, 3, 1)
        self.register_buffer("weights", weights.flatten(1))
        self.convolutions.to(dtype)
        self.to(memory_format=torch.channels_last).eval()

    def forward(self, x):
        total, x = 0.0, x.to(self.convolutions[0].weight.dtype)
        for convolution, weights in zip(self.convolutions, self.weights, strict=True):
            x = nn.functional.elu(convolution(x))
            total = total + x.permute(0, 2, 3, 1).flatten(1).to(weights.dtype) @ weights
        return total[:, None]


def printed_loop(model, image, steps):
    """The original's loop as printed: one image, gradients of all weights, numpy and back."""
    for _ in range(steps):
        x = torch.tensor(image)[None, None].requires_grad_(True)
        model.zero_grad()
        (model(x).sum() - 2 * (0.2656 - x.std()).abs()).backward()
        image = image + 0.1 * x.grad[0, 0].numpy()
        image = ndimage.gaussian_filter(image, 1.0)
        image = (image - image.min()) / (image.max() - image.min())


def seconds(function, repeats=3, warm=True):
    """Shortest of some runs, after one to warm up."""
    if warm:
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
    """Milliseconds per update of one image, on the network of the original report."""
    model = PublishedNetwork()
    folded, halved = FoldedNetwork(model), FoldedNetwork(model, torch.bfloat16)
    images = torch.rand(4, 1, *PUBLISHED_SHAPE)
    assert torch.allclose(model(images), folded(images), atol=1e-5)
    noise = np.random.default_rng(0).random(PUBLISHED_SHAPE).astype(np.float32)

    def once(loop, steps=PUBLISHED_STEPS):
        return seconds(lambda: loop(model, noise, steps=steps), repeats=1, warm=False) / steps

    reached = {}

    def ours(module, n=16, steps=100):
        def run():
            found = search.most_exciting_input(module, PUBLISHED_SHAPE, LEVEL, **options)
            reached[module] = np.median(ensemble.predicted_responses(model, found.images[0]))

        settings = AscentSettings(steps=steps, tolerance=-1.0)
        options = dict(starts=("noise",) * n, settings=settings, batch_size=8)
        return seconds(run, repeats=1, warm=False) / n / steps

    rows = [
        ("original's loop as printed, one image, 1000 steps", once(printed_loop)),
        ("published_mei: the same without gradients of the weights", once(original_mei.published_mei)),
        ("most_exciting_input, 16 images, same module", ours(model)),
        ("most_exciting_input, 16 images, folded module", ours(folded)),
        ("the same, convolutions in bfloat16", ours(halved)),
        (f"arithmetic alone at this machine's peak ({peak():.0f} GFLOP/s)", GFLOP / peak()),
    ]
    print(f"\nOriginal's network, {torch.get_num_threads()} threads: one update of one image")
    print(f"{'':64}{'ms':>8}{'updates/s':>11}{'times':>8}   limit")
    for i, (name, s) in enumerate(rows):
        limit = "6 times" if i == 4 else ""
        print(f"{name:64}{1e3 * s:8.2f}{1 / s:11.0f}{rows[0][1] / s:8.1f}   {limit}")
    print(
        "Response of the module itself to the images of the bfloat16 one: "
        f"{reached[halved] / reached[model]:.4f} of that to the images of its own"
    )


def plain_ascent(model, start, steps):
    """Fixed steps along the gradient, projected to mean and contrast; the last iterate."""
    x = torch.tensor(start)[None, None]
    for _ in range(steps):
        x.requires_grad_(True)
        gradient = torch.autograd.grad(model(x)[0, 0], x)[0]
        x = x.detach() + 0.1 * LEVEL.contrast * ascent.unit_rms(gradient)
        x, _ = contrast.project(x, LEVEL)
    return x[0, 0].numpy()


def plenoptic_mad(model, start, steps):
    """plenoptic: the image that differs most from grey in response, at a fixed RMS from grey.

    Its maximally differentiating image, which is an MEI for these two measures; Adam, its default.
    """
    import plenoptic

    for parameter in model.parameters():
        parameter.requires_grad_(False)
    x = torch.full((1, 1, *start.shape), LEVEL.mean)
    run = plenoptic.MADCompetition(
        x,
        lambda a, b: (model(b) - model(a)).abs()[0, 0],
        lambda a, b: (b - a).square().mean().sqrt(),
        "max",
        metric_tradeoff_lambda=1e5,
    )
    for seed in range(100):  # noise at which a rectified unit is not silent
        plenoptic.set_seed(seed)
        noise = x + LEVEL.contrast * torch.randn_like(x)
        if model(noise) > model(x):
            break
    plenoptic.set_seed(seed)
    run.setup(initial_noise=LEVEL.contrast, optimizer_kwargs={"lr": 0.01, "amsgrad": True})
    with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has converged
        run.synthesize(steps)
    return contrast.project(run.mad_image.detach(), LEVEL)[0][0, 0].numpy()


def peers(count, steps=200):
    """True response to what each method makes on the true unit, as a part of the optimum."""
    table = make_units(48, seed=0)
    table = (
        table[~table.truth_kind.isin(["untuned", "silent"])].groupby("truth_kind").head(max(1, count // 7))
    )
    truth = TrueUnits(table).eval()
    best = np.array(
        [truth_response(truth, u, truth.optimal_image(i, SHAPE, LEVEL)) for u, i in enumerate(table.index)]
    )
    noise = ensemble.white_noise(1, SHAPE, seed=0)
    starts = [start_of(truth, u, noise) for u in range(len(table))]

    def ours():
        return search.most_exciting_input(
            truth, SHAPE, LEVEL, starts=("noise",), settings=AscentSettings(steps=steps)
        )

    def one_by_one(method):
        return np.stack(
            [method(truth.subset([i]).eval(), s) for i, s in zip(table.index, starts, strict=True)]
        )

    def published(model, start):
        return set_mean_contrast(original_mei.published_mei(model, start).image, LEVEL)

    methods = {
        "published, 1000 steps, 1 start": lambda: one_by_one(published),
        f"plain ascent, {steps} steps, 1 start": lambda: one_by_one(
            lambda model, start: plain_ascent(model, start, steps)
        ),
        f"plenoptic MADCompetition, {steps} steps, 1 start": lambda: one_by_one(
            lambda model, start: plenoptic_mad(model, start, steps)
        ),
        f"most_exciting_input, <= {steps} steps, 1 start": lambda: ours().best_images,
        f"most_exciting_input, <= {steps} steps, 4 starts": lambda: (
            search.most_exciting_input(truth, SHAPE, LEVEL, settings=AscentSettings(steps=steps)).best_images
        ),
    }
    print(
        f"\n{len(table)} true units of {table.truth_kind.nunique()} kinds, from white noise: "
        "true response as a part of the optimum's"
    )
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
    print(
        f"{name:52}{np.median(part):8.3f}{part.min():8.3f}{np.mean(part >= 0.95):8.2f}{took:9.1f}   {limit}"
    )


def truth_response(truth, unit, image):
    return ensemble.predicted_responses(truth, image[None])[0, unit]


def start_of(truth, unit, noise):
    """White noise, its contrast reversed where a rectified unit is silent; as ours begins."""
    x, _ = contrast.project(noise, LEVEL)
    gradient = torch.autograd.grad(truth(x.requires_grad_(True))[0, unit], x)[0]
    if gradient.abs().max() == 0:
        x, _ = contrast.project(-noise, LEVEL)
    return x.detach()[0, 0].numpy()


# ---- the default model --------------------------------------------------------------------------


def simulated_run(folder):
    """Of a finished run: session, true units that prefer something, fold models of these units."""
    session = load_session(folder)
    truth = TrueUnits.load(Path(folder) / "truth.h5").subset(session.unit_ids)
    tuned = np.flatnonzero(~truth.table.truth_kind.isin(["untuned", "silent"]))
    members = crossvalidation.load_ensemble(
        required(Path(folder) / "models" / "v1", "04_cnn"), units=tuned.tolist()
    ).models
    level = Target(session.mean_luminance, 0.2 * session.target_contrast)
    return session, truth.subset(session.unit_ids[tuned]).eval(), members, level


def ensemble_speed(folder, units=40, starts=4, size=5):
    """Seconds for the MEIs of an ensemble of the default model."""
    session, _, members, level = simulated_run(folder)
    members = [m.subset([u % len(m.bias) for u in range(units)]) for m in members[::2][:size]]
    start = time.perf_counter()
    found = search.most_exciting_input(
        ensemble.MeanModel(members).eval(),
        session.images.shape[1:],
        level,
        starts=("noise",) * (starts - 1) + ("grey",),
        settings=AscentSettings(highest_frequency=FINEST_DETAIL * session.degrees_per_pixel),
    )
    took = time.perf_counter() - start
    print(
        f"\nDefault model, {torch.get_num_threads()} threads: MEIs of {units} units, {starts} starts "
        f"each, {len(members)} fold models, {session.images.shape[1:]} pixels: {took:.0f} s, "
        f"{1e3 * took / found.iterations.sum():.2f} ms an update (median of "
        f"{np.median(found.iterations):.0f} updates, {100 * found.converged.mean():.0f} % converged)"
        "   limit 60 s"
    )


def truth_table(folder):
    """Per unit, parts of the true optimum that MEIs and the best Gabor of the default model reach."""
    session, truth, members, level = simulated_run(folder)
    shape, degrees = session.images.shape[1:], session.degrees_per_pixel
    makers = ensemble.MeanModel(ensemble.split_members(members)[0]).eval()
    gabors = gabor_search.best_gabor(
        makers, shape, level, degrees_per_pixel=degrees, grid="coarse", refine_from=5
    ).images
    limit, everything = FINEST_DETAIL * degrees, ensemble.MeanModel(members).eval()
    made = {
        "MEI": (makers, limit),
        "one model": (members[0], limit),
        "all models": (everything, limit),
        "no limit": (makers, None),
    }
    ends = {
        name: search.most_exciting_input(
            model,
            shape,
            level,
            starts=("noise", "noise", "grey", "natural"),
            images=session.images,
            settings=AscentSettings(highest_frequency=limit),
        )
        for name, (model, limit) in made.items()
    }
    meis = {name: localise.localise(made[name][0], end).best_images for name, end in ends.items()}
    meis |= {"ascent": ends["MEI"].best_images, "ascent, no limit": ends["no limit"].best_images}
    masks = [mei.mei_mask(makers, image, level, unit=u).mask for u, image in enumerate(meis["MEI"])]
    grey, optimum = ground_truth.reference_responses(truth, shape, level)
    natural = set_mean_contrast(session.images, level)
    chosen = ensemble.predicted_responses(makers, natural).argmax(0)
    stimuli = meis | {"Gabor": gabors, "natural image": natural[chosen]}
    stimuli |= {
        f"{name} in mask": np.stack(
            [set_mean_contrast(image, level.within(mask)) for image, mask in zip(stimuli[name], masks)]
        )
        for name in ("MEI", "Gabor")
    }
    return pd.DataFrame(
        {"kind": truth.table.truth_kind, "grey": grey / optimum}
        | {
            name: ensemble.predicted_responses(truth, images).diagonal() / optimum
            for name, images in stimuli.items()
        }
    )


def report_truth(table):
    kinds = table.kind.map(lambda k: k if k in ("simple", "complex") else "other kinds")
    print(
        "\nDefault model: median true response as a part of the optimum's "
        "(limit: simple and complex .95, other kinds .85, for the MEI)"
    )
    values = table.drop(columns="kind")
    medians = pd.concat(
        [
            values.groupby(kinds).median(),
            values.groupby(table.kind).median(),
            values.median().to_frame("all").T,
        ]
    )
    counts = {**kinds.value_counts(), **table.kind.value_counts()}
    medians.insert(0, "units", [counts.get(name, len(table)) for name in medians.index])
    print(medians[~medians.index.duplicated()].round(3).to_string())
    odd = table[table.kind.isin(NOT_GABOR)]
    print(
        f"MEI at least as good in truth as the best Gabor: {100 * np.mean(odd.Gabor <= odd.MEI):.0f} "
        f"% of {len(odd)} units whose optimum is not a Gabor (limit 95 %), "
        f"{100 * np.mean(table.Gabor <= table.MEI):.0f} % of all {len(table)}"
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--units", type=int, default=14)
    parser.add_argument("--only", choices=("speed", "ensemble", "peers", "truth"))
    parser.add_argument("--run", type=Path, default=Path("build/simulated"))
    parser.add_argument("--packages", help="folder that holds plenoptic")
    parser.add_argument("--real", help="not used: responses here are simulated")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    sys.path += [arguments.packages] if arguments.packages else []
    parts = {
        "speed": speed,
        "peers": lambda: peers(arguments.units),
        "ensemble": lambda: ensemble_speed(arguments.run),
        "truth": lambda: report_truth(truth_table(arguments.run)),
    }
    for name in [arguments.only] if arguments.only else parts:
        try:
            parts[name]()
        except InputError as missing:
            print(f"\n{name}: skipped: {missing}")


if __name__ == "__main__":
    main()
