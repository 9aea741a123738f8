"""The original report's Gabor, and how it measured a stimulus."""

import numpy as np
from scipy import ndimage, signal

from lib.stimuli.metrics import BIN


def published_gabor(
    orientations=(45, 90, 90), *, shape=(60, 96), phase=3644.93333333, wavelength=np.pi, sigma=5.0
):
    """Mean of three patches as the original report drew its Gabor, scaled to [0, 1].

    Its faults, kept: bars along the rows at orientation 0 (AllenSDK: vertical bars), wavelength
    of pi PIXELS, an accumulated cycle count taken for a phase in degrees, and the average over
    different orientations (degrees).
    """
    h, w = shape
    pad = max(shape)
    rows, cols = h + 2 * pad, w + 2 * pad
    wave = np.sin(np.deg2rad((phase + 360 / wavelength * np.arange(rows)) % 360))
    bars = np.repeat(wave[:, None], cols, axis=1)
    window = np.outer(signal.windows.gaussian(rows, sigma), signal.windows.gaussian(cols, sigma))
    patches = [
        (ndimage.rotate(bars, angle, reshape=False) * window)[pad:-pad, pad:-pad] for angle in orientations
    ]
    mean = np.mean(np.array(patches, dtype=np.float32), axis=0)
    return (mean - mean.min()) / (mean.max() - mean.min())


def _published_disk(shape, radius, centre):
    row, col = (shape[0] // 2, shape[1] // 2) if centre is None else centre
    return np.hypot(np.arange(shape[0])[:, None] - row, np.arange(shape[1]) - col) <= radius


def published_luminance(image, *, radius=12, centre=None):
    """The original's luminance: sum over a disk of pixels, divided by pi radius^2.

    The disk has more or fewer pixels than that. `centre` is (row, column), default the middle.
    """
    image = np.asarray(image)
    inside = _published_disk(image.shape, radius, centre)
    return float(image[inside].sum(dtype=float) / (np.pi * radius**2))


def published_contrast(image, *, radius=12, centre=None):
    """The original's masked contrast: standard deviation over a disk of pixels."""
    image = np.asarray(image)
    return float(image[_published_disk(image.shape, radius, centre)].std())


def published_orientation_power(image):
    """The original's axial average of the power spectrum, its mean (DC) left in.

    Angles are taken between pixel INDICES of a rectangular spectrum, over -pi to pi, without window or
    annulus. Returns the power (33,), a value a bin of pi/16, and what the zero frequency adds to its bin.
    """
    power = np.abs(np.fft.fftshift(np.fft.fft2(np.asarray(image)))) ** 2
    row, col = power.shape[0] // 2, power.shape[1] // 2
    rows, cols = np.indices(power.shape)
    bins = np.floor(np.arctan2(rows - row, cols - col) / BIN).astype(int) + 16
    count = np.bincount(bins.ravel())
    return np.bincount(bins.ravel(), power.ravel()) / count, power[row, col] / count[bins[row, col]]


def published_symmetry(image, n):
    """The original's n-fold symmetry index, of `published_orientation_power`."""
    power, _ = published_orientation_power(image)
    return float(np.abs(np.sum(power * np.exp(2j * n * np.arange(len(power)) * BIN))) / power.sum())


def published_metrics(image):
    """The original's measures of a stimulus, by the names of `stimulus_metrics`; and `dc_share`."""
    return {
        "luminance": published_luminance(image),
        "contrast": published_contrast(image),
        "symmetry_1": published_symmetry(image, 1),
        "symmetry_2": published_symmetry(image, 2),
        "dc_share": published_dc_share(image),
    }


def published_dc_share(image):
    """Share of the zero frequency in the sum that the original's symmetry index divides by."""
    power, dc = published_orientation_power(image)
    return float(dc / power.sum())
