"""Order of the units in a raster: neighbours fire alike (Rastermap 1.x).

The only module that imports rastermap, and only when it sorts: its first import compiles for a
minute. A few units are ordered by hierarchical clustering instead, without that wait.
"""

from __future__ import annotations

import contextlib
import logging
import warnings

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.optimize import quadratic_assignment

from lib.errors import InputError

FEWEST_UNITS = 12  # below this, hierarchical clustering
CLUSTERS = 20  # of one start; Rastermap's time grows with their fifth power
STARTS = 20  # Rastermap often ends in a local optimum, such as one half of the order turned round
UNCLUSTERED = 50  # up to here Rastermap sorts the units themselves, from fewer starts
MANY_UNITS = 200  # above this a start takes seconds: fewer of them
FEW_STARTS = 4
LONGEST_RUN = 10  # neighbours turned round at once in the final step
MOST_PUBLISHED = 200  # Rastermap's limit without clusters
SETTINGS = {"locality": 0.15, "time_lag_window": 15}  # the original report's


def sort_units(activity: np.ndarray, *, seed: int = 0, published: bool = False) -> tuple[np.ndarray, int]:
    """Order units so that neighbours in the raster fire alike.

    Rastermap sorts 20 clusters and places the units among them, from several seeds. Each order is then
    improved unit by unit on the measure that Rastermap itself maximises (`map_score`, as a quadratic
    assignment), and the best is kept. Last, runs of up to ten neighbours are turned round wherever that
    raises `ordering_score`. Sorting all units one by one, as the original did, takes minutes and scores no
    better on either (benchmarks/bench_selection.py).

    Parameters
    ----------
    activity : array (U, n_bins)
        Binned spike counts (`counting.bin_spikes`; blocks side by side).
    seed : int
        Seed of the first clustering; the others follow it.
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
    Stringer et al., Nat Neurosci 28:201 (2025); Vogelstein et al., PLoS ONE 10:e0121002 (2015), for the
    quadratic assignment.
    """
    scores, active = standardised(activity)
    silent = np.setdiff1d(np.arange(len(activity)), active)
    if published and len(active) > MOST_PUBLISHED:
        raise InputError(
            f"{len(active)} units to sort one by one, as published; Rastermap takes "
            f"at most {MOST_PUBLISHED}: sort them with published=False"
        )
    if len(active) < 3:
        order = np.arange(len(active))
    elif len(active) < FEWEST_UNITS:
        order = _hierarchical_order(scores)
    elif published:
        order = _rastermap_order(scores, seed=seed, n_clusters=None, grid_upsample=0)
    else:
        order = _best_order(scores, seed=seed)
    return np.concatenate([active[order], silent]), len(active)


