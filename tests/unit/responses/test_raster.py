"""lib.responses.raster on activity with a known order. One test compiles rastermap on its first run."""

import itertools
import logging
import sys

import numpy as np
import pytest

from lib.errors import InputError
from lib.responses import raster


def waves(n_units, n_bins=600, seed=0):
    """Units on a line: the nearer, the more alike they fire. Shuffled; also the true position."""
    rng = np.random.default_rng(seed)
    position = rng.permutation(n_units)
    sources = rng.normal(size=(8, n_bins))
    distance = position[:, None] / max(n_units - 1, 1) * 7 - np.arange(8)
    return rng.poisson(2 * np.exp(np.exp(-(distance**2) / 2) @ sources)), position


def agreement(order, position):
    """Rank correlation of the order found and the true one; either direction is right."""
    return abs(np.corrcoef(position[order], np.arange(len(order)))[0, 1])


@pytest.mark.parametrize("n_units", [8, 11])
def test_a_few_units_are_ordered_without_rastermap(n_units, monkeypatch):
    """Fails if ten units need a minute of compilation, or come out in no order."""
    monkeypatch.setitem(sys.modules, "rastermap", None)  # importing it is an error
    activity, position = waves(n_units)
    order, n_active = raster.sort_units(activity)
    assert n_active == n_units and agreement(order, position) > 0.9


@pytest.mark.parametrize("n_units", [0, 1, 2])
def test_one_unit_or_none_is_in_order(n_units):
    """Fails if a structure with a single unit ends the page."""
    order, n_active = raster.sort_units(waves(3)[0][:n_units])
    assert order.tolist() == list(range(n_units)) and n_active == n_units


@pytest.mark.parametrize("n_units", [20, 60])
def test_rastermap_recovers_the_order_of_known_units(n_units):
    """Fails if the embedding is misread, or for more units than clusters their place is lost."""
    activity, position = waves(n_units)
    order, _ = raster.sort_units(activity)
    assert sorted(order) == list(range(n_units)) and agreement(order, position) > 0.8
    shuffled = np.random.default_rng(1).permutation(n_units)
    assert raster.ordering_score(activity, order) > 2 * raster.ordering_score(activity, shuffled)


def test_turning_runs_reaches_the_best_order_of_few_units():
    """Fails if a turn lowers the score, a unit is lost, or an end of the order is never turned."""
    correlation = raster.standardised(waves(7)[0])[0]
    correlation = correlation @ correlation.T / correlation.shape[1]
    best = max(correlation[p[:-1], p[1:]].sum() for p in map(np.array, itertools.permutations(range(7))))
    reached = [
        correlation[p[:-1], p[1:]].sum()
        for p in (raster._turn_runs(np.random.default_rng(k).permutation(7), correlation) for k in range(10))
    ]
    assert max(reached) == pytest.approx(best) and min(reached) > 0.6 * best


def test_displaced_units_are_put_back():
    """Fails if the unit-by-unit step does nothing, loses a unit, or returns an order that scores less
    than the one given."""
    activity, position = waves(60, n_bins=3000)
    correlation = raster._correlation(raster.standardised(activity)[0])
    displaced = np.argsort(position + np.random.default_rng(1).normal(0, 8, 60))
    for order in (displaced, np.argsort(position)):
        mended = raster._assign(order, correlation, raster._nearness(60))
        assert sorted(mended) == list(range(60)) and agreement(mended, position) > 0.98
        assert raster.map_score(activity, mended) >= raster.map_score(activity, order)
    assert agreement(displaced, position) < 0.95


def test_map_score_is_rastermaps_weighted_mean_of_the_correlations():
    """Fails if positions are weighed the wrong way round, or a silent unit takes a position."""
    activity, position = waves(20)
    order = np.argsort(position)
    from rastermap.sort import compute_BBt

    weight = compute_BBt(np.arange(20) / 20, np.arange(20) / 20, locality=0.15)
    expected = np.mean(np.corrcoef(activity[order]) * weight * (1 - np.eye(20)))
    padded = np.vstack([activity, np.zeros(activity.shape[1])])
    assert raster.map_score(padded, np.r_[order[:5], 20, order[5:]]) == pytest.approx(expected, rel=1e-4)
    assert raster.map_score(activity, order[::-1]) == pytest.approx(expected, rel=1e-4)
    assert expected > 1.5 * raster.map_score(activity, np.arange(20))
    assert np.isnan(raster.map_score(activity, order[:2]))


def test_the_published_order_takes_every_unit_and_has_a_limit():
    """Fails if the original's sorting is not Rastermap's own, or its limit is a traceback."""
    activity, position = waves(14)
    order, _ = raster.sort_units(activity, published=True)
    assert agreement(order, position) > 0.9
    with pytest.raises(InputError, match="201 units .* at most 200"):
        raster.sort_units(np.random.default_rng(0).random((201, 5)), published=True)


def test_silent_units_come_last_and_change_nothing():
    """Fails if 0/0 of a silent unit spreads, or the rows of the others shift."""
    activity, _ = waves(15)
    padded = np.insert(activity, [0, 7], 0, axis=0)
    padded[8] = 3  # constant, not silent
    order, n_active = raster.sort_units(padded)
    rows = np.setdiff1d(np.arange(17), [0, 8])
    assert n_active == 15 and order[15:].tolist() == [0, 8]
    np.testing.assert_array_equal(order[:15], rows[raster.sort_units(activity)[0]])
    assert raster.sort_units(np.zeros((3, 5)))[1] == 0


def test_sorting_is_repeatable_and_leaves_the_process_alone(monkeypatch):
    """Fails if rastermap's np.random.seed, its logging handler or its warnings get out."""
    monkeypatch.setattr(raster, "STARTS", 2)
    activity, _ = waves(60)
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    handlers, level = list(logging.root.handlers), logging.root.level
    first, _ = raster.sort_units(activity, seed=3)
    assert np.random.random() == expected
    assert logging.root.handlers == handlers and logging.root.level == level
    np.testing.assert_array_equal(first, raster.sort_units(activity, seed=3)[0])


def test_ordering_score_is_the_mean_correlation_of_neighbours():
    """Fails if silent units or distant pairs enter."""
    activity, _ = waves(5)
    order = [3, 1, 4, 0]
    expected = np.mean([np.corrcoef(activity[a], activity[b])[0, 1] for a, b in zip(order[1:], order[:-1])])
    padded = np.vstack([activity, np.zeros(activity.shape[1])])
    assert raster.ordering_score(padded, [3, 1, 5, 4, 0]) == pytest.approx(expected, abs=1e-5)
    assert np.isnan(raster.ordering_score(activity, [2]))


def test_standardised_units():
    """Fails if a unit is scaled by another's deviation."""
    scores, active = raster.standardised(np.array([[0, 2, 4], [1, 1, 1], [5, 5, 8]]))
    assert active.tolist() == [0, 2]
    np.testing.assert_allclose(scores.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(scores.std(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("shape", [(4,), (4, 0)])
def test_unbinned_activity_is_refused(shape):
    """Fails if a list of blocks, or a session without scenes, is sorted."""
    with pytest.raises(InputError, match="at least one bin"):
        raster.sort_units(np.zeros(shape))
