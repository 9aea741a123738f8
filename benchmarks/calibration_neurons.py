"""Neurons of many kinds, none of them made of the response model's features, to measure the verdict on.

Every neuron is a torch module, images (n, 1, h, w) -> expected counts (n, 1) in a window of 0.25 s. Its
filters are in degrees. What a kind combines are filter outputs over their root mean square on the
scenes; baseline and gain are then set so that the mean count and CCmax over the scenes are like
recorded ones.

`CHOSEN_ON` are the kinds on which rules may be chosen; `HELD_OUT` are for the report alone.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from lib.data.simulated_neurons import SCENE_HEIGHT
from lib.data.simulated_session import shared_gain
from lib.stimuli import patterns

CHOSEN_ON = (
    "simple",
    "spot",
    "curved",
    "cross_suppressed",
    "pool_divided",
    "texture",
    "luminance",
    "elongated",
    "high_frequency",
    "conjunction",
    "noise",
)
HELD_OUT = (
    "complex",
    "distant_fields",
    "size_tuned",
    "short",
    "low_frequency",
    "convnet",
    "on_off_imbalance",
    "drifting_gain",
)
MEAN_COUNT, CC_MAX = (0.5, 6.0), (0.8, 0.985)  # of the scenes: mean and reliability, as of recorded units
REPEATS, LEAST_BASELINE = 50, 0.05  # part of the mean count
CELL = 3.0  # degrees a pixel, of the images that random networks see


class Neuron(nn.Module):
    """Expected counts ``baseline + gain * drive ** exponent`` of one neuron; `drive` is of its kind."""

    def __init__(self, kind, drive, *, exponent, drift=0.0):
        super().__init__()
        self.kind, self.drive, self.exponent, self.drift = kind, drive, float(exponent), float(drift)
        self.baseline, self.gain = 0.0, 1.0

    def forward(self, images):
        raised = self.drive(images).clamp_min(1e-6) ** self.exponent
        return (self.baseline + self.gain * raised)[:, None]

    def calibrate(self, images, *, mean, cc_max):
        """Set baseline and gain for a mean count and CCmax over `images`, as far as no count is below 0."""
        with torch.no_grad():
            raised = self.drive(images).clamp_min(1e-6) ** self.exponent
        noise = (mean + 0.04 * mean**2) / REPEATS  # Poisson, and a shared gain of SD 0.2
        wanted = np.sqrt(cc_max**2 / (1 - cc_max**2) * noise)
        self.gain = float(min(wanted / raised.std(), (1 - LEAST_BASELINE) * mean / raised.mean()))
        self.baseline = float(mean - self.gain * raised.mean())
        return self


class Constant(nn.Module):
    """The drive of a neuron that no image moves, but for a slope that keeps a gradient in the graph."""

    def forward(self, images):
        return 1 + 0 * images.mean((1, 2, 3))


class Filters(nn.Module):
    """Outputs of linear filters over their root mean square on the scenes, combined by a function."""

    def __init__(self, filters, scenes, combine):
        super().__init__()
        weights = torch.tensor(filters.reshape(len(filters), -1), dtype=torch.float32)
        weights = weights / weights.norm(dim=1, keepdim=True)
        outputs = (scenes - scenes.mean()).flatten(1) @ weights.T
        self.register_buffer("weights", weights / outputs.square().mean(0).sqrt()[:, None])
        self.register_buffer("level", scenes.mean())
        self.combine = combine

    def forward(self, images):
        return self.combine((images - self.level).flatten(1) @ self.weights.T)


class RandomNetwork(nn.Module):
    """Two random convolutional layers on a coarse image, read through a Gaussian window."""

    def __init__(self, scenes, rng, *, degrees):
        super().__init__()
        shape = scenes.shape[-2:]
        self.size = tuple(max(12, round(n * degrees / CELL)) for n in shape)
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        ramp = torch.arange(7.0) - 3
        window = torch.exp(-(ramp[:, None] ** 2 + ramp**2) / (2 * rng.uniform(1.4, 2.0) ** 2))
        first = torch.randn((8, 1, 7, 7), generator=generator)
        first = F.avg_pool2d(first, 3, stride=1, padding=1) * window
        first = first - window * first.sum((2, 3), keepdim=True) / window.sum()
        self.first = first / first.flatten(1).norm(dim=1)[:, None, None, None]
        self.second = torch.randn((8, 8, 5, 5), generator=generator) / 200**0.5
        x, y = rng.uniform(-25, 25), rng.uniform(-18, 18)
        grid = patterns.pixel_grid(self.size, degrees_per_pixel=CELL)
        place = np.exp(-((grid[0] - x) ** 2 + (grid[1] - y) ** 2) / (2 * rng.uniform(4, 8) ** 2))
        self.place = torch.tensor(place / place.sum(), dtype=torch.float32)
        self.channels = torch.randn(8, generator=generator)
        self.one = self.two = self.centre = self.spread = None
        with torch.no_grad():
            a = self._first(scenes)
            self.one = a.square().mean((0, 2, 3)).sqrt()[:, None, None]
            b = self._second(a)
            self.two = b.square().mean((0, 2, 3)).sqrt()[:, None, None]
            z = self._read(b)
            self.centre, self.spread = z.mean(), z.std()

    def _first(self, images):
        coarse = F.interpolate(images - 0.45, size=self.size, mode="area")
        return F.conv2d(coarse, self.first, padding=3)

    def _second(self, a):
        return F.conv2d((a / self.one - 0.3).relu(), self.second, padding=2)

    def _read(self, b):
        return ((b / self.two).relu() * self.place).sum((2, 3)) @ self.channels

    def forward(self, images):
        z = self._read(self._second(self._first(images)))
        return F.softplus(2 * (z - self.centre) / self.spread) / 2


def make_neurons(kinds, scenes, *, seed, cc_max=CC_MAX):
    """Neurons of some kinds, at random parameters, calibrated on scenes.

    Parameters
    ----------
    kinds : dict of str to int
        How many of each.
    scenes : (n, h, w) array in [0, 1]
    seed : int or sequence of int
    cc_max : (float, float)
        Range of the reliability of the mean counts.

    Returns
    -------
    list of Neuron
    """
    rng = np.random.default_rng(seed)
    images = torch.as_tensor(scenes, dtype=torch.float32)[:, None]
    degrees = SCENE_HEIGHT / scenes.shape[1]
    neurons = []
    for kind, number in kinds.items():
        for _ in range(number):
            while True:  # a drive that few scenes reach is drawn anew: no experiment would keep it
                neuron = _draw(kind, images, rng, degrees)
                mean, wanted = np.exp(rng.uniform(*np.log(MEAN_COUNT))), rng.uniform(*cc_max)
                if kind == "noise":
                    neuron.baseline, neuron.gain = float(mean), 0.0
                    break
                neuron.calibrate(images, mean=mean, cc_max=wanted)
                if true_cc_max(neuron, images) >= cc_max[0]:
                    break
            neurons.append(neuron.eval())
    return neurons


def true_cc_max(neuron, images):
    """CCmax of the mean over `REPEATS` repeats, from the expected counts."""
    with torch.no_grad():
        expected = neuron(images)[:, 0].double()
    signal, mean = expected.var(), expected.mean()
    return float((signal / (signal + (mean + 0.04 * (mean**2 + signal)) / REPEATS)).sqrt())


def record(neurons, scenes, *, seed, repeats=REPEATS):
    """Poisson counts (repeats, images, neurons) under a shared gain and the neurons' own drift.

    Every image is shown once in each round, so that slow changes weigh on all of them alike.
    """
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        images = torch.as_tensor(scenes, dtype=torch.float32)[:, None]
        expected = np.concatenate([neuron(images).numpy() for neuron in neurons], 1).astype(float)
    gain = shared_gain(0.25 * np.arange(repeats * len(scenes)), rng=rng).reshape(repeats, -1, 1)
    drift = np.array([neuron.drift for neuron in neurons])
    own = np.exp(-drift * (np.arange(repeats) / repeats - 0.5)[:, None, None])
    return rng.poisson(expected * gain * own).astype(float)


# ---- the kinds ----------------------------------------------------------------------------------


def _draw(kind, scenes, rng, degrees):
    exponent = rng.uniform(1.0, 1.4)
    if kind == "noise":
        return Neuron(kind, Constant(), exponent=1)
    if kind == "convnet":
        return Neuron(kind, RandomNetwork(scenes, rng, degrees=degrees), exponent=exponent)
    if kind == "drifting_gain":
        filters, combine = DRAWS[rng.choice(["simple", "complex"])](rng, Painter(scenes, degrees))
        return Neuron(kind, Filters(filters, scenes, combine), exponent=exponent, drift=rng.uniform(0.7, 2.0))
    filters, combine = DRAWS[kind](rng, Painter(scenes, degrees))
    return Neuron(kind, Filters(filters, scenes, combine), exponent=exponent)


class Painter:
    """Draws filters on the pixels of the scenes."""

    def __init__(self, scenes, degrees):
        self.shape, self.degrees = tuple(scenes.shape[-2:]), degrees

    def gabor(self, *, x, y, orientation, frequency, sigma, phase, aspect=1.0):
        """(h, w), without DC."""
        where = dict(degrees_per_pixel=self.degrees, x=x, y=y, orientation=orientation, sigma=sigma)
        patch = patterns.gabor(self.shape, **where, spatial_frequency=frequency, phase=phase, aspect=aspect)
        window = patterns.gabor(self.shape, **where, spatial_frequency=0.0, phase=0.0, aspect=aspect)
        return patch - window * patch.sum() / window.sum()

    def blob(self, *, x, y, sigma):
        where = dict(degrees_per_pixel=self.degrees, x=x, y=y, orientation=0.0, sigma=sigma)
        window = patterns.gabor(self.shape, **where, spatial_frequency=0.0, phase=0.0)
        return window / window.sum()

    def pair(self, **where):
        """(2, h, w), in quadrature."""
        phase = where.pop("phase", 0.0)
        return np.stack([self.gabor(**where, phase=phase + shift) for shift in (0.0, 0.25)])


def _place(rng, reach=1.0):
    return dict(x=reach * rng.uniform(-28, 28), y=reach * rng.uniform(-20, 20))


def _shape(rng, sigma=(4.5, 9.0)):
    sigma = rng.uniform(*sigma)
    frequency = min(rng.uniform(0.28, 0.45) / sigma, 0.13)
    return dict(orientation=rng.uniform(0, 180), sigma=sigma, frequency=frequency)


def energy(z):
    """(n, 2 k) quadrature pairs -> (n, k)."""
    return (z.unflatten(1, (-1, 2)).square().sum(2) + 1e-4).sqrt()


def simple(rng, paint):
    return paint.gabor(**_place(rng), **_shape(rng), phase=rng.random())[None], lambda z: z[:, 0].relu()


def complex_(rng, paint):
    return paint.pair(**_place(rng), **_shape(rng)), lambda z: energy(z)[:, 0]


def spot(rng, paint):
    place, sigma = _place(rng), rng.uniform(3, 6)
    sign = rng.choice([-1.0, 1.0])
    centre, around = (paint.blob(**place, sigma=k * sigma) for k in (1, 2))
    return sign * (centre - around)[None], lambda z: z[:, 0].relu()


def curved(rng, paint):
    """A Gabor bent along an arc, linear or as the energy of two phases."""
    place, radius = _place(rng, 0.8), rng.uniform(8, 14)
    start, span = rng.uniform(0, 360), rng.uniform(110, 190)
    sigma, frequency, phase = rng.uniform(3.5, 5), rng.uniform(0.06, 0.1), rng.random()

    def arc(shift):
        angles = start + np.linspace(-span / 2, span / 2, 7)
        parts = [
            paint.gabor(
                x=place["x"] + radius * np.cos(np.deg2rad(a)),
                y=place["y"] + radius * np.sin(np.deg2rad(a)),
                orientation=a,
                frequency=frequency,
                sigma=sigma,
                phase=phase + shift,
            )
            for a in angles
        ]
        return np.sum(parts, 0)

    if rng.random() < 0.5:
        return arc(0)[None], lambda z: z[:, 0].relu()
    return np.stack([arc(0), arc(0.25)]), lambda z: energy(z)[:, 0]


def distant_fields(rng, paint):
    """Either of two fields far apart."""
    place, apart, way = _place(rng, 0.5), rng.uniform(24, 40), rng.uniform(0, 2 * np.pi)
    filters = []
    phases = rng.random() < 0.5
    for sign in (-0.5, 0.5):
        where = dict(
            x=place["x"] + sign * apart * np.cos(way), y=place["y"] + sign * apart * np.sin(way) * 0.7
        )
        filters.append(paint.pair(**where, **_shape(rng, (4.5, 7.5)), phase=rng.random()))
    filters = np.concatenate(filters)
    return (filters, lambda z: energy(z).sum(1)) if phases else (filters[::2], lambda z: z.relu().sum(1))


def cross_suppressed(rng, paint):
    """Divided by the energy of the orthogonal orientation at the same place."""
    place, shape, floor = _place(rng), _shape(rng), rng.uniform(0.4, 0.9)
    across = dict(shape, orientation=shape["orientation"] + 90)
    filters = np.concatenate(
        [paint.pair(**place, **shape, phase=rng.random()), paint.pair(**place, **across)]
    )
    if rng.random() < 0.5:
        return filters, lambda z: z[:, 0].relu() / (floor + energy(z[:, 2:])[:, 0])
    return filters, lambda z: energy(z)[:, 0] / (floor + energy(z)[:, 1])


def size_tuned(rng, paint):
    """Divided by the energy of the same orientation around it."""
    place, shape, floor = _place(rng, 0.8), _shape(rng, (4, 6)), rng.uniform(0.4, 0.9)
    ring = np.deg2rad(np.arange(0, 360, 60))
    around = [
        dict(x=place["x"] + 2.6 * shape["sigma"] * np.cos(a), y=place["y"] + 2.6 * shape["sigma"] * np.sin(a))
        for a in ring
    ]
    filters = np.concatenate([paint.pair(**where, **shape) for where in (place, *around)])
    return filters, lambda z: energy(z)[:, 0] / (floor + energy(z)[:, 1:].mean(1))


def pool_divided(rng, paint):
    """Divided by the energies of four orientations at five places."""
    place, shape, floor = _place(rng), _shape(rng), rng.uniform(0.4, 0.9)
    step = 1.5 * shape["sigma"]
    places = [
        dict(x=place["x"] + dx, y=place["y"] + dy)
        for dx, dy in ((0, 0), (step, 0), (-step, 0), (0, step), (0, -step))
    ]
    pool = [
        paint.pair(**where, **dict(shape, orientation=shape["orientation"] + turn))
        for where in places
        for turn in (0, 45, 90, 135)
    ]
    filters = np.concatenate([paint.pair(**place, **shape, phase=rng.random()), *pool])
    return filters, lambda z: z[:, 0].relu() / (floor + energy(z[:, 2:]).mean(1))


def texture(rng, paint):
    """Second order: more fine contrast on one side of an edge than on the other."""
    place, across = _place(rng, 0.8), rng.uniform(0, 2 * np.pi)
    fine = dict(orientation=rng.uniform(0, 180), frequency=rng.uniform(0.09, 0.13), sigma=3.5)
    grid = [(u, v) for u in (-9, -4.5, 4.5, 9) for v in (-6, 0, 6)]
    c, s = np.cos(across), np.sin(across)
    filters = np.concatenate(
        [paint.pair(x=place["x"] + u * c - v * s, y=place["y"] + u * s + v * c, **fine) for u, v in grid]
    )
    weights = torch.tensor([np.sign(u) for u, _ in grid], dtype=torch.float32) / 6
    one_sided = rng.random() < 0.5
    if one_sided:
        return filters, lambda z: (energy(z) * weights.relu()).sum(1)
    return filters, lambda z: (energy(z) @ weights).relu()


def luminance(rng, paint):
    """A blob that is brighter, or darker, than the mean; with its DC."""
    sign, sharp = rng.choice([-1.0, 1.0]), rng.uniform(0.8, 1.6)
    return sign * paint.blob(**_place(rng), sigma=rng.uniform(4, 10))[None], lambda z: F.softplus(
        sharp * z[:, 0]
    )


def _stretched(aspect):
    def draw(rng, paint):
        where = _place(rng) | _shape(rng, (4.5, 7)) | dict(aspect=rng.uniform(*aspect))
        filters = paint.pair(**where, phase=rng.random())
        if rng.random() < 0.5:
            return filters[:1], lambda z: z[:, 0].relu()
        return filters, lambda z: energy(z)[:, 0]

    return draw


def _tuned_to(frequency, width):
    def draw(rng, paint):
        f = np.exp(rng.uniform(*np.log(frequency)))
        where = _place(rng) | dict(
            orientation=rng.uniform(0, 180), frequency=f, sigma=rng.uniform(*width) / f
        )
        filters = paint.pair(**where, phase=rng.random())
        if rng.random() < 0.5:
            return filters[:1], lambda z: z[:, 0].relu()
        return filters, lambda z: energy(z)[:, 0]

    return draw


def conjunction(rng, paint):
    """The product of two filters' outputs: both must answer."""
    place, shape = _place(rng, 0.8), _shape(rng, (4.5, 7))
    apart, way = shape["sigma"] * rng.uniform(1.2, 2.4), rng.uniform(0, 2 * np.pi)
    other = dict(shape, orientation=shape["orientation"] + rng.uniform(40, 90))
    there = dict(x=place["x"] + apart * np.cos(way), y=place["y"] + apart * np.sin(way))
    filters = np.concatenate(
        [paint.pair(**place, **shape, phase=rng.random()), paint.pair(**there, **other, phase=rng.random())]
    )
    if rng.random() < 0.5:
        return filters, lambda z: (energy(z).prod(1) + 1e-4).sqrt()
    return filters[::2], lambda z: (z.relu().prod(1) + 1e-4).sqrt()


def on_off_imbalance(rng, paint):
    """Both signs of one filter, one of them weaker."""
    weak = rng.uniform(0.2, 0.6)
    filters = paint.gabor(**_place(rng), **_shape(rng), phase=rng.random())[None]
    return filters, lambda z: z[:, 0].relu() + weak * (-z[:, 0]).relu()


DRAWS = {
    "simple": simple,
    "complex": complex_,
    "spot": spot,
    "curved": curved,
    "distant_fields": distant_fields,
    "cross_suppressed": cross_suppressed,
    "size_tuned": size_tuned,
    "pool_divided": pool_divided,
    "texture": texture,
    "luminance": luminance,
    "elongated": _stretched((2.2, 3.5)),
    "short": _stretched((0.4, 0.6)),
    "high_frequency": _tuned_to((0.1, 0.14), (0.35, 0.6)),
    "low_frequency": _tuned_to((0.012, 0.022), (0.22, 0.32)),
    "conjunction": conjunction,
    "on_off_imbalance": on_off_imbalance,
}
