"""Order of the units in a raster: neighbours fire alike (Rastermap 1.x).

The only module that imports rastermap, and only when it sorts: its first import compiles for a
minute. A few units are ordered by hierarchical clustering instead, without that wait.
"""
import contextlib
import logging
import warnings

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering

from lib.errors import InputError

FEWEST_UNITS = 12  # below this, hierarchical clustering
MOST_CLUSTERS = 60  # 135 units in seconds; Rastermap's time grows with its fifth power
LONGEST_RUN = 10  # neighbours turned round at once in the final step
MOST_PUBLISHED = 200  # Rastermap's limit without clusters
SETTINGS = {"locality": 0.15, "time_lag_window": 15}  # the original report's


def sort_units(activity, *, seed=0, published=False):
    """Order units so that neighbours in the raster fire alike.

    Rastermap sorts at most 60 clusters (half the units if that is fewer) and places the units among
    them; then runs of up to ten neighbours are turned round wherever that raises `ordering_score`,
    for Rastermap leaves the units of a cluster as they come. Sorting all units one by one takes
    minutes and scores no better (benchmarks/bench_selection.py).

    Parameters
    ----------
    activity : array (U, n_bins)
        Binned spike counts (`counts.bin_spikes`; blocks side by side).
    seed : int
        Seed of the clustering.
    published : bool
        Sort all units one by one, as the original report did: at most 200.

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
    if published and len(active) > MOST_PUBLISHED:
        raise InputError(f"{len(active)} units to sort one by one, as published; Rastermap takes "
                         f"at most {MOST_PUBLISHED}: sort them with published=False")
    if len(active) < 3:
        order = np.arange(len(active))
    elif len(active) < FEWEST_UNITS:
        order = _hierarchical_order(scores)
    elif published:
        order = _rastermap_order(scores, seed=seed, n_clusters=None, grid_upsample=0)
    else:
        n_clusters = min(MOST_CLUSTERS, len(active) // 2)
        order = _rastermap_order(scores, seed=seed, n_clusters=n_clusters, grid_upsample=10)
        order = _turn_runs(order, scores @ scores.T / scores.shape[1])
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


def _rastermap_order(scores, *, seed, **settings):
    n_units, n_bins = scores.shape
    settings = SETTINGS | settings
    settings["time_lag_window"] = min(settings["time_lag_window"], n_bins // 2)
    with _rastermap() as rastermap:
        # the mean over units is projected out, so one component fewer than units
        model = rastermap.Rastermap(
            n_PCs=min(64, n_units - 1, n_bins - 1), random_state=seed, verbose=False,
            keep_norm_X=False, **settings)
        model.fit(scores, compute_X_embedding=False)
    return np.argsort(model.embedding[:, 0], kind="stable")


def _turn_runs(order, correlation):
    """Turn round runs of neighbours while that raises their mean correlation (2-opt)."""
    end = len(order)
    correlation = np.pad(correlation, (0, 1))  # beyond either end: correlation 0
    path = np.concatenate([[end], order, [end]])
    improved = True
    while improved:
        improved = False
        for first in range(1, end):
            last = np.arange(first + 1, min(first + LONGEST_RUN, end + 1))
            before, head, tail, after = path[first - 1], path[first], path[last], path[last + 1]
            gain = (correlation[before, tail] + correlation[head, after]
                    - correlation[before, head] - correlation[tail, after])
            if gain.max() > 1e-6:
                run = slice(first, last[gain.argmax()] + 1)
                path[run] = path[run][::-1]
                improved = True
    return path[1:-1]


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
