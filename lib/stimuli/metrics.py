"""What a stimulus looks like, in numbers: luminance, contrast, symmetry, spectrum, similarity.

Everything is measured inside a mask and in degrees of visual angle. Images are (h, w) arrays, masks (h, w)
arrays in [0, 1], and `degrees_per_pixel` is the size of a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import ndimage, signal

from lib.stimuli.patterns import ROTATION, circular_mask, orientation_of, pixel_grid

Mask = np.ndarray  # (h, w), in [0, 1]
BIN = np.pi / 16  # width of the orientation bins of the symmetry index
BLUR = 3.0  # degrees, standard deviation of the window of the local contrast
BANDS, N_ORIENTATIONS = (0.02, 0.04, 0.08, 0.16), 8  # cycles/degree, of the local energy; its orientations
NAMES = {  # of what is measured, with units, as a page shows them
    "luminance": "luminance (0 black, 1 white)",
    "contrast": "contrast (SD of the luminance)",
    "symmetry_1": "one-fold symmetry (0 to 1)",
    "symmetry_2": "two-fold symmetry (0 to 1)",
    "spatial_frequency": "peak spatial frequency (cycles/deg)",
    "orientation": "orientation of the peak (deg, 0: vertical bars)",
    "frequency_bandwidth": "bandwidth in frequency (octaves)",
    "orientation_bandwidth": "bandwidth in orientation (deg)",
    "x": "centre: azimuth (deg)",
    "y": "centre: elevation (deg)",
    "radius": "radius of the disk (deg)",
    "dc_share": "share of the mean in the symmetry's sum",
    "correlation": "correlation of the pixels",
    "structural_similarity": "structural similarity (SSIM)",
    "energy_correlation": "correlation of the local energy, whatever the phase",
}


# ---- mask, luminance, contrast ------------------------------------------------------------------


def local_contrast(image: np.ndarray, *, degrees_per_pixel: float) -> np.ndarray:
    """Standard deviation (h, w) of an image around each pixel, in a Gaussian window of `BLUR` degrees."""
    image = np.asarray(image, dtype=float) - np.mean(image)
    blur = BLUR / degrees_per_pixel
    mean = ndimage.gaussian_filter(image, blur)
    square = ndimage.gaussian_filter(image**2, blur)
    return np.sqrt(np.maximum(square - mean**2, 0))


def analysis_disk(image: np.ndarray, *, mask: Mask, degrees_per_pixel: float) -> tuple[float, float, float]:
    """Centre x, y and radius (degrees) of the disk in which a stimulus is measured.

    Centre: centre of mass of the local contrast inside the mask. Radius: that of the disk with
    the mask's area.
    """
    inside = _inside(mask, np.shape(image))
    weight = inside * local_contrast(image, degrees_per_pixel=degrees_per_pixel)
    if np.ptp(np.asarray(image)[inside]) == 0:
        raise ValueError("the image is flat under the mask; give a stimulus with some contrast")
    gx, gy = pixel_grid(weight.shape, degrees_per_pixel=degrees_per_pixel)
    x, y = (gx * weight).sum() / weight.sum(), (gy * weight).sum() / weight.sum()
    return float(x), float(y), float(np.sqrt(inside.sum() / np.pi) * degrees_per_pixel)


def analysis_mask(image: np.ndarray, *, mask: Mask, degrees_per_pixel: float) -> np.ndarray:
    """Circular mask (h, w) of a stimulus, whose own mask may have any shape: `analysis_disk` drawn.

    Its soft border is half as wide as its radius; at the radius the mask is 0.5.
    """
    x, y, radius = analysis_disk(image, mask=mask, degrees_per_pixel=degrees_per_pixel)
    return circular_mask(
        np.shape(image), degrees_per_pixel=degrees_per_pixel, x=x, y=y, radius=radius, edge=radius / 2
    )


def luminance(image: np.ndarray, *, mask: Mask) -> float:
    """Mean over the pixels inside the mask (where it is at least 0.5)."""
    return float(np.asarray(image, dtype=float)[_inside(mask, np.shape(image))].mean())


def contrast(image: np.ndarray, *, mask: Mask) -> float:
    """Standard deviation over the pixels inside the mask (where it is at least 0.5)."""
    return float(np.asarray(image, dtype=float)[_inside(mask, np.shape(image))].std())


def _inside(mask, shape):
    inside = np.asarray(mask) >= 0.5
    if inside.shape != tuple(shape):
        raise ValueError(f"the mask is {inside.shape}, the image {tuple(shape)}; make them equal")
    if not inside.any():
        raise ValueError("no pixel of the mask reaches 0.5; give a mask that covers the stimulus")
    return inside


# ---- spectrum -----------------------------------------------------------------------------------


def power_spectrum(
    image: np.ndarray, *, degrees_per_pixel: float, mask: Mask | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Power spectrum of the masked deviation from the masked mean, padded to a square.

    Parameters
    ----------
    mask : (h, w) array in [0, 1], optional
        Window; give it a soft border. Absent: the whole image, its outer eighths tapered (Tukey).

    Returns
    -------
    power : (n, n) array, n = 4 max(h, w); the zero frequency is at (n // 2, n // 2)
    fx, fy : (n,) arrays, cycles/degree
        Frequencies of the columns (to the right) and of the rows (upwards, so they descend).
    """
    image = np.asarray(image, dtype=float)
    h, w = image.shape
    taper = np.outer(signal.windows.tukey(h, 0.25), signal.windows.tukey(w, 0.25))
    window = taper if mask is None else np.asarray(mask, dtype=float)
    deviation = image - np.average(image, weights=window)
    n = 4 * max(h, w)
    power = np.abs(np.fft.fftshift(np.fft.fft2(deviation * window, s=(n, n)))) ** 2
    frequency = np.fft.fftshift(np.fft.fftfreq(n, degrees_per_pixel))
    return power, frequency, -frequency