def standardised(activity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Z-score, float32, of every unit of activity (U, n_bins) that varies, and the rows of these units."""
    activity = np.asarray(activity)
    if activity.ndim != 2 or not activity.shape[1]:
        raise InputError(
            f"binned activity has shape {activity.shape}; expected (units, bins) with "
            "at least one bin: put the blocks of counts.bin_spikes side by side"
        )
    active = np.flatnonzero((activity != activity[:, :1]).any(axis=1))
    scores = activity[active].astype(np.float32)
    scores -= scores.mean(axis=1, keepdims=True, dtype=float).astype(np.float32)
    scores /= scores.std(axis=1, keepdims=True, dtype=float).astype(np.float32)
    return scores, active


def ordering_score(activity: np.ndarray, order: np.ndarray) -> float:
    """Mean correlation of the binned activity (U, n_bins) of neighbours in an order: the higher the better.

    Units that never vary are passed over; NaN with fewer than two others.
    """
    scores, _ = standardised(np.asarray(activity)[order])
    if len(scores) < 2:
        return np.nan
    return float(np.mean([np.dot(a, b) / len(a) for a, b in zip(scores[1:], scores[:-1])]))


def map_score(activity: np.ndarray, order: np.ndarray) -> float:
    """Mean correlation of all pairs of units, weighted by how near they lie: what Rastermap maximises.

    The weight falls with the logarithm of the distance in the order of the rows of `activity` (U, n_bins);
    15 % of it (the locality) is kept for neighbours. In a random order it is the mean correlation of all
    pairs. Units that never vary are passed over; NaN with fewer than three others.
    """
    scores, _ = standardised(np.asarray(activity)[order])
    if len(scores) < 3:
        return np.nan
    return float(np.mean(_correlation(scores) * _nearness(len(scores))))


def compare_orders(activity: np.ndarray, order: np.ndarray, *, seed: int = 0) -> pd.DataFrame:
    """`ordering_score` (``neighbours``) and `map_score` (``all pairs``) of an order and of others.

    The others are a random one, and the original's if it takes no minutes: of at most 50 units that vary.
    """
    orders = {"sorted": order, "random": np.random.default_rng(seed).permutation(len(activity))}
    if FEWEST_UNITS <= len(standardised(activity)[1]) <= UNCLUSTERED:
        orders["one by one (published)"] = sort_units(activity, seed=seed, published=True)[0]
    scores = [(name, ordering_score(activity, o), map_score(activity, o)) for name, o in orders.items()]
    return pd.DataFrame(scores, columns=["order", "neighbours", "all pairs"])


def _best_order(scores, *, seed):
    """The best of several Rastermap orders, each improved unit by unit."""
    n_units = len(scores)
    correlation, nearness = _correlation(scores), _nearness(n_units)
    best, most = None, -np.inf
    for start in range(STARTS if UNCLUSTERED < n_units <= MANY_UNITS else FEW_STARTS):
        rows = np.random.default_rng([seed, start]).permutation(n_units)  # where a search begins
        order = rows[
            _rastermap_order(
                scores[rows], seed=seed + start, grid_upsample=10, n_clusters=min(CLUSTERS, n_units // 2)
            )
        ]
        order = _assign(order, correlation, nearness)
        score = np.sum(correlation[np.ix_(order, order)] * nearness)
        if score > most:
            best, most = order, score
    return _turn_runs(best, correlation)


def _assign(order, correlation, nearness):
    """Raise the sum of correlation times nearness from a given order (FAQ), or leave the order."""
    n_units = len(order)
    given = correlation[np.ix_(order, order)]
    start = (np.eye(n_units) + 1 / n_units) / 2  # half way to all positions alike
    found = quadratic_assignment(
        nearness,
        given,
        options={"maximize": True, "P0": start, "maxiter": 20, "tol": 1e-4, "rng": np.random.default_rng(0)},
    ).col_ind
    better = np.sum(given[np.ix_(found, found)] * nearness) > np.sum(given * nearness)
    return order[found] if better else order


def _correlation(scores):
    """Correlation (n, n) of z-scored units; 0 of a unit with itself."""
    correlation = (scores @ scores.T / scores.shape[1]).astype(float)
    np.fill_diagonal(correlation, 0)
    return correlation


def _nearness(n_units):
    """Rastermap's weight of two positions in an order, (n, n); mean 1, 0 of one with itself.

    As `rastermap.sort.compute_BBt`, written here so that a few units need not wait for it.
    """
    distance = np.abs(np.subtract.outer(np.arange(n_units), np.arange(n_units)))
    apart = distance > 0
    whole = np.where(apart, -np.log(1e-3 + distance / n_units), 0)
    near = np.where(apart, np.exp(-2.0 * distance**2), 0)
    locality = SETTINGS["locality"]
    return (1 - locality) * whole / whole.mean() + locality * near / near.mean()


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
            n_PCs=min(64, n_units - 1, n_bins - 1),
            random_state=seed,
            verbose=False,
            keep_norm_X=False,
            **settings,
        )
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
            gain = (
                correlation[before, tail]
                + correlation[head, after]
                - correlation[before, head]
                - correlation[tail, after]
            )
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
