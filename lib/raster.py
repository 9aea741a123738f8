"""Order of the units in a raster: neighbours fire alike (Rastermap 1.x).

The only module that imports rastermap, and only when it sorts: its first import compiles for a
minute. A few units are ordered by hierarchical clustering, for which Rastermap has too little data.
"""
import contextlib
import logging
import warnings

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering

from lib.errors import InputError

FEWEST_UNITS = 12  # below this, hierarchical clustering
MOST_CLUSTERS = 60  # 135 units in seconds; all units as clusters take minutes and stop at 200
SETTINGS = {"locality": 0.15, "time_lag_window": 15, "grid_upsample": 10}


def sort_units(activity, *, seed=0, n_clusters="auto"):
    """Order units so that neighbours in the raster fire alike.

    Parameters
    ----------
    activity : array (U, n_bins)
        Binned spike counts (`counts.bin_spikes`; blocks side by side).
    seed : int
        Seed of the clustering.
    n_clusters : int, None or "auto"
        Clusters that Rastermap sorts before it places the units among them: half the units, at
        most 60, if "auto". None sorts the units one by one as the original report did, which is no
        better by `ordering_score` (benchmarks/bench_selection.py), takes minutes and fails above
        200 units.

    Returns
    -------
    order : array (U,) of int
        Row of `activity` to draw at each position; units that never vary come last.
    n_active : int
        Number of units that vary, the first in `order`.

    References
    ----------
    Stringer et al., Nat Neurosci 28:201 (2025).
    """
    scores, active = standardised(activity)
    silent = np.setdiff1d(np.arange(len(activity)), active)
    if len(active) < 3:
        order = np.arange(len(active))
    elif len(active) < FEWEST_UNITS:
        order = _hierarchical_order(scores)
    else:
        order = _rastermap_order(scores, seed=seed, n_clusters=n_clusters)
    return np.concatenate([active[order], silent]), len(active)


def standardised(activity):
    """Z-score of every unit that varies.

    Parameters
    ----------
    activity : array (U, n_bins)
        Binned spike counts.

    Returns
    -------
    scores : array (n_active, n_bins) of float32
        Mean 0 and standard deviation 1 in every row.
    active : array (n_active,) of int
        Rows of `activity` that vary.
    """
    activity = np.asarray(activity)
    if activity.ndim != 2 or not activity.shape[1]:
        raise InputError(f"binned activity has shape {activity.shape}; expected (units, bins) with "
                         "at least one bin: put the blocks of counts.bin_spikes side by side")
    active = np.flatnonzero((activity != activity[:, :1]).any(axis=1))
    scores = activity[active].astype(np.float32)
    scores -= scores.mean(axis=1, keepdims=True, dtype=float).astype(np.float32)
    scores /= scores.std(axis=1, keepdims=True, dtype=float).astype(np.float32)
    return scores, active


def ordering_score(activity, order):
    """Mean correlation of the binned activity of neighbours in an order: the higher the better.

    Parameters
    ----------
    activity : array (U, n_bins)
        Binned spike counts.
    order : array of int
        Rows of `activity`; units that never vary are passed over.

    Returns
    -------
    float
        NaN with fewer than two units that vary.
    """
    scores, _ = standardised(np.asarray(activity)[order])
    if len(scores) < 2:
        return np.nan
    return float(np.mean([np.dot(a, b) / len(a) for a, b in zip(scores[1:], scores[:-1])]))


def _hierarchical_order(scores):
    """Leaves of average linkage on correlation distance, neighbours as alike as the tree allows."""
    correlation = scores @ scores.T / scores.shape[1]
    distance = np.clip(1 - correlation[np.triu_indices(len(scores), 1)], 0, 2)
    return leaves_list(optimal_leaf_ordering(linkage(distance, "average"), distance))


def _rastermap_order(scores, *, seed, n_clusters):
    n_units, n_bins = scores.shape
    if n_clusters == "auto":
        n_clusters = min(MOST_CLUSTERS, n_units // 2)
    settings = dict(SETTINGS, time_lag_window=min(SETTINGS["time_lag_window"], n_bins // 2))
    with _rastermap() as rastermap:
        # the mean over units is projected out, so one component fewer than units
        model = rastermap.Rastermap(
            n_clusters=n_clusters, n_PCs=min(64, n_units - 1, n_bins - 1), random_state=seed,
            verbose=False, keep_norm_X=False, **settings)
        model.fit(scores, compute_X_embedding=False)
    return np.argsort(model.embedding[:, 0], kind="stable")


@contextlib.contextmanager
def _rastermap():
    """Rastermap without what it does to the process.

    It seeds numpy's global generator, adds a logging handler, and warns when fewer clusters than
    asked for are left or 50 units need none: neither changes what the order means.
    """
    state = np.random.get_state()
    handlers, level = list(logging.root.handlers), logging.root.level
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import rastermap

            yield rastermap
    finally:
        np.random.set_state(state)
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