def _annulus(fx, fy, low):
    """Which frequencies (n, n) lie between `low` and the Nyquist frequency, and radius and angle of all."""
    gx, gy = np.meshgrid(fx, fy)
    radius = np.hypot(gx, gy)
    keep = (radius >= low) & (radius < np.abs(fx).max())
    return keep, radius, np.arctan2(gy, gx) % np.pi


def lowest_frequency(shape: tuple[int, int], *, degrees_per_pixel: float, mask: Mask | None = None) -> float:
    """Inner radius of the spectral annulus: one cycle across the window, cycles/degree.

    The width of the window is that of the disk with the mask's area, or, without a mask, the
    shorter side of the image.
    """
    if mask is None:
        return 1 / (min(shape) * degrees_per_pixel)
    return 1 / (2 * np.sqrt(np.sum(mask) / np.pi) * degrees_per_pixel)


def orientation_power(
    image: np.ndarray, *, degrees_per_pixel: float, mask: Mask | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Power averaged along the radius, in 16 bins of pi/16 of the carrier's direction.

    Over the annulus from one cycle across the window to the Nyquist frequency.

    Returns
    -------
    power : (16,) array
    angles : (16,) array, radians
        Centres of the bins; 0 is a carrier along x, that is vertical bars.
    """
    power, fx, fy = power_spectrum(image, degrees_per_pixel=degrees_per_pixel, mask=mask)
    low = lowest_frequency(np.shape(image), degrees_per_pixel=degrees_per_pixel, mask=mask)
    keep, _, angle = _annulus(fx, fy, low)
    bins = np.minimum((angle[keep] / BIN).astype(int), 15)
    mean = np.bincount(bins, power[keep], 16) / np.bincount(bins, minlength=16)
    return mean, (np.arange(16) + 0.5) * BIN


def symmetry_index(image: np.ndarray, n: int, *, degrees_per_pixel: float, mask: Mask | None = None) -> float:
    """n-fold symmetry index ``|sum P(theta) exp(i 2 n theta)| / sum P(theta)``.

    1 for power in one orientation (n = 1) or in two orthogonal ones (n = 2), 0 for none preferred.
    After Walker et al., Nat Neurosci 22:2060 (2019), on a spectrum that leaves out the mean.

    Examples
    --------
    >>> from lib.stimuli.patterns import grating
    >>> two = grating((32, 32), degrees_per_pixel=1.0, orientation=[30, 120], spatial_frequency=0.2, phase=0)
    >>> [round(symmetry_index(image, 1, degrees_per_pixel=1.0), 1) for image in (two[0], two.sum(0))]
    [1.0, 0.0]
    """
    power, angles = orientation_power(image, degrees_per_pixel=degrees_per_pixel, mask=mask)
    return float(np.abs(np.sum(power * np.exp(2j * n * angles))) / power.sum())


def radial_profile(
    image: np.ndarray, *, degrees_per_pixel: float, mask: Mask | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Spatial frequencies (k,), cycles/degree up to the Nyquist frequency, and the power (k,) at each.

    Averaged over orientation.
    """
    power, fx, fy = power_spectrum(image, degrees_per_pixel=degrees_per_pixel, mask=mask)
    step = fx[1] - fx[0]
    keep, radius, _ = _annulus(fx, fy, 0.0)
    bins = np.round(radius[keep] / step).astype(int)
    count = np.bincount(bins)
    return np.arange(len(count)) * step, np.bincount(bins, power[keep]) / count


def spectral_peak(
    image: np.ndarray, *, degrees_per_pixel: float, mask: Mask | None = None
) -> dict[str, float]:
    """Peak of the power spectrum and its width, within the annulus of `orientation_power`.

    Widths are full widths at half the peak AMPLITUDE (a quarter of its power), along the radius
    and along the circle through the peak; NaN where the spectrum does not fall that far.

    Returns
    -------
    dict of float
        spatial_frequency (cycles/degree), orientation (degrees in [0, 180), 0 = vertical bars),
        frequency_bandwidth (octaves), orientation_bandwidth (degrees)
    """
    power, fx, fy = power_spectrum(image, degrees_per_pixel=degrees_per_pixel, mask=mask)
    low = lowest_frequency(np.shape(image), degrees_per_pixel=degrees_per_pixel, mask=mask)
    allowed, *_ = _annulus(fx, fy, low)
    row, col = np.unravel_index(np.argmax(np.where(allowed, power, -1)), power.shape)
    step = fx[1] - fx[0]
    px = fx[col] + step * _vertex(power[row].take(range(col - 1, col + 2), mode="wrap"))
    py = fy[row] - step * _vertex(power[:, col].take(range(row - 1, row + 2), mode="wrap"))
    peak, angle = np.hypot(px, py), np.arctan2(py, px)
    along = np.geomspace(fx[fx > 0].min(), np.abs(fx).max(), 400)
    around = np.linspace(-np.pi / 2, np.pi / 2, 361)
    ray = _sample(power, fx, along * np.cos(angle), along * np.sin(angle))
    arc = _sample(power, fx, peak * np.cos(angle + around), peak * np.sin(angle + around))
    return {
        "spatial_frequency": float(peak),
        "orientation": float(orientation_of(px, py)),
        "frequency_bandwidth": _width(np.log2(along), ray, np.log2(peak), power[row, col] / 4),
        "orientation_bandwidth": _width(np.rad2deg(around), arc, 0.0, power[row, col] / 4),
    }


def _vertex(three):
    """Offset, in samples, of the top of the parabola through three log powers."""
    left, middle, right = np.log(three)
    return float(np.clip(0.5 * (left - right) / (left - 2 * middle + right), -0.5, 0.5))


def _sample(power, fx, x, y):
    """Power at the frequencies (x, y), y upwards, by linear interpolation."""
    middle, step = len(fx) // 2, fx[1] - fx[0]
    return ndimage.map_coordinates(power, [middle - y / step, middle + x / step], order=1)


def _width(position, value, peak, level):
    """Distance between the nearest falls below `level` on both sides of `peak`, or NaN."""
    below = value < level
    left, right = position[below & (position < peak)], position[below & (position > peak)]
    return float(right.min() - left.max()) if len(left) and len(right) else float("nan")


def shown(measures: dict[str, dict], *, precision: int = 3) -> pd.io.formats.style.Styler:
    """Measures {stimulus: {name: value}} as a page shows them, under their names and units."""
    return pd.DataFrame(measures).rename(index=NAMES).style.format(precision=precision, na_rep="–")


def stimulus_metrics(image: np.ndarray, *, mask: Mask, degrees_per_pixel: float) -> dict[str, float]:
    """All scalar metrics of a stimulus inside a mask, best one with a soft border: `analysis_mask`.

    Returns
    -------
    dict of float
        luminance, contrast (inside the mask), symmetry_1, symmetry_2, spatial_frequency
        (cycles/degree), orientation (degrees), frequency_bandwidth (octaves),
        orientation_bandwidth (degrees), x, y (centre of the local contrast, degrees) and radius
        (of the disk with the mask's area, degrees)

    Examples
    --------
    >>> from lib.stimuli.patterns import gabor
    >>> place = dict(degrees_per_pixel=1.0, x=8, y=-4)
    >>> patch = gabor((40, 60), **place, orientation=30, spatial_frequency=0.1, phase=0, sigma=5)
    >>> mask = circular_mask((40, 60), **place, radius=12)
    >>> found = stimulus_metrics(0.5 + 0.2 * patch, mask=mask, degrees_per_pixel=1.0)
    >>> round(found["x"]), round(found["y"]), round(found["orientation"])
    (8, -4, 30)
    """
    where = dict(degrees_per_pixel=degrees_per_pixel, mask=mask)
    x, y, radius = analysis_disk(image, **where)
    return {
        "luminance": luminance(image, mask=mask),
        "contrast": contrast(image, mask=mask),
        "symmetry_1": symmetry_index(image, 1, **where),
        "symmetry_2": symmetry_index(image, 2, **where),
        **spectral_peak(image, **where),
        "x": x,
        "y": y,
        "radius": radius,
    }


# ---- similarity of two stimuli ------------------------------------------------------------------


def _union(masks, shape):
    return np.any([_inside(mask, shape) for mask in masks], axis=0)


def masked_correlation(first: np.ndarray, second: np.ndarray, *, masks: Sequence[Mask]) -> float:
    """Pearson correlation of two images over the union of their masks."""
    union = _union(masks, np.shape(first))
    return _correlation(np.asarray(first)[union], np.asarray(second)[union])


def _correlation(a, b):
    a, b = a - a.mean(dtype=float), b - b.mean(dtype=float)
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / scale) if scale > 0 else float("nan")


