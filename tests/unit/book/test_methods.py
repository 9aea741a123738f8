"""Every equation of the chapter on methods, written out in loops as it stands there, against lib."""

import itertools
import math
import re

import numpy as np
import pytest
import torch

from lib.files import ROOT
from lib.mei import ascent, search
from lib.models import cores, crossvalidation, v1
from lib.original import mei as original_mei
from lib.responses import reliability, selection
from lib.stimuli import metrics, patterns
from lib.stimuli.contrast import Target

T, I = 6, 9
RNG = np.random.default_rng(4)
RATES = RNG.gamma(1.0, 3.0, I)
COUNTS = RNG.poisson(RATES, (T, I)).astype(float)
C = COUNTS.tolist()
Y = [sum(C[t][i] for t in range(T)) / T for i in range(I)]
ALL = [C[t][i] for t in range(T) for i in range(I)]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def var(values):
    values = list(values)
    return sum((v - mean(values)) ** 2 for v in values) / (len(values) - 1)


def corr(a, b):
    ma, mb = mean(a), mean(b)
    product = sum((x - ma) * (y - mb) for x, y in zip(a, b))
    return product / math.sqrt(sum((x - ma) ** 2 for x in a) * sum((y - mb) ** 2 for y in b))


NOISE = mean(var(C[t][i] for t in range(T)) for i in range(I))
CC_MAX = math.sqrt(
    (var(sum(C[t][i] for t in range(T)) for i in range(I)) - sum(var(C[t]) for t in range(T)))
    / (T * (T - 1))
    / var(Y)
)
PREDICTED = [0.7 * rate + 0.5 for rate in RATES]


def of_one(function, *arguments):
    return float(function(*arguments)[0])


def sparseness():
    as_written = (1 - mean(Y) ** 2 / mean(y * y for y in Y)) / (1 - 1 / I)
    return as_written, of_one(selection.lifetime_sparseness, np.array(Y)[:, None])


def entropy():
    share = [ALL.count(value) / len(ALL) for value in set(ALL)]
    as_written = -sum(p * math.log2(p) for p in share) + (len(share) - 1) / (2 * len(ALL) * math.log(2))
    return as_written, of_one(selection.response_entropy, COUNTS[..., None])


def oracle():
    others = [mean(C[s][i] for s in range(T) if s != t) for t in range(T) for i in range(I)]
    return corr(ALL, others), of_one(reliability.oracle_correlation, COUNTS[..., None])


def split_half():
    """All ways to deal two repeats of five images into halves, against many random ones."""
    ways = itertools.product((0, 1), repeat=5)
    r = mean(corr([C[way[i]][i] for i in range(5)], [C[1 - way[i]][i] for i in range(5)]) for way in ways)
    computed = reliability.split_half_reliability(COUNTS[:2, :5, None], splits=20_000)
    return 2 * r / (1 + r), float(computed[0]), 0.01


def explainable():
    return 1 - NOISE / var(ALL), of_one(reliability.explainable_variance, COUNTS[..., None])


def ceiling():
    return CC_MAX, of_one(reliability.cc_max, COUNTS[..., None])


def scores():
    return crossvalidation.prediction_scores(np.array(PREDICTED)[:, None], COUNTS[..., None]).loc[0]


def normalised():
    return corr(PREDICTED, Y) / CC_MAX, scores().cc_norm


def explained():
    error = mean((C[t][i] - PREDICTED[i]) ** 2 for t in range(T) for i in range(I))
    return 1 - (error - NOISE) / (var(ALL) - NOISE), scores().feve


def kernel():
    """The groups' kernels, and the pooled ones of all but simple cells; unit weights and no noise."""
    core = cores.V1Core((12, 16), degrees_per_pixel=4.0)
    phi = v1._by_place(
        torch.as_tensor(
            RNG.normal(size=(2, sum(int(np.prod(shape)) for _, shape in core.groups))), dtype=torch.float32
        ),
        core,
    )
    omega = [torch.rand(1, part.shape[2]) for part in phi]
    total = 0.0
    for (family, _), part, window in zip(core.groups, phi, omega):
        x, y, w = part[0].double().numpy(), part[1].double().numpy(), window[0].double().numpy()
        total += sum(w[p] * sum(x[c, p] * y[c, p] for c in range(len(x))) for p in range(len(w)))
        if family != "simple":
            total += sum(
                sum(w[p] * x[c, p] for p in range(len(w))) * sum(w[p] * y[c, p] for p in range(len(w)))
                for c in range(len(x))
            )
    return total, float(sum(v1._kernels(phi, core, omega))[0, 0, 1])


