"""Fixed features of an image: V1-like filters, or pixels."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

WAVELENGTHS = (8.0, 12.0, 18.0, 27.0, 40.0, 60.0)  # degrees
ORIENTATIONS = 8
SAMPLES_PER_WAVE = 2.5
BLURS = (2.0, 3.5, 6.0, 10.0, 17.0)  # degrees: of luminance and local contrast
CLOSEST = 3.0  # degrees between the places of both, at the least
CONTRAST = 0.2  # of the images whose luminance and contrast are relative ones


class V1Core(nn.Module):
    """Fixed V1-like features of an image (h, w), grouped by family and scale.

    Families: ``simple`` (Gabors of eight orientations and four phases, half-rectified), ``complex``
    (the energy of the quadrature pairs), ``luminance`` and ``contrast`` (local mean and the root of
    the local standard deviation, because responses to contrast saturate), and ``relative luminance`` and
    ``relative contrast``: the same after the image was brought to one mean and contrast, as gain
    control over a wide field does; the gain saturates at half of `CONTRAST`, or else one patch on a
    grey screen would be seen at many times its contrast. Gabors with a round window are products of
    a function of x and one of y, so all filters are two matrix products.

    Attributes
    ----------
    groups : list of (family, shape)
        In the order of the features; shape is (channels, rows, columns).
    positions : list of (n, 2) arrays
        Degrees, x and y of the places of each group.
    """

    def __init__(self, shape, *, degrees_per_pixel):
        super().__init__()
        self.shape, self.degrees_per_pixel = tuple(shape), float(degrees_per_pixel)
        self.groups, self.positions = [], []
        for k, wavelength in enumerate(WAVELENGTHS):
            size = wavelength / degrees_per_pixel
            at = [_samples(n, size / SAMPLES_PER_WAVE) for n in shape]
            down, across, dc = separable_gabors(size, shape, at)
            self._keep(f"gabor_{k}", down, across, dc)
            self._group(at, ("simple", 4 * ORIENTATIONS), ("complex", ORIENTATIONS))
        for k, blur in enumerate(BLURS):
            sigma = blur / degrees_per_pixel
            at = [_samples(n, max(blur, CLOSEST) / degrees_per_pixel) for n in shape]
            self._keep(f"blur_{k}", *(_blur(n, sigma) for n in shape), *(np.array(where) for where in at))
            self._group(
                at, ("luminance", 1), ("contrast", 1), ("relative luminance", 1), ("relative contrast", 1)
            )

    def _keep(self, name, *arrays):
        for k, values in enumerate(arrays):
            kind = torch.int64 if values.dtype.kind == "i" else torch.float32
            self.register_buffer(f"{name}_{k}", torch.tensor(values, dtype=kind))

    def _group(self, at, *families):
        rows, columns = at
        y, x = np.meshgrid((self.shape[0] - 1) / 2 - rows, columns - (self.shape[1] - 1) / 2, indexing="ij")
        places = np.stack([x.ravel(), y.ravel()], 1) * self.degrees_per_pixel
        for family, channels in families:
            self.groups.append((family, (channels, len(rows), len(columns))))
            self.positions.append(places)

    def forward(self, images):
        """(n, 1, h, w) -> (n, features)."""
        x, parts = images[:, 0] - 0.5, []
        for k in range(len(WAVELENGTHS)):
            even, odd = _quadrature(x, *(getattr(self, f"gabor_{k}_{j}") for j in range(3)))
            energy = (even.square() + odd.square() + 1e-6).sqrt()
            parts += [y.flatten(1) for y in (even.relu(), odd.relu(), (-even).relu(), (-odd).relu(), energy)]
        mean = x.mean((1, 2))[:, None, None]
        gain = CONTRAST / ((x - mean).square().mean((1, 2)) + CONTRAST**2 / 4).sqrt()[:, None, None]
        for k in range(len(BLURS)):
            down, across, rows, columns = (getattr(self, f"blur_{k}_{j}") for j in range(4))
            low = down @ x @ across.T
            contrast = (down[rows] @ (x - low).square() @ across[columns].T + 1e-6).sqrt()
            low = low[:, rows][:, :, columns]
            parts += [
                y.flatten(1) for y in (low, contrast.sqrt(), gain * (low - mean), (gain * contrast).sqrt())
            ]
        return torch.cat(parts, 1)


def separable_gabors(wavelength, shape, at):
    """Quadrature pairs of Gabors at places `at` (rows, columns) as factors along the two axes, in pixels.

    The standard deviation of their window is half the wavelength.

    Returns
    -------
    down : (6, 2 rows, h) array
        Cosine and sine of the carriers along y under the window; the last is the window alone.
    across : (6, w, 2 columns) array
        The same along x, for orientations from 0 to 90 degrees.
    scale : (ORIENTATIONS, 2) array
        Of the filters' unit norm, and the part of the window that takes the DC from the even ones.
    """
    sigma, half = wavelength / 2, ORIENTATIONS // 2
    angles = np.arange(ORIENTATIONS) * np.pi / ORIENTATIONS
    frequencies = [np.append(f(angles[: half + 1]) / wavelength, 0.0) for f in (np.sin, np.cos)]
    down, across = (
        [_axis(n, where, sigma, f) for f in axis] for n, where, axis in zip(shape, at, frequencies)
    )
    reach = np.arange(-np.ceil(2.5 * sigma), np.ceil(2.5 * sigma) + 1)
    window = np.exp(-(reach**2) / (2 * sigma**2))
    scale = []
    for angle in angles:
        waves = [window * np.exp(2j * np.pi * f(angle) * reach / wavelength) for f in (np.sin, np.cos)]
        filters = np.outer(*waves)
        dc = filters.real.sum() / window.sum() ** 2
        scale.append([1 / np.linalg.norm(filters.real - dc * np.outer(window, window)), dc])
    return (
        np.stack([np.concatenate([a.real, a.imag]) for a in down]),
        np.stack([np.concatenate([a.real, a.imag]).T for a in across]),
        np.array(scale),
    )


def _quadrature(x, down, across, scale):
    """Even and odd responses (n, ORIENTATIONS, rows, columns) to images (n, h, w)."""
    half = ORIENTATIONS // 2
    along = (x @ across.permute(1, 0, 2).flatten(1)).unflatten(2, (half + 2, -1)).transpose(1, 2)
    both = down @ along  # (n, axes, 2 rows, 2 columns)
    rows, columns = both.shape[2] // 2, both.shape[3] // 2
    cc, cs = both[:, :, :rows, :columns], both[:, :, :rows, columns:]
    sc, ss = both[:, :, rows:, :columns], both[:, :, rows:, columns:]
    steep = slice(1, half)  # their mirror images: x runs backwards
    even = torch.cat([(cc - ss)[:, : half + 1], (cc + ss)[:, steep].flip(1)], 1)
    odd = torch.cat([(cs + sc)[:, : half + 1], (sc - cs)[:, steep].flip(1)], 1)
    size, dc = scale[:, 0, None, None], scale[:, 1, None, None]
    return (even - dc * cc[:, -1:]) * size, odd * size


class PixelCore(nn.Module):
    """Coarse, smooth pixels: features of the linear model. Arguments as `V1Core`."""

    def __init__(self, shape, *, degrees_per_pixel):
        super().__init__()
        self.shape, self.degrees_per_pixel = tuple(shape), float(degrees_per_pixel)
        self.size = tuple(max(4, round(n * degrees_per_pixel / 3.5)) for n in shape)
        self.groups = [("pixels", (1, *self.size))]

    def forward(self, images):
        """(n, 1, h, w) -> (n, features)."""
        return F.interpolate(images - 0.5, size=self.size, mode="area").flatten(1)


CORES = {"v1": V1Core, "gabor_ridge": V1Core, "ridge": PixelCore}


def _samples(n, step):
    """Places along an axis, about `step` pixels apart, in its middle."""
    step = max(1, round(step))
    return np.arange((n - 1) % step // 2, n, step)


def _axis(n, places, sigma, frequency=0.0):
    """Gaussian times a carrier at some places of an axis, mirrored at its ends: (places, n)."""
    reach = np.arange(-int(np.ceil(2.5 * sigma)), int(np.ceil(2.5 * sigma)) + 1)
    weights = np.exp(-(reach**2) / (2 * sigma**2) + 2j * np.pi * frequency * reach)
    matrix = np.zeros((len(places), n), complex)
    for row, place in zip(matrix, places):
        inside = np.abs(place + reach) % (2 * (n - 1))
        np.add.at(row, np.where(inside < n, inside, 2 * (n - 1) - inside), weights)
    return matrix


def _blur(n, sigma):
    """Matrix (n, n) that blurs along an axis."""
    matrix = _axis(n, np.arange(n), sigma).real
    return matrix / matrix.sum(1, keepdims=True)
