"""Gaussian receptive fields fitted to many response maps at once."""

from __future__ import annotations

import numpy as np
import pandas as pd

SMALLEST, LARGEST = 5.0, 40.0  # sigma of a fitted field, degrees; a disk of 20 has an SD of 5
ITERATIONS = 40
FIT = ["x", "y", "sigma_x", "sigma_y", "amplitude", "baseline"]


def fit_gaussians(maps: np.ndarray, x: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    """Fit ``baseline + amplitude exp(-dx^2 / 2 sigma_x^2 - dy^2 / 2 sigma_y^2)`` to every map (N, ny, nx).

    Least squares by Levenberg-Marquardt on all maps at once, from the best of a bank of round Gaussians.
    Centres are kept within one grid step of the grid `x` (nx,), `y` (ny,), degrees, sigmas within 5 to 40
    degrees.

    Returns
    -------
    DataFrame, N rows
        x, y, sigma_x, sigma_y (degrees; of the map, that is field and stimulus together), amplitude, baseline
        (units of the map), r2 (variance explained)
    """
    gx, gy = (g.ravel() for g in np.meshgrid(x, y))
    data = maps.reshape(len(maps), -1).astype(float)
    step = abs(x[1] - x[0])
    low = np.array([x.min() - step, y.min() - step, np.log(SMALLEST), np.log(SMALLEST)])
    high = np.array([x.max() + step, y.max() + step, np.log(LARGEST), np.log(LARGEST)])
    parts = [
        _levenberg_marquardt(part, gx, gy, low, high) for part in np.array_split(data, -(-len(data) // 4000))
    ]
    p, sse = (np.concatenate(a) for a in zip(*parts))
    p[:, 2:4] = np.exp(p[:, 2:4])
    spread = ((data - data.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    return pd.DataFrame(p, columns=FIT).assign(r2=1 - sse / np.where(spread > 0, spread, np.nan))


def _bank_start(data, gx, gy):
    """Parameters (x, y, log sigmas, amplitude, baseline) of the best of a bank of Gaussians."""
    sizes = np.repeat([7.0, 11.0, 17.0], len(gx))
    cx, cy = np.tile(gx, 3), np.tile(gy, 3)
    bank = np.exp(-((gx - cx[:, None]) ** 2 + (gy - cy[:, None]) ** 2) / (2 * sizes[:, None] ** 2))
    centred = bank - bank.mean(axis=1, keepdims=True)
    norm = (centred**2).sum(axis=1)
    inner = data @ centred.T
    best = np.argmax(inner**2 / norm, axis=1)
    amplitude = inner[np.arange(len(data)), best] / norm[best]
    baseline = data.mean(axis=1) - amplitude * bank[best].mean(axis=1)
    log_size = np.log(sizes[best])
    return np.stack([cx[best], cy[best], log_size, log_size, amplitude, baseline], axis=1)


def _levenberg_marquardt(data, gx, gy, low, high):
    """Refine the bank's start; returns parameters (N, 6) and squared errors (N,)."""

    def model(p):
        dx, dy = (gx - p[:, :1]) / np.exp(p[:, 2:3]), (gy - p[:, 1:2]) / np.exp(p[:, 3:4])
        bump = np.exp(-(dx**2 + dy**2) / 2)
        return dx, dy, bump, data - p[:, 4:5] * bump - p[:, 5:6]

    p, damping = _bank_start(data, gx, gy), np.full(len(data), 1e-2)
    sse = (model(p)[3] ** 2).sum(axis=1)
    for _ in range(ITERATIONS):
        dx, dy, bump, error = model(p)
        slope = p[:, 4:5] * bump
        jacobian = np.stack(
            [
                slope * dx / np.exp(p[:, 2:3]),
                slope * dy / np.exp(p[:, 3:4]),
                slope * dx**2,
                slope * dy**2,
                bump,
                np.ones_like(bump),
            ],
            axis=1,
        )
        normal = jacobian @ jacobian.transpose(0, 2, 1)
        ridge = damping[:, None] * np.maximum(np.diagonal(normal, axis1=1, axis2=2), 1e-9)
        normal[:, np.arange(6), np.arange(6)] += ridge
        trial = p + np.linalg.solve(normal, jacobian @ error[..., None])[..., 0]
        trial[:, :4] = np.clip(trial[:, :4], low, high)
        trial_sse = (model(trial)[3] ** 2).sum(axis=1)
        better = trial_sse <= sse
        p[better], sse[better] = trial[better], trial_sse[better]
        damping = np.clip(np.where(better, damping / 4, damping * 5), 1e-9, 1e6)
    return p, sse
