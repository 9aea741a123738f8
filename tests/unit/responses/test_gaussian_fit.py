"""Tests of lib.responses.gaussian_fit; each says which fault it would catch."""

import numpy as np

from lib.responses import gaussian_fit

GRID = np.arange(-40.0, 41, 10)


def test_gaussian_fit_is_exact_without_noise():
    """Fault: parameters permuted, degrees taken for grid steps."""
    gx, gy = np.meshgrid(GRID, GRID)
    truth = np.array([[3.0, -12.5, 9.0, 14.0, 2.0, 0.5], [-25.0, 18.0, 12.0, 7.0, -0.4, 1.0]])
    maps = [
        p[5] + p[4] * np.exp(-(((gx - p[0]) / p[2]) ** 2) / 2 - ((gy - p[1]) / p[3]) ** 2 / 2) for p in truth
    ]
    fit = gaussian_fit.fit_gaussians(np.array(maps), GRID, GRID)
    np.testing.assert_allclose(fit[gaussian_fit.FIT], truth, atol=1e-3)
    np.testing.assert_allclose(fit.r2, 1, atol=1e-6)
