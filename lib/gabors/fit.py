"""The Gabor fitted to an image, such as a most exciting input."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import optimize

from lib.gabors.grid import gabor_grid
from lib.gabors.parameters import PARAMETERS, bounds, canonical, from_free
from lib.stimuli.metrics import masked_correlation
from lib.stimuli.patterns import ROTATION, gabor, pixel_grid


@dataclasses.dataclass
class GaborFit:
    """Gabor fitted to an image.

    Attributes
    ----------
    parameters : dict of float, keys `PARAMETERS`
    image : (h, w) float32 array
        The fitted Gabor at the image's own luminance and amplitude, unmasked.
    r : float
        Correlation with the image inside the mask.
    """

    parameters: dict
    image: np.ndarray
    r: float


def gabor_fitted_to(
    image: np.ndarray, *, degrees_per_pixel: float, mask: np.ndarray | None = None, starts: int = 5
) -> GaborFit:
    """Least-squares Gabor of an image, such as an MEI.

    Starts from the best of a full grid, whose inner products with the image are computed in
    closed form (over phases too, by the quadrature pair); then Levenberg-Marquardt.

    Parameters
    ----------
    image : (h, w) array
    mask : (h, w) array in [0, 1], optional
        Weights of the pixels.
    starts : int
        Gabors of the grid from which the fit goes on.

    Examples
    --------
    >>> like = dict(orientation=60, spatial_frequency=0.08, phase=0, sigma=6)
    >>> image = 0.5 + 0.2 * gabor((20, 30), degrees_per_pixel=2.0, x=6, y=-4, **like)
    >>> fit = gabor_fitted_to(image, degrees_per_pixel=2.0)
    >>> round(fit.r, 3), round(fit.parameters["orientation"])
    (1.0, 60)
    """
    image = np.asarray(image, dtype=float)
    weight = np.ones(image.shape) if mask is None else np.asarray(mask, dtype=float)
    grey = np.average(image, weights=weight)
    target = weight * (image - grey)
    if np.ptp(image[weight > 0]) == 0:
        raise ValueError("the image is flat under the mask; a Gabor cannot be fitted to it")
    scale = np.array([10, 10, 57, 1, 0.3, 1, 1])
    limits = [from_free(b).numpy(force=True).astype(float) for b in bounds(image.shape, degrees_per_pixel)]

    def parameters(q):
        p = q * scale
        p[[3, 5, 6]] = np.exp(p[[3, 5, 6]])
        return np.clip(p, *limits)

    def fit(q):
        named = dict(zip(PARAMETERS, parameters(q)))
        pattern = gabor(image.shape, degrees_per_pixel=degrees_per_pixel, **named)
        design = np.stack([(weight * pattern).ravel(), weight.ravel()], axis=1)
        coefficients = np.linalg.lstsq(design, target.ravel(), rcond=None)[0]
        return pattern, coefficients, design @ coefficients - target.ravel()

    results = []
    for start in _projections(target, degrees_per_pixel, mask, starts):
        start[[3, 5, 6]] = np.log(start[[3, 5, 6]])
        results.append(optimize.least_squares(lambda q: fit(q)[2], start / scale, max_nfev=60))
    best = min(results, key=lambda result: result.cost).x
    pattern, (amplitude, offset), _ = fit(best)
    found = parameters(best)
    found[4] += 0.5 * (amplitude < 0)
    fitted = (grey + offset + amplitude * pattern).astype(np.float32)
    r = masked_correlation(image, fitted, masks=[weight])
    return GaborFit(canonical(found).iloc[0].to_dict(), fitted, r)


def _projections(target, degrees_per_pixel, mask, keep):
    """The Gabors of the full grid that correlate best with an image, at their best phases."""
    table = gabor_grid(target.shape, degrees_per_pixel=degrees_per_pixel, mask=mask)
    table = table[table.phase == 0].reset_index(drop=True)
    gx, gy = pixel_grid(target.shape, degrees_per_pixel=degrees_per_pixel)
    p = {name: table[name].to_numpy()[:, None] for name in PARAMETERS}
    theta = ROTATION * np.deg2rad(p["orientation"])
    dx, dy = gx[0] - p["x"], gy[:, 0] - p["y"]
    wave = 2j * np.pi * p["spatial_frequency"]
    column = np.exp(-(dx**2) / (2 * p["sigma"] ** 2) + wave * np.cos(theta) * dx)
    row = np.exp(-(dy**2) / (2 * p["sigma"] ** 2) + wave * np.sin(theta) * dy)
    inner = np.sum((row @ target) * column, axis=1)
    norm = np.sqrt(np.sum(np.abs(row) ** 2, axis=1) * np.sum(np.abs(column) ** 2, axis=1))
    best = np.argsort(-np.abs(inner) / norm)[:keep]
    table["phase"] = -np.angle(inner) / (2 * np.pi) % 1
    return table.iloc[best][PARAMETERS].to_numpy()
