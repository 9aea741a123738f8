"""Predictions for stimuli that a model never saw, against the responses recorded to them.

Gabors: correlation over conditions and over positions, beside the other-unit control, for neighbours
look at the same place. Gratings: preferred orientation and frequency, by AllenSDK's rule.
"""

import numpy as np
import pandas as pd

from lib.data.session import resize_to
from lib.stimuli import patterns

GREY, CONTRAST = 0.5, 0.8  # of Allen's static gratings
FINER = 4  # gratings are drawn so much finer than images, then averaged over areas


def grating_frames(table, shape, *, degrees_per_pixel, grey=GREY, contrast=CONTRAST):
    """Static gratings as images: one frame a row of the table.

    The finest of Allen's gratings, .32 cycles/degree, is at the limit of the pixels of an analysis.
    They are drawn on smaller pixels and averaged over areas, as the natural images are, and so lose
    the contrast that fine detail of natural images has lost.

    Parameters
    ----------
    table : DataFrame of K rows
        Columns orientation (degrees), spatial_frequency (cycles/degree), phase (cycles).
    shape : (h, w)
    degrees_per_pixel : float
    grey, contrast : float

    Returns
    -------
    (K, 1, h, w) float32 array in [0, 1]
    """
    fine = patterns.grating(
        tuple(FINER * n for n in shape),
        degrees_per_pixel=degrees_per_pixel / FINER,
        **{c: table[c].to_numpy() for c in ("orientation", "spatial_frequency", "phase")},
    )
    return resize_to(grey * (1 + contrast * fine), shape)[:, None]


def preferred_gratings(means):
    """Preferred orientation and spatial frequency of every unit, as in the Allen Institute's tables.

    AllenSDK (`StaticGratings._get_pref_ori`, `_get_pref_sf`): the value whose mean response over
    all conditions that share it is the highest; NaN for a unit that answers alike to all values.

    Parameters
    ----------
    means : DataFrame, (K, units)
        Mean responses; index levels orientation, spatial_frequency and others.

    Returns
    -------
    DataFrame, one row a unit
        orientation (degrees), spatial_frequency (cycles/degree)
    """
    preferred = {}
    for name in ("orientation", "spatial_frequency"):
        curve = means.groupby(level=name).mean()
        preferred[name] = curve.idxmax().where(curve.max() > curve.min())
    return pd.DataFrame(preferred)


def octave_error(a, b):
    """Distance between two frequencies, octaves."""
    return np.abs(np.log2(np.asarray(a, float) / b))


def own_and_other(measure):
    """What a measure says of each unit's own model, and of the other units' models.

    Parameters
    ----------
    measure : (units, units) array
        Of the models (first axis) against the recordings (second axis).

    Returns
    -------
    own : (units,) array
        The diagonal.
    other : (units,) array
        Mean over the other models, those with a NaN left out.
    """
    measure = np.array(measure, float)
    own = measure.diagonal().copy()
    np.fill_diagonal(measure, np.nan)
    known = np.isfinite(measure)
    with np.errstate(invalid="ignore"):
        return own, np.where(known, measure, 0).sum(0) / known.sum(0)


def correlations(a, b):
    """Correlation of every row of `a` (m, k) with every row of `b` (n, k): (m, n); NaN if a row is flat."""

    def standard(v):
        v = np.asarray(v, float)
        v = v - v.mean(1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            return v / np.linalg.norm(v, axis=1, keepdims=True)

    return standard(a) @ standard(b).T


def position_maps(values, table):
    """Mean over the orientations shown at each place: (K, units) -> (units, places)."""
    return (
        pd.DataFrame(np.asarray(values))
        .groupby([table.x_position.to_numpy(), table.y_position.to_numpy()])
        .mean()
        .to_numpy()
        .T
    )


def half_means(repeats, *, seed=0):
    """Means of two random halves of the repeats of each condition: (K, R, units) -> two (K, units)."""
    rng = np.random.default_rng(seed)
    order = rng.random(repeats.shape[:2]).argsort(1)
    shuffled = np.take_along_axis(repeats, order[..., None], 1)
    half = repeats.shape[1] // 2
    return np.nanmean(shuffled[:, :half], 1), np.nanmean(shuffled[:, half:], 1)