def structural_similarity(
    first: np.ndarray, second: np.ndarray, *, masks: Sequence[Mask] | None = None
) -> float:
    """Structural similarity (SSIM) of images in [0, 1], averaged over the union of the masks.

    Wang, Bovik, Sheikh & Simoncelli, IEEE Trans Image Process 13:600 (2004): Gaussian window of
    1.5 pixels cut at 11 x 11, K1 = .01, K2 = .03.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)

    def blur(image):
        return ndimage.gaussian_filter(image, 1.5, truncate=3.5)

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    ssim = (
        (2 * mean_a * mean_b + c1)
        * (2 * covariance + c2)
        / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    )
    return float((ssim if masks is None else ssim[_union(masks, a.shape)]).mean())


def local_energy(image: np.ndarray, *, degrees_per_pixel: float) -> np.ndarray:
    """Energy of an image in each band of frequency and orientation, whatever its local phase.

    Squared modulus of one-sided log-Gabor filters (one octave half width; Gaussian in
    orientation), the quadrature energy of a complex cell (Adelson & Bergen 1985), at the frequencies `BANDS`
    below the Nyquist frequency: (bands, `N_ORIENTATIONS`, h, w) array.
    """
    image = np.asarray(image, dtype=float)
    h, w = image.shape
    spectrum = np.fft.fft2(image - image.mean(), s=(2 * h, 2 * w))
    gx = np.fft.fftfreq(2 * w, degrees_per_pixel)[None, :]
    gy = -np.fft.fftfreq(2 * h, degrees_per_pixel)[:, None]
    radius, angle = np.hypot(gx, gy), ROTATION * np.arctan2(gy, gx)
    radius[0, 0] = 1.0
    step = np.pi / N_ORIENTATIONS
    bands = [f for f in BANDS if f < 0.5 / degrees_per_pixel]
    energy = np.empty((len(bands), N_ORIENTATIONS, h, w))
    for i, f in enumerate(bands):
        radial = np.exp(-0.5 * (np.log2(radius / f) / 0.5) ** 2)
        radial[0, 0] = 0
        for j in range(N_ORIENTATIONS):
            off = np.angle(np.exp(1j * (angle - j * step)))
            response = np.fft.ifft2(spectrum * radial * np.exp(-0.5 * (off / step) ** 2))
            energy[i, j] = np.abs(response[:h, :w]) ** 2
    return energy


def energy_correlation(
    first: np.ndarray, second: np.ndarray, *, masks: Sequence[Mask], degrees_per_pixel: float
) -> float:
    """Phase-invariant similarity: correlation of local energy over bands, orientations, pixels.

    The pixels are those of the union of the masks.
    """
    union = _union(masks, np.shape(first))
    a, b = (local_energy(image, degrees_per_pixel=degrees_per_pixel)[..., union] for image in (first, second))
    return _correlation(a.ravel(), b.ravel())


def stimulus_similarity(
    first: np.ndarray, second: np.ndarray, *, masks: Sequence[Mask], degrees_per_pixel: float
) -> dict[str, float]:
    """All similarity measures of two stimuli: correlation, structural_similarity, energy_correlation."""
    return {
        "correlation": masked_correlation(first, second, masks=masks),
        "structural_similarity": structural_similarity(first, second, masks=masks),
        "energy_correlation": energy_correlation(
            first, second, masks=masks, degrees_per_pixel=degrees_per_pixel
        ),
    }
