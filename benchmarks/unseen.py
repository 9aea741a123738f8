"""Predictions for stimuli that a model never saw, against the responses recorded to them.

Correlation over conditions and over positions of Gabors, beside the other-unit control, for neighbours
look at the same place.
"""

import numpy as np
import pandas as pd


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
