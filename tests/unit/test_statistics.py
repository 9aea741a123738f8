"""lib.statistics against tables, textbooks and simulated truth."""

import numpy as np
import pytest

from lib import statistics


def test_bootstrap_interval_covers_the_mean():
    """Fails if the interval is of the values and not of the statistic, or not of this level."""
    rng = np.random.default_rng(0)
    samples = rng.normal(3.0, 2.0, (40, 300))
    low, high = statistics.bootstrap_interval(samples, np.mean, resamples=500)
    assert 0.90 < np.mean((low <= 3) & (high >= 3)) < 0.98
    assert np.mean(high - low) == pytest.approx(2 * 1.96 * 2 / np.sqrt(40), rel=0.1)
    narrow = statistics.bootstrap_interval(samples[:, 0], np.mean, level=0.5)
    wide = statistics.bootstrap_interval(samples[:, 0], np.mean, level=0.95)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_bootstrap_interval_leaves_nan_out_and_needs_two_values():
    """Fails if a missing unit spreads, or one value gets an interval of width 0."""
    values = np.random.default_rng(1).normal(size=20)
    with_gap = np.insert(values, 4, np.nan)
    np.testing.assert_array_equal(
        statistics.bootstrap_interval(with_gap), statistics.bootstrap_interval(values)
    )
    assert np.isnan(statistics.bootstrap_interval([1.0, np.nan])).all()
    assert np.isnan(statistics.bootstrap_interval([])).all()


def test_jackknife_covers_the_truth_and_the_scatter_of_the_models_does_not():
    """Fails if models that share nine tenths of their data are taken for independent ones.

    The models are means of all folds but one; a tenth of the data is in each fold; five of ten judge.
    """
    rng = np.random.default_rng(0)
    folds = rng.normal(3.0, 1.0, (2000, 10))
    models = (folds.sum(1, keepdims=True) - folds)[:, ::2] / 9
    found = [statistics.jackknife_comparison(m, np.ones(5), folds=10) for m in models]
    assert np.mean([f["low"] <= 2 <= f["high"] for f in found]) == pytest.approx(0.95, abs=0.02)
    null = [statistics.jackknife_comparison(m, np.full(5, 3.0), folds=10)["p"] for m in models]
    assert np.mean(np.array(null) < 0.05) == pytest.approx(0.05, abs=0.02)
    assert found[0]["n"] == 5 and found[0]["mean_ratio"] == pytest.approx(models[0].mean())
    one = statistics.jackknife_comparison([3.0], [2.0], folds=1)
    assert one["mean_difference"] == 1 and np.isnan([one["low"], one["p"]]).all()


def test_holm_of_a_worked_example():
    """Fails if steps are not n, n - 1, ..., not monotone, above 1, or if NaN counts as a test."""
    found = statistics.holm([0.01, 0.04, np.nan, 0.03, 0.005])
    np.testing.assert_allclose(found, [0.03, 0.06, np.nan, 0.06, 0.02])
    np.testing.assert_allclose(statistics.holm([0.6, 0.9]), [1.0, 1.0])


def test_permutation_p_is_never_zero_and_uniform_under_the_null():
    """Fails if the observed value is not counted, or values below are counted."""
    null = np.arange(99.0)[:, None] * np.ones(3)
    np.testing.assert_allclose(statistics.permutation_p([200.0, 50.0, np.nan], null), [0.01, 0.5, np.nan])
    rng = np.random.default_rng(3)
    p = statistics.permutation_p(rng.normal(size=2000), rng.normal(size=(99, 2000)))
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.015)