def readout():
    core = cores.PixelCore((4, 4), degrees_per_pixel=1.0)
    model = v1.ResponseModel(core, torch.full((1, 16), 0.3), torch.tensor([0.8]), squared=True)
    image = torch.linspace(0.2, 0.9, 16).reshape(1, 1, 4, 4)
    z = 0.8 + 0.3 * sum(value - 0.5 for value in image.flatten().tolist())
    return (math.log1p(math.exp(8 * z)) / 8) ** 2, float(model(image))


def constraint():
    """The image of a unit whose optimum is known, at its mean and contrast and in the range."""
    unit = original_mei.IsotropicUnit((15, 21)).eval()
    found = search.most_exciting_input(unit, (15, 21), Target(mean=0.4, contrast=0.05), starts=("noise",))
    image = found.best_images[0].astype(float)
    assert image.min() >= 0 and image.max() <= 1
    assert abs(image.mean() - 0.4) < 1e-5 and abs(image.std() - 0.05) < 1e-5
    profile = unit.profile.double().numpy()
    optimum = 0.4 + 0.05 * profile / profile.std()
    return 1.0, corr(optimum.ravel().tolist(), image.ravel().tolist()), 0.02


def step():
    """The filter of the second step of a hundred: a tenth of the blur is gone."""
    nu = torch.tensor([0.05, 0.2])
    weights, _ = ascent.AscentSettings(steps=100, blur=2.0, frequency_exponent=0.25).weights(2, nu)
    ratio = [
        0.05**-0.25 * math.exp(-2 * math.pi**2 * 1.8**2 * 0.05**2),
        0.2**-0.25 * math.exp(-2 * math.pi**2 * 1.8**2 * 0.2**2),
    ]
    return ratio[0] / ratio[1], float(weights[0] / weights[1])


def patch():
    x0, y0, theta, k, phi, sigma, gamma = 3.0, -2.0, 30.0, 0.08, 0.2, 6.0, 1.7
    image = patterns.gabor(
        (20, 30),
        degrees_per_pixel=1.5,
        x=x0,
        y=y0,
        orientation=theta,
        spatial_frequency=k,
        phase=phi,
        sigma=sigma,
        aspect=gamma,
    )
    row, column = 6, 19
    x, y = (column - 14.5) * 1.5 - x0, (9.5 - row) * 1.5 - y0
    turn = math.radians(theta)
    p, q = x * math.cos(turn) - y * math.sin(turn), y * math.cos(turn) + x * math.sin(turn)
    value = math.exp(-(p**2 + q**2 / gamma**2) / (2 * sigma**2)) * math.cos(2 * math.pi * (k * p + phi))
    return value, image[row, column]


def symmetry():
    image = RNG.normal(size=(16, 16))
    power, angles = metrics.orientation_power(image, degrees_per_pixel=1.0)
    along = sum(p * math.cos(4 * a) for p, a in zip(power, angles))
    across = sum(p * math.sin(4 * a) for p, a in zip(power, angles))
    return (math.hypot(along, across) / sum(power), metrics.symmetry_index(image, 2, degrees_per_pixel=1.0))


EQUATIONS = {
    "sparseness": sparseness,
    "entropy": entropy,
    "oracle": oracle,
    "reliability": split_half,
    "fev": explainable,
    "ccmax": ceiling,
    "kernel": kernel,
    "readout": readout,
    "ccnorm": normalised,
    "feve": explained,
    "mei": constraint,
    "step": step,
    "gabor": patch,
    "symmetry": symmetry,
}
PLAIN = {"contrast"}  # a mean of standard deviations


@pytest.mark.parametrize("label", EQUATIONS)
def test_the_code_does_what_the_equation_says(label):
    as_written, computed, *tolerance = EQUATIONS[label]()
    assert computed == pytest.approx(as_written, rel=tolerance[0] if tolerance else 1e-4)


def test_each_equation_of_the_chapter_is_tested_here():
    labels = re.findall(r"\$\$ \(method-(\w+)\)", (ROOT / "book/methods.md").read_text())
    assert set(labels) == set(EQUATIONS) | PLAIN and len(labels) == len(set(labels))
